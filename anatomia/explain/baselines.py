"""What simple models make of the same held-out text, in bits per byte: a compressor, and counted n-grams."""

import lzma
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from anatomia.tokens.shards import Shard

MOST = 5_000_000
"""Tokens that n-grams are counted in at most: some 200 bytes of memory for each."""

NEVER = np.iinfo(np.int64).max
"""The key of no n-gram: stands last, so that whatever is looked up lies before it."""


def xz_bits_per_byte(texts: Iterable[str]) -> float:
    """Compressed bits per byte of the texts in one piece, by `xz -9e`; NaN if there is no text.

    The compressor knows nothing but the text itself, and learns from it as it goes.
    """
    data = "".join(texts).encode()
    return 8 * len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)) / len(data) if data else math.nan


def ngram_bits_per_byte(
    train: Shard, validation: Shard, validation_bytes: int, vocabulary: int, order: int = 5, most: int = MOST
) -> float:
    """Bits per byte of an n-gram model of `train` on `validation`, counted as a language model's are; NaN without text.

    The loss of every token but a document's first, end tokens included, over the bytes of the documents' text.

    Args:
        train, validation: documents in the same tokens.
        validation_bytes: UTF-8 bytes of the validation documents' text.
        vocabulary: how many tokens there are, seen or not.
        order: tokens of an n-gram, the predicted one included.
        most: learn from no more than so many tokens, of documents drawn from all over `train`.
    """
    if not validation_bytes:
        return math.nan
    model = NGrams(draw_documents(train, most), vocabulary, order)
    return float(-model.log_probabilities(validation).sum()) / math.log(2) / validation_bytes


def draw_documents(shard: Shard, most: int) -> Shard:
    """The shard, or so many of its documents, drawn evenly from all of it, as have `most` tokens (one at least)."""
    if len(shard.tokens) <= most:
        return shard
    lengths = np.diff(shard.starts)
    drawn = np.random.default_rng(0).permutation(len(lengths))
    kept = np.sort(drawn[: max(1, int(np.searchsorted(np.cumsum(lengths[drawn]), most, "right")))])
    tokens = np.concatenate([shard.document(number)[:most] for number in kept])
    return Shard(tokens, np.concatenate([[0], np.cumsum(np.minimum(lengths[kept], most))]))


@dataclass(frozen=True)
class Level:
    """All n-grams of one length.

    Attributes:
        keys: int64 [n + 1], sorted: the number of the n-gram without its last token among those one shorter, times
            twice the vocabulary, plus the last token; and `NEVER`. An n-gram's number is its place here.
        kept: fp64 [n + 1], its share of its context's count after discounting.
        left: fp64 [contexts], by the context's number: what discounting leaves for shorter n-grams; 1 where nothing
            was ever seen to follow.
    """

    keys: np.ndarray
    kept: np.ndarray
    left: np.ndarray


class NGrams:
    """Interpolated modified Kneser-Ney (Chen & Goodman 1999, section 3).

    The longest n-grams count as often as they occur; shorter ones by how many different tokens they follow, but those
    at a document's beginning, which follow nothing, as often as they occur (as in Heafield et al. 2013, section 3). The
    last to be asked is a uniform distribution over the vocabulary.
    """

    def __init__(self, train: Shard, vocabulary: int, order: int = 5) -> None:
        """Count. A document's first token is taken as given, and as another one than the same token elsewhere."""
        self.vocabulary = vocabulary
        self.levels: list[Level] = []
        tokens, places = self._read(train)
        numbers = np.zeros(len(tokens), np.int32)  # of the n-gram, one shorter, that ends at each position
        keys, contexts = np.zeros(1, np.int64), 1  # of the n-grams one shorter; how many there are yet one shorter
        for length in range(1, order + 1):
            ends = np.flatnonzero(places >= length - 1)
            before = numbers[ends - 1].astype(np.int64) if length > 1 else 0
            longer, inverse = np.unique(before * (2 * vocabulary) + tokens[ends], return_inverse=True)
            if length > 1:
                somewhere = np.zeros(len(longer), np.int64)  # a position where each of the longer ones ends
                somewhere[inverse] = ends
                follows = np.bincount(numbers[somewhere], minlength=len(keys))
                opens = np.bincount(numbers[places == length - 2], minlength=len(keys))
                self.levels.append(self._discount(keys, follows + opens, contexts))
                contexts = len(keys)
            keys = longer
            numbers[:] = -1
            numbers[ends] = inverse
        self.levels.append(self._discount(keys, np.bincount(inverse, minlength=len(keys)), contexts))

    def log_probabilities(self, shard: Shard) -> np.ndarray:
        """ln p of every token of `shard` but the documents' first, given what stands before it; fp64, in order."""
        tokens, places = self._read(shard)
        chances = np.full(len(tokens), 1 / self.vocabulary)
        context = np.zeros(len(tokens), np.int64)  # number of what stands before each position; -1 if never seen
        for length, level in enumerate(self.levels, 1):
            known = np.flatnonzero((context >= 0) & (places >= length - 1))
            keys = context[known] * (2 * self.vocabulary) + tokens[known]
            at = np.searchsorted(level.keys, keys)
            hit = level.keys[at] == keys
            chances[known] = np.where(hit, level.kept[at], 0.0) + level.left[context[known]] * chances[known]
            numbers = np.full(len(tokens), -1, np.int64)
            numbers[known[hit]] = at[hit]
            context = np.concatenate([[-1], numbers[:-1]])
        return np.log(chances[places > 0])

    def _read(self, shard: Shard) -> tuple[np.ndarray, np.ndarray]:
        """Tokens, the first of each document raised by the size of the vocabulary; each one's place in its document."""
        tokens = shard.tokens.astype(np.int64)
        starts = np.asarray(shard.starts)
        lengths = np.diff(starts)
        tokens[starts[:-1][lengths > 0]] += self.vocabulary
        return tokens, np.arange(len(tokens)) - np.repeat(starts[:-1], lengths)

    def _discount(self, keys: np.ndarray, counts: np.ndarray, contexts: int) -> Level:
        context, token = np.divmod(keys, 2 * self.vocabulary)
        counts = np.where(token < self.vocabulary, counts, 0)  # a document's first token is never predicted
        discounts = discounts_of(counts)[np.minimum(counts, 3)]
        total = np.bincount(context, counts, contexts)
        taken = np.bincount(context, discounts, contexts)
        followed = total > 0
        left = np.where(followed, taken / np.where(followed, total, 1), 1.0)
        kept = (counts - discounts) / np.where(followed, total, 1)[context]
        return Level(np.append(keys, NEVER), np.append(kept, 0.0), left)


def discounts_of(counts: np.ndarray) -> np.ndarray:
    """What is taken from counts of 0, 1, 2, and 3 or more: fp64 [4] (Chen & Goodman 1999, section 3).

    Where there is too little text to estimate one, half of the count it is for, at most 1.5.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6).astype(float)
    found = np.array([0.0, 0.5, 1.0, 1.5])
    for count in (1, 2, 3):
        if n[1] and n[count]:
            value = count - (count + 1) * n[1] / (n[1] + 2 * n[2]) * n[count + 1] / n[count]
            if 0 < value <= count:
                found[count] = value
    return found
