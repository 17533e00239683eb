"""Scores from rankings with ties, several annotators' reliability, and how sure both are."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anatomia.feedback.agreement import kendall_tau_b
from anatomia.feedback.choices import choices_of
from anatomia.feedback.davidson import davidson, davidson_luce, fit_choices, star_intervals
from anatomia.feedback.ranked import by_prompt
from anatomia.feedback.scores import Floats, bradley_terry, plackett_luce, rank_from_stars, scores_to_stars, wins
from anatomia.feedback.sources import read_rankings

Groups = tuple[tuple[int, ...], ...]
TIES = np.array([0.0, -0.5, -1.5])


def drawn(random: np.random.Generator, scores: Floats, reliability: float = 1.0, ties: Floats = TIES) -> Groups:
    """A ranking by the model: one choice after the other, out of every set that could be chosen."""
    left, groups = list(range(len(scores))), []
    while left:
        sets = [s for t in range(1, min(len(left), len(ties)) + 1) for s in itertools.combinations(left, t)]
        odds = np.exp([reliability * scores[list(s)].mean() + ties[len(s) - 1] for s in sets])
        chosen = sets[random.choice(len(sets), p=odds / odds.sum())]
        groups.append(tuple(int(i) for i in chosen))
        left = [i for i in left if i not in chosen]
    return tuple(groups)


def simulated(
    seed: int, prompts: int, reliability: Sequence[float], spread: float, size: int = 4
) -> tuple[list[list[Groups]], Floats]:
    """Rankings of every prompt by every annotator, and the true scores [prompts, completions]."""
    random = np.random.default_rng(seed)
    truth = random.normal(0, spread, (prompts, size))
    return [[drawn(random, scores, b) for b in reliability] for scores in truth], truth - truth.mean(1, keepdims=True)


def everyone(prompts: Sequence[Sequence[Groups]]) -> list[list[int]]:
    return [list(range(len(rankings))) for rankings in prompts]


def test_what_all_prompts_share_is_found_though_each_has_few_rankings() -> None:
    reliability = np.array([1.2, 1.0, 0.8, -0.95])
    reliability /= np.sqrt((reliability**2).mean())
    prompts, _ = simulated(1, 400, list(reliability), 1.7)
    fit = davidson_luce(prompts, [4] * 400, everyone(prompts))
    assert fit.shared.spread == pytest.approx(1.7, rel=0.1)
    assert np.allclose(fit.shared.ties[4, :3], TIES, atol=0.25)
    assert (np.abs(fit.shared.reliability - reliability) < 3.5 * fit.reliability_errors).all()
    assert (fit.reliability_errors < 0.15).all()


def test_the_careless_and_the_contrary_are_noticed_and_outweighed() -> None:
    prompts, truth = simulated(2, 150, [1, 1, 1, 0, -1], 1.5)
    found, plain = davidson(prompts, [4] * 150, everyone(prompts)), davidson(prompts, [4] * 150)
    good, careless, contrary = found.shared.reliability[:3], *found.shared.reliability[3:]
    assert good.min() > 0.7
    assert abs(careless) < 0.3
    assert contrary + 2 * found.reliability_errors[4] < 0
    taus = [np.mean([kendall_tau_b(a, b) for a, b in zip(fit.scores(), truth, strict=True)]) for fit in (found, plain)]
    assert taus[0] > taus[1] + 0.1


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    prompts, truth = simulated(3, 600, [1.0] * 5, 1.5)
    fit = davidson_luce(prompts, [4] * 600)
    for level, normal in ((0.95, 1.96), (0.8, 1.2816)):
        inside, starred = [], []
        for scores, covariance, true in zip(fit.scores(), fit.covariances(), truth, strict=True):
            inside += list(np.abs(scores - true) < normal * np.sqrt(np.diag(covariance)))
            low, high = star_intervals(scores, covariance, level).T
            assert (low >= 0).all()
            assert (high <= 5).all()
            stars = scores_to_stars(true)
            starred += list((low < stars) & (stars < high))
        assert np.mean(inside) == pytest.approx(level, abs=0.03)  # 2,400 of them, four by four
        assert np.mean(starred) == pytest.approx(level, abs=0.03)


@pytest.mark.parametrize(("size", "annotators", "threshold"), [(4, 4, 0.3), (6, 3, 0.0)])
def test_rankings_taken_as_pairs_claim_no_more_than_they_know(size: int, annotators: int, threshold: float) -> None:
    """People who feel a completion's worth with an error and tie what feels about the same: no model of ours."""
    random = np.random.default_rng(5)
    truth = random.normal(size=(300, size))
    prompts = []
    for worth in truth:
        felt = [worth + 0.6 * random.normal(size=size) for _ in range(annotators)]
        prompts.append([rank_from_stars(np.round(one / threshold) if threshold else one) for one in felt])
    fit = davidson(prompts, [size] * 300)
    inside = []
    for scores, covariance, true in zip(fit.scores(), fit.covariances(), truth, strict=True):
        off = scores - (true - true.mean()) * fit.shared.spread
        inside += list(np.abs(off) < 1.96 * np.sqrt(np.diag(covariance)))
    assert 0.94 < np.mean(inside) < 0.99  # wide rather than narrow


