"""How much of a text repeats itself, counted for a whole batch at once."""

import numpy as np
from numpy.typing import NDArray

from anatomia.text.words import Words, mix


def repeated_share(words: Words, n: int) -> NDArray[np.float64]:
    """Per text, the share of its characters (without spaces) in repeats of an n-gram; float64 [texts]."""
    starts, begins, _ = _runs(words, n)
    if not len(starts):
        return np.zeros(len(words.lists))
    repeat = np.ones(len(words.hashes) + n + 1, dtype=bool)
    repeat[np.minimum.reduceat(starts, begins)] = False  # the first of its kind
    again = starts[repeat[starts]]
    edges = np.zeros(len(words.hashes) + n + 1, dtype=np.int64)
    edges[again] += 1
    edges[again + n] -= 1
    covered = np.cumsum(edges)[: len(words.hashes)] > 0
    return words.sums(words.lengths * covered) / np.maximum(words.sums(words.lengths), 1)


def top_share(words: Words, n: int) -> NDArray[np.float64]:
    """Per text, the share of its characters in the n-gram that takes most and occurs 3 times; float64 [texts]."""
    starts, begins, owners = _runs(words, n)
    shares = np.zeros(len(words.lists))
    counts = np.diff(np.append(begins, len(starts)))
    often = counts >= 3
    total = np.concatenate(([0], np.cumsum(words.lengths)))
    sizes = (total[starts[begins] + n] - total[starts[begins]])[often] * counts[often]
    np.maximum.at(shares, owners[often], sizes)
    return shares / np.maximum(words.sums(words.lengths), 1)


def _runs(words: Words, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Where n-grams start, equal ones of a text together; where each group of equals begins; the text of each group."""
    hashes, starts = words.ngrams(n)
    owners = words.owners[starts]
    keys = mix(hashes ^ mix(owners.astype(np.uint64)))
    order = np.argsort(keys)
    ordered = keys[order]
    begins = np.flatnonzero(np.concatenate((np.ones(min(1, len(keys)), dtype=bool), ordered[1:] != ordered[:-1])))
    return starts[order], begins, owners[order][begins]
