"""What all prompts share (`posteriors.Shared`), found by maximum marginal likelihood: whatever the scores are.

Stochastic approximation of expectation-maximisation (Delyon, Lavielle and Moulines 1999; Kuhn and Lavielle 2004): the
scores of every prompt walk through their posterior, and after a few steps the shared parameters take one Newton step up
the log-likelihood at the scores met. The walk is that of Cotter et al. 2013 ("MCMC methods for functions", pCN) round
the normal approximation, accepted or refused as Metropolis and Hastings have it, since the approximation alone is
biased. Random numbers are the same each time.

How sure the reliabilities are follows Louis 1982 ("Finding the observed information matrix when using the EM
algorithm"): the curvature at the scores, less what not knowing the scores takes away.
"""

import numpy as np

from anatomia.feedback.choices import Choices, Floats, sets
from anatomia.feedback.posteriors import Block, Layout, Shared, chosen_rows, logits_of, logsumexp, posteriors

MOST_CHOICES = 6_000
"""What prompts share is learnt from prompts with about so many choices, taken at random where there are more."""

_AHEAD, _AVERAGED = 30, 30  # rounds at most until the parameters settle; rounds that are averaged after that
_STEPS = 4  # of the walk in a round; fewer where there are more than MOST_CHOICES, whose noise is less
_SETTLED = 0.02
_KEEP = 0.5  # of where a walk was; the rest is new
_WIDER = 1.3  # than the normal approximation: the posterior's tails are
_USUAL = 0.5  # reliabilities are near 1, give or take this, where little is known of an annotator
_SPREAD, _FEW = 1.5, 3.0  # where little was ranked, as if a few more scores had this spread
_TIES = 3.0  # logarithms of d are near 0, give or take this, so that what never tied has odds too


class _Walk:
    """Scores that walk through the posteriors of all prompts."""

    def __init__(self, choices: Choices) -> None:
        self.choices, self.layout = choices, Layout(choices)
        self.random = np.random.default_rng(0)
        self.scores = np.zeros(self.layout.total)
        self.blocks: list[Block] = []
        self.roots: list[Floats] = []
        self.offered = np.zeros(self.layout.total, bool)
        self.given = np.zeros(choices.annotators)
        for table in choices.tables:
            self.offered[table.offered.ravel()] = True
            self.given += np.bincount(table.annotator, table.weight, choices.annotators)

    def approximate(self, shared: Shared) -> None:
        """Take the normal approximation anew, with what is shared now."""
        begun = bool(self.blocks)
        start = np.zeros(self.layout.total)
        for block in self.blocks:
            start[block.flat] = block.mode
        self.blocks = posteriors(self.choices, shared, start)
        self.roots = [np.asarray(_WIDER * np.linalg.cholesky(block.covariance)) for block in self.blocks]
        if not begun:
            self.scores = self._placed([self.random.standard_normal(block.mode.shape) for block in self.blocks])

    def step(self, shared: Shared) -> Floats:
        """One step of every prompt's scores; where they are then."""
        where = [
            np.linalg.solve(root, (self.scores[block.flat] - block.mode)[..., None])[..., 0]
            for block, root in zip(self.blocks, self.roots, strict=True)
        ]
        there = [_KEEP * x + (1 - _KEEP**2) ** 0.5 * self.random.standard_normal(x.shape) for x in where]
        scores = self._placed(there)
        better = self.layout.values(self.choices, shared, self.scores) - self.layout.values(
            self.choices, shared, scores
        )
        for block, old, new in zip(self.blocks, where, there, strict=True):
            better[block.prompts] += ((new**2).sum(1) - (old**2).sum(1)) / 2
        taken = np.log(self.random.random(len(better))) < better
        self.scores = np.where(taken[self.layout.prompt_of], scores, self.scores)
        return self.scores

    def _placed(self, where: list[Floats]) -> Floats:
        scores = np.zeros(self.layout.total)
        for block, root, x in zip(self.blocks, self.roots, where, strict=True):
            scores[block.flat] = block.mode + (root @ x[..., None])[..., 0]
        return scores


