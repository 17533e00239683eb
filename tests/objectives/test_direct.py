"""DPO, IPO and KTO: their formulas by hand, where they go, what they do not depend on, and killed and resumed."""

import copy
import math
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import decoder, tokens
from torch import Tensor
from train.learning import killed_and_resumed, same, settings

from anatomia.base.events import Event, Ledger
from anatomia.objectives.direct import DIRECT, Direct, Ranked
from anatomia.objectives.judged import UNPLACED, Judged
from anatomia.objectives.likelihood import sequence_log_probabilities
from anatomia.train.loop import backward, train
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings

every = pytest.mark.parametrize("method", DIRECT)
RATIOS = [0.7, -0.4, 1.1, 0.2]
LENGTHS = [3, 5, 2, 4]
PLACES = [[0, 1, UNPLACED, 1], [2, 0, 1, 1]]


def judged(count: int = 9) -> list[Judged]:
    """Prompts of several lengths with two to four completions each, ties and several annotators among them."""
    items = []
    for n in range(count):
        prompt = tokens(2 + n % 4, seed=n).tolist()
        texts = tuple(tuple(prompt + tokens(1 + (n + k) % 5, seed=10 * n + k).tolist() + [2]) for k in range(2 + n % 3))
        orders = [tuple(range(len(texts))), tuple(min(k, 1) for k in range(len(texts)))[::-1]]
        items.append(Judged(texts, tuple(orders[: 1 + n % 2]), len(prompt)))
    return items


def direct(method: str, micro: int = 6, dtype: torch.dtype = torch.float32, batch: int = 4) -> tuple[Any, Direct]:
    """Fresh objects, the same every time."""
    policy = decoder(scale=0.15)
    return policy, Direct(judged(), method, 0.3, batch, micro, 3, copy.deepcopy(policy).to(dtype))


def test_log_probabilities_of_sequences_and_their_gradients() -> None:
    model = decoder()
    sequences = [(list(s), item.prompt) for item in judged(4) for s in item.sequences]
    chance = torch.randn(len(sequences), generator=torch.Generator().manual_seed(1))
    found = sequence_log_probabilities(model, *map(list, zip(*sequences, strict=True)))
    gradients = torch.autograd.grad((found * chance).sum(), list(model.parameters()))
    alone = []
    for ids, start in sequences:
        logs = torch.log_softmax(model(torch.tensor([ids[:-1]]))[0], -1)
        alone.append(logs.gather(1, torch.tensor(ids[1:])[:, None])[start - 1 :].sum())
    assert torch.allclose(found, torch.stack(alone), atol=1e-5)
    others = torch.autograd.grad((torch.stack(alone) * chance).sum(), list(model.parameters()))
    for gradient, other in zip(gradients, others, strict=True):
        assert (gradient - other).norm() < 1e-5 * max(1.0, float(other.norm()))


def literal(method: str, beta: float, drift: float) -> float:
    """The definition, ranking by ranking, pair by pair."""
    total = 0.0
    for places in PLACES:
        pairs = [(i, j) for i, j in permutations(range(4), 2) if UNPLACED < places[i] < places[j]]
        if method == "dpo":
            values = [math.log1p(math.exp(-beta * (RATIOS[i] - RATIOS[j]))) for i, j in pairs]
        elif method == "ipo":
            values = [(RATIOS[i] / LENGTHS[i] - RATIOS[j] / LENGTHS[j] - 1 / (2 * beta)) ** 2 for i, j in pairs]
        else:
            values = []
            for k in range(4):
                above, below = sum(i == k for i, _ in pairs), sum(j == k for _, j in pairs)
                if above != below:
                    sign = 1 if above > below else -1
                    values.append(1 - 1 / (1 + math.exp(-sign * beta * (RATIOS[k] - drift))))
        total += sum(values) / len(values)
    return total / len(PLACES)


