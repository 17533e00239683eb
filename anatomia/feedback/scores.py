"""From rankings to scores, and from scores to stars (0 worst to 5 best) and back. Pure numpy.

Rankings are given as *groups*: indices of completions, best group first, indices in one group tied; completions in no
group were not placed. Two ways lead to stars: spreading the places evenly (`linear_stars`), and fitting a model of how
people choose (`bradley_terry`, `plackett_luce`) whose strengths `scores_to_stars` turns into expected win rates.

Both models are fitted by the minorisation-maximisation of Hunter 2004, "MM algorithms for generalized Bradley-Terry
models". Without a prior a best fit exists only where every completion beats every other at least indirectly; `prior`
makes it exist always: each completion is taken to have won and lost that many times against an imagined one of
average strength, which pulls strengths towards each other the less the more was ranked.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

STARS = 5.0
PRIOR = 0.1
_FAR = 700.0  # strengths farther apart than this are as far apart as numbers can say
_NEWTON_STEPS = 500
Floats = NDArray[np.float64]
Places = Sequence[Sequence[int]]


def linear_stars(groups: Places, n: int) -> Floats:
    """Stars [n] spread evenly over the groups: 5 for the best, 0 for the worst, NaN for what was not placed.

    If all that was placed is tied, nothing is better than anything else: 2.5 each.
    """
    stars = np.full(n, np.nan)
    for place, group in enumerate(groups):
        stars[list(group)] = STARS * (1 - place / (len(groups) - 1)) if len(groups) > 1 else STARS / 2
    return stars


def wins(rankings: Sequence[Places], n: int) -> Floats:
    """Matrix [n, n] of how often i was placed above j; a tie is half a win for each."""
    table = np.zeros((n, n))
    for groups in rankings:
        for place, group in enumerate(groups):
            lower = [index for later in groups[place + 1 :] for index in later]
            table[np.ix_(group, lower)] += 1.0
            table[np.ix_(group, group)] += 0.5
    np.fill_diagonal(table, 0.0)
    return table


def bradley_terry(wins: Floats, prior: float = PRIOR) -> Floats:
    """Log-strengths [..., n] of the Bradley-Terry model, P(i beats j) = sigmoid(s_i - s_j), with mean 0.

    Args:
        wins: [..., n, n], how often i beat j (see `wins`); leading dimensions are separate problems, fitted together.
        prior: imagined wins and losses of each against one of average strength; with 0 the best fit may not exist.

    Raises:
        ValueError: the fit does not converge: with a prior of 0 there is none, with a prior of next to nothing it lies
            farther out than numbers can say.
    """
    won = wins.sum(-1) + prior
    met = wins + np.swapaxes(wins, -1, -2)

    def step(p: Floats) -> Floats:
        return won / ((met / (p[..., :, None] + p[..., None, :])).sum(-1) + 2 * prior / (p + 1.0))

    def slopes(scores: Floats) -> tuple[Floats, Floats]:
        chance = _sigmoid(scores[..., :, None] - scores[..., None, :])
        average = _sigmoid(scores)
        bends = met * chance * np.swapaxes(chance, -1, -2)
        own = bends.sum(-1) + 2 * prior * average * _sigmoid(-scores)
        # Not as the difference of what was won and what was to be expected, which are all but equal far out.
        surprise = wins * np.swapaxes(chance, -1, -2)
        pull = surprise.sum(-1) - surprise.sum(-2) + prior * (_sigmoid(-scores) - average)
        return pull, _diagonal(own) - bends

    return _climb(step, slopes, won.shape, prior)


def plackett_luce(rankings: Sequence[Places], n: int, prior: float = PRIOR) -> Floats:
    """Log-strengths [n] of the Plackett-Luce model (each place is a choice among what is left), with mean 0.

    Ties: the log-likelihood is averaged over all strict orders in which the tied could have stood, which for a pair
    is the half win each of `bradley_terry`. Among more than 8, whose orders are too many, what is left of the tied
    is taken to have its average strength (Efron 1977, for ties in Cox's model). This differs from Davidson-Luce
    (Firth, Kosmidis and Turner 2019) in that it needs no parameters for how likely ties are, which one prompt's few
    rankings could not tell.

    Args:
        prior: as in `bradley_terry`.

    Raises:
        ValueError: as in `bradley_terry`.
    """
    chosen = np.full(n, float(prior))
    choices: dict[bytes, float] = {}  # what was on offer, as a row [n] of weights: how often it was
    for groups in rankings:
        for place, group in enumerate(groups):
            lower = [index for later in groups[place + 1 :] for index in later]
            for size in range(1 if lower else 2, len(group) + 1):
                chosen[list(group)] += 1 / len(group)
                for share, left in _left_of(group, size, n):
                    left[lower] = 1.0
                    choices[left.tobytes()] = choices.get(left.tobytes(), 0.0) + share
    weights = np.array(list(choices.values()))
    offers = np.frombuffer(b"".join(choices), dtype=np.float64).reshape(-1, n)

    def step(p: Floats) -> Floats:
        return chosen / (offers.T @ (weights / (offers @ p)) + 2 * prior / (p + 1.0))

    def slopes(scores: Floats) -> tuple[Floats, Floats]:
        average = _sigmoid(scores)
        # Every offer's strengths as shares of it: the largest is taken out first, so that none overflows.
        logits = np.where(offers > 0, scores + np.log(np.maximum(offers, 1e-300)), -np.inf)
        shares = np.exp(logits - logits.max(1, keepdims=True, initial=-_FAR))
        shares /= shares.sum(1, keepdims=True)
        taken = weights @ shares
        bends = _diagonal(taken + 2 * prior * average * _sigmoid(-scores)) - shares.T @ (weights[:, None] * shares)
        return chosen - taken - 2 * prior * average, bends

    return _climb(step, slopes, (n,), prior)


def _left_of(group: Sequence[int], size: int, n: int) -> Iterator[tuple[float, Floats]]:
    """What may be left of the tied when `size` of them are: (probability, weights [n]), each subset equally likely."""
    if len(group) > 8:
        left = np.zeros(n)
        left[list(group)] = size / len(group)
        yield 1.0, left
        return
    for subset in itertools.combinations(group, size):
        left = np.zeros(n)
        left[list(subset)] = 1.0
        yield 1 / math.comb(len(group), size), left


def _climb(
    step: Callable[[Floats], Floats],
    slopes: Callable[[Floats], tuple[Floats, Floats]],
    shape: tuple[int, ...],
    prior: float,
) -> Floats:
    """Repeat `step` on strengths until they stand still; their logarithms, with mean 0 over the last dimension.

    Two steps show where the steps lead, and the next begins there (SQUAREM, Varadhan and Roland 2008, scheme S3);
    the steps themselves, which only ever improve the fit, decide when it is done. Where next to nothing holds strengths
    back, as with a tiny prior, steps become too small to arrive, and Newton's method takes over.

    Args:
        slopes: of log-strengths, the first derivatives of the log-likelihood and minus its second, [..., n, n].
    """
    scores = np.zeros(shape)
    change = np.inf if scores.size else 0.0
    with np.errstate(all="ignore"):
        for _ in range(5_000):
            if not change >= 1e-9:
                break
            first = np.log(step(np.exp(scores)))
            second = np.log(step(np.exp(first)))
            way, bend = first - scores, second - 2 * first + scores
            reach = np.sqrt((way**2).sum(-1, keepdims=True) / (bend**2).sum(-1, keepdims=True))
            reach = np.where(np.isfinite(reach), np.clip(reach, 1.0, 1e3), 1.0)
            leap = scores + 2 * reach * way + reach**2 * bend
            change = float(np.abs(second - first).max())
            scores = np.log(step(np.exp(np.where(np.abs(leap) < 100, leap, second))))
        if not change < 1e-9:
            scores = _newton(slopes, shape, prior)
    return scores - scores.mean(-1, keepdims=True) if scores.size else scores


def _newton(slopes: Callable[[Floats], tuple[Floats, Floats]], shape: tuple[int, ...], prior: float) -> Floats:
    """Log-strengths whose first derivatives are 0, no step longer than 1, so that none overshoots far."""
    scores = np.zeros(shape)
    with suppress(np.linalg.LinAlgError):
        for _ in range(_NEWTON_STEPS):
            first, second = slopes(scores)
            move = np.linalg.solve(second, first[..., None])[..., 0]
            change = float(np.abs(move).max())
            if not np.isfinite(change):
                break
            scores = scores + move / np.maximum(np.abs(move).max(-1, keepdims=True), 1.0)
            if change < 1e-9:
                return scores
    if prior:
        raise ValueError(f"a prior of {prior:g} is too small for numbers to hold the strengths; use a larger one")
    raise ValueError("the rankings have no best fit: something always wins, loses or was never compared; use a prior")


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -_FAR, _FAR))))


def _diagonal(values: Floats) -> Floats:
    """Matrices [..., n, n] with these [..., n] on their diagonals."""
    return np.asarray(values[..., None] * np.eye(values.shape[-1]))


def scores_to_stars(scores: Floats) -> Floats:
    """Stars [n] from log-strengths [n]: 5 times the chance to be preferred to another completion of the same prompt.

    NaN scores stay NaN and do not count as others. For strengths infinitely far apart these are the linear stars;
    where annotators disagree, or hardly anything was ranked, they are nearer to 2.5.
    """
    placed = np.isfinite(scores)
    stars = np.full(len(scores), np.nan)
    s = scores[placed]
    if len(s) == 1:
        stars[placed] = STARS / 2
    elif len(s):
        preferred = 1 / (1 + np.exp(np.clip(s[None, :] - s[:, None], -_FAR, _FAR)))
        stars[placed] = STARS * (preferred.sum(1) - 0.5) / (len(s) - 1)
    return stars


def rank_from_stars(stars: Sequence[float] | Floats) -> tuple[tuple[int, ...], ...]:
    """Groups, best first, from one rating each: equal stars are tied, NaN is not placed."""
    values = np.asarray(stars, dtype=np.float64)
    levels = np.unique(values[~np.isnan(values)])[::-1]
    return tuple(tuple(int(index) for index in np.flatnonzero(values == level)) for level in levels)