class _Slope:
    """Derivatives of the log-likelihood in the reliabilities and then log d, summed over scores met."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.prompt_of = np.repeat(np.arange(len(choices.sizes)), choices.sizes)
        self.count = 0
        self.A, self.T, K = choices.annotators, choices.most_tied, choices.most_offered
        params = self.A + (K + 1) * self.T
        self.first, self.second = np.zeros(params), np.zeros((params, params))
        self.pulls: list[Floats] = []
        self.free = np.zeros(params, bool)  # which parameters there is something to learn of
        for table in choices.tables:
            k = table.offered.shape[1]
            self.free[self._ties(k)][1 : min(k, self.T)] = True

    def _ties(self, offered: int) -> slice:
        return slice(self.A + offered * self.T, self.A + (offered + 1) * self.T)

    def add(self, shared: Shared, scores: Floats, reliability: bool) -> None:
        """At these scores."""
        A, T = self.A, self.T
        pull = np.zeros(len(self.choices.sizes) * A)
        each = np.arange(A)
        for table in self.choices.tables:
            k = table.offered.shape[1]
            ties, size = self._ties(k), sets(k, T)[1]
            logits, mean = logits_of(table, shared, scores)
            chance = np.exp(logits - logsumexp(logits)[:, None])
            rows, w, who = chosen_rows(table, shared), table.weight, table.annotator
            of_size = np.stack([chance[:, size == t].sum(1) for t in range(1, T + 1)], 1)
            weighed = w[:, None] * of_size
            self.first[ties] += np.bincount(table.chosen - 1, w, T) - weighed.sum(0)
            self.second[ties, ties] += np.diag(weighed.sum(0)) - of_size.T @ weighed
            if reliability:
                by_set = chance * mean
                expected = by_set.sum(1)
                force = w * (mean[np.arange(len(rows)), rows] - expected)
                pull += np.bincount(self.prompt_of[table.offered[:, 0]] * A + who, force, len(pull))
                self.second[each, each] += np.bincount(who, w * ((by_set * mean).sum(1) - expected**2), A)
                for t in range(1, T + 1):
                    both = by_set[:, size == t].sum(1) - expected * of_size[:, t - 1]
                    self.second[:A, ties.start + t - 1] += np.bincount(who, w * both, A)
        by_annotator = pull.reshape(-1, A)
        self.first[:A] += by_annotator.sum(0)
        self.pulls.append(by_annotator)
        self.count += 1

    def step(self, shared: Shared, reliability: bool) -> tuple[Floats, Floats]:
        """Newton's step of log d and of the reliabilities."""
        A = self.A
        first, second = self.first / self.count, self.second / self.count
        second[A:, :A] = second[:A, A:].T
        first[:A] -= (shared.reliability - 1) / _USUAL**2
        first[A:] -= shared.ties.ravel() / _TIES**2
        second += np.diag(np.where(np.arange(len(first)) < A, 1 / _USUAL**2, 1 / _TIES**2))
        free = self.free.copy()
        free[:A] = reliability
        step = np.zeros(len(first))
        step[free] = np.clip(np.linalg.solve(second[np.ix_(free, free)], first[free]), -1, 1)
        return step[A:].reshape(shared.ties.shape), step[:A]

    def errors(self) -> Floats:
        """[annotators] standard errors of the reliabilities."""
        known = np.diag(self.second)[: self.A] / self.count - np.var(self.pulls, 0, ddof=1).sum(0)
        return np.asarray((np.maximum(known, 0) + 1 / _USUAL**2) ** -0.5)


def most_likely(choices: Choices, start: Shared, spread: bool, reliability: bool) -> tuple[Shared, Floats]:
    """What prompts share, and the standard errors [annotators] of the reliabilities (0 if these are not asked for).

    Args:
        start: where to begin; what is not asked for stays as it is there.
        spread: whether the spread of scores is asked for.
        reliability: whether the annotators' reliabilities are.
    """
    choices = _some(choices)
    walk, shared = _Walk(choices), start
    plenty = max(choices.count / MOST_CHOICES, 1.0)
    steps, averaged = max(round(_STEPS / plenty), 1), max(round(_AVERAGED / plenty), 5)
    number, settled = 0, None
    while settled is None or number < settled + averaged:
        if number % 4 == 0:
            walk.approximate(shared)
        before, number = shared, number + 1
        shared = _round(walk, shared, spread, reliability, steps, 1.0 if settled is None else 1 / (number - settled))
        if settled is None and (number == _AHEAD or _moved(before, shared) < _SETTLED):
            settled = number
    if not reliability:
        return shared, np.zeros(choices.annotators)
    slope = _Slope(choices)
    for _ in range(8 * steps):
        slope.add(shared, walk.step(shared), True)
    return shared, slope.errors()


def _round(walk: _Walk, shared: Shared, spread: bool, reliability: bool, steps: int, size: float) -> Shared:
    """The shared parameters after some steps of the walk and one of theirs, of which `size` is taken."""
    slope, squares = _Slope(walk.choices), 0.0
    for _ in range(steps):
        scores = walk.step(shared)
        slope.add(shared, scores, reliability)
        squares += float((scores[walk.offered] ** 2).sum() + _FEW * _SPREAD**2) / (walk.offered.sum() + _FEW) / steps
    ties, belief = slope.step(shared, reliability)
    width = shared.spread * (squares / shared.spread**2) ** (size / 2) if spread else shared.spread
    better = shared.reliability + size * belief
    # Twice the spread and half of every reliability would say the same: reliability is counted in its usual size.
    usual = float(np.sqrt((walk.given * better**2).sum() / walk.given.sum())) if reliability and spread else 1.0
    walk.scores = walk.scores * usual
    return Shared(shared.ties + size * ties, better / usual, width * usual)


def _moved(before: Shared, after: Shared) -> float:
    """By how much the most that any parameter moved."""
    return max(
        float(np.abs(after.ties - before.ties).max()),
        float(np.abs(after.reliability - before.reliability).max()),
        abs(float(np.log(after.spread / before.spread))),
    )


def _some(choices: Choices) -> Choices:
    """The choices of as many prompts as have about `MOST_CHOICES`."""
    prompt_of = np.repeat(np.arange(len(choices.sizes)), choices.sizes)
    per_prompt = np.zeros(len(choices.sizes), np.int64)
    for table in choices.tables:
        per_prompt += np.bincount(prompt_of[table.offered[:, 0]], minlength=len(per_prompt))
    order = np.random.default_rng(0).permutation(len(choices.sizes))
    before = np.cumsum(per_prompt[order]) - per_prompt[order]
    kept = np.zeros(len(choices.sizes), bool)
    kept[order[before < MOST_CHOICES]] = True
    kept &= per_prompt > 0
    if kept.all():
        return choices
    number = np.cumsum(np.where(kept[prompt_of], 1, 0)) - 1
    tables = [table.take(kept[prompt_of[table.offered[:, 0]]]) for table in choices.tables]
    return Choices(
        tuple(type(t)(number[t.offered], t.chosen, t.annotator, t.weight) for t in tables if len(t.chosen)),
        choices.sizes[kept],
        choices.most_tied,
        choices.annotators,
    )
