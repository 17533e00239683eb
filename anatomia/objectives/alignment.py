"""Reinforcement learning from a reward model: the policy writes, is scored, and is pulled towards what scored well."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from anatomia.generate.engine import Completion, generate
from anatomia.generate.sampling import Sampling, stream_seed
from anatomia.model.decoder import Decoder
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.policy import (
    clipped_policy_loss,
    clipped_value_loss,
    generalized_advantages,
    group_advantages,
    k3,
    kl_rewards,
    masked_mean,
    whiten,
)
from anatomia.objectives.rollout import Rollout, lay_out, log_probabilities, score_completions, values_of
from anatomia.train import parallel
from anatomia.train.objective import Sums


@dataclass(frozen=True)
class AlignmentSettings:
    """Attributes:
    method: "ppo" (a critic, per-token advantages) or "grpo" (groups of completions are each other's baseline).
    prompts: per rollout. group: completions per prompt. epochs: passes over a rollout. minibatches: updates per pass.
    kl: β. clip: ε. value: weight of the critic's loss. unfinished: what a missing end token costs, in deviations of
    the reward.
    """

    method: Literal["ppo", "grpo"]
    prompts: int
    group: int
    epochs: int
    minibatches: int
    micro: int
    kl: float
    sampling: Sampling
    clip: float = 0.2
    value: float = 0.5
    trace: float = 0.95
    unfinished: float = 2.0

    @property
    def updates(self) -> int:
        """Updates per rollout."""
        return self.epochs * self.minibatches


class ActorCritic(nn.Module):
    """What is trained together: the policy and, for PPO, the critic."""

    def __init__(self, policy: Decoder, critic: ScalarModel | None) -> None:
        super().__init__()
        self.policy, self.critic = policy, critic


@dataclass(frozen=True)
class Piece:
    """Some sequences of a minibatch, and their share of its tokens."""

    rollout: Rollout
    share: float


Listener = Callable[[int, Rollout, Sequence[Sequence[int]]], None]


class Alignment:
    """PPO (Schulman et al. 2017; Ouyang et al. 2022) and GRPO (Shao et al. 2024) over one kind of rollout.

    Args:
        prompts: token ids to draw from; each epoch over them has its own order, keyed by (seed, epoch).
        reference: the frozen policy that KL is measured against; never changed.
        reward: the frozen reward model; its scores are normalised as (score - mean) / deviation.
        listener: is shown every rollout (number, rollout, prompts), for specimens.
    """

    def __init__(
        self,
        settings: AlignmentSettings,
        prompts: Sequence[Sequence[int]],
        reference: Decoder,
        reward: ScalarModel,
        normalization: tuple[float, float],
        seed: int,
        listener: Listener,
    ) -> None:
        self.settings, self.prompts, self.seed, self.listener = settings, prompts, seed, listener
        self.reference, self.reward = reference.eval(), reward.eval()
        self.mean, self.deviation = normalization
        self.rollout: Rollout | None = None
        self.figures: dict[str, float] = {}

    def micro_batches(self, model: nn.Module, step: int) -> Sequence[Piece]:
        assert isinstance(model, ActorCritic)
        settings = self.settings
        number, update = divmod(step, settings.updates)
        if update == 0:
            self.rollout = self.roll_out(model, number)
        assert self.rollout is not None
        epoch, part = divmod(update, settings.minibatches)
        rows = len(self.rollout.ids)
        order = np.random.default_rng([self.seed, number, epoch]).permutation(rows)
        chosen = torch.from_numpy(np.array_split(order, settings.minibatches)[part])
        total = max(int(self.rollout.mask[chosen].sum()), 1)
        pieces = []
        for index in chosen.split(parallel.micro_rows(settings.micro, len(chosen))):
            piece = self.rollout.rows(index)
            pieces.append(Piece(piece, int(piece.mask.sum()) / total))
        return pieces

    def loss(self, model: nn.Module, micro: Piece) -> tuple[Tensor, dict[str, Tensor | float]]:
        assert isinstance(model, ActorCritic)
        piece, settings = micro.rollout, self.settings
        logprobs, entropy = log_probabilities(model.policy, piece.ids, piece.mask)
        policy_loss, clipped = clipped_policy_loss(
            logprobs, piece.logprobs, piece.advantages, piece.mask, settings.clip
        )
        loss = policy_loss
        figures: dict[str, Tensor] = {"policy_loss": policy_loss, "clip_fraction": clipped}
        figures["entropy"] = masked_mean(entropy, piece.mask)
        if model.critic is not None:
            values = values_of(model.critic, piece.ids, piece.mask)
            figures["value_loss"] = clipped_value_loss(values, piece.values, piece.returns, piece.mask)
            loss = loss + settings.value * figures["value_loss"]
        else:
            loss = loss + settings.kl * masked_mean(k3(logprobs, piece.reference), piece.mask)
        shares = {key: value.detach() * micro.share for key, value in figures.items()}
        return loss * micro.share, shares | {"tokens": float(piece.mask.sum())}

    @torch.no_grad()
    def roll_out(self, model: ActorCritic, number: int) -> Rollout:
        """Write completions to the prompts of rollout `number`, and score them."""
        settings = self.settings
        prompts = [self.prompts[index] for index in self.order(number) for _ in range(settings.group)]
        seeds = [stream_seed(self.seed, "rollout", number, place) for place in range(len(prompts))]
        model.eval()

        def write(part: Sequence[int]) -> Sequence[Completion]:
            mine = [prompts[place] for place in part], [seeds[place] for place in part]
            return generate(model.policy, *mine, settings.sampling, rows=len(part))

        completions = parallel.divided(write, range(len(prompts)))
        device = self.reward.score.device
        ids, mask = (tensor.to(device) for tensor in lay_out(prompts, completions, model.policy.config.padding or 0))
        finished = torch.tensor([completion.finished for completion in completions], device=device)
        logprobs, _ = log_probabilities(model.policy, ids, mask)
        reference, _ = log_probabilities(self.reference, ids, mask)
        raw = (score_completions(self.reward, ids, mask) - self.mean) / self.deviation
        scores = raw - settings.unfinished * (~finished)
        blank = torch.zeros_like(logprobs)
        if model.critic is not None:
            values = values_of(model.critic, ids, mask)
            rewards = kl_rewards(scores, logprobs, reference, mask, settings.kl)
            advantages, returns = generalized_advantages(rewards, values, mask, trace=settings.trace)
            advantages = whiten(advantages, mask)
        else:
            values, returns = blank, blank
            rewards = kl_rewards(scores, logprobs, reference, mask, 0.0)
            advantages = group_advantages(scores, settings.group)[:, None] * mask
        model.train()
        rollout = Rollout(ids, mask, finished, scores, logprobs, reference, values, rewards, advantages, returns)
        self.figures = {
            "score": float(raw.mean()),
            "reward": float(rewards.sum(1).mean()),
            "kl": float(((logprobs - reference) * mask).sum(1).mean()),
            "length": float(mask.sum(1).float().mean()),
            "finished": float(finished.float().mean()),
        }
        self.listener(number, rollout, prompts)
        return rollout

    def order(self, number: int) -> list[int]:
        """The indices of the prompts of rollout `number`."""
        chosen = []
        for place in range(number * self.settings.prompts, (number + 1) * self.settings.prompts):
            epoch, index = divmod(place, len(self.prompts))
            chosen.append(int(np.random.default_rng([self.seed, epoch]).permutation(len(self.prompts))[index]))
        return chosen

    def after(self, model: nn.Module, step: int) -> Sums:
        return dict(self.figures)

    def state(self) -> dict[str, Any]:
        return {"rollout": None if self.rollout is None else self.rollout.to_state(), "figures": self.figures}

    def load(self, state: dict[str, Any]) -> None:
        self.rollout = None if state["rollout"] is None else Rollout(**state["rollout"])
        self.figures = state["figures"]
