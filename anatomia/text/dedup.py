"""Exact and near duplicates: the first of several alike stays, in the order of the sources.

Near: word 5-gram shingles, MinHash of 128 values (Broder 1997), locality-sensitive hashing in 16 bands of 8 rows
(Leskovec et al., Mining of Massive Datasets, ch. 3; FineWeb, Penedo et al. 2024, uses 14 of 8). Two texts whose shingle
sets have Jaccard similarity s meet in at least one band with probability 1 - (1 - s^8)^16: 0.95 at 0.8, 0.24 at 0.6.
Those that meet are compared by all 128 values (standard error 0.035 at 0.8) before one is dropped.
"""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

from anatomia.text.words import Words, mix

SHINGLE = 5
BANDS = 16
ROWS = 8
_SEED = 1  # of the permutations; every part of a corpus must be hashed with the same


def sketches(words: Words) -> NDArray[np.uint32]:
    """MinHash values of each text's set of word 5-grams; uint32 [texts, 128].

    A text of fewer than five words is its one shingle.
    """
    if not words.lists:
        return np.zeros((0, BANDS * ROWS), dtype=np.uint32)
    hashes, starts = words.ngrams(SHINGLE)
    counts = np.bincount(words.owners[starts], minlength=len(words.lists))
    short = np.flatnonzero(counts == 0)
    whole = np.array([_whole(words, i) for i in short.tolist()], dtype=np.uint64)
    offsets = np.zeros(len(words.lists) + 1, dtype=np.uint64)
    np.cumsum(np.maximum(counts, 1), out=offsets[1:])
    flat = np.insert(hashes, np.cumsum(counts)[short], whole)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(flat, offsets, num_perm=BANDS * ROWS, seed=_SEED)
    return np.array(matrix.to_rows(), dtype=np.uint32)


def _whole(words: Words, index: int) -> np.uint64:
    value = np.zeros(1, dtype=np.uint64)
    for word in words.hashes[words.offsets[index] : words.offsets[index + 1]]:
        value = mix(value) + word
    return np.uint64(mix(value)[0])


def exact_duplicates(ids: NDArray) -> NDArray[np.int64]:
    """For each text the index of the first with the same id, -1 if it is the first; int64 [texts]."""
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    original = first[inverse]
    return np.where(original < np.arange(len(ids)), original, -1)


def near_duplicates(values: NDArray[np.uint32], threshold: float) -> dict[int, tuple[int, float]]:
    """The texts to drop as near duplicates of an earlier one that stays.

    Args:
        values: uint32 [texts, 128] from `sketches`, in the order of the corpus; may be memory-mapped.
        threshold: estimated Jaccard similarity from which two texts are alike.

    Returns:
        index of the dropped text -> (index of the kept one it resembles most, estimated similarity). The order in which
        the texts stand decides, and nothing else.
    """
    groups: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for band in range(BANDS):
        keys = np.zeros(len(values), dtype=np.uint64)
        for row in range(band * ROWS, (band + 1) * ROWS):
            keys = mix(keys) + np.asarray(values[:, row], dtype=np.uint64)
        order = np.argsort(keys, kind="stable")
        alike = keys[order][1:] == keys[order][:-1]
        shared = np.zeros(len(values), dtype=bool)
        shared[order[1:][alike]] = True
        shared[order[:-1][alike]] = True
        for index in np.flatnonzero(shared).tolist():
            groups[index].append((band, int(keys[index])))
    dropped: dict[int, tuple[int, float]] = {}
    kept: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index in sorted(groups):
        candidates = sorted({other for key in groups[index] for other in kept[key]})
        if candidates:
            similarity = (values[candidates] == values[index]).mean(axis=1)
            best = int(similarity.argmax())
            if similarity[best] >= threshold:
                dropped[index] = (candidates[best], float(similarity[best]))
                continue
        for key in groups[index]:
            kept[key].append(index)
    return dropped
