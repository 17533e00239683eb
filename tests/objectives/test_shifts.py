"""The exact tests agree with scipy's, and a slope with least squares."""

import random

import numpy as np
import pytest
from scipy import stats

from anatomia.objectives.shifts import chance_of_rise, chance_of_share, pay


@pytest.mark.parametrize(("rose", "fell", "tied"), [(9, 1, 4), (30, 30, 0), (0, 5, 2), (23, 0, 169)])
def test_the_sign_test_is_the_binomials(rose: int, fell: int, tied: int) -> None:
    before = [0.0] * rose + [1.0] * fell + [2.0] * tied
    now = [1.0] * rose + [0.0] * fell + [2.0] * tied
    wanted = stats.binomtest(rose, rose + fell, 0.5, alternative="greater").pvalue
    assert chance_of_rise(before, now) == pytest.approx(wanted, rel=1e-9)
    assert chance_of_rise(before, before) == 1.0


@pytest.mark.parametrize(("before", "of_before", "now", "of_now"), [(3, 40, 20, 50), (0, 30, 6, 8), (10, 10, 10, 10)])
def test_shares_are_compared_as_fisher_does(before: int, of_before: int, now: int, of_now: int) -> None:
    table = [[now, of_now - now], [before, of_before - before]]
    wanted = stats.fisher_exact(table, alternative="greater").pvalue
    assert chance_of_share(before, of_before, now, of_now) == pytest.approx(wanted, rel=1e-9)


def test_what_is_paid_is_least_squares_with_a_mean_for_each_group() -> None:
    draw = random.Random(1)
    groups = []
    for level in (0.0, 5.0, -3.0):
        measures = [draw.choice([0.0, 1.0, 2.0]) for _ in range(50)]
        lengths = [draw.gauss(10, 3) + 2 * measure for measure in measures]
        rewards = [level + 0.7 * m + 0.1 * length + draw.gauss(0, 0.3) for m, length in zip(measures, lengths)]
        groups.append(list(zip(measures, rewards, lengths)))
    rows = [(*row, number) for number, group in enumerate(groups) for row in group]
    design = np.array([[m, length, number == 0, number == 1, number == 2] for m, _, length, number in rows], float)
    rewards_ = np.array([row[1] for row in rows])
    wanted, residuals, *_ = np.linalg.lstsq(design, rewards_, rcond=None)
    error = (residuals[0] / (len(rows) - 5) * np.linalg.inv(design.T @ design)[0, 0]) ** 0.5
    found = pay(groups)
    assert found is not None
    assert found.slope == pytest.approx(wanted[0], rel=1e-9)
    assert found.error == pytest.approx(error, rel=0.02)
    assert found.certain


def test_what_hardly_differs_says_nothing() -> None:
    assert pay([[(float(number == 0), 1.0, 0.0) for number in range(500)]]) is None
    assert pay([]) is None


def test_next_to_nothing_does_not_count() -> None:
    """Certain, but a ten-thousandth of what the reward is about."""
    group = [(float(number % 2), 0.01 * (number % 2) + number // 2, 0.0) for number in range(2000)]
    exact = [(m, r, r - 0.01 * m) for m, r, _ in group]
    found = pay([exact])
    assert found is not None
    assert found.slope == pytest.approx(0.01)
    assert found.slope > 3 * found.error
    assert not found.certain
