"""The algorithms of alignment as declarations. One loop (`alignment`) runs all those whose policy writes, another
(`direct`) those that learn from rankings alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from anatomia.generate.sampling import Sampling
from anatomia.objectives.policy import (
    clipped,
    generalized_advantages,
    group_advantages,
    k3,
    kl_rewards,
    leave_one_out,
    masked_mean,
    sequence_mean,
    spread,
    to_come,
    whiten,
)
from anatomia.objectives.rollout import Rollout


@dataclass(frozen=True)
class AlignmentSettings:
    """Attributes:
    method: a name in `ALGORITHMS`.
    prompts: per rollout. group: completions per prompt. epochs: passes over a rollout. minibatches: updates per pass.
    micro: completions per forward pass, 0 for as many as suit the device.
    kl: β. clip: ε, and `clip_high` upwards, where an algorithm has two. value: weight of the critic's loss.
    unfinished: what a missing end token costs, in deviations of the reward.
    """

    method: str
    prompts: int
    group: int
    epochs: int
    minibatches: int
    micro: int
    kl: float
    sampling: Sampling
    clip: float = 0.2
    clip_high: float = 0.28
    value: float = 0.5
    trace: float = 0.95
    unfinished: float = 2.0

    @property
    def updates(self) -> int:
        """Updates per rollout."""
        return self.epochs * self.minibatches

    @property
    def once(self) -> bool:
        """Whether one update is all that a rollout is for, and nothing is asked of log-probabilities before it: the
        policy that wrote is then the one that learns, and the update's own forward pass says what it thought."""
        return self.updates == 1 and not self.algorithm.priced

    @property
    def algorithm(self) -> "Algorithm":
        """What the method's name stands for."""
        return ALGORITHMS[self.method]


@dataclass(frozen=True)
class Draft:
    """A rollout before credit is given: mask bool [N, T]; scores [N], deductions made; logprobs, reference, values
    [N, T] (`values` is 0 without a critic)."""

    mask: Tensor
    scores: Tensor
    logprobs: Tensor
    reference: Tensor
    values: Tensor


Credit = tuple[Tensor, Tensor, Tensor]  # rewards, advantages, returns; [N, T] each
Losses = tuple[Tensor, Tensor]  # the loss of a piece, and the share of its tokens that the clip holds back; [] each


@dataclass(frozen=True)
class Algorithm:
    """What tells one algorithm from another.

    Attributes:
        credit: from scores to what each token is worth.
        loss: of some sequences, given their log-probabilities now [N, T]; a mean over tokens or over sequences, as
            `mean` says.
        deduct: [N] what finished (bool [N]) or too long sequences of given lengths [N] are charged, as a share of
            `AlignmentSettings.unfinished`.
        keep: bool [N] which sequences are learnt from, given their scores [N] and the size of groups.
        refill: whether other prompts are asked in place of those that `keep` leaves nothing of.
        critic: whether a critic learns beside the policy. groups: whether it needs several completions a prompt.
        priced: whether `credit` reads log-probabilities.
    """

    credit: Callable[[Draft, AlignmentSettings], Credit]
    loss: Callable[[Tensor, Rollout, AlignmentSettings], Losses]
    mean: Literal["tokens", "sequences"]
    deduct: Callable[[Tensor, Tensor, AlignmentSettings], Tensor] = lambda finished, lengths, settings: ~finished
    keep: Callable[[Tensor, int], Tensor] | None = None
    refill: bool = False
    critic: bool = False
    groups: bool = True
    priced: bool = False


# From scores to credit


def traced(draft: Draft, settings: AlignmentSettings) -> Credit:
    """KL in the rewards, and advantages over a critic's guesses, whitened."""
    rewards = kl_rewards(draft.scores, draft.logprobs, draft.reference, draft.mask, settings.kl)
    advantages, returns = generalized_advantages(rewards, draft.values, draft.mask, trace=settings.trace)
    return rewards, whiten(advantages, draft.mask), returns


def in_group(draft: Draft, settings: AlignmentSettings, scale: bool = True) -> Credit:
    """The same for every token: how the score compares with its group's, over the group's deviation if `scale`."""
    rewards = kl_rewards(draft.scores, draft.logprobs, draft.reference, draft.mask, 0.0)
    advantages = group_advantages(draft.scores, settings.group, scale)[:, None] * draft.mask
    return rewards, advantages, torch.zeros_like(rewards)


def centred_in_group(draft: Draft, settings: AlignmentSettings) -> Credit:
    """The same for every token: the score less its group's mean."""
    return in_group(draft, settings, scale=False)


def against_the_others(draft: Draft, settings: AlignmentSettings) -> Credit:
    """The same for every token: the sequence's score less its KL, against the mean of the others of its group."""
    rewards = kl_rewards(draft.scores, draft.logprobs, draft.reference, draft.mask, settings.kl)
    advantages = leave_one_out(rewards.sum(1), settings.group)[:, None] * draft.mask
    return rewards, advantages, torch.zeros_like(rewards)


def whitened_returns(draft: Draft, settings: AlignmentSettings) -> Credit:
    """KL in the rewards; what is yet to come of them, whitened over all tokens of the rollout."""
    rewards = kl_rewards(draft.scores, draft.logprobs, draft.reference, draft.mask, settings.kl)
    returns = to_come(rewards, draft.mask)
    return rewards, whiten(returns, draft.mask), returns


def imitated(draft: Draft, settings: AlignmentSettings) -> Credit:
    """1 for every token that is kept."""
    rewards = kl_rewards(draft.scores, draft.logprobs, draft.reference, draft.mask, 0.0)
    return rewards, draft.mask.to(rewards.dtype), torch.zeros_like(rewards)


