"""Cross-entropy from hidden states, in chunks: the logits of a whole batch never exist at once."""

import math
from typing import Any

import torch
from torch import Tensor

from anatomia.base.compiled import fuse
from anatomia.generate import logits as kernel

CHUNK = 512


class LinearCrossEntropy(torch.autograd.Function):
    """Σᵢ wᵢ · (-log softmax(hᵢ Wᵀ)[tᵢ]) with its gradient computed on the way forward (the idea of Wijmans et al. 2024,
    Cut Your Losses, section 4: what is large is never stored)."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, weights: Tensor, wanted: bool, fused: bool
    ) -> Tensor:
        total = torch.zeros((), device=hidden.device, dtype=weights.dtype)
        hidden_gradient = torch.empty_like(hidden) if wanted else None
        learnt = wanted and weight.requires_grad
        weight_gradient = torch.zeros(weight.shape, device=weight.device, dtype=weights.dtype) if learnt else None
        for start in range(0, hidden.shape[0], CHUNK):
            span = slice(start, start + CHUNK)
            run = fuse(chunk) if fused and wanted and len(hidden[span]) == CHUNK else chunk
            here = None if hidden_gradient is None else hidden_gradient[span]
            total += run(hidden[span], weight, targets[span, None], weights[span, None], here, weight_gradient)
        if wanted:
            low = None if weight_gradient is None else weight_gradient.to(weight.dtype)
            ctx.save_for_backward(hidden_gradient, low)
        return total

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor, Tensor | None, None, None, None, None]:
        hidden_gradient, weight_gradient = ctx.saved_tensors
        if scale.item() != 1.0:
            hidden_gradient = hidden_gradient * scale
            weight_gradient = None if weight_gradient is None else weight_gradient * scale
        return hidden_gradient, weight_gradient, None, None, None, None


def chunk(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    weights: Tensor,
    hidden_gradient: Tensor | None,
    weight_gradient: Tensor | None,
) -> Tensor:
    """The loss of `CHUNK` positions or fewer.

    Args:
        hidden: [n, width]. weight: [vocabulary, width]. targets, weights: [n, 1].
        hidden_gradient: where to write the gradient by `hidden`, if it is wanted.
        weight_gradient: what to add that by `weight` to, if it is wanted too.
    """
    full = torch.promote_types(hidden.dtype, torch.float32)
    logits = torch.mm(hidden, weight.t()).to(full)
    normal = torch.logsumexp(logits, -1, keepdim=True)
    loss = (weights * (normal - logits.gather(1, targets))).sum()
    if hidden_gradient is not None:
        right = torch.arange(logits.shape[1], device=logits.device) == targets
        gradient = (weights * ((logits - normal).exp() - right.to(full))).to(hidden.dtype)
        hidden_gradient.copy_(torch.mm(gradient, weight))
        if weight_gradient is not None:
            weight_gradient.add_(torch.mm(gradient.t(), hidden))
    return loss


def linear_cross_entropy(
    hidden: Tensor, weight: Tensor, targets: Tensor, weights: Tensor, fused: bool = False
) -> Tensor:
    """The weighted sum of next-token losses, in nats.

    Args:
        hidden: [N, width]. weight: [vocabulary, width], the output matrix. targets: [N] ids.
        weights: [N] fp32; positions with weight 0 cost nothing but their hidden state.
        fused: compute gradients by a program compiled for it (`base.compiled.fuse`), where there are enough positions.
    """
    used = int(weights.count_nonzero())
    if fused:
        used = math.ceil(used / CHUNK) * CHUNK  # whole chunks, filled up with positions of weight 0
    if used < weights.numel():
        chosen = (weights == 0).sort(stable=True).indices[:used].sort().values
        hidden, targets, weights = hidden[chosen], targets[chosen], weights[chosen]
    return LinearCrossEntropy.apply(hidden, weight, targets, weights, torch.is_grad_enabled(), fused)


class TokenLogProbabilities(torch.autograd.Function):
    """log softmax(hᵢ Wᵀ)[tᵢ] and the entropy of softmax(hᵢ Wᵀ), in chunks. Of the chances, which the way back needs, a
    copy in the number format of the model is kept; logits in 32 bits are there for one chunk at a time."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, wanted: bool) -> tuple[Tensor, Tensor]:
        full = torch.promote_types(hidden.dtype, torch.float32)
        found, entropy = (torch.empty(len(hidden), dtype=full, device=hidden.device) for _ in range(2))
        chances = hidden.new_empty(len(hidden) if wanted else min(CHUNK, len(hidden)), len(weight))
        for start in range(0, len(hidden), CHUNK):
            span = slice(start, start + CHUNK)
            count = len(hidden[span])
            here = torch.mm(hidden[span], weight.t(), out=chances[span] if wanted else chances[:count])
            found[span], entropy[span] = judged(here, targets[span], wanted)
        if wanted:
            ctx.save_for_backward(hidden, weight, targets, chances)
        ctx.mark_non_differentiable(entropy)
        return found, entropy

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, unused: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        """d log p(t) / d logits is the unit vector of t less the chances: both products are taken apart, and nothing is
        done to the large matrix."""
        hidden, weight, targets, chances = ctx.saved_tensors
        by_hidden = (weight[targets].to(gradient.dtype) - torch.mm(chances, weight)) * gradient[:, None]
        by_weight = None
        if ctx.needs_input_grad[1]:
            scaled = hidden * gradient[:, None]
            by_weight = -torch.mm(chances.t(), scaled.to(hidden.dtype)).to(gradient.dtype)
            by_weight = by_weight.index_add_(0, targets, scaled).to(weight.dtype)
        return by_hidden.to(hidden.dtype), by_weight, None, None


def judged(logits: Tensor, targets: Tensor, keep: bool) -> tuple[Tensor, Tensor]:
    """log softmax(logits) at the targets and the entropy of each row, [n] each, in 32 bits or more.

    Args:
        logits: [n, vocabulary], not to be used any more. targets: [n]. keep: whether they shall become their softmax.
    """
    if kernel.supports(logits):
        return kernel.judge(logits, targets, keep)
    high = logits.to(torch.promote_types(logits.dtype, torch.float32))
    high = high - high.amax(-1, keepdim=True)
    powers = high.exp()
    total = powers.sum(-1)
    found = high.gather(1, targets[:, None]).squeeze(1) - total.log()
    entropy = total.log() - high.mul_(powers).sum(-1) / total
    if keep:
        logits.copy_(powers.div_(total[:, None]))
    return found, entropy


def token_log_probabilities(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """log p(target), with gradients, and the entropy of the whole distribution, without; each [N] in nats, in 32 bits
    or more.

    Args:
        hidden: [N, width]. weight: [vocabulary, width]. targets: [N].
    """
    wanted = torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad)
    found: tuple[Tensor, Tensor] = TokenLogProbabilities.apply(hidden, weight, targets, wanted)
    return found
