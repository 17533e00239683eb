"""Losses over rankings against the likelihoods they stand for, and a reward model that learns from them."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from model.tiny import scalar, tokens
from train.learning import settings, weights

from anatomia.base.events import Ledger
from anatomia.model.scalar import ScalarModel
from anatomia.objectives import next_token
from anatomia.objectives.judged import UNPLACED, Judged
from anatomia.objectives.preference import (
    Preference,
    align_rankings,
    listwise_loss,
    pairwise_loss,
    score_all,
    star_margins,
    stars_loss,
    tokens_read,
)
from anatomia.train.loop import backward, train
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings

LOSSES = {"pairwise": pairwise_loss, "listwise": listwise_loss}
SCORES = torch.randn(200, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
PLACES = torch.from_numpy(np.random.default_rng(0).integers(-1, 4, (200, 5)))

both = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def slow_pairwise(scores: list[float], places: list[int]) -> float:
    losses = [
        math.log1p(math.exp(scores[worse] - scores[better]))
        for better, worse in itertools.permutations(range(len(places)), 2)
        if UNPLACED < places[better] < places[worse]
    ]
    return sum(losses) / len(losses) if losses else 0.0


def slow_listwise(scores: list[float], places: list[int]) -> float:
    """Each item above the last group is chosen from itself, those tied with it, and those below."""
    losses = []
    for chosen, place in enumerate(places):
        if UNPLACED < place < max(places):
            left = sum(math.exp(scores[k]) for k, other in enumerate(places) if other >= place)
            losses.append(math.log(left) - scores[chosen])
    return sum(losses) / len(losses) if losses else 0.0


@pytest.mark.parametrize(("loss", "slow"), [(pairwise_loss, slow_pairwise), (listwise_loss, slow_listwise)])
def test_losses_are_their_definitions(loss: object, slow: object) -> None:
    """Ties, unplaced completions, everything tied, nothing placed: one ranking at a time, and all together."""
    expected = [slow(s, p) for s, p in zip(SCORES.tolist(), PLACES.tolist(), strict=True)]  # type: ignore[operator]
    found = [float(loss(SCORES[n : n + 1], PLACES[n : n + 1])) for n in range(200)]  # type: ignore[operator]
    assert found == pytest.approx(expected, abs=1e-9)
    assert float(loss(SCORES, PLACES)) == pytest.approx(np.mean(expected))  # type: ignore[operator]
    assert 0 < expected.count(0.0) < 100


def test_two_completions_are_a_pair() -> None:
    scores, places = SCORES[:, :2], torch.tensor([[0, 1], [1, 0]]).repeat(100, 1)
    assert float(pairwise_loss(scores, places)) == pytest.approx(float(listwise_loss(scores, places)))


@both
def test_the_order_of_completions_does_not_matter(loss: object) -> None:
    order = torch.tensor([3, 0, 4, 2, 1])
    assert float(loss(SCORES, PLACES)) == pytest.approx(float(loss(SCORES[:, order], PLACES[:, order])))  # type: ignore[operator]


@both
def test_only_differences_of_scores_count(loss: object) -> None:
    assert float(loss(SCORES, PLACES)) == pytest.approx(float(loss(SCORES + 7.0, PLACES)))  # type: ignore[operator]


@both
def test_gradients_are_exact_and_finite(loss: object) -> None:
    """Against differences, on rankings of every awkward kind at once."""
    places = torch.tensor([[0, 1, 2, 3, 4], [-1] * 5, [0] * 5, [0, 0, 1, 1, 2], [-1, 0, -1, 1, 1], [2, -1, 2, 0, -1]])
    scores = SCORES[: len(places)].clone().requires_grad_(True)
    torch.autograd.gradcheck(lambda x: loss(x, places), (scores,))  # type: ignore[operator]
    loss(scores, places).backward()  # type: ignore[operator]
    assert scores.grad is not None
    assert not scores.grad[[1, 2]].any(), "all tied or nothing placed says nothing"
    assert not scores.grad[places == UNPLACED].any()
    assert scores.grad[0, 0] < 0 < scores.grad[0, 4]


def test_margins_ask_for_as_much_as_the_stars_say() -> None:
    """Llama 2's equation 2: a pair far apart must differ by more for the same loss; contradicting stars ask nothing."""
    stars = torch.tensor([[5.0, 2.5, 0.0, float("nan")]], dtype=torch.float64)
    margins = star_margins(stars, 3.0)
    assert margins[0, 0].tolist() == [0.0, 1.5, 3.0, 0.0], "nothing where nobody gave stars"
    assert margins[0, 2].tolist() == [0.0] * 4, "an annotator who is against the others is not asked for more"
    scores = torch.tensor([[4.0, 1.0, -2.0, 0.0]], dtype=torch.float64)
    expected = [
        math.log1p(math.exp(-(float(scores[0, better] - scores[0, worse]) - margin)))
        for better, worse, margin in ((0, 1, 1.5), (0, 2, 3.0), (0, 3, 0.0), (1, 2, 1.5), (1, 3, 0.0), (2, 3, 0.0))
    ]
    found = pairwise_loss(scores, torch.tensor([[0, 1, 2, 3]]), margins)
    assert float(found) == pytest.approx(np.mean(expected))
    assert float(pairwise_loss(SCORES, PLACES, 0.0)) == float(pairwise_loss(SCORES, PLACES))


