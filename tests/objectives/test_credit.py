"""What tokens bring to the loss adds up to the loss, in every algorithm."""

from pathlib import Path

import pytest
import torch
from objectives.aligning import alignment
from train.learning import settings

from anatomia.base.events import Ledger
from anatomia.objectives.algorithms import ALGORITHMS
from anatomia.objectives.credit import PARTS, WEIGHTS, credit, parts_of_advantages
from anatomia.objectives.rollout import Rollout, log_probabilities, values_of
from anatomia.train.loop import train

every = pytest.mark.parametrize("method", ALGORITHMS)


@every
def test_all_tokens_together_are_the_loss(method: str, tmp_path: Path) -> None:
    """After updates that moved ratios and values, some beyond the clip: the loss that the loop reports, to 1e-6."""
    whole: list[Rollout] = []
    model, objective = alignment(method, listener=lambda number, rollout, prompts: whole.append(rollout), micro=99)
    train(model, objective, settings(3, learning_rate=2e-2), Ledger(), tmp_path)
    how = objective.settings
    (piece,) = objective.micro_batches(model, 3)
    loss, _ = objective.loss(model, piece)
    rollout = piece.rollout
    with torch.no_grad():
        logprobs, _ = log_probabilities(model.policy, rollout.ids, rollout.mask)
        values = None if model.critic is None else values_of(model.critic, rollout.ids, rollout.mask)
    places = [find(row, whole[0].ids) for row in rollout.ids]
    parts = {name: part[places] for name, part in parts_of_advantages(whole[0], how).items()}
    found = credit(rollout, parts, how, logprobs, values)
    assert set(found) == set(PARTS)
    assert sum(float(part.double().sum()) for part in found.values()) == pytest.approx(float(loss.detach()), abs=1e-6)
    assert float((logprobs - rollout.logprobs).abs().max()) > 1e-3
    assert not any(part[~rollout.mask].any() for part in found.values())


def find(row: torch.Tensor, rows: torch.Tensor) -> int:
    """Which of the rows it is."""
    return int((rows == row).all(1).nonzero()[0])


@every
def test_the_parts_are_the_advantages(method: str) -> None:
    heard: list[Rollout] = []
    model, objective = alignment(method, listener=lambda number, rollout, prompts: heard.append(rollout))
    with torch.no_grad():
        for weight in objective.reference.parameters():
            weight.mul_(1.05)  # or KL would be nothing
    objective.roll_out(model, 0)
    parts = parts_of_advantages(heard[0], objective.settings)
    assert torch.allclose(sum(parts.values()), heard[0].advantages, atol=1e-6)  # type: ignore[arg-type]


def test_each_part_is_what_its_name_says() -> None:
    """PPO: without KL there is no part of KL; the reward's part falls off by λ before the end."""
    heard: list[Rollout] = []
    model, objective = alignment("ppo", listener=lambda number, rollout, prompts: heard.append(rollout), kl=0.0)
    objective.roll_out(model, 0)
    parts = parts_of_advantages(heard[0], objective.settings)
    assert not parts["kl"].any()
    positions = heard[0].mask[0].nonzero().squeeze(1)
    rewards = parts["reward"][0, positions]
    assert torch.allclose(rewards[:-1], rewards[1:] * objective.settings.trace, atol=1e-6)
    assert bool((rewards.sign() == heard[0].scores[0].sign()).all())


def test_every_loss_is_known() -> None:
    assert {algorithm.loss for algorithm in ALGORITHMS.values()} <= WEIGHTS.keys()
