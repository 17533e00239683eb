"""The formulas of policy optimisation, as pure functions on tensors.

Throughout, N sequences, T positions; `mask` is [N, T], true where a position's target is a token of the completion.
Position t holds what belongs to the prediction of token t + 1.
"""

import torch
from torch import Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of `values` [N, T] over `mask`."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def sequence_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean over sequences of each one's mean of `values` [N, T] over `mask`."""
    return ((values * mask).sum(1) / mask.sum(1).clamp(min=1)).mean()


def whiten(values: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and deviation 1 over the masked positions, 0 elsewhere. A single position, or no spread, gives 0."""
    mean = masked_mean(values, mask)
    variance = masked_mean((values - mean) ** 2, mask)
    return torch.where(mask, (values - mean) * torch.rsqrt(variance + 1e-8), torch.zeros_like(values))


def kl_rewards(scores: Tensor, logprobs: Tensor, reference: Tensor, mask: Tensor, coefficient: float) -> Tensor:
    """Per-token rewards: -β (log π - log π_ref) everywhere, the score once, at the completion's last token
    (Ziegler et al. 2019, equation 2; the k1 estimator of Schulman 2020).

    Args:
        scores: [N]. logprobs, reference: [N, T].

    Returns:
        [N, T], 0 outside the mask.
    """
    rewards = -coefficient * (logprobs - reference) * mask
    last = mask.long().cumsum(1).argmax(1)  # the first position at which the count of valid positions is largest
    return rewards.scatter_add(1, last[:, None], (scores * mask.any(1))[:, None].to(rewards.dtype))


def generalized_advantages(
    rewards: Tensor, values: Tensor, mask: Tensor, discount: float = 1.0, trace: float = 0.95
) -> tuple[Tensor, Tensor]:
    """Advantages and returns, [N, T] each (Schulman et al. 2016, GAE, equation 16); an episode ends with its mask.

    Args:
        rewards, values: [N, T]. discount: γ. trace: λ.
    """
    steps = rewards.shape[1]
    advantages = torch.zeros_like(rewards)
    running = torch.zeros_like(rewards[:, 0])
    following = torch.zeros_like(running)
    for t in reversed(range(steps)):
        valid = mask[:, t]
        error = rewards[:, t] + discount * following - values[:, t]
        running = torch.where(valid, error + discount * trace * running, torch.zeros_like(running))
        advantages[:, t] = running
        following = torch.where(valid, values[:, t], torch.zeros_like(following))
    return advantages, torch.where(mask, advantages + values, torch.zeros_like(values))


def group_advantages(scores: Tensor, size: int, scale: bool = True) -> Tensor:
    """[N] each score less the mean of its group of `size`, over the group's deviation (Shao et al. 2024, GRPO, section
    4.1.2). `scale=False` leaves the deviation out (Liu et al. 2025, Dr. GRPO). A group without spread gives 0."""
    groups = scores.view(-1, size)
    centred = groups - groups.mean(1, keepdim=True)
    if scale and size > 1:
        centred = centred / (groups.std(1, keepdim=True) + 1e-4)
    return (centred * spread(groups)).reshape(
        -1
    )  # else the mean's rounding, blown up by the division, would be a direction


def leave_one_out(scores: Tensor, size: int) -> Tensor:
    """[N] each score less the mean of the others of its group of `size` (Kool et al. 2019; Ahmadian et al. 2024, RLOO,
    equation 8)."""
    groups = scores.view(-1, size)
    centred = (groups - groups.mean(1, keepdim=True)) * (size / (size - 1))
    return (centred * spread(groups)).reshape(-1)


def spread(groups: Tensor) -> Tensor:
    """[groups, 1] bool: whether the scores [groups, size] of a group differ."""
    return groups.amax(1, keepdim=True) > groups.amin(1, keepdim=True)


def to_come(rewards: Tensor, mask: Tensor) -> Tensor:
    """[N, T] at each position of the mask, the sum of its reward and all later ones."""
    return (rewards * mask).flip(1).cumsum(1).flip(1) * mask


def clipped(logprobs: Tensor, old: Tensor, advantages: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    """PPO's clipped objective, negated, where the ratio may go from 1 - low to 1 + high (Schulman et al. 2017, equation
    7; one `high` above `low` is DAPO's, Yu et al. 2025, section 3.1), and where the clip holds it back. Any shapes."""
    ratio = torch.exp(logprobs - old)
    plain, held = -advantages * ratio, -advantages * ratio.clamp(1 - low, 1 + high)
    return torch.maximum(plain, held), held > plain


def clipped_value_loss(values: Tensor, old: Tensor, returns: Tensor, mask: Tensor, clip: float = 0.2) -> Tensor:
    """Half the squared error of the values, which may not move further than `clip` from `old` (Schulman et al. 2016's
    code; Engstrom et al. 2020, section 3). All [N, T]."""
    near = old + (values - old).clamp(-clip, clip)
    return 0.5 * masked_mean(torch.maximum((values - returns) ** 2, (near - returns) ** 2), mask)


def k3(logprobs: Tensor, reference: Tensor) -> Tensor:
    """The estimator exp(Δ) - Δ - 1 of KL(π‖π_ref) per token, Δ = log π_ref - log π: never negative, unbiased under π
    (Schulman 2020, Approximating KL divergence)."""
    difference = reference - logprobs
    return torch.exp(difference) - difference - 1
