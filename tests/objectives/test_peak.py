"""Whose policy is kept: the judge's peak where it certainly fell, else the last."""

import random

from anatomia.objectives.peak import Peak, certainly_above


def seen(means: list[float], count: int = 192, spread: float = 0.3, seed: int = 0) -> Peak:
    """A run whose judge has these means, with noise."""
    draw, peak = random.Random(seed), Peak()
    for mean in means:
        peak.see([mean + draw.gauss(0, spread) for _ in range(count)])
    return peak


def test_the_peak_is_kept_where_the_judge_fell() -> None:
    peak = seen([0.4, 0.6, 0.75, 0.6, 0.45, 0.3])
    assert peak.kept == 2
    assert peak.fallen
    assert not peak.gained


def test_a_run_that_only_rises_keeps_its_last() -> None:
    peak = seen([0.4, 0.5, 0.6, 0.7])
    assert peak.kept == 3
    assert peak.gained


def test_noise_never_goes_back() -> None:
    """400 runs on a plateau: the last policy is kept in all but a few."""
    kept = [seen([0.5, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7], seed=seed).kept for seed in range(400)]
    assert sum(one == 7 for one in kept) >= 394


def test_within_noise_of_the_peak_the_later_is_kept() -> None:
    peak = seen([0.5, 0.7, 0.69, 0.2])
    assert (peak.best, peak.kept) == (1, 2) or (peak.best, peak.kept) == (2, 2)


def test_what_is_kept_does_not_depend_on_looking_back() -> None:
    """Only the newest policy is ever taken up, so one copy of the weights is enough."""
    for seed in range(50):
        draw, peak, copy = random.Random(seed), Peak(), -1
        for look in range(8):
            if peak.see([draw.gauss(draw.random(), 0.3) for _ in range(64)]):
                copy = look
            assert copy == peak.kept


def test_equal_answers_are_no_difference() -> None:
    assert not certainly_above([0.5] * 9, [0.5] * 9)
    assert not certainly_above([1.0], [0.0])
    assert certainly_above([1.0] * 9, [0.0] * 9)
