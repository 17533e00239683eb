"""The reward card's figures against other people's, and against planted faults that it must show."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import kendalltau

from anatomia.objectives.judged import UNPLACED, Judged
from anatomia.stages.reward_card import (
    Floats,
    agree,
    card,
    correlation,
    differences,
    each_other,
    of_the_others,
    ratings_of,
    reliability,
    temperature,
)

NAN = float("nan")


def judged(places: list[list[int]], lengths: list[int] | None = None) -> Judged:
    sizes = lengths or [2] * len(places[0])
    return Judged(tuple((9, *range(size)) for size in sizes), tuple(map(tuple, places)), 1)


def drawn(prompts: int, seed: int, annotators: int = 3, noise: float = 0.0) -> tuple[list[Judged], list[Floats]]:
    """Prompts with four completions of true worth and a random length, ranked by annotators who see it through noise;
    and that worth."""
    chance = np.random.default_rng(seed)
    items, worths = [], []
    for _ in range(prompts):
        worth = chance.normal(0, 1.5, 4)
        seen = worth + chance.normal(0, noise, (annotators, 4)) if noise else np.tile(worth, (annotators, 1))
        orders = [np.argsort(np.argsort(-row)).tolist() for row in seen]
        items.append(judged(orders, chance.integers(1, 30, 4).tolist()))
        worths.append(worth)
    return items, worths


def test_accuracy_and_tau_are_their_definitions() -> None:
    """Ties on both sides, completions without a place, rankings that say nothing."""
    chance = np.random.default_rng(0)
    first, second = chance.integers(0, 4, (2, 40, 2, 5)).astype(float)
    first[chance.random(first.shape) < 0.1] = NAN
    second[chance.random(second.shape) < 0.2] = NAN
    found = agree(list(first), list(second))
    right, pairs, taus = 0.0, 0, []
    for a, b in zip(first.reshape(-1, 5), second.reshape(-1, 5), strict=True):
        for i, j in itertools.combinations(np.flatnonzero(~np.isnan(a + b)), 2):
            if b[i] != b[j]:
                pairs += 1
                right += 0.5 if a[i] == a[j] else float((a[i] > a[j]) == (b[i] > b[j]))
        taus.append(kendalltau(a, b, nan_policy="omit").statistic if (~np.isnan(a + b)).sum() > 1 else NAN)
    assert found["pairs"] == pairs
    assert found["accuracy"]["value"] == pytest.approx(right / pairs, abs=1e-4)
    assert found["tau"]["value"] == pytest.approx(np.nanmean(taus), abs=1e-4)
    assert agree([np.zeros((1, 3))], [np.zeros((1, 3))]) == {}, "nothing was put in order"


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 95% intervals over 200 draws of 60 prompts whose pairs hang together, nearly 95% hold the true share."""
    chance = np.random.default_rng(1)
    held = []
    for _ in range(200):
        shares = chance.choice([0.5, 0.9], 60)  # prompts differ, so pairs are not independent: the truth is 0.7
        rows = [(chance.random((1, 2)) < share).astype(float) for share in shares]
        first = [np.concatenate([row, 1 - row], 1) for row in rows]
        second = [np.array([[1.0, NAN, 0.0, NAN], [NAN, 1.0, NAN, 0.0]]) for _ in rows]
        figure = agree([np.repeat(row, 2, 0) for row in first], second)["accuracy"]
        held.append(figure["low"] <= 0.7 <= figure["high"])
    assert 0.9 < np.mean(held) < 0.99


def test_annotators_are_the_ceiling_that_the_model_is_held_against() -> None:
    """Noisy annotators agree with one another less than with the truth, to which all others together are nearer."""
    items, worths = drawn(300, 2, annotators=5, noise=1.0)
    found = card(items, worths)["agreement"]
    accuracy = {who: figures["accuracy"]["value"] for who, figures in found.items()}
    assert accuracy["one_another"] < accuracy["others_together"] < accuracy["model"]
    orders = [np.sign(r[:, :, None] - r[:, None]) for r in map(ratings_of, items)]
    alike = [(a == b)[a != 0].mean() for o in orders for a, b in itertools.permutations(o, 2)]
    assert accuracy["one_another"] == pytest.approx(np.mean(alike), abs=1e-4)


def test_one_annotator_has_nobody_to_agree_with() -> None:
    items, worths = drawn(20, 3, annotators=1)
    assert set(card(items, worths)["agreement"]) == {"model"}