def test_intervals_of_many_comparisons_of_few_things() -> None:
    """As in a tournament: one problem, nothing known of the spread. The observed information is enough."""
    inside = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        truth = random.normal(size=8)
        pairs = [random.permutation(8)[:2] for _ in range(400)]
        rankings = [
            tuple(tuple(int(pair[i]) for i in group) for group in drawn(random, truth[pair], ties=TIES[:2]))
            for pair in pairs
        ]
        fit = davidson_luce([rankings], [8])
        errors = np.sqrt(np.diag(fit.covariances()[0]))
        inside += list(np.abs(fit.scores()[0] - truth + truth.mean()) < 1.96 * errors)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.04)  # 320 of them


def choices_in(groups: Groups) -> list[tuple[tuple[int, ...], list[int]]]:
    left = [index for group in groups for index in group]
    found = []
    for group in groups:
        if len(left) > 1:
            found.append((group, left))
        left = [index for index in left if index not in group]
    return found


def native(ties: Floats, scores: Floats, groups: Groups) -> float:
    """Log-likelihood of a ranking, written out."""
    total = 0.0
    for group, left in choices_in(groups):
        sizes = range(1, min(len(left), ties.shape[1]) + 1)
        sets = [s for t in sizes for s in itertools.combinations(left, t)]
        odds = [scores[list(s)].mean() + ties[len(left), len(s) - 1] for s in sets]
        chosen = scores[list(group)].mean() + ties[len(left), len(group) - 1] if len(group) in sizes else -np.inf
        total += chosen - np.logaddexp.reduce(odds)
    return total


def strict(shares: dict[int, Floats], scores: Floats, groups: Groups) -> float:
    """The same for strengths that know no ties: how many are chosen is as frequent as in training, whoever they are;
    which these are is Plackett-Luce, over all orders they could have stood in."""
    total = 0.0
    for group, left in choices_in(groups):
        odds = np.exp(scores)
        chance = 0.0
        for order in itertools.permutations(group):
            part, rest = 1.0, odds[left].sum()
            for index in order:
                part, rest = part * odds[index] / rest, rest - odds[index]
            chance += part
        total += np.log((1.0 if len(group) == len(left) else chance) * shares[len(left)][len(group) - 1])
    return total


def pairs_of(prompts: Sequence[Sequence[Groups]]) -> list[list[Groups]]:
    """Rankings as those of all their pairs."""
    found: list[list[Groups]] = []
    for rankings in prompts:
        found.append([])
        for groups in rankings:
            place = {index: number for number, group in enumerate(groups) for index in group}
            for a, b in itertools.combinations(place, 2):
                found[-1].append(((a,), (b,)) if place[a] < place[b] else ((a, b),))
    return found


