"""From what a stage left to what its chapter shows. Pure: specimens, events and metrics in, a `Chapter` out."""

from collections.abc import Callable

from anatomia.explain.chapters.alignment import align
from anatomia.explain.chapters.corpus import corpus, tokenizer
from anatomia.explain.chapters.evaluation import evaluate, opening
from anatomia.explain.chapters.ranking import rank
from anatomia.explain.chapters.reward import reward
from anatomia.explain.chapters.sampling import sample
from anatomia.explain.chapters.shared import Chapter
from anatomia.explain.chapters.training import finetune, pretrain
from anatomia.explain.gather import View

__all__ = ["CHAPTERS", "Chapter", "opening"]

CHAPTERS: dict[str, Callable[[View], Chapter]] = {
    "corpus": corpus,
    "tokenizer": tokenizer,
    "pretrain": pretrain,
    "finetune": finetune,
    "sample": sample,
    "rank": rank,
    "reward": reward,
    "align": align,
    "evaluate": evaluate,
}
