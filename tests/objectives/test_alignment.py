"""Alignment as a whole: where it starts, what it may not touch, what it does not depend on, and where it goes."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import decoder, tokens
from objectives.aligning import END, PROMPTS, alignment, nothing
from train.learning import settings, weights

from anatomia.base.events import Event, Ledger
from anatomia.generate.engine import Completion
from anatomia.generate.sampling import Sampling
from anatomia.model.decoder import Decoder
from anatomia.model.packed import shared_states
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.algorithms import ALGORITHMS, AlignmentSettings
from anatomia.objectives.alignment import PASS, ActorCritic, Alignment
from anatomia.objectives.rollout import Rollout, lay_out, log_probabilities
from anatomia.objectives.scoring import RewardModel
from anatomia.train.loop import backward, train
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings

every = pytest.mark.parametrize("method", ALGORITHMS)
IMITATING = ("best_of_n", "expert_iteration")  # no ratio, and only some of what was written


def test_sequences_are_laid_out_with_their_completions_marked() -> None:
    ids, mask = lay_out([[5], [6, 7, 8]], [Completion([9, 2]), Completion([4, 3, 3, 3])], 0)
    assert ids.tolist() == [[5, 9, 2, 0, 0, 0, 0], [6, 7, 8, 4, 3, 3, 3]]
    assert mask.tolist() == [[True, True, False, False, False, False], [False, False, True, True, True, True]]


def test_everyone_scores_what_was_written() -> None:
    """Log-probabilities, values and rewards of a padded rollout are those of each sequence alone."""
    model, objective = alignment("ppo")
    assert isinstance(objective.scorer, RewardModel)
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
            score = (objective.scorer.model(ids)[0, -1] - 0.5) / 2.0 - (0.0 if rollout.finished[row] else 2.0)
        assert torch.allclose(rollout.logprobs[row, span], logs[len(prompt) - 1 :], atol=1e-5)
        assert torch.allclose(rollout.values[row, span], values[span], atol=1e-4)
        assert float(rollout.scores[row]) == pytest.approx(float(score), abs=1e-4)
        for tensor in (rollout.logprobs, rollout.reference, rollout.values, rollout.rewards, rollout.advantages):
            assert not tensor[row, ~rollout.mask[row]].any()


def test_log_probabilities_have_gradients_of_their_tokens_alone() -> None:
    model = decoder()
    ids, mask = lay_out([[5], [6, 7, 8]], [Completion([9, 2]), Completion([4, 3, 3, 3])], 0)
    found, _ = log_probabilities(model, ids, mask)
    gradient = torch.autograd.grad(found.sum(), model.embedding)[0]
    parts = torch.zeros_like(gradient)
    for row, (start, length) in enumerate([(1, 3), (3, 7)]):
        logs = torch.log_softmax(model(ids[row : row + 1, : length - 1])[0], -1)[start - 1 :]
        chosen = logs.gather(1, ids[row, start:length, None]).sum()
        parts += torch.autograd.grad(chosen, model.embedding)[0]
    assert (gradient - parts).abs().max() < 1e-3 * gradient.abs().max()


@every
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


@pytest.mark.parametrize("method", [method for method, one in ALGORITHMS.items() if not one.priced])
@pytest.mark.parametrize("curious", [True, False])
@pytest.mark.parametrize("micro", [100, 5])
def test_one_update_asks_its_own_forward_pass_what_the_policy_thought(method: str, curious: bool, micro: int) -> None:
    """With one update a rollout, gradients are those of ratios to log-probabilities that were computed beforehand, off
    the reference too, whoever listens; KL is exactly 0 as long as policy and reference are one."""
    heard: list[Rollout] = []
    model, objective = alignment(
        method, epochs=1, minibatches=1, micro=micro, listener=lambda number, rollout, prompts: heard.append(rollout)
    )
    objective.curious = lambda number: curious
    optimizer = FlatOptimizer(model, OptimizerSettings(), torch.float32)
    assert backward(model, objective, optimizer, 0)["kl"] == 0.0
    assert bool(heard[0].logprobs.any()) == curious
    optimizer.clear()
    with torch.no_grad():
        model.policy.blocks[0].get_parameter("down").add_(0.1)
    sums = backward(model, objective, optimizer, 1)
    assert sums["clip_fraction"] == 0.0
    found = {name: weight.grad.clone() for name, weight in model.named_parameters()}  # type: ignore[union-attr]
    optimizer.clear()
    assert objective.rollout is not None
    ids, mask = objective.rollout.ids, objective.rollout.mask
    before, reference = (
        objective.log_probabilities(one, ids, mask).detach() for one in (model.policy, objective.reference)
    )
    whole = replace(objective.rollout, logprobs=before, reference=reference)
    assert sums["kl"] == pytest.approx(float((before - reference).sum(1).mean()), rel=1e-4)
    logprobs, _ = log_probabilities(model.policy, ids, mask)
    objective.settings.algorithm.loss(logprobs, whole, objective.settings)[0].backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None
        assert (weight.grad - found[name]).norm() < 1e-3 * found[name].norm(), name


@every
def test_reference_and_reward_model_never_change(method: str, tmp_path: Path) -> None:
    model, objective = alignment(method)
    assert isinstance(objective.scorer, RewardModel)
    before = weights(objective.reference), weights(objective.scorer.model), weights(model)
    train(model, objective, settings(8), Ledger(), tmp_path)
    for old, new in zip(before[:2], (weights(objective.reference), weights(objective.scorer.model)), strict=True):
        assert all(torch.equal(old[name], new[name]) for name in old)
    assert all(not torch.equal(before[2][name], weight) for name, weight in weights(model).items())


@every
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
    assert 0 < whole["clip_fraction"] < 1 or method in IMITATING
    for sums, other in others:
        assert sums == pytest.approx(whole, rel=1e-4, abs=1e-6)
        for name, gradient in gradients.items():
            assert gradient.norm() > 1e-6, name
            assert (other[name] - gradient).norm() < 1e-3 * gradient.norm(), name


def test_as_many_sequences_go_through_at_once_as_suit_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many tokens, half as many with a critic beside; completions of one prompt stay together."""
    for method, tokens_each in (("grpo", 60), ("ppo", 30)):
        model, objective = alignment(method, micro=0, minibatches=1)
        assert len(objective.micro_batches(model, 0)) == 1
        monkeypatch.setitem(PASS, "cpu", 60)
        pieces = objective.micro_batches(model, 1)
        assert len(pieces) > 1
        for piece in pieces:
            ids, mask = piece.rollout.ids, piece.rollout.mask
            lengths = (mask * torch.arange(1, ids.shape[1])).amax(1)
            assert len(ids) == 1 or int(lengths.sum()) < 1.5 * tokens_each
        monkeypatch.undo()
    model, objective = alignment("grpo", micro=6, minibatches=1)
    prompts = [row[0].tolist() for piece in objective.micro_batches(model, 0) for row in piece.rollout.ids.split(3)]
    assert objective.rollout is not None
    assert [row[:2] for row in prompts] == [row[:2].tolist() for row in objective.rollout.ids[::3]]


