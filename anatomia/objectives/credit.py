"""Which token brings how much of the loss, and on whose account: the reward, KL, the critic's guesses. It all adds up
to the loss."""

from collections.abc import Callable

import torch
from torch import Tensor

from anatomia.objectives.algorithms import (
    AlignmentSettings,
    against_the_others,
    clipped_higher,
    constant_clipped,
    distance,
    likelihood,
    sequence_clipped,
    token_clipped,
    traced,
    whitened_returns,
    whole_clipped,
)
from anatomia.objectives.policy import generalized_advantages, kl_rewards, leave_one_out, masked_mean, to_come
from anatomia.objectives.rollout import Rollout

Parts = dict[str, Tensor]  # [N, T] each, 0 outside the mask
PARTS = ("reward", "kl", "value", "baseline", "critic")
PENALISED = (sequence_clipped, constant_clipped, clipped_higher)  # losses with KL beside the advantages


def credit(
    rollout: Rollout, parts: Parts, settings: AlignmentSettings, logprobs: Tensor, values: Tensor | None = None
) -> Parts:
    """What each token of some sequences brings to their loss. All of all parts add up to the loss.

    Args:
        rollout: the sequences. parts: theirs of `parts_of_advantages`.
        logprobs: [N, T] of the policy now. values: [N, T] of the critic now, where there is one.

    Returns:
        By `PARTS`: what comes of the reward, of KL (in rewards or beside them), of the critic's guesses in the
        advantages, of the baseline and whitening; and the critic's own loss.
    """
    weights = WEIGHTS[settings.algorithm.loss](rollout.mask, settings)
    factor = -slope(rollout, settings, logprobs) * weights
    found = {name: part * factor for name, part in parts.items()}
    if settings.algorithm.loss in PENALISED:
        found["kl"] = found["kl"] + settings.kl * distance(logprobs, rollout) * weights
    found["critic"] = torch.zeros_like(weights)
    if values is not None:
        near = rollout.values + (values - rollout.values).clamp(-0.2, 0.2)  # as `policy.clipped_value_loss`
        worse = torch.maximum((values - rollout.returns) ** 2, (near - rollout.returns) ** 2)
        found["critic"] = settings.value * 0.5 * worse * by_tokens(rollout.mask, settings)
    return {name: torch.where(rollout.mask, found[name], torch.zeros_like(weights)) for name in PARTS}


def parts_of_advantages(rollout: Rollout, settings: AlignmentSettings) -> Parts:
    """The advantages [N, T] of a whole rollout, as credit was given in it, by what they come of: "reward", "kl",
    "value" and "baseline" (means and whitening); they add up to them exactly.

    Advantages are sums of rewards and values, whitened or compared with a group's: each summand goes its own way.
    """
    mask, nothing = rollout.mask, torch.zeros_like(rollout.rewards)
    scores = kl_rewards(rollout.scores, nothing, nothing, mask, 0.0)
    drift = rollout.rewards - scores  # -β log-ratio where KL is in the rewards, else 0
    give = settings.algorithm.credit
    found = {"reward": rollout.advantages, "kl": nothing, "value": nothing}
    if give is traced:
        raw = rollout.returns - rollout.values
        unit = scale(raw, mask)
        for name, rewards, values in (
            ("reward", scores, nothing), ("kl", drift, nothing), ("value", nothing, rollout.values)
        ):  # fmt: skip
            found[name] = generalized_advantages(rewards, values, mask, trace=settings.trace)[0] * unit
    elif give is whitened_returns:
        unit = scale(rollout.returns, mask)
        found |= {"reward": to_come(scores, mask) * unit, "kl": to_come(drift, mask) * unit}
    elif give is against_the_others:
        found["kl"] = leave_one_out(drift.sum(1), settings.group)[:, None] * mask
        found["reward"] = rollout.advantages - found["kl"]
    found = {name: part * mask for name, part in found.items()}
    return found | {"baseline": (rollout.advantages - found["reward"] - found["kl"] - found["value"]) * mask}


def scale(values: Tensor, mask: Tensor) -> Tensor:
    """What `policy.whiten` multiplies with. []"""
    return torch.rsqrt(masked_mean((values - masked_mean(values, mask)) ** 2, mask) + 1e-8)


def slope(rollout: Rollout, settings: AlignmentSettings, logprobs: Tensor) -> Tensor:
    """[N, T] or [N, 1] what advantages are multiplied with in the loss, negated: the ratio, as far as the clip lets it
    go, or log p."""
    kind = settings.algorithm.loss
    if kind is likelihood:
        return logprobs
    now, then, advantages = logprobs, rollout.logprobs, rollout.advantages
    if kind is whole_clipped:
        now, then = ((one * rollout.mask).sum(1, keepdim=True) for one in (now, then))
        advantages = advantages.sum(1, keepdim=True)
    high = settings.clip_high if kind is clipped_higher else settings.clip
    ratio = torch.exp(now - then)
    held = ratio.clamp(1 - settings.clip, 1 + high)
    return torch.where(-advantages * held > -advantages * ratio, held, ratio)


def by_tokens(mask: Tensor, settings: AlignmentSettings) -> Tensor:
    return mask / mask.sum().clamp(min=1)


def by_sequences(mask: Tensor, settings: AlignmentSettings) -> Tensor:
    return mask / mask.sum(1, keepdim=True).clamp(min=1) / len(mask)


def by_constant(mask: Tensor, settings: AlignmentSettings) -> Tensor:
    return mask / (len(mask) * settings.sampling.max_new)


WEIGHTS: dict[Callable[..., object], Callable[[Tensor, AlignmentSettings], Tensor]] = {
    token_clipped: by_tokens,
    clipped_higher: by_tokens,
    likelihood: by_tokens,
    sequence_clipped: by_sequences,
    whole_clipped: by_sequences,
    constant_clipped: by_constant,
}
