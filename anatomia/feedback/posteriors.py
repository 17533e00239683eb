"""What rankings say about each prompt's scores, given what all prompts share: the mode, and how sure it is.

The model's formula stands in `davidson.py`. For given shared parameters minus the logarithm of its posterior is convex
in the scores, so Newton's method finds the mode; the inverse of the second derivative there (the observed information
with the prior's) is the covariance. Prompts of one size are solved together.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from anatomia.feedback.choices import Choices, Floats, Ints, Table, sets

NEWTON_STEPS = 100
STILL = 1e-8  # scores that move less have arrived


@dataclass(frozen=True)
class Shared:
    """What all prompts have in common.

    Attributes:
        ties: [most offered + 1, most tied] log d, how readily t of k on offer are tied, at [k, t - 1]; 0 for t = 1.
        reliability: [annotators] 1 as usual, 0 chance, below 0 contrary.
        spread: standard deviation of the scores of a prompt's completions.
    """

    ties: Floats
    reliability: Floats
    spread: float


@dataclass(frozen=True)
class Block:
    """The posteriors of the prompts of one size.

    Attributes:
        prompts: [P] their numbers.
        flat: [P, n] the flat numbers of their completions.
        mode: [P, n] the likeliest scores.
        covariance: [P, n, n] of the scores.
    """

    prompts: Ints
    flat: Ints
    mode: Floats
    covariance: Floats


def posteriors(choices: Choices, shared: Shared, start: Floats | None = None) -> list[Block]:
    """The posterior of each prompt's scores, by size.

    Args:
        start: flat scores to begin from.

    Raises:
        ValueError: Newton's method does not arrive, which with a finite spread means that numbers overflow.
    """
    layout = Layout(choices)
    scores = np.zeros(layout.total) if start is None else start.copy()
    value, gradient, curvature = layout.derivatives(choices, shared, scores)
    going = np.ones(len(choices.sizes), bool)
    for _ in range(NEWTON_STEPS):
        step = np.zeros_like(scores)
        for block, H in layout.blocks(curvature):
            step[block] = np.linalg.solve(H, gradient[block][..., None])[..., 0]
        moved = np.zeros(len(choices.sizes))
        np.maximum.at(moved, layout.prompt_of, np.abs(step))
        going = moved > STILL
        if not going.any():
            break
        # A full step may overshoot where scores lie far out: a prompt that got worse goes half as far.
        step *= going[layout.prompt_of]
        for _ in range(30):
            trial = scores + step
            next_value = layout.values(choices, shared, trial)
            worse = next_value > value + 1e-9 * (1 + np.abs(value))
            if not worse.any():
                break
            step[worse[layout.prompt_of]] *= 0.5
        scores = trial
        value, gradient, curvature = layout.derivatives(choices, shared, scores)
    if going.any() or not np.isfinite(scores).all():
        raise ValueError("the rankings' scores have no best fit; give a smaller spread")
    return [
        Block(prompts, flat, scores[flat], np.asarray(np.linalg.inv(H)))
        for (prompts, flat), (_, H) in zip(layout.groups, layout.blocks(curvature), strict=True)
    ]


class Layout:
    """Where the completions of each prompt lie in flat arrays of scores and second derivatives."""

    def __init__(self, choices: Choices) -> None:
        sizes, starts = choices.sizes, choices.starts
        self.total = int(sizes.sum())
        self.prompt_of = np.repeat(np.arange(len(sizes)), sizes)
        self.groups: list[tuple[Ints, Ints]] = []
        self.corner = np.zeros(len(sizes), np.int64)  # of each prompt's matrix in the flat second derivatives
        self.room = 0
        for size in np.unique(sizes[sizes > 0]):
            prompts = np.flatnonzero(sizes == size)
            self.groups.append((prompts, starts[prompts][:, None] + np.arange(size)))
            self.corner[prompts] = self.room + np.arange(len(prompts)) * size**2
            self.room += len(prompts) * int(size) ** 2
        # A pair (i, j) of one prompt lies at row[i] + column[j].
        local = np.arange(self.total) - starts[self.prompt_of]
        self.row = self.corner[self.prompt_of] + local * sizes[self.prompt_of]
        self.column = local

    def blocks(self, curvature: Floats) -> Iterator[tuple[Ints, Floats]]:
        """Flat numbers [P, n] and second derivatives [P, n, n] of the prompts of each size."""
        at = 0
        for _, flat in self.groups:
            P, n = flat.shape
            yield flat, curvature[at : at + P * n * n].reshape(P, n, n)
            at += P * n * n

    def values(self, choices: Choices, shared: Shared, scores: Floats) -> Floats:
        """[prompts] minus the logarithm of the posterior, up to a constant."""
        value = np.bincount(self.prompt_of, scores**2, len(choices.sizes)) / (2 * shared.spread**2)
        for table in choices.tables:
            logits, _ = logits_of(table, shared, scores)
            loss = table.weight * (logsumexp(logits) - logits[np.arange(len(logits)), chosen_rows(table, shared)])
            value += np.bincount(self.prompt_of[table.offered[:, 0]], loss, len(value))
        return value

    def derivatives(self, choices: Choices, shared: Shared, scores: Floats) -> tuple[Floats, Floats, Floats]:
        """`values`, the first derivatives [completions] of minus them, and their second derivatives, flat."""
        value = np.bincount(self.prompt_of, scores**2, len(choices.sizes)) / (2 * shared.spread**2)
        gradient = -scores / shared.spread**2
        curvature = np.zeros(self.room)
        curvature[self.row + self.column] = 1 / shared.spread**2
        for table in choices.tables:
            k = table.offered.shape[1]
            members = sets(k, shared.ties.shape[1])[0]
            pairs = (members[:, :, None] * members[:, None, :]).reshape(len(members), k * k)
            logits, _ = logits_of(table, shared, scores)
            total = logsumexp(logits)
            rows = chosen_rows(table, shared)
            loss = table.weight * (total - logits[np.arange(len(logits)), rows])
            value += np.bincount(self.prompt_of[table.offered[:, 0]], loss, len(value))
            chance = np.exp(logits - total[:, None])
            expected = chance @ members
            pull = (table.weight * shared.reliability[table.annotator])[:, None] * (members[rows] - expected)
            gradient += np.bincount(table.offered.ravel(), pull.ravel(), self.total)
            spread = (chance @ pairs).reshape(-1, k, k) - expected[:, :, None] * expected[:, None, :]
            spread *= (table.weight * shared.reliability[table.annotator] ** 2)[:, None, None]
            at = self.row[table.offered][:, :, None] + self.column[table.offered][:, None, :]
            curvature += np.bincount(at.ravel(), spread.ravel(), self.room)
        return value, gradient, curvature


def logits_of(table: Table, shared: Shared, scores: Floats) -> tuple[Floats, Floats]:
    """Of every set that could be chosen, [choices, sets]: the logarithm of its odds; the mean score of its members."""
    k = table.offered.shape[1]
    members, size, _ = sets(k, shared.ties.shape[1])
    mean = scores[table.offered] @ members.T
    return shared.reliability[table.annotator][:, None] * mean + shared.ties[k, size - 1], mean


def chosen_rows(table: Table, shared: Shared) -> Ints:
    """[choices] the row, among the sets that could be chosen, of the one that was."""
    return sets(table.offered.shape[1], shared.ties.shape[1])[2][table.chosen - 1]


def logsumexp(logits: Floats) -> Floats:
    """log(sum(exp)) over the last dimension."""
    top = logits.max(-1)
    return top + np.log(np.exp(logits - top[..., None]).sum(-1))
