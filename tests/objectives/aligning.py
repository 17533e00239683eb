"""A small alignment: a policy, its reference, a reward model, prompts of several lengths."""

import copy
from typing import Any

import torch
from model.tiny import decoder, scalar, tokens

from anatomia.generate.sampling import Sampling
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.algorithms import AlignmentSettings
from anatomia.objectives.alignment import ActorCritic, Alignment, Listener
from anatomia.objectives.scoring import RewardModel

PROMPTS = [tokens(2 + number % 5, seed=number).tolist() for number in range(11)]
END = (2, 7, 9, 13)  # several, so that some completions end early


def nothing(number: int, rollout: Any, prompts: Any) -> None:
    """A listener that does not listen."""


def alignment(
    method: str, reward: ScalarModel | None = None, listener: Listener = nothing, dtype: torch.dtype = torch.float32,
    prompts: list[list[int]] = PROMPTS, **changes: Any,
) -> tuple[ActorCritic, Alignment]:  # fmt: skip
    """Fresh objects, the same every time."""
    usual: dict[str, Any] = {
        "prompts": 4, "group": 3, "epochs": 2, "minibatches": 2, "micro": 5, "kl": 0.1,
        "sampling": Sampling(max_new=10),
    }  # fmt: skip
    settings = AlignmentSettings(method, **(usual | changes))
    policy = decoder(end=END, scale=0.15)
    reference = copy.deepcopy(policy).to(dtype).requires_grad_(False)
    judge = scalar(seed=5) if reward is None else reward
    critic = copy.deepcopy(judge).requires_grad_(True) if settings.algorithm.critic else None
    scorer = RewardModel(judge.requires_grad_(False), (0.5, 2.0))
    objective = Alignment(settings, prompts, reference, scorer, 3, listener)
    return ActorCritic(policy, critic), objective
