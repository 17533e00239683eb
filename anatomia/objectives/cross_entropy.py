"""Cross-entropy from hidden states, in chunks: the logits of a whole batch never exist at once."""

from typing import Any

import torch
from torch import Tensor

CHUNK = 512


class LinearCrossEntropy(torch.autograd.Function):
    """Σᵢ wᵢ · (-log softmax(hᵢ Wᵀ)[tᵢ]) with its gradient computed on the way forward (the idea of Wijmans et al. 2024,
    Cut Your Losses, section 4: what is large is never stored)."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, weights: Tensor, wanted: bool) -> Tensor:
        total = torch.zeros((), device=hidden.device, dtype=weights.dtype)
        hidden_gradient = torch.empty_like(hidden if wanted else hidden[:0])
        weight_gradient = torch.zeros(weight.shape if wanted else (0,), device=weight.device, dtype=weights.dtype)
        full = torch.promote_types(hidden.dtype, torch.float32)
        for start in range(0, hidden.shape[0], CHUNK):
            span = slice(start, start + CHUNK)
            h, t, w = hidden[span], targets[span, None], weights[span, None]
            logits = torch.mm(h, weight.t())
            chances = torch.softmax(logits, -1, dtype=full)
            best, place = chances.max(-1, keepdim=True)
            normal = logits.gather(1, place).to(full) - best.log()  # logsumexp, without another pass over all logits
            total += (w * (normal - logits.gather(1, t))).sum()
            right = chances.gather(1, t)
            if wanted:
                gradient = chances.to(hidden.dtype).scatter_(1, t, (right - 1).to(hidden.dtype))
                hidden_gradient[span] = torch.mm(gradient, weight) * w
                weight_gradient += torch.mm(gradient.t(), (h * w).to(h.dtype))
        if wanted:
            ctx.save_for_backward(hidden_gradient, weight_gradient.to(weight.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        hidden_gradient, weight_gradient = ctx.saved_tensors
        if scale.item() != 1.0:
            hidden_gradient, weight_gradient = hidden_gradient * scale, weight_gradient * scale
        return hidden_gradient, weight_gradient, None, None, None


def linear_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """The weighted sum of next-token losses, in nats.

    Args:
        hidden: [N, width]. weight: [vocabulary, width], the output matrix. targets: [N] ids.
        weights: [N] fp32; positions with weight 0 cost nothing but their hidden state.
    """
    used = weights.nonzero().squeeze(1)
    if used.numel() < weights.numel():
        hidden, targets, weights = hidden[used], targets[used], weights[used]
    return LinearCrossEntropy.apply(hidden, weight, targets, weights, torch.is_grad_enabled())


def token_log_probabilities(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """log p(target) and the entropy of the whole distribution, each [N] in nats, in 32 bits or more, with gradients.

    Args:
        hidden: [N, width]. weight: [vocabulary, width]. targets: [N].
    """
    full = torch.promote_types(hidden.dtype, torch.float32)
    logs = torch.log_softmax(torch.mm(hidden, weight.t()).to(full), -1)
    entropy = -(logs.exp() * logs).sum(-1)
    return logs.gather(1, targets[:, None]).squeeze(1), entropy