# Losses


def distance(logprobs: Tensor, piece: Rollout) -> Tensor:
    """[N, T] k3, weighted by the ratio to the policy that wrote: so its gradient is that of KL(π‖π_ref), which
    that of k3 alone is not, even where the ratio is 1 (DeepSeek-AI 2025, DeepSeek-V3.2, section 3.1)."""
    return torch.exp(logprobs - piece.logprobs) * k3(logprobs, piece.reference)


def token_clipped(logprobs: Tensor, piece: Rollout, settings: AlignmentSettings) -> Losses:
    """The clipped objective, mean over tokens."""
    values, held = clipped(logprobs, piece.logprobs, piece.advantages, settings.clip, settings.clip)
    return masked_mean(values, piece.mask), masked_mean(held.float(), piece.mask)


def sequence_clipped(logprobs: Tensor, piece: Rollout, settings: AlignmentSettings) -> Losses:
    """The clipped objective with KL beside it, mean over each sequence, then over sequences."""
    values, held = clipped(logprobs, piece.logprobs, piece.advantages, settings.clip, settings.clip)
    values = values + settings.kl * distance(logprobs, piece)
    return sequence_mean(values, piece.mask), masked_mean(held.float(), piece.mask)


def constant_clipped(logprobs: Tensor, piece: Rollout, settings: AlignmentSettings) -> Losses:
    """The same, but each sequence's sum over one constant: the most tokens a completion may have."""
    values, held = clipped(logprobs, piece.logprobs, piece.advantages, settings.clip, settings.clip)
    values = (values + settings.kl * distance(logprobs, piece)) * piece.mask
    return values.sum() / (len(values) * settings.sampling.max_new), masked_mean(held.float(), piece.mask)


def clipped_higher(logprobs: Tensor, piece: Rollout, settings: AlignmentSettings) -> Losses:
    """The clipped objective with more room upwards and k3 beside it, mean over tokens."""
    values, held = clipped(logprobs, piece.logprobs, piece.advantages, settings.clip, settings.clip_high)
    values = values + settings.kl * distance(logprobs, piece)
    return masked_mean(values, piece.mask), masked_mean(held.float(), piece.mask)


def whole_clipped(logprobs: Tensor, piece: Rollout, settings: AlignmentSettings) -> Losses:
    """The clipped objective of whole sequences: one ratio each, mean over sequences."""
    now, then = ((one * piece.mask).sum(1) for one in (logprobs, piece.logprobs))
    advantages = piece.advantages.sum(1) / piece.mask.sum(1).clamp(min=1)  # the same for all tokens of a sequence
    values, held = clipped(now, then, advantages, settings.clip, settings.clip)
    return values.mean(), masked_mean(held[:, None].float(), piece.mask)


def likelihood(logprobs: Tensor, piece: Rollout, settings: AlignmentSettings) -> Losses:
    """-log p, mean over tokens: what fine-tuning minimises."""
    loss = masked_mean(-logprobs * piece.advantages, piece.mask)
    return loss, torch.zeros_like(loss)


# Deductions, and which sequences count


def overlong(finished: Tensor, lengths: Tensor, settings: AlignmentSettings) -> Tensor:
    """Nothing up to 4/5 of the longest, then rising, all at its end (Yu et al. 2025, DAPO, equation 13)."""
    margin = settings.sampling.max_new / 5
    late = ((lengths - settings.sampling.max_new + margin) / margin).clamp(0, 1)
    return torch.where(finished, late, torch.ones_like(late))


def best(scores: Tensor, group: int) -> Tensor:
    """The first of those with the highest score of each group."""
    groups = scores.view(-1, group)
    chosen = torch.zeros_like(groups, dtype=torch.bool)
    return chosen.scatter_(1, groups.argmax(1, keepdim=True), True).flatten()


def good(scores: Tensor, group: int) -> Tensor:
    """All that share the highest score of their group, where the others of it have less."""
    groups = scores.view(-1, group)
    return ((groups == groups.amax(1, keepdim=True)) & spread(groups)).flatten()


def differing(scores: Tensor, group: int) -> Tensor:
    """Every completion of groups whose scores differ."""
    return spread(scores.view(-1, group)).repeat_interleave(group)


ALGORITHMS = {
    # Schulman et al. 2017; Ouyang et al. 2022
    "ppo": Algorithm(traced, token_clipped, "tokens", critic=True, groups=False, priced=True),
    # Shao et al. 2024
    "grpo": Algorithm(in_group, sequence_clipped, "sequences"),
    # Liu et al. 2025, Understanding R1-Zero-like training
    "dr_grpo": Algorithm(centred_in_group, constant_clipped, "sequences"),
    # Yu et al. 2025
    "dapo": Algorithm(in_group, clipped_higher, "tokens", deduct=overlong, keep=differing, refill=True),
    # Ahmadian et al. 2024
    "rloo": Algorithm(against_the_others, whole_clipped, "sequences", priced=True),
    # Hu 2025
    "reinforce++": Algorithm(whitened_returns, token_clipped, "tokens", groups=False, priced=True),
    # Nakano et al. 2021 (best of n), then Dong et al. 2023 (RAFT)
    "best_of_n": Algorithm(imitated, likelihood, "tokens", keep=best),
    # Anthony et al. 2017; Zelikman et al. 2022 (STaR)
    "expert_iteration": Algorithm(imitated, likelihood, "tokens", keep=good),
}
