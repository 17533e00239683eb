"""Whether something rose, and whether a reward pays for it: the two questions by which the watch tells what answers
became."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

ENOUGH = 16  # answers that differ from the rest; of fewer a slope says nothing
CERTAIN = 3.0  # standard errors
MATTERS = 0.01  # of the reward's variance

Measured = Sequence[tuple[float, float, float]]


@dataclass(frozen=True)
class Pay:
    """What a reward pays for a unit of something: a slope, its standard error, and the share of the reward's variance
    that goes along with it."""

    slope: float
    error: float
    share: float

    @property
    def certain(self) -> bool:
        """Whether it certainly pays, and not next to nothing."""
        return self.slope > CERTAIN * self.error and self.share >= MATTERS


def chance_of_rise(before: Sequence[float], now: Sequence[float]) -> float:
    """The chance that as many of the pairs (the same prompt before and now) would have risen if rising were as likely
    as falling: the sign test, exact for any distribution and any number of pairs (Dixon & Mood 1946); 1 where none
    moved."""
    rose = sum(one < other for one, other in zip(before, now, strict=True))
    fell = sum(one > other for one, other in zip(before, now, strict=True))
    return tail(rose, rose + fell)


def tail(hits: int, count: int) -> float:
    """P(a fair coin of `count` throws shows at least `hits` heads)."""
    return min(1.0, sum(math.comb(count, number) for number in range(hits, count + 1)) / 2**count)


def chance_of_share(before: int, of_before: int, now: int, of_now: int) -> float:
    """The chance that so many of the hits, `before` + `now`, would lie among the later ones if both groups were alike:
    Fisher's exact test for groups that are not paired (Fisher 1935, The Logic of Inductive Inference)."""
    hits, count = before + now, of_before + of_now
    ways = sum(
        math.comb(of_now, number) * math.comb(of_before, hits - number)
        for number in range(now, min(hits, of_now) + 1)
        if hits - number <= of_before
    )
    return min(1.0, ways / math.comb(count, hits))


def pay(groups: Sequence[Measured]) -> Pay | None:
    """The slope of reward on a measure among answers that one policy wrote, over several such groups (each with a mean
    of its own, so that what merely rose at the same time does not count), the third number held fixed; None where too
    few answers differ in the measure.

    Args:
        groups: of (measure, reward, what else it might be paid for).
    """
    columns: tuple[list[float], list[float], list[float]] = ([], [], [])
    count = free = 0
    for group in groups:
        measures = [row[0] for row in group]
        common = Counter(measures).most_common(1)
        count += len(measures) - sum(often for _, often in common)
        free += max(len(group) - 1, 0)
        for column, values in zip(columns, zip(*group, strict=True), strict=False):
            middle = math.fsum(values) / len(values)
            column += [value - middle for value in values]
    measure, reward, beside = columns
    whole = dot(reward, reward)
    measure, reward = without(measure, beside), without(reward, beside)
    squares = dot(measure, measure)
    if count < ENOUGH or free < ENOUGH or squares <= 1e-9 * len(measure):
        return None
    slope = dot(measure, reward) / squares
    left = math.fsum((other - slope * one) ** 2 for one, other in zip(measure, reward, strict=True))
    return Pay(slope, math.sqrt(left / (free - 2) / squares), slope**2 * squares / whole if whole > 0 else 0.0)


def without(values: Sequence[float], other: Sequence[float]) -> list[float]:
    """What of `values` does not go along with `other`; both have mean 0."""
    squares = dot(other, other)
    slope = dot(values, other) / squares if squares > 0 else 0.0
    return [value - slope * one for value, one in zip(values, other, strict=True)]


def dot(ones: Sequence[float], others: Sequence[float]) -> float:
    return math.fsum(one * other for one, other in zip(ones, others, strict=True))
