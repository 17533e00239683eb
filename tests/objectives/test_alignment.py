"""Alignment as a whole: where it starts, what it may not touch, what it does not depend on, and where it goes."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import decoder
from objectives.aligning import END, PROMPTS, alignment
from train.learning import settings, weights

from anatomia.base.events import Event, Ledger
from anatomia.generate.engine import Completion
from anatomia.generate.sampling import Sampling
from anatomia.model.decoder import Decoder
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.alignment import ActorCritic, Alignment, AlignmentSettings
from anatomia.objectives.rollout import Rollout, lay_out, log_probabilities
from anatomia.train.loop import backward, train
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings

METHODS = ["ppo", "grpo"]
both = pytest.mark.parametrize("method", METHODS)


def test_sequences_are_laid_out_with_their_completions_marked() -> None:
    ids, mask = lay_out([[5], [6, 7, 8]], [Completion([9, 2]), Completion([4, 3, 3, 3])], 0)
    assert ids.tolist() == [[5, 9, 2, 0, 0, 0, 0], [6, 7, 8, 4, 3, 3, 3]]
    assert mask.tolist() == [[True, True, False, False, False, False], [False, False, True, True, True, True]]


def test_everyone_scores_what_was_written() -> None:
    """Log-probabilities, values and rewards of a padded rollout are those of each sequence alone."""
    model, objective = alignment("ppo")
    rollout = objective.roll_out(model, 0)
    copies = [PROMPTS[index] for index in objective.order(0) for _ in range(3)]
    assert len(rollout.ids) == 12
    for row, prompt in enumerate(copies):
        count = int(rollout.mask[row].sum())
        ids = rollout.ids[row : row + 1, : len(prompt) + count]
        assert ids[0, : len(prompt)].tolist() == prompt
        assert bool(rollout.finished[row]) == (int(ids[0, -1]) in END)
        assert bool(rollout.finished[row]) or count == 10
        span = slice(len(prompt) - 1, len(prompt) - 1 + count)
        with torch.no_grad():
            logs = torch.log_softmax(model.policy(ids)[0], -1)[:-1].gather(1, ids[0, 1:, None])[:, 0]
            assert model.critic is not None
            values = model.critic(ids)[0]
            score = (objective.reward(ids)[0, -1] - 0.5) / 2.0 - (0.0 if rollout.finished[row] else 2.0)
        assert torch.allclose(rollout.logprobs[row, span], logs[len(prompt) - 1 :], atol=1e-5)
        assert torch.allclose(rollout.values[row, span], values[span], atol=1e-4)
        assert float(rollout.scores[row]) == pytest.approx(float(score), abs=1e-4)
        for tensor in (rollout.logprobs, rollout.reference, rollout.values, rollout.rewards, rollout.advantages):
            assert not tensor[row, ~rollout.mask[row]].any()


def test_log_probabilities_have_gradients_of_their_tokens_alone() -> None:
    model = decoder()
    ids, mask = lay_out([[5], [6, 7, 8]], [Completion([9, 2]), Completion([4, 3, 3, 3])], 0)
    found, entropy = log_probabilities(model, ids, mask)
    gradient = torch.autograd.grad(found.sum() + entropy.sum(), model.embedding)[0]
    parts = torch.zeros_like(gradient)
    for row, (start, length) in enumerate([(1, 3), (3, 7)]):
        logs = torch.log_softmax(model(ids[row : row + 1, : length - 1])[0], -1)[start - 1 :]
        chosen = logs.gather(1, ids[row, start:length, None]).sum() - (logs.exp() * logs).sum()
        parts += torch.autograd.grad(chosen, model.embedding)[0]
    assert (gradient - parts).abs().max() < 1e-3 * gradient.abs().max()


@both
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_at_the_start_policy_and_reference_are_one(method: str, dtype: torch.dtype, tmp_path: Path) -> None:
    """KL exactly 0 in the first rollout; ratio 1 and nothing clipped in the first update."""
    rollouts: list[Rollout] = []
    events: list[Event] = []
    model, objective = alignment(
        method, dtype=dtype, listener=lambda number, rollout, prompts: rollouts.append(rollout)
    )
    train(model, objective, settings(1, dtype=dtype), Ledger(None, [events.append]), tmp_path)
    assert torch.equal(rollouts[0].logprobs, rollouts[0].reference)
    step = next(event for event in events if event["kind"] == "step")
    assert step["kl"] == 0.0
    assert step["clip_fraction"] == 0.0 or dtype == torch.bfloat16
    if dtype == torch.float32:
        fresh, _ = alignment(method)
        new, _ = log_probabilities(fresh.policy, rollouts[0].ids[:5], rollouts[0].mask[:5])
        assert (torch.exp(new - rollouts[0].logprobs[:5]) - 1).abs().max() < 1e-5


@both
def test_reference_and_reward_model_never_change(method: str, tmp_path: Path) -> None:
    model, objective = alignment(method)
    before = weights(objective.reference), weights(objective.reward), weights(model)
    train(model, objective, settings(8), Ledger(), tmp_path)
    for old, new in zip(before[:2], (weights(objective.reference), weights(objective.reward)), strict=True):
        assert all(torch.equal(old[name], new[name]) for name in old)
    assert all(not torch.equal(before[2][name], weight) for name, weight in weights(model).items())


@both
def test_the_micro_batch_changes_nothing(method: str) -> None:
    """Gradients of policy and critic, and the figures, with sequences taken alone, in fives, or all at once."""
    found = []
    for micro in (100, 1, 5):
        model, objective = alignment(method, micro=micro, minibatches=1)
        objective.roll_out(model, 0)
        with torch.no_grad():  # somewhere off the starting point, where ratios and clips matter
            objective.rollout = objective.roll_out(model, 0)
            model.policy.blocks[0].get_parameter("down").add_(0.1)
        optimizer = FlatOptimizer(model, OptimizerSettings(), torch.float32)
        sums = backward(model, objective, optimizer, 1)
        found.append((sums, {name: weight.grad.clone() for name, weight in model.named_parameters()}))  # type: ignore[union-attr]
    (whole, gradients), *others = found
    assert 0 < whole["clip_fraction"] < 1
    for sums, other in others:
        assert sums == pytest.approx(whole, rel=1e-4, abs=1e-6)
        for name, gradient in gradients.items():
            assert gradient.norm() > 1e-6, name
            assert (other[name] - gradient).norm() < 1e-3 * gradient.norm(), name


@both
def test_each_update_sees_every_sequence_once_an_epoch(method: str) -> None:
    model, objective = alignment(method, minibatches=3, epochs=2)
    for epoch in range(2):
        seen: list[list[int]] = []
        for part in range(3):
            pieces = objective.micro_batches(model, 3 * epoch + part)
            assert sum(piece.share for piece in pieces) == pytest.approx(1.0)
            seen += [row.tolist() for piece in pieces for row in piece.rollout.ids]
        assert objective.rollout is not None
        assert sorted(seen) == sorted(objective.rollout.ids.tolist())


@both
def test_a_missing_end_costs_what_was_agreed(method: str) -> None:
    model, objective = alignment(method, unfinished=0.0)
    free = objective.roll_out(model, 0)
    model, objective = alignment(method, unfinished=3.0)
    dear = objective.roll_out(model, 0)
    assert 0 < int(free.finished.sum()) < len(free.finished)
    assert torch.allclose(dear.scores, free.scores - 3.0 * ~free.finished)
    assert dear.rewards.sum(1) == pytest.approx(dear.scores), "without distance to the reference, the score is all"


def test_groups_share_their_prompt() -> None:
    """Completions of one prompt stand together and differ; advantages of a group add up to nothing per sequence."""
    model, objective = alignment("grpo")
    rollout = objective.roll_out(model, 2)
    per_sequence = rollout.advantages.amax(1) + rollout.advantages.amin(1)
    assert per_sequence.view(4, 3).sum(1).abs().max() < 1e-5
    assert len({tuple(row) for row in rollout.ids.tolist()}) == 12
    again, other = alignment("grpo")
    assert torch.equal(other.roll_out(again, 2).ids, rollout.ids)
    assert not torch.equal(other.roll_out(again, 13).ids.flatten()[:40], rollout.ids.flatten()[:40])


class Bandit(ScalarModel):
    """A reward that depends on the first written token alone."""

    def __init__(self, like: Decoder, rewards: torch.Tensor) -> None:
        super().__init__(copy.deepcopy(like))
        self.register_buffer("rewards", rewards)

    def forward(self, ids: torch.Tensor, positions: Any = None, mask: Any = None) -> torch.Tensor:
        return self.get_buffer("rewards")[ids]

    def at_last(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return self(ids).gather(1, (lengths - 1)[:, None]).squeeze(1)


@both
def test_it_goes_where_theory_says(method: str, tmp_path: Path) -> None:
    """With one token to write, the best policy is π_ref · exp(r / β), normalised (Rafailov et al. 2023, equation 4)."""
    actions, kl = 6, 0.5
    policy = decoder(vocabulary=actions, end=tuple(range(actions)), width=16, scale=0.3, layers=1)
    reference = copy.deepcopy(policy).requires_grad_(False)
    rewards = torch.tensor([0.0, 0.9, -0.6, 0.3, 0.6, -0.3])
    reward = Bandit(policy, rewards).requires_grad_(False)
    critic = ScalarModel(copy.deepcopy(policy)).requires_grad_(True) if method == "ppo" else None
    how = AlignmentSettings(
        method, prompts=1, group=256, epochs=1, minibatches=1, micro=256, kl=kl, sampling=Sampling(max_new=1)
    )  # type: ignore[arg-type]
    objective = Alignment(how, [[3]], reference, reward, (0.0, 1.0), 0, lambda number, rollout, prompts: None)
    with torch.no_grad():
        start = torch.softmax(reference(torch.tensor([[3]]))[0, -1], -1)
    scale = 1.0 if method == "ppo" else float((start * (rewards - (start * rewards).sum()) ** 2).sum().sqrt())
    train(
        ActorCritic(policy, critic), objective,
        settings(250, learning_rate=3e-3, decay=0.8, checkpoint_seconds=1e9,
                 optimizer=OptimizerSettings(weight_decay=0.0)),
        Ledger(), tmp_path,
    )  # fmt: skip
    with torch.no_grad():
        end = torch.softmax(policy(torch.tensor([[3]]))[0, -1], -1)
    best = torch.softmax(start.log() + rewards / scale / kl, -1)

    def distance(one: torch.Tensor, other: torch.Tensor) -> float:
        return float((one * (one / other).log()).sum())

    assert distance(best, start) > 0.3, "there must be a way to go"
    assert distance(end, best) < 0.15 * distance(start, best)
