"""The words of a batch of texts as flat arrays, so that repetition and similarity are counted without Python loops."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_PUNCTUATION = ".,;:!?…\"'„”“’‘«»()[]{}<>-–—*_/\\|§"
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_CACHE_LIMIT = 1_000_000


class _Hashes(dict[str, int]):
    """64-bit hash of a word without the punctuation round it, 0 if nothing is left; lowest bit: it has a letter."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _CACHE_LIMIT:
            self.clear()
        bare = word.strip(_PUNCTUATION)
        value = 0
        if bare:
            value = int.from_bytes(blake2b(bare.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
            value = value | 1 if any(map(str.isalpha, bare)) else (value & ~1) or 2
        self[word] = value
        return value


_hashes = _Hashes()


@dataclass(frozen=True)
class Words:
    """The words (split at white space, lower case) of several texts.

    Attributes:
        lists: per text, its words as strings, punctuation still on them; dashes and dots that stand alone are still
            there, but not in the arrays.
        hashes: uint64 [words of all texts], the same for the same word everywhere; lowest bit: it has a letter.
        lengths: int64 [words of all texts], characters.
        offsets: int64 [texts + 1]: text i has the words offsets[i]:offsets[i + 1].
    """

    lists: list[list[str]]
    hashes: NDArray[np.uint64]
    lengths: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @property
    def owners(self) -> NDArray[np.int64]:
        """int64 [words]: which text each word belongs to."""
        return np.repeat(np.arange(len(self.lists)), np.diff(self.offsets))

    def sums(self, values: NDArray) -> NDArray[np.float64]:
        """Per text, the sum of `values` [words] over its words; float64 [texts]."""
        return np.bincount(self.owners, weights=values, minlength=len(self.lists)).astype(np.float64)

    def take(self, texts: Sequence[int]) -> "Words":
        """The words of some of the texts."""
        spans = [range(self.offsets[i], self.offsets[i + 1]) for i in texts]
        chosen = np.array([index for span in spans for index in span], dtype=np.int64)
        offsets = np.concatenate(([0], np.cumsum([len(span) for span in spans], dtype=np.int64)))
        return Words([self.lists[i] for i in texts], self.hashes[chosen], self.lengths[chosen], offsets)

    def ngrams(self, n: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Hashes of all runs of `n` words that lie within one text, and the flat index each starts at."""
        ends = np.repeat(self.offsets[1:], np.diff(self.offsets))
        starts = np.flatnonzero(np.arange(len(self.hashes)) + n <= ends)
        value = self.hashes[starts]
        for step in range(1, n):
            value = mix(value) + self.hashes[starts + step]
        return mix(value), starts


def mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijection of 64-bit integers that spreads every bit (the finalizer of SplitMix64, Steele et al. 2014)."""
    value = (value + _MULTIPLIER).astype(np.uint64)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def words_of(texts: Sequence[str]) -> Words:
    """The words of `texts`."""
    lists = [text.lower().split() for text in texts]
    flat = [word for words in lists for word in words]
    hashes = np.fromiter(map(_hashes.__getitem__, flat), dtype=np.uint64, count=len(flat))
    lengths = np.fromiter(map(len, flat), dtype=np.int64, count=len(flat))
    real = hashes != 0
    before = np.concatenate(([0], np.cumsum(real)))
    offsets = before[np.concatenate(([0], np.cumsum([len(words) for words in lists], dtype=np.int64)))]
    return Words(lists, hashes[real], lengths[real], offsets.astype(np.int64))
