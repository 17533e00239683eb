"""Reinforcement learning of an adapter: policy, reference and critic are one base in three roles."""

from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import decoder, scalar
from objectives.aligning import END, PROMPTS, nothing
from train.learning import killed_and_resumed, same, settings, weights

from anatomia.base.events import Ledger
from anatomia.generate.sampling import Sampling
from anatomia.model.adapters import AdapterConfig, attach, train_only
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.algorithms import AlignmentSettings
from anatomia.objectives.alignment import ActorCritic, Alignment
from anatomia.objectives.scoring import RewardModel
from anatomia.train.loop import train
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings


def adapted(method: str) -> tuple[ActorCritic, Alignment]:
    """One decoder with an adapter for the policy and, for PPO, one for the critic; the reference is it without any."""
    base = decoder(end=END, scale=0.15)
    generator = torch.Generator().manual_seed(2)
    adapters = [attach(base, AdapterConfig("lora", 2, 4.0), generator, "policy")]
    policy, reference = base.under("policy"), base.under(None)
    critic = None
    if method == "ppo":
        adapters.append(attach(base, AdapterConfig("lora", 2, 4.0), generator, "value"))
        critic = ScalarModel(base.under("value"))
    model = ActorCritic(policy, critic)
    train_only(model, *adapters)
    if critic is not None:
        critic.score.requires_grad_(True)
    usual: dict[str, Any] = {
        "prompts": 4, "group": 3, "epochs": 2, "minibatches": 2, "micro": 5, "kl": 0.1,
        "sampling": Sampling(max_new=10),
    }  # fmt: skip
    scorer = RewardModel(scalar(seed=5).requires_grad_(False), (0.5, 2.0))
    return model, Alignment(AlignmentSettings(method, **usual), PROMPTS, reference, scorer, 3, nothing)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["ppo", "grpo"])
def test_only_adapters_learn_and_the_reference_stays(method: str, tmp_path: Path) -> None:
    """KL is exactly 0 before the first update and not after it; every weight of the base keeps its bits."""
    model, objective = adapted(method)
    before = weights(model)
    seen: list[float] = []

    def listen(event: Any) -> None:
        if event["kind"] == "step":
            seen.append(event["kl"])

    train(model, objective, settings(9), Ledger(None, [listen]), tmp_path)
    assert seen[0] == 0.0
    assert seen[-1] != 0.0
    for name, weight in weights(model).items():
        assert torch.equal(weight, before[name]) == ("adapters" not in name and "score" not in name), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_killed_and_gone_on_with(dtype: torch.dtype, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole, objective = adapted("ppo")
    how = settings(9, dtype=dtype)
    train(whole, objective, how, Ledger(), tmp_path / "whole")
    model, _ = killed_and_resumed(lambda: adapted("ppo"), how, (1, 3, 6), tmp_path)
    assert same(model, whole)


def test_the_base_is_in_memory_once() -> None:
    model, objective = adapted("ppo")
    optimizer = FlatOptimizer(model, OptimizerSettings(), torch.bfloat16)
    learnt = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert optimizer.layout.total == learnt
    assert {id(weight) for weight in objective.reference.parameters()} <= {id(weight) for weight in model.parameters()}
    assert objective.reference.embedding.dtype == torch.bfloat16
