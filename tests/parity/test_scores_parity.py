"""Scores and agreement against choix, scipy and krippendorff."""

import itertools
import math
from collections.abc import Sequence

import choix
import krippendorff
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import kendalltau

from anatomia.feedback.agreement import kendall_tau_b, krippendorff_alpha
from anatomia.feedback.davidson import davidson, davidson_luce
from anatomia.feedback.scores import Floats, bradley_terry, plackett_luce, wins

Groups = tuple[tuple[int, ...], ...]


def random_orders(seed: int, items: int, count: int) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    strengths = rng.normal(size=items)
    return [list(np.argsort(-(strengths + rng.gumbel(size=items)))) for _ in range(count)]


def strict(orders: Sequence[Sequence[int]]) -> list[Groups]:
    return [tuple((int(item),) for item in order) for order in orders]


def pairs(orders: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for order in orders for a, b in itertools.combinations(order, 2)]


@pytest.mark.parametrize("seed", range(4))
def test_bradley_terry_is_that_of_choix(seed: int) -> None:
    orders = random_orders(seed, items=6, count=12)
    expected = choix.ilsr_pairwise(6, pairs(orders), tol=1e-12, max_iter=10_000)
    assert np.allclose(bradley_terry(wins(strict(orders), 6), prior=0), expected - expected.mean(), atol=1e-4)


@pytest.mark.parametrize("prior", [1, 3])
def test_the_prior_is_an_imagined_opponent(prior: int) -> None:
    orders = [[0, 1, 2, 3]] * 2  # separated: without the prior nothing would fit best
    against = [(item, 4) for item in range(4)] + [(4, item) for item in range(4)]
    expected = choix.opt_pairwise(5, pairs(orders) + against * prior, alpha=0, tol=1e-10)[:4]
    assert np.allclose(bradley_terry(wins(strict(orders), 4), prior), expected - expected.mean(), atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_plackett_luce_is_that_of_choix(seed: int) -> None:
    orders = random_orders(seed, items=5, count=15)
    expected = choix.ilsr_rankings(5, [tuple(map(int, order)) for order in orders], tol=1e-12, max_iter=10_000)
    assert np.allclose(plackett_luce(strict(orders), 5, prior=0), expected - expected.mean(), atol=1e-4)


def loss_over_strict_orders(scores: Floats, rankings: Sequence[Groups], prior: float) -> float:
    """Minus the log-likelihood, averaged over every strict order in which the tied could have stood."""
    loss = 0.0
    for groups in rankings:
        orders = [sum(parts, ()) for parts in itertools.product(*map(itertools.permutations, groups))]
        for order in orders:
            chosen = scores[list(order)]
            loss -= sum(chosen[at] - np.logaddexp.reduce(chosen[at:]) for at in range(len(chosen))) / len(orders)
    return loss + prior * float((np.logaddexp(0, scores) + np.logaddexp(0, -scores)).sum())


@pytest.mark.parametrize(
    "rankings",
    [
        [((0, 1), (2,), (3,)), ((3,), (0, 1, 2)), ((2,), (1,), (0,))],
        [((0, 1, 2, 3),), ((1,), (0,)), ((2, 3), (0,))],
    ],
)
def test_ties_are_averaged_over_strict_orders(rankings: list[Groups]) -> None:
    found = minimize(loss_over_strict_orders, np.zeros(4), args=(rankings, 0.3), tol=1e-12)
    assert np.allclose(plackett_luce(rankings, 4, prior=0.3), found.x - found.x.mean(), atol=1e-4)


def test_many_ties_are_close_to_their_average() -> None:
    rankings = [(tuple(range(9)), (9,)), ((9,), (0,), (1, 2))]  # nine tied, just over what is counted out

    def loss(scores: Floats) -> float:
        tied = sum(
            np.logaddexp.reduce([*scores[list(left)], scores[9]]) / math.comb(9, size)
            for size in range(1, 10)
            for left in itertools.combinations(range(9), size)
        )
        return tied - scores[:9].sum() + loss_over_strict_orders(scores, rankings[1:], 0.3)

    found = minimize(loss, np.zeros(10), tol=1e-9)
    assert np.allclose(plackett_luce(rankings, 10, prior=0.3), found.x - found.x.mean(), atol=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_kendall_tau_is_that_of_scipy(seed: int) -> None:
    a, b = np.random.default_rng(seed).integers(0, 5, size=(2, 30))
    assert kendall_tau_b(a, b) == pytest.approx(kendalltau(a, b).statistic, abs=1e-12)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_is_that_of_krippendorff(level: str) -> None:
    rng = np.random.default_rng(5)
    truth = rng.integers(1, 6, size=40)
    ratings = np.clip(truth + rng.integers(-1, 2, size=(4, 40)), 1, 5).astype(float)
    ratings[rng.random(ratings.shape) < 0.3] = np.nan
    ratings[1:, 7] = np.nan  # rated once: counts for nothing
    expected = krippendorff.alpha(ratings, level_of_measurement=level)
    assert krippendorff_alpha(ratings, level) == pytest.approx(expected, abs=1e-10)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3))
def test_choices_without_ties_are_those_of_choix(seed: int) -> None:
    orders = [tuple(map(int, order)) for order in random_orders(seed, items=6, count=20)]
    found = davidson_luce([strict(orders)], [6], spread=2.0)  # choix's alpha is 1 / (2 variance)
    expected = choix.opt_rankings(6, orders, alpha=1 / 8, tol=1e-10)
    assert np.allclose(found.scores()[0], expected, atol=1e-4)
    won = pairs(orders)
    found = davidson([[((a,), (b,)) for a, b in won]], [6], spread=2.0)
    assert np.allclose(found.scores()[0], choix.opt_pairwise(6, won, alpha=1 / 8, tol=1e-10), atol=1e-4)


def test_pairs_with_ties_are_those_of_davidson() -> None:
    """Davidson 1970: a tie is as likely as v times the geometric mean of the strengths."""
    rng = np.random.default_rng(3)
    truth = rng.normal(size=5)
    outcomes: list[tuple[int, int, int]] = []
    for _ in range(300):
        a, b = rng.choice(5, 2, replace=False)
        odds = np.array([np.exp(truth[a]), np.exp(truth[b]), 0.8 * np.exp((truth[a] + truth[b]) / 2)])
        outcomes.append((int(a), int(b), int(rng.choice(3, p=odds / odds.sum()))))
    rankings: list[Groups] = [[((a,), (b,)), ((b,), (a,)), ((a, b),)][result] for a, b, result in outcomes]
    fit = davidson([rankings], [5], spread=1.0)
    tie = float(np.exp(fit.shared.ties[2, 1]))
    assert tie == pytest.approx(0.8, rel=0.25)

    def loss(scores: Floats) -> float:
        total = float((scores**2).sum()) / 2
        for a, b, result in outcomes:
            odds = np.array([np.exp(scores[a]), np.exp(scores[b]), tie * np.exp((scores[a] + scores[b]) / 2)])
            total -= np.log(odds[result] / odds.sum())
        return total

    found = minimize(loss, np.zeros(5), tol=1e-12, method="BFGS")
    assert np.allclose(fit.scores()[0], found.x - found.x.mean(), atol=1e-4)
