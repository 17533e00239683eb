"""Agreement between annotators."""

import numpy as np
import pytest

from anatomia.feedback.agreement import (
    annotators_agreement,
    cohen_kappa,
    fleiss_kappa,
    kendall_tau_b,
    krippendorff_alpha,
    order_kappa,
    order_kappas,
    rankings_agreement,
)


def test_tau_of_opposite_orders_and_of_no_order() -> None:
    assert kendall_tau_b([1, 2, 3], [3, 2, 1]) == -1
    assert kendall_tau_b([1, 2, np.nan, 3], [4, 5, 0, 6]) == 1
    assert np.isnan(kendall_tau_b([1, 1, 1], [1, 2, 3]))


def test_cohen_kappa_of_a_worked_example() -> None:
    # 50 applications: both yes 20, only the first 5, only the second 10, both no 15; 0.7 observed, 0.5 by chance.
    a = [1] * 20 + [1] * 5 + [0] * 10 + [0] * 15
    b = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert cohen_kappa(a, b) == pytest.approx(0.4)
    assert np.isnan(cohen_kappa([1, 1], [1, 1]))


def test_fleiss_kappa_of_a_worked_example() -> None:
    # Two things, three labels each: the first unanimous, the second 2 to 1. Observed (1 + 1/3) / 2, by chance 5/9 + …
    counts = [[3, 0], [1, 2]]
    by_chance = (4 / 6) ** 2 + (2 / 6) ** 2
    assert fleiss_kappa(counts) == pytest.approx((2 / 3 - by_chance) / (1 - by_chance))
    with pytest.raises(ValueError, match="same number"):
        fleiss_kappa([[3, 0], [1, 1]])


def test_alpha_of_nothing_rated_twice_is_undefined() -> None:
    assert np.isnan(krippendorff_alpha([[1, np.nan], [np.nan, 2]], "interval"))


def test_agreement_over_rankings_of_several_prompts() -> None:
    same = [((0,), (1,), (2,))] * 2
    opposite = [((0,), (1,)), ((1,), (0,))]
    found = rankings_agreement([same, opposite, [((0,), (1,))]], [3, 2, 2])
    assert found["kendall_tau"] == pytest.approx(0)
    assert found["same_order"] == pytest.approx(3 / 4)
    assert rankings_agreement([], [])["krippendorff_alpha"] is None


def test_agreement_of_each_two_annotators() -> None:
    prompts = [
        [((0,), (1,), (2,)), ((0,), (1,), (2,)), ((2,), (1,), (0,))],
        [((0, 1),), ((0,), (1,))],
    ]
    found = annotators_agreement(prompts, [["a", "b", "c"], ["b", "a"]], [3, 2])
    assert [(pair["annotators"], pair["prompts"]) for pair in found] == [
        (["a", "b"], 2),
        (["a", "c"], 1),
        (["b", "c"], 1),
    ]
    assert found[0]["kendall_tau"] == 1  # of the second prompt there is none
    # 3 of 4 pairs alike; by chance 1 (a always prefers the first) times 3/4.
    assert found[0]["cohen_kappa"] == pytest.approx(0)
    assert found[1]["kendall_tau"] == -1
    assert found[1]["krippendorff_alpha"] < 0
    assert annotators_agreement([], [], []) == []


def test_kappas_of_orders_by_everyone() -> None:
    # Two pairs, three labels each: alike in 3 of 3 and in 1 of 3 comparisons; 1 of 6 labels is a tie.
    agreement, chance, kappa = order_kappa([[1, 1, 1], [0, -1, -1]])
    assert agreement == pytest.approx(4 / 6)
    assert chance == pytest.approx((1 / 6) ** 2 + (5 / 6) ** 2 / 2)
    assert kappa == pytest.approx((agreement - chance) / (1 - chance))
    found = order_kappas([[((0,), (1,)), ((0,), (1,)), ((0,), (1,))], [((0, 1),), ((1,), (0,)), ((1,), (0,))]], [2, 2])
    assert found["order_kappa"] == pytest.approx(kappa)
    assert found["fleiss_kappa"] == pytest.approx(fleiss_kappa([[0, 0, 3], [2, 1, 0]]))
    assert order_kappas([[((0,), (1,))]], [2]) == {"order_kappa": None, "fleiss_kappa": None}
