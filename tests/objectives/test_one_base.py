"""Policy, reference, critic and reward model over one base, each with an adapter of its own or none."""

from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import decoder, scramble
from objectives.aligning import END, PROMPTS, nothing
from objectives.test_direct import judged
from train.learning import killed_and_resumed, same, settings

from anatomia.base.events import Event, Ledger
from anatomia.generate.sampling import Sampling
from anatomia.model.adapters import NAME, AdapterConfig, attach, train_only
from anatomia.model.decoder import Decoder
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.algorithms import AlignmentSettings
from anatomia.objectives.alignment import ActorCritic, Alignment
from anatomia.objectives.direct import Direct
from anatomia.objectives.scoring import RewardModel
from anatomia.train.loop import train


def roles(kind: Any = "lora") -> tuple[Decoder, ScalarModel, ScalarModel]:
    """A policy with its adapter in force, a critic and a reward model on the same weights."""
    policy = decoder(end=END, scale=0.15)
    adapters = {
        name: attach(policy, AdapterConfig(kind, 4), torch.Generator().manual_seed(number), name)
        for number, name in enumerate((NAME, "critic", "reward"))
    }
    scramble(adapters["reward"], 5)
    policy.adapted = NAME
    critic, reward = (ScalarModel(policy.under(name)) for name in ("critic", "reward"))
    with torch.no_grad():
        reward.score.normal_(generator=torch.Generator().manual_seed(7))
    train_only(policy, adapters[NAME], adapters["critic"])
    return policy, critic, reward.requires_grad_(False)


def shared(method: str, dtype: torch.dtype = torch.float32, kind: Any = "lora") -> tuple[Any, Alignment]:
    policy, critic, reward = roles(kind)
    train_only(policy, policy.adapters[NAME], *([policy.adapters["critic"]] if method == "ppo" else []))  # type: ignore[arg-type]
    how = AlignmentSettings(method, 4, 3, 2, 2, 5, 0.1, Sampling(max_new=10))
    scorer = RewardModel(reward, (0.5, 2.0))
    objective = Alignment(how, PROMPTS, policy.under(None), scorer, 3, nothing)
    return ActorCritic(policy, critic if method == "ppo" else None), objective


def trainable(model: Any) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad}


def test_they_are_one_model_in_memory() -> None:
    """Four roles hold the base once, and nothing of it learns."""
    policy, critic, reward = roles()
    held = {id(weight): weight.numel() for model in (policy, critic, reward) for weight in model.parameters()}
    base = sum(weight.numel() for weight in decoder(end=END).parameters())
    adapters = sum(weight.numel() for name in policy.adapters for weight in policy.adapters[name].parameters())
    assert sum(held.values()) == base + adapters + 2 * policy.config.width
    model, _ = shared("grpo")
    assert all(".adapters." in name for name in trainable(model))


@pytest.mark.parametrize("kind", ["lora", "rslora", "dora", "ia3"])
def test_at_the_start_policy_and_reference_are_one(kind: Any) -> None:
    model, objective = shared("ppo", kind=kind)
    rollout = objective.roll_out(model, 0)
    assert torch.allclose(rollout.logprobs, rollout.reference, atol=2e-6)
    assert torch.equal(rollout.logprobs, rollout.reference) or kind == "dora"  # whose norms round
    assert not rollout.values.any(), "a critic with nothing to say"
    assert rollout.scores.std() > 0.1


@pytest.mark.parametrize("method", ["ppo", "grpo"])
def test_only_what_learns_changes(method: str, tmp_path: Path) -> None:
    events: list[Event] = []
    model, objective = shared(method)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    learning = trainable(model)
    scores = objective.scorer(PROMPTS[:1], objective.complete(model.policy, PROMPTS[:1], ("here",)))
    written = objective.complete(model.policy, PROMPTS[:1], ("here",))
    train(model, objective, settings(8), Ledger(None, [events.append]), tmp_path)
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before[name]) == (name not in learning), name
    assert torch.equal(objective.scorer(PROMPTS[:1], written), scores), "the reward model says what it said"
    steps = [event for event in events if event["kind"] == "step"]
    assert steps[0]["kl"] == 0.0
    assert abs(steps[-1]["kl"]) > 1e-3


@pytest.mark.parametrize("method", ["ppo", "grpo", "dpo"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_killed_and_resumed(method: str, dtype: torch.dtype, tmp_path: Path) -> None:
    def fresh() -> tuple[Any, Any]:
        if method == "dpo":
            model, _ = shared("grpo")
            return model.policy, Direct(judged(), "dpo", 0.3, 4, 6, 3, model.policy.under(None))
        return shared(method, dtype)

    straight, objective = fresh()
    (tmp_path / "straight").mkdir()
    train(straight, objective, settings(7, dtype=dtype), Ledger(), tmp_path / "straight")
    model, _ = killed_and_resumed(fresh, settings(7, dtype=dtype), (1, 3, 5, 5), tmp_path)
    assert same(model, straight)
    assert not same(model, fresh()[0])
