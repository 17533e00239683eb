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

import numpy as np
from numpy.typing import NDArray

STARS = 5.0
PRIOR = 0.1
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
        ValueError: the fit does not converge, which with a prior of 0 means that there is none.
    """
    won = wins.sum(-1) + prior
    met = wins + np.swapaxes(wins, -1, -2)

    def step(p: Floats) -> Floats:
        return won / ((met / (p[..., :, None] + p[..., None, :])).sum(-1) + 2 * prior / (p + 1.0))

    return _climb(step, won.shape)


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

    return _climb(step, (n,))


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


def _climb(step: Callable[[Floats], Floats], shape: tuple[int, ...]) -> Floats:
    """Repeat `step` on strengths until they stand still; their logarithms, with mean 0 over the last dimension.

    Two steps show where the steps lead, and the next begins there (SQUAREM, Varadhan and Roland 2008, scheme S3);
    the steps themselves, which only ever improve the fit, decide when it is done.
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
        raise ValueError(
            "the rankings have no best fit: something always wins, loses or was never compared; use a prior"
        )
    return scores - scores.mean(-1, keepdims=True) if scores.size else scores


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
        preferred = 1 / (1 + np.exp(s[None, :] - s[:, None]))
        stars[placed] = STARS * (preferred.sum(1) - 0.5) / (len(s) - 1)
    return stars


def rank_from_stars(stars: Sequence[float] | Floats) -> tuple[tuple[int, ...], ...]:
    """Groups, best first, from one rating each: equal stars are tied, NaN is not placed."""
    values = np.asarray(stars, dtype=np.float64)
    levels = np.unique(values[~np.isnan(values)])[::-1]
    return tuple(tuple(int(index) for index in np.flatnonzero(values == level)) for level in levels)
