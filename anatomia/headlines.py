"""The one or two figures that say most about each stage. Which they are is data; absent ones are left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from anatomia.messages import Messages


@dataclass(frozen=True)
class Figure:
    """A metric worth a place in the summary: its name in `artifact.json` (dots go deeper), and how to say it."""

    metric: str
    label: str
    polish: str
    form: Literal["number", "share"] = "number"


HEADLINES: dict[str, tuple[Figure, ...]] = {
    "corpus": (
        Figure("documents_kept", "documents kept", "dokumentów"),
        Figure("documents_read", "of", "z"),
        Figure("characters_kept", "characters", "znaków"),
    ),
    "tokenizer": (
        Figure("vocabulary", "vocabulary", "słownik"),
        Figure("bytes_per_token.pl", "bytes a token: Polish", "bajtów na token: polski"),
        Figure("bytes_per_token.en", "English", "angielski"),
    ),
    "pretrain": (
        Figure("bits_per_byte", "bits a byte", "bitów na bajt"),
        Figure("parameters", "parameters", "parametrów"),
        Figure("tokens", "tokens read", "przeczytanych tokenów"),
    ),
    "finetune": (
        Figure("held_out_loss", "loss on held-out answers", "strata na odłożonych odpowiedziach"),
        Figure("held_out_loss_before", "before", "przedtem"),
        Figure("dialogues", "dialogues", "dialogów"),
    ),
    "sample": (
        Figure("completions", "completions", "odpowiedzi"),
        Figure("prompts", "to prompts", "na polecenia"),
        Figure("finished_share", "finished", "dokończone", "share"),
    ),
    "rank": (
        Figure("rankings", "rankings", "rankingów"),
        Figure("annotators", "by annotators", "oceniających"),
        Figure("agreement", "agreement", "zgodność"),
    ),
    "reward": (
        Figure("held_out_accuracy", "right about held-out pairs", "trafność na odłożonych parach", "share"),
        Figure("held_out_pairs", "pairs", "par"),
    ),
    "align": (
        Figure("reward", "reward", "nagroda"),
        Figure("reward_before", "before", "przedtem"),
        Figure("kl", "KL to the reference", "KL do wzorca"),
    ),
    "evaluate": (
        Figure("aligned_preferred", "aligned preferred", "wyrównany lepszy", "share"),
        Figure("finetuned_exact", "exact answers: fine-tuned", "dokładne odpowiedzi: dostrojony", "share"),
        Figure("aligned_exact", "aligned", "wyrównany", "share"),
    ),
}


def headline(stage: str, metrics: Mapping[str, Any], messages: Messages, most: int = 3) -> str:
    """What the stage achieved, in one line."""
    said: list[str] = []
    for figure in HEADLINES.get(stage, ()):
        value = _lookup(metrics, figure.metric)
        if isinstance(value, int | float) and len(said) < most:
            text = messages.share(value) if figure.form == "share" else messages.number(value)
            label = figure.polish if messages.language == "pl" else figure.label
            said.append(f"{label} {text}")
    return ", ".join(said)


def _lookup(metrics: Mapping[str, Any], name: str) -> Any:
    value: Any = metrics
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