def beaten(
    train: list[list[Groups]], test: list[list[Groups]], sizes: list[int], pairs: bool = False
) -> dict[str, float]:
    """By how much per held-out ranking the native model beats each other; those have their best prior for that."""
    fit = (davidson if pairs else davidson_luce)(train, sizes)
    if pairs:
        train, test = pairs_of(train), pairs_of(test)
    shares = {k: np.full(k, 0.5) for k in range(2, max(sizes) + 1)}
    for groups in itertools.chain.from_iterable(train):
        for group, left in choices_in(groups):
            shares[len(left)][len(group) - 1] += 1
    shares = {k: counts / counts.sum() for k, counts in shares.items()}
    tables = [wins(rankings, size) for rankings, size in zip(train, sizes, strict=True)]
    untied = []
    for rankings, size in zip(train, sizes, strict=True):
        each = [wins([groups], size) for groups in rankings]
        untied.append(np.sum([one * (one != one.T) for one in each], 0))
    held_out = [(number, groups) for number, rankings in enumerate(test) for groups in rankings]
    own = np.mean([native(fit.shared.ties, fit.scores()[number], groups) for number, groups in held_out])
    found: dict[str, float] = {}
    for prior in (0.03, 0.1, 0.3, 1.0):
        ways = {
            "half wins": [bradley_terry(table, prior) for table in tables],
            "dropped": [bradley_terry(table, prior) for table in untied],
        }
        if max(sizes) > 2:  # for pairs these are half wins
            ways["averaged"] = [
                plackett_luce(rankings, size, prior) for rankings, size in zip(train, sizes, strict=True)
            ]
        for way, scores in ways.items():
            other = np.mean([strict(shares, scores[number], groups) for number, groups in held_out])
            found[way] = min(found.get(way, np.inf), float(own - other))
    return found


def test_on_simulated_people_the_native_ties_foretell_more() -> None:
    prompts, _ = simulated(4, 150, [1.0] * 4, 1.5)
    train, test = [rankings[:3] for rankings in prompts], [rankings[3:] for rankings in prompts]
    found = beaten(train, test, [4] * 150)
    assert min(found.values()) > 0.03, found
    found = beaten(train, test, [4] * 150, pairs=True)
    assert min(found.values()) > 0.001, found


@pytest.mark.real
def test_on_pandalm_the_native_ties_foretell_the_third_annotator_better(real_data: Path) -> None:
    read = read_rankings([real_data / "preference/pandalm/testset-v1.json"])
    prompts = [[one.groups for one in rankings] for rankings in by_prompt(list(read)) if len(rankings) == 3]
    for out in range(3):
        train = [rankings[:out] + rankings[out + 1 :] for rankings in prompts]
        found = beaten(train, [[rankings[out]] for rankings in prompts], [2] * len(prompts))
        assert min(found.values()) > 0.03, found


@pytest.mark.real
def test_on_wmt16_the_native_ties_foretell_other_rankings_better(real_data: Path) -> None:
    read = list(read_rankings([real_data / "preference/wmt/wmt16.tur-eng.csv.gz"]))
    names = sorted({name for one in read for name in one.completions})
    number = {name: place for place, name in enumerate(names)}
    rankings = [
        tuple(tuple(number[one.completions[index]] for index in group) for group in one.groups)
        for one in read
        if len(one.completions) == 5
    ]
    for train in (100, 400):
        for pairs in (False, True):
            found = beaten([rankings[:train]], [rankings[-400:]], [len(names)], pairs)
            assert min(found.values()) > 0, found


def test_a_large_set_with_large_ties_counts_as_its_pairs() -> None:
    rankings = [(tuple(range(8)), tuple(range(8, 16)), (16, 17))] * 3
    choices = choices_of([rankings], [18])
    assert choices.most_tied == 2
    (table,) = choices.tables
    assert table.offered.shape == (3 * 153, 2)
    assert table.weight.sum() == pytest.approx(3 * 153 * 3 / 19)
    scores = fit_choices(choices).scores()[0]
    assert scores[:8].min() > scores[8:16].max() + 1
    assert scores[8:16].min() > scores[16:].max() + 1


def test_nothing_ranked_and_nothing_placed() -> None:
    fit = davidson_luce([[()], [((0,),)], []], [2, 1, 3])
    assert [list(scores) for scores in fit.scores()] == [[0, 0], [0], [0, 0, 0]]
    assert davidson_luce([], []).scores() == []
    assert star_intervals(np.zeros(1), np.ones((1, 1))).tolist() == [[2.5, 2.5]]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=6))
def test_there_is_always_a_fit(ratings: list[list[int]]) -> None:
    rankings = [
        tuple(tuple(i for i, r in enumerate(rating) if r == level) for level in sorted(set(rating)))
        for rating in ratings
    ]
    fit = davidson_luce([rankings], [4], [list(range(len(rankings)))])
    assert np.isfinite(fit.scores()[0]).all()
    assert np.isfinite(fit.shared.reliability).all()
    assert 0 < fit.shared.spread < 1e3