@every
def test_losses_are_their_definitions(method: str) -> None:
    index = torch.arange(4).expand(2, 4)
    ranked = Ranked(torch.tensor(RATIOS), torch.tensor(LENGTHS), index, torch.tensor(PLACES), 0.25)
    assert float(DIRECT[method](ranked, 0.3)) == pytest.approx(literal(method, 0.3, 0.25), rel=1e-6)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_at_the_start_policy_and_reference_are_one(method: str, dtype: torch.dtype, tmp_path: Path) -> None:
    events: list[Event] = []
    policy, objective = direct(method, dtype=dtype)
    train(policy, objective, settings(1, dtype=dtype), Ledger(None, [events.append]), tmp_path)
    step = next(event for event in events if event["kind"] == "step")
    near = 1e-5 if dtype == torch.float32 else 0.1
    assert abs(step["best_ratio"]) < near
    assert abs(step["worst_ratio"]) < near
    at_zero = {"dpo": math.log(2), "ipo": (1 / 0.6) ** 2, "kto": 0.5}
    assert step["loss"] == pytest.approx(at_zero[method], rel=1e-4 if dtype == torch.float32 else 3e-2)


@every
def test_the_micro_batch_changes_nothing(method: str) -> None:
    """The drift of KTO too is of the whole step."""
    torch.set_default_dtype(torch.float64)
    try:
        found = []
        for micro in (100, 2, 5):
            policy, objective = direct(method, micro, torch.float64, 9)
            with torch.no_grad():
                policy.blocks[0].get_parameter("down").add_(0.1)
            optimizer = FlatOptimizer(policy, OptimizerSettings(), torch.float64)
            sums = backward(policy, objective, optimizer, 0)
            found.append((sums, optimizer.gradient.clone()))
    finally:
        torch.set_default_dtype(torch.float32)
    (sums, gradient), *others = found
    assert gradient.abs().max() > 1e-4
    assert sums.get("drift", 1.0) > 1e-3
    for other, theirs in others:
        assert other == pytest.approx(sums, rel=1e-9)
        assert (theirs - gradient).abs().max() < 1e-12


@every
def test_every_prompt_once_an_epoch(method: str) -> None:
    policy, objective = direct(method)
    assert objective.steps_per_epoch == 3
    seen = [number for step in range(9) for piece in objective.micro_batches(policy, step) for number in piece.numbers]
    assert sorted(seen) == sorted(list(range(9)) * 4)
    for step in range(3):
        assert sum(piece.share for piece in objective.micro_batches(policy, step)) == pytest.approx(1.0)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_killed_and_resumed(method: str, dtype: torch.dtype, tmp_path: Path) -> None:
    straight, objective = direct(method, dtype=dtype)
    (tmp_path / "straight").mkdir()
    train(straight, objective, settings(7, dtype=dtype), Ledger(), tmp_path / "straight")
    model, _ = killed_and_resumed(lambda: direct(method, dtype=dtype), settings(7, dtype=dtype), (1, 3, 3, 7), tmp_path)
    assert same(model, straight)
    assert not same(model, direct(method)[0])


def policy_of(model: Any) -> Tensor:
    with torch.no_grad():
        return torch.softmax(model(torch.tensor([[3]]))[0, -1], -1)


def test_dpo_goes_where_theory_says(tmp_path: Path) -> None:
    """From exact preferences, i above j exp(r_i) / (exp(r_i) + exp(r_j)) of the time, it comes to π_ref · exp(r / β),
    normalised, which the rewards would have led to (Rafailov et al. 2023, equation 5)."""
    actions, beta, strengths = 6, 0.5, [2, 4, 1, 3, 3, 1]
    policy = decoder(vocabulary=actions, end=tuple(range(actions)), width=16, scale=0.3, layers=1)
    start = policy_of(policy)
    items = []
    for i, j in permutations(range(actions), 2):
        items.append(Judged(((3, i), (3, j)), ((0, 1),) * strengths[i], 1))
    objective = Direct(items, "dpo", beta, len(items), 60, 0, copy.deepcopy(policy))
    how = settings(
        200, learning_rate=3e-3, decay=0.8, checkpoint_seconds=1e9, optimizer=OptimizerSettings(weight_decay=0.0)
    )
    train(policy, objective, how, Ledger(), tmp_path)
    end, best = policy_of(policy), torch.softmax(start.log() + torch.tensor(strengths).log() / beta, -1)
    away, left = ((one * (one / best).log()).sum() for one in (start, end))
    assert away > 0.3, "there must be a way to go"
    assert left < 1e-3 * away