def test_regression_to_stars_ends_at_the_chance_to_be_preferred() -> None:
    """Wherever it begins, σ(score) becomes stars / 5; completions without stars are not pulled anywhere."""
    stars = torch.tensor([4.5, 2.5, 0.5, float("nan"), 1.0])
    scores = torch.tensor([0.0, 3.0, -4.0, 1.5, 0.2], requires_grad=True)
    for _ in range(2000):
        (gradient,) = torch.autograd.grad(stars_loss(scores, stars), scores)
        assert gradient.isfinite().all()
        scores = (scores - 4 * gradient).detach().requires_grad_(True)
    assert (5 * torch.sigmoid(scores))[[0, 1, 2, 4]].tolist() == pytest.approx([4.5, 2.5, 0.5, 1.0], abs=1e-3)
    assert float(scores.detach()[3]) == 1.5
    assert float(stars_loss(scores.detach(), torch.full((5,), float("nan")))) == 0.0


def test_margins_reach_the_training() -> None:
    """The same step with margins pulls completions further apart, and only those whose stars differ."""
    starred, plain = (
        [Judged(item.sequences, item.places, 0, item.stars if keep else ()) for item in toy(8, 3)] for keep in (1, 0)
    )
    found = []
    for items, margin in ((starred, 0.0), (starred, 4.0), (plain, 4.0)):
        model = scalar()
        (piece,) = Preference(items, 8, 0, "pairwise", 0, margin=margin).micro_batches(model, 0)
        found.append(float(Preference(items, 8, 0, "pairwise", 0, margin=margin).loss(model, piece)[0].detach()))
    assert found[1] > found[0] + 0.5
    assert found[2] == found[0]


def test_the_best_scores_of_a_listwise_fit_are_the_ranking() -> None:
    """Going down the loss puts completions into the order that was given."""
    scores = torch.zeros(1, 5, requires_grad=True)
    places = torch.tensor([[3, 0, 4, 1, 2]])
    for _ in range(200):
        (gradient,) = torch.autograd.grad(listwise_loss(scores, places), scores)
        scores = (scores - gradient).detach().requires_grad_(True)
    assert scores[0].argsort(descending=True).tolist() == [1, 3, 4, 0, 2]


def test_rankings_of_prompts_with_different_numbers_of_completions() -> None:
    items = [Judged(((5,), (6,)), ((1, 0),)), Judged(((7,), (8,), (9,)), ((0, 1, 2), (2, UNPLACED, 0)))]
    index, places = align_rankings(items)
    scores = torch.tensor([10.0, 20.0, 30.0, 40.0, 50.0])[index]
    assert places.tolist() == [[1, 0, UNPLACED], [0, 1, 2], [2, UNPLACED, 0]]
    assert scores[places != UNPLACED].tolist() == [10, 20, 30, 40, 50, 30, 50]
    for loss in LOSSES.values():
        expected = (loss(scores[:1, :2], places[:1, :2]) + 2 * loss(scores[1:], places[1:])) / 3
        assert float(loss(scores, places)) == pytest.approx(float(expected))


def test_scores_do_not_depend_on_the_company() -> None:
    model = scalar()
    sequences = [tokens(length, seed=length).tolist() for length in (3, 14, 1, 8)]
    with torch.no_grad():
        together = score_all(model, sequences)
        alone = torch.cat([score_all(model, [sequence]) for sequence in sequences])
    assert torch.allclose(together, alone, atol=1e-4)


def toy(count: int, seed: int) -> list[Judged]:
    """Completions are better the more often they hold token 5, whatever else; annotators rank three of them."""
    chance = np.random.default_rng(seed)
    items = []
    for _ in range(count):
        amounts = chance.permutation(6)[:3]
        sequences = []
        for amount in amounts:
            body = chance.integers(6, 40, 8)
            body[chance.permutation(8)[:amount]] = 5
            sequences.append((1, *body.tolist(), 2))
        order = np.argsort(np.argsort(-amounts)).tolist()
        stars = tuple((5 * amounts / 5).tolist())
        items.append(Judged(tuple(sequences), (tuple(order), tuple(min(place, 1) for place in order)), 0, stars))
    return items