@every
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


def written(method: str, number: int = 0, **changes: Any) -> Rollout:
    """A whole rollout, with what is not learnt from."""
    seen: list[Rollout] = []
    model, objective = alignment(method, listener=lambda number, rollout, prompts: seen.append(rollout), **changes)
    objective.roll_out(model, number)
    return seen[0]


@every
def test_a_missing_end_costs_what_was_agreed(method: str) -> None:
    free, dear = written(method, unfinished=0.0), written(method, unfinished=3.0)
    assert 0 < int(free.finished.sum()) < len(free.finished)
    charged = free.scores - dear.scores
    assert torch.allclose(charged[~free.finished], torch.tensor(3.0))
    lengths = free.mask.sum(1)
    late = (lengths - 8.0).clamp(0, 2) / 2 if method == "dapo" else torch.zeros(len(lengths))
    assert torch.allclose(charged[free.finished], 3.0 * late[free.finished], atol=1e-6)
    assert 0 < int((late > 0).sum()) < len(late) or method != "dapo"
    assert dear.rewards.sum(1) == pytest.approx(dear.scores), "without distance to the reference, the score is all"


def test_long_prompts_of_groups_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In rollouts and in updates; what is said of the completions is the same."""
    read: list[int] = []

    def count(model: Decoder, ids: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        read.append(len(ids))
        return shared_states(model, ids, *others)

    monkeypatch.setattr("anatomia.objectives.rollout.shared_states", count)
    prompts = [tokens(20, seed=number).tolist() for number in range(6)]
    model, objective = alignment("grpo", prompts=prompts)
    rollout = objective.roll_out(model, 0)
    assert read == [12, 12], "policy and reference"
    alone, _ = log_probabilities(model.policy, rollout.ids, rollout.mask)
    assert (torch.exp(alone - rollout.logprobs) - 1).abs().max() < 2e-6
    loss, _ = objective.loss(model, objective.micro_batches(model, 0)[0])
    loss.backward()
    assert len(read) > 4
    read.clear()
    alignment("ppo", prompts=prompts, group=1)[1].roll_out(alignment("ppo")[0], 0)
    assert not read


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


def learnt(method: str, directory: Path, kl: float = 0.5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of a problem where one token is written: the policy before and after, and each token's reward."""
    actions = 6
    policy = decoder(vocabulary=actions, end=tuple(range(actions)), width=16, scale=0.3, layers=1)
    reference = copy.deepcopy(policy).requires_grad_(False)
    rewards = torch.tensor([0.0, 0.9, -0.6, 0.3, 0.6, -0.3])
    reward = Bandit(policy, rewards).requires_grad_(False)
    critic = ScalarModel(copy.deepcopy(policy)).requires_grad_(True) if ALGORITHMS[method].critic else None
    how = AlignmentSettings(
        method, prompts=1, group=192, epochs=1, minibatches=1, micro=192, kl=kl, sampling=Sampling(max_new=1)
    )
    objective = Alignment(how, [[3]], reference, RewardModel(reward, (0.0, 1.0)), 0, nothing)
    train(
        ActorCritic(policy, critic), objective,
        settings(120, learning_rate=5e-3, decay=0.8, checkpoint_seconds=1e9,
                 optimizer=OptimizerSettings(weight_decay=0.0)),
        Ledger(), directory,
    )  # fmt: skip
    with torch.no_grad():
        start, end = (torch.softmax(model(torch.tensor([[3]]))[0, -1], -1) for model in (reference, policy))
    return start, end, rewards


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """KL(one‖other) in nats."""
    return float((one * (one / other).log()).sum())


@pytest.mark.parametrize("method", [method for method in ALGORITHMS if method not in IMITATING])
def test_it_goes_where_theory_says(method: str, tmp_path: Path) -> None:
    """The best policy is π_ref · exp(r / β), normalised (Rafailov et al. 2023, equation 4). Where rewards are divided
    by their deviation under the policy, it is the fixed point of that."""
    scaled = method in ("grpo", "dapo")
    kl = 2.0 if scaled else 0.5  # with less, nothing holds a policy that gains certainty by becoming certain
    start, end, rewards = learnt(method, tmp_path, kl)
    best = start
    for _ in range(200):
        deviation = (best * (rewards - (best * rewards).sum()) ** 2).sum().sqrt() if scaled else 1.0
        best = torch.softmax(start.log() + rewards / deviation / kl, -1)
    assert apart(best, start) > 0.05, "there must be a way to go"
    assert apart(end, best) < 1e-2 * apart(start, best)
