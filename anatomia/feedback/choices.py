"""Rankings taken apart into choices: at each place somebody chose one completion, or several tied, out of those left.

Choices of all prompts lie in flat arrays, so that models of how people choose (`davidson.py`) go through them without
a loop over rankings.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from anatomia.feedback.scores import Places

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_SETS = 1024
"""A choice that could have come out in more ways than this is taken apart into pairs."""


@dataclass(frozen=True)
class Table:
    """Choices out of equally many.

    Attributes:
        offered: [choices, k] flat numbers of what was on offer, those chosen first.
        chosen: [choices] how many of them were chosen as tied, 1 where one was.
        annotator: [choices] numbers of the annotators.
        weight: [choices] how often each counts.
    """

    offered: Ints
    chosen: Ints
    annotator: Ints
    weight: Floats

    def take(self, which: NDArray[np.bool_]) -> "Table":
        """Some of the choices."""
        return Table(self.offered[which], self.chosen[which], self.annotator[which], self.weight[which])


@dataclass(frozen=True)
class Choices:
    """The choices of all prompts.

    Attributes:
        tables: one for each number of completions on offer.
        sizes: [prompts] completions of each prompt; prompt p's are numbered from `starts[p]`.
        most_tied: the most that were ever chosen at once.
        annotators: their number.
    """

    tables: tuple[Table, ...]
    sizes: Ints
    most_tied: int
    annotators: int

    @property
    def starts(self) -> Ints:
        """[prompts] the flat number of each prompt's first completion."""
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64) if len(self.sizes) else self.sizes

    @property
    def most_offered(self) -> int:
        """The most that were ever on offer."""
        return max((table.offered.shape[1] for table in self.tables), default=1)

    @property
    def count(self) -> int:
        """How many choices there are."""
        return sum(len(table.chosen) for table in self.tables)


def choices_of(
    prompts: Sequence[Sequence[Places]],
    sizes: Sequence[int],
    annotators: Sequence[Sequence[int]] | None = None,
    pairs: bool = False,
) -> Choices:
    """The choices that the rankings of each prompt consist of.

    A last completion that is left alone is no choice. What a ranking did not place was not on offer.

    As pairs, a ranking of n counts as all its pairs with a weight of 3 / (n + 1) each. They are not independent: where
    all are equally good, a completion's wins have the variance of a place, (n + 1)(n - 1) / 12, not that of as many
    tosses, (n - 1) / 4, and the weight makes up for that (on such adjustments Varin, Reid and Firth 2011, "An overview
    of composite likelihood methods"). Rankings of which a choice could have come out in more than `MOST_SETS`
    ways are always taken as pairs.

    Args:
        prompts: per prompt, the groups of each ranking.
        sizes: per prompt, the number of completions.
        annotators: per prompt, the number of who gave each ranking; all the same if None.
        pairs: whether to take rankings as their pairs.
    """
    rankings = [groups for prompt in prompts for groups in prompt]
    groups = [group for ranking in rankings for group in ranking if len(group)]
    length = np.fromiter(map(len, groups), np.int64, len(groups))
    order = np.fromiter(itertools.chain.from_iterable(groups), np.int64, int(length.sum()))
    each = np.fromiter((sum(1 for group in ranking if len(group)) for ranking in rankings), np.int64, len(rankings))
    counts = np.array(sizes, np.int64).reshape(-1)
    base = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    of_prompt = np.repeat(np.arange(len(prompts)), [len(prompt) for prompt in prompts]).astype(np.int64)
    who = np.zeros(len(rankings), np.int64)
    if annotators is not None:
        who = np.fromiter(itertools.chain.from_iterable(annotators), np.int64, len(rankings))
    ranking_of = np.repeat(np.arange(len(rankings)), each)
    flat = order + np.repeat(base[of_prompt[ranking_of]], length)
    group_of = np.repeat(np.arange(len(groups)), length)
    begin = np.cumsum(length) - length  # of each group in `flat`
    placed = np.bincount(ranking_of, length, len(rankings)).astype(np.int64)
    end = np.cumsum(placed)
    left = end[ranking_of] - begin
    most_tied = int(length.max(initial=1))
    large = np.array([count_sets(int(size), most_tied) > MOST_SETS for size in range(int(placed.max(initial=0)) + 1)])
    paired = large[placed] | pairs
    tables: dict[int, list[Table]] = {}
    for n in np.unique(placed[paired & (placed > 1)]):
        some = np.flatnonzero(paired & (placed == n))
        at = end[some][:, None, None] - n + np.stack(np.triu_indices(int(n), 1), 1)  # [rankings, pairs, 2]
        tied = (group_of[at[..., 0]] == group_of[at[..., 1]]).ravel()
        by = np.repeat(who[some], at.shape[1])
        table = Table(flat[at].reshape(-1, 2), 1 + tied, by, np.full(len(tied), 3 / (n + 1)))
        tables.setdefault(2, []).append(table)
    whole = ~paired[ranking_of]
    for k in np.unique(left[(left > 1) & whole]):
        some = np.flatnonzero((left == k) & whole)
        offered = flat[begin[some][:, None] + np.arange(k)]
        tables.setdefault(int(k), []).append(Table(offered, length[some], who[ranking_of[some]], np.ones(len(some))))
    joined = tuple(_joined(tables[k]) for k in sorted(tables))
    most_tied = max((int(table.chosen.max()) for table in joined), default=1)
    return Choices(joined, counts, most_tied, int(who.max(initial=0)) + 1)


def _joined(tables: Sequence[Table]) -> Table:
    return Table(
        np.concatenate([table.offered for table in tables]),
        np.concatenate([table.chosen for table in tables]),
        np.concatenate([table.annotator for table in tables]),
        np.concatenate([table.weight for table in tables]),
    )


def count_sets(offered: int, most: int) -> int:
    """In how many ways 1 to `most` of those offered can be chosen."""
    return sum(math.comb(offered, size) for size in range(1, min(offered, most) + 1))


@lru_cache(maxsize=256)
def sets(offered: int, most: int) -> tuple[Floats, Ints, Ints]:
    """What can be chosen from a number on offer.

    Returns:
        Weights [sets, offered], 1 / size for the members of each set of 1 to `most`; sizes [sets]; and for each size
        (from 0) the row of the set of the first so many, which is the one that a `Table` says was chosen.
    """
    rows = [row for size in range(1, min(offered, most) + 1) for row in itertools.combinations(range(offered), size)]
    weights = np.zeros((len(rows), offered))
    for row, subset in enumerate(rows):
        weights[row, list(subset)] = 1 / len(subset)
    size_of = np.array([len(subset) for subset in rows], np.int64)
    first = np.searchsorted(size_of, np.arange(1, min(offered, most) + 1))
    return weights, size_of, first.astype(np.int64)