@pytest.mark.parametrize("loss", [*LOSSES, "stars"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_learns_what_can_be_learnt(loss: str, dtype: torch.dtype, tmp_path: Path) -> None:
    model = scalar(scale=0.1)
    with torch.no_grad():
        model.score.zero_()
    objective = Preference(toy(200, 0), 16, 0, loss, 0)
    how = settings(60, learning_rate=1e-2, checkpoint_seconds=1e9, dtype=dtype)
    found = train(model, objective, how, Ledger(), tmp_path)
    assert found["last_accuracy"] > 0.9
    held_out = toy(100, 1)
    assert accuracy(model, held_out) > 0.95


@torch.no_grad()
def accuracy(model: ScalarModel, items: list[Judged]) -> float:
    index, places = align_rankings(items)
    scores = score_all(model, [s for item in items for s in item.sequences])[index]
    right = scores[:, :, None] > scores[:, None, :]
    pairs = places[:, :, None] < places[:, None, :]
    return float(right[pairs].float().mean())


@pytest.mark.parametrize("loss", [*LOSSES, "stars"])
def test_the_micro_batch_changes_nothing(loss: str) -> None:
    """Though prompts have different numbers of rankings, and of completions with stars."""
    none = float("nan")
    stars = [(4.0, none, 1.0), (5.0, 2.0, 0.0), (none, none, none), ()]
    items = [Judged(item.sequences, item.places * (1 + n % 3), 0, stars[n % 4]) for n, item in enumerate(toy(8, 3))]
    found = []
    for micro in (0, 1, 9):
        model = scalar()
        optimizer = FlatOptimizer(model, OptimizerSettings(), torch.float32)
        sums = backward(model, Preference(items, 8, micro, loss, 0, margin=2.0), optimizer, 0)
        found.append((sums["loss"], optimizer.gradient.clone()))
    (whole, gradient), *others = found
    for value, other in others:
        assert value == pytest.approx(whole, rel=1e-5)
        assert (other - gradient).norm() < 1e-4 * gradient.norm()


def test_as_many_are_read_at_once_as_suit_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Completions are counted in whole prompts, or tokens are, what answers have in common once."""
    model, items = scalar(), [Judged(((1,) * 10, (1,) * 12), ((0, 1),), 8) for _ in range(9)]
    sizes = {}
    for micro in (0, 1, 6, 99):
        pieces = Preference(items, 9, micro, "pairwise", 0).micro_batches(model, 0)
        sizes[micro] = [len(piece.items) for piece in pieces]
    assert sizes == {0: [9], 1: [1] * 9, 6: [3] * 3, 99: [9]}
    monkeypatch.setattr(next_token, "PASS", {"cpu": 3 * 14})
    pieces = Preference(items, 9, 0, "pairwise", 0).micro_batches(model, 0)
    assert [len(piece.items) for piece in pieces] == [3] * 3


def test_the_tokens_of_a_prompt_and_its_crossed_sequences() -> None:
    ours, theirs = Judged(((1, 2, 3, 7, 8), (1, 2, 3, 9)), ((0, 1),), 3), Judged(((4, 5, 6, 6),), ((0,),), 2)
    assert tokens_read(ours, ()) == 3 + 2 + 1
    crossed = (4, 5, 6, 6), (1, 2, 3, 6, 6), (4, 5, 7, 8)
    assert crossed[0] == theirs.question + theirs.answer
    assert tokens_read(ours, crossed) == 6 + (2 + 2) + 2 + 2


def test_an_epoch_visits_each_prompt_once() -> None:
    items = toy(10, 0)
    objective = Preference(items, 4, 3, "pairwise", 5)
    model = scalar()
    seen = [item for step in range(5) for piece in objective.micro_batches(model, step) for item in piece.items]
    assert sorted(seen[:10], key=id) == sorted(items, key=id) == sorted(seen[10:], key=id)
    assert seen[:10] != seen[10:]


def test_the_unused_output_matrix_of_an_untied_model_is_left_alone(tmp_path: Path) -> None:
    model = scalar(tied=False)
    before = weights(model)
    train(model, Preference(toy(20, 0), 4, 4, "pairwise", 0), settings(3), Ledger(), tmp_path)
    after = weights(model)
    assert torch.equal(before["decoder.head"], after["decoder.head"])
    assert all(not torch.equal(before[name], after[name]) for name in before if name != "decoder.head")
