"""Rankings into stars and back."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anatomia.feedback.davidson import davidson, star_intervals
from anatomia.feedback.scores import (
    bradley_terry,
    linear_stars,
    plackett_luce,
    rank_from_stars,
    scores_to_stars,
    wins,
)


def test_linear_stars_are_spread_over_the_groups() -> None:
    assert np.allclose(linear_stars([[2], [0], [3], [1]], 4), [10 / 3, 0, 5, 5 / 3])
    assert np.allclose(linear_stars([[1, 2], [0], [3]], 4), [2.5, 5, 5, 0])


def test_what_was_not_placed_has_no_stars() -> None:
    assert np.allclose(linear_stars([[3], [1]], 4), [np.nan, 0, np.nan, 5], equal_nan=True)


def test_all_tied_is_neither_good_nor_bad() -> None:
    assert np.allclose(linear_stars([[0, 1, 2]], 3), 2.5)
    assert np.isnan(linear_stars([], 2)).all()


def test_wins_count_ties_as_halves() -> None:
    assert np.array_equal(wins([((0,), (1, 2)), ((1,), (0,))], 3), [[0, 1, 1], [1, 0, 0.5], [0, 0.5, 0]])


def test_problems_of_one_size_are_fitted_together_as_apart() -> None:
    tables = np.stack([wins([((0,), (1,), (2,))] * 3, 3), wins([((2,), (0, 1))], 3), wins([], 3)])
    apart = [bradley_terry(table) for table in tables]
    assert np.allclose(bradley_terry(tables), apart, atol=1e-6)
    assert np.allclose(apart[2], 0)


def test_models_agree_on_pairs() -> None:
    rankings = [((0,), (1,)), ((0,), (1,)), ((0, 1),), ((1,), (0,))]
    assert np.allclose(plackett_luce(rankings, 2), bradley_terry(wins(rankings, 2)), atol=1e-6)


def test_next_to_no_prior_leads_far_out_and_still_to_a_fit() -> None:
    always = wins([((0,), (1,), (2,))] * 3 + [((3,), (4,))], 6)
    for prior in (1e-3, 1e-6, 1e-9, 1e-12):
        scores = bradley_terry(always, prior)
        chance = 1 / (1 + np.exp(scores[None, :] - scores[:, None]))
        average = 1 / (1 + np.exp(-(scores - scores[5])))  # the last was never compared: it is the imagined opponent
        lost = always.T * chance
        pull = (always * chance.T).sum(1) - lost.sum(1) + prior * (1 - 2 * average)
        assert np.abs(pull).max() < 1e-2 * prior
        assert scores[0] > scores[3] > scores[5] > scores[4] > scores[2]
    with pytest.raises(ValueError, match="prior of 1e-300 is too small"):
        bradley_terry(always, 1e-300)
    assert np.isfinite(plackett_luce([((0,), (1,), (2,))] * 3, 3, 1e-6)).all()


def test_without_a_prior_there_may_be_no_best_fit() -> None:
    with pytest.raises(ValueError, match="no best fit"):
        bradley_terry(wins([((0,), (1,))], 2), prior=0)
    with pytest.raises(ValueError, match="no best fit"):
        plackett_luce([((0,), (1,)), ((2,), (3,))], 4, prior=0)


def test_agreement_drives_stars_apart_and_disagreement_together() -> None:
    sure = scores_to_stars(bradley_terry(wins([((0,), (1,), (2,))] * 20, 3)))
    unsure = scores_to_stars(bradley_terry(wins([((0,), (1,), (2,))] * 2 + [((2,), (1,), (0,))], 3)))
    assert np.allclose(sure, [5, 2.5, 0], atol=0.1)
    assert sure[0] > unsure[0] > 2.5 > unsure[2] > sure[2]


def test_scores_infinitely_apart_give_the_linear_stars() -> None:
    assert np.allclose(scores_to_stars(np.array([30.0, np.nan, -30.0, 90.0])), [2.5, np.nan, 0, 5], equal_nan=True)
    assert np.allclose(scores_to_stars(np.array([np.nan, 7.0])), [np.nan, 2.5], equal_nan=True)


def test_star_ratings_are_sorted_into_a_ranking() -> None:
    assert rank_from_stars([3, 5, float("nan"), 3, 0.5]) == ((1,), (0, 3), (4,))
    assert rank_from_stars([float("nan")]) == ()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_linear_stars_sort_back_into_their_ranking(stars: list[int]) -> None:
    groups = rank_from_stars(stars)
    assert rank_from_stars(linear_stars(groups, len(stars))) == groups


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=6))
def test_a_fit_exists_whatever_was_ranked(ratings: list[list[int]]) -> None:
    rankings = [rank_from_stars(rating) for rating in ratings]
    for scores in (bradley_terry(wins(rankings, 4)), plackett_luce(rankings, 4)):
        assert np.isfinite(scores).all()
        assert scores.mean() == pytest.approx(0, abs=1e-9)


@given(st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=1, max_size=12))
def test_partial_rankings_with_ties_come_back_through_linear_stars(ratings: list[int | None]) -> None:
    groups = rank_from_stars([np.nan if rating is None else rating for rating in ratings])
    stars = linear_stars(groups, len(ratings))
    assert rank_from_stars(stars) == groups
    assert [bool(np.isnan(star)) for star in stars] == [rating is None for rating in ratings]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=2, max_size=6))
def test_stars_of_a_fit_sort_back_into_the_only_ranking_there_was(ratings: list[int | None]) -> None:
    n = len(ratings)
    groups = rank_from_stars([np.nan if rating is None else rating for rating in ratings])
    placed = np.array([np.nan if rating is None else 0.0 for rating in ratings])
    native = davidson([[groups]], [n], spread=1.0).scores()[0]
    for scores in (bradley_terry(wins([groups], n)), plackett_luce([groups], n), native):
        stars = scores_to_stars(scores + placed)
        assert rank_from_stars(np.round(stars, 5)) == groups


def test_strengths_however_far_apart_have_stars() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = np.array([800.0, -800.0, 800.0])
        assert scores_to_stars(scores) == pytest.approx([3.75, 0, 3.75])
        for spread in (1e-6, 1.0, 1e6):
            ends = star_intervals(scores, np.eye(3) * spread)
            assert np.isfinite(ends).all()
            assert (ends[:, 0] <= ends[:, 1]).all()
            assert ends.min() >= 0
            assert ends.max() <= 5
        assert star_intervals(np.array([900.0, -900.0]), np.eye(2)) == pytest.approx(
            np.array([[5, 5], [0, 0]]), abs=1e-6
        )
