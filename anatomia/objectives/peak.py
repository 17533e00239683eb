"""Which policy of a run a judge likes best. A reward model that is optimised for long enough rises while the quality it
stands for falls (Gao, Schulman & Hilton 2023, Scaling laws for reward model overoptimization): the judge, which nothing
is optimised for, shows where."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

CERTAIN = 3.0  # standard errors; smaller differences are noise


@dataclass
class Peak:
    """What a judge said of the same prompts' answers at each look, and whose policy is to be kept.

    That is the latest which is not certainly worse than the best: within noise more training wins, so that a run whose
    judge never certainly fell ends as it would without one.

    Attributes:
        verdicts: per look, the judge's score of each prompt's answer.
        best, kept: numbers of looks.
    """

    verdicts: list[list[float]] = field(default_factory=list)
    best: int = 0
    kept: int = 0

    def see(self, verdicts: Sequence[float]) -> bool:
        """Take up the next look. Whether its policy is now the one to keep."""
        self.verdicts.append(list(verdicts))
        look = len(self.verdicts) - 1
        if mean(verdicts) >= mean(self.verdicts[self.best]):
            self.best = look
        if not certainly_above(self.verdicts[self.best], verdicts):
            self.kept = look
        return self.kept == look

    @property
    def gained(self) -> bool:
        """Whether the last look is certainly better than the first, and not certainly worse than the best."""
        last = self.verdicts[-1]
        return certainly_above(last, self.verdicts[0]) and not self.fallen

    @property
    def fallen(self) -> bool:
        """Whether the last look is certainly worse than the best."""
        return certainly_above(self.verdicts[self.best], self.verdicts[-1])


def certainly_above(ones: Sequence[float], others: Sequence[float]) -> bool:
    """Whether the scores of the same prompts' answers are higher by more than `CERTAIN` standard errors of the mean
    difference."""
    differences = [one - other for one, other in zip(ones, others, strict=True)]
    return mean(differences) > CERTAIN * error(differences)


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def error(values: Sequence[float]) -> float:
    """The standard error of their mean; of one alone it is infinite."""
    if len(values) < 2:
        return math.inf
    middle = mean(values)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1) / len(values))