def test_what_the_others_make_of_completions_leaves_out_oneself() -> None:
    item = judged([[0, 1, 2], [2, 1, 0], [0, UNPLACED, 1]])
    found = of_the_others(ratings_of(item))
    assert found[0].tolist() == [-1, 0, 1], "the second and the third: 0 loses to 1 and 2, and beats 2"
    assert found[2].tolist() == [0, 0, 0]
    first, second = each_other([ratings_of(item)])
    assert first[0].shape == second[0].shape == (6, 3)
    assert np.isnan(of_the_others(ratings_of(judged([[0, 1, UNPLACED]])))).all()


def test_nothing_ordered_has_no_card() -> None:
    assert card([judged([[0, 0]]), judged([[UNPLACED, 0]])], [np.zeros(2), np.ones(2)]) == {}


def test_the_temperature_is_the_likeliest_and_mends_a_model_that_is_too_sure() -> None:
    """People choose by σ(worth); the model says three times that."""
    chance = np.random.default_rng(4)
    worths = [chance.normal(0, 1.5, 2) for _ in range(3000)]
    items = [judged([[0, 1] if chance.random() < 1 / (1 + np.exp(w[1] - w[0])) else [1, 0]]) for w in worths]
    found = card(items, [3 * worth for worth in worths])["calibration"]
    assert found["temperature"] == pytest.approx(3, rel=0.1)
    assert found["calibrated_error"] < 0.3 * found["error"]
    assert found["calibrated_log_loss"] < found["log_loss"]
    gaps = np.concatenate([differences(item, 3 * worth) for item, worth in zip(items, worths, strict=True)])
    best = minimize_scalar(lambda t: np.logaddexp(0, -gaps / np.exp(t)).sum() + t * t / 2, bounds=(-3, 3)).x
    assert temperature(gaps) == pytest.approx(np.exp(best), rel=1e-3)


def test_a_temperature_stays_finite_and_near_one_where_little_is_known() -> None:
    assert temperature(np.empty(0)) == pytest.approx(1.0)
    assert 0.3 < temperature(np.full(3, 1.0)) < 1.0
    assert temperature(np.full(1000, 5.0)) > 0.01, "every pair is right"
    assert temperature(np.full(1000, -5.0)) < 100, "every pair is wrong"


def test_the_calibration_is_judged_on_prompts_it_was_not_fitted_to() -> None:
    """A model that knows nothing: a fit to the same few pairs would look better than any fit to others."""
    items, _ = drawn(12, 5, annotators=1)
    noise = [np.random.default_rng(6 + n).normal(0, 4, 4) for n in range(12)]
    found = card(items, noise)["calibration"]
    gaps = np.concatenate([differences(item, v) for item, v in zip(items, noise, strict=True)])
    own_fit = float(np.logaddexp(0, -gaps / temperature(gaps)).mean())
    assert found["calibrated_log_loss"] > own_fit


def test_the_bins_hold_every_pair_and_what_it_was_worth() -> None:
    gaps = np.array([0.0, 0.01, -0.01, 40.0, -40.0, 1.0])
    points = reliability(gaps)
    assert sum(point["count"] for point in points) == 6
    assert points[-1] == {"predicted": 1.0, "observed": 0.5, "count": 2}
    assert points[0]["observed"] == pytest.approx(1 / 3, abs=1e-4), "a tie is not right"


def test_a_model_that_likes_length_is_found_out() -> None:
    items, worths = drawn(200, 7)
    sizes = [np.array([len(s) - 1.0 for s in item.sequences]) for item in items]
    honest = card(items, worths)["length"]
    assert abs(honest["correlation"]["value"]) < 0.15
    assert honest["accuracy_where_shorter_is_better"]["value"] == 1.0
    greedy = card(items, [worth + 0.2 * size for worth, size in zip(worths, sizes, strict=True)])["length"]
    assert greedy["correlation"]["low"] > 0.5 > greedy["people_correlation"]["high"]
    assert greedy["accuracy_where_longer_is_better"]["low"] > greedy["accuracy_where_shorter_is_better"]["high"] + 0.2


def test_correlations_are_pearsons_within_prompts() -> None:
    chance = np.random.default_rng(8)
    first, second = chance.normal(0, 1, (2, 50, 4))
    second += 0.5 * first + chance.normal(0, 9, (50, 1))  # prompts' levels do not count
    inside = [np.ravel(table - table.mean(1, keepdims=True)) for table in (first, second)]
    found = correlation(list(first), list(second))
    assert found is not None
    assert found["value"] == pytest.approx(np.corrcoef(*inside)[0, 1], abs=1e-4)
    assert found["low"] < found["value"] < found["high"]
    assert correlation([np.zeros(3)], [np.arange(3.0)]) is None
