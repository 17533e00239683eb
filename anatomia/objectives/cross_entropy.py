"""Cross-entropy from hidden states, in chunks: the logits of a whole batch never exist at once."""

from typing import Any

import torch
from torch import Tensor

from anatomia.generate import logits as kernel

CHUNK = 512
KEPT = 1 << 28  # bytes


class LinearCrossEntropy(torch.autograd.Function):
    """Σᵢ wᵢ · (-log softmax(hᵢ Wᵀ)[tᵢ]) with its gradient computed on the way forward (the idea of Wijmans et al. 2024,
    Cut Your Losses, section 4: what is large is never stored)."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, weights: Tensor, wanted: bool) -> Tensor:
        total = torch.zeros((), device=hidden.device, dtype=weights.dtype)
        by_hidden = torch.empty_like(hidden) if wanted else None
        learnt = wanted and weight.requires_grad
        by_weight = torch.zeros(weight.shape, device=weight.device, dtype=weights.dtype) if learnt else None
        for start in range(0, len(hidden), CHUNK):
            span = slice(start, start + CHUNK)
            logits = torch.mm(hidden[span], weight.t())
            found, _ = judged(logits, targets[span], wanted, False)
            total -= torch.dot(weights[span], found.to(weights.dtype))
            if by_hidden is not None:
                by_hidden[span] = torch.mm(logits, weight) * weights[span, None]
            if by_weight is not None:
                by_weight += torch.mm(logits.t(), (hidden[span] * weights[span, None]).to(hidden.dtype))
        if wanted:
            ctx.save_for_backward(by_hidden, None if by_weight is None else by_weight.to(weight.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor, Tensor | None, None, None, None]:
        by_hidden, by_weight = ctx.saved_tensors
        if scale.item() != 1.0:
            by_hidden = by_hidden * scale
            by_weight = None if by_weight is None else by_weight * scale
        return by_hidden, by_weight, None, None, None


def linear_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """The weighted sum of next-token losses, in nats.

    Args:
        hidden: [N, width]. weight: [vocabulary, width], the output matrix. targets: [N] ids.
        weights: [N] fp32.
    """
    return LinearCrossEntropy.apply(hidden, weight, targets, weights, torch.is_grad_enabled())


class TokenLogProbabilities(torch.autograd.Function):
    """log softmax(hᵢ Wᵀ)[tᵢ] and the entropy of softmax(hᵢ Wᵀ), in chunks. What the way back needs of the logits is
    kept in the number format of the model where it is no more than `KEPT`, else made again; 32 bits of them are there
    for one chunk at most."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, wanted: bool) -> tuple[Tensor, Tensor]:
        full = torch.promote_types(hidden.dtype, torch.float32)
        found, entropy = (torch.empty(len(hidden), dtype=full, device=hidden.device) for _ in range(2))
        keep = wanted and len(hidden) * len(weight) * hidden.element_size() <= KEPT
        slopes = hidden.new_empty(len(hidden) if keep else min(CHUNK, len(hidden)), len(weight))
        for start in range(0, len(hidden), CHUNK):
            span = slice(start, start + CHUNK)
            here = torch.mm(hidden[span], weight.t(), out=slopes[span if keep else slice(len(hidden[span]))])
            found[span], entropy[span] = judged(here, targets[span], keep, True)
        if wanted:
            ctx.save_for_backward(hidden, weight, targets, slopes if keep else None)
        ctx.mark_non_differentiable(entropy)
        return found, entropy

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, unused: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        """Rows are scaled after the one product and before the other: nothing is done to the large matrix."""
        hidden, weight, targets, kept = ctx.saved_tensors
        by_hidden = torch.empty_like(hidden)
        by_weight = None
        if ctx.needs_input_grad[1]:
            by_weight = torch.zeros(weight.shape, device=weight.device, dtype=gradient.dtype)
        for start in range(0, len(hidden), CHUNK if kept is None else max(len(hidden), 1)):
            span = slice(start, start + CHUNK) if kept is None else slice(None)
            slopes = kept
            if slopes is None:
                slopes = torch.mm(hidden[span], weight.t())
                judged(slopes, targets[span], True, False)
            by_hidden[span] = torch.mm(slopes, weight) * -gradient[span, None]
            if by_weight is not None:
                by_weight += torch.mm(slopes.t(), (hidden[span] * -gradient[span, None]).to(hidden.dtype))
        return by_hidden, None if by_weight is None else by_weight.to(weight.dtype), None, None


def judged(logits: Tensor, targets: Tensor, keep: bool, entropies: bool) -> tuple[Tensor, Tensor]:
    """log softmax(logits) at the targets and the entropy of each row, [n] each, in 32 bits or more.

    Args:
        logits: [n, vocabulary], not to be used any more. targets: [n].
        keep: whether they shall become the gradient of -log softmax(logits) at the targets: the chances, less 1 there.
        entropies: whether they are asked for; else anything stands there.
    """
    if kernel.supports(logits):
        return kernel.judge(logits, targets, keep, entropies)
    high = logits.to(torch.promote_types(logits.dtype, torch.float32))
    high = high - high.amax(-1, keepdim=True)
    powers = high.exp()
    total = powers.sum(-1)
    found = high.gather(1, targets[:, None]).squeeze(1) - total.log()
    entropy = total.log() - high.mul_(powers).sum(-1) / total
    if keep:
        slopes = powers.div_(total[:, None])
        logits.copy_(slopes.scatter_add_(1, targets[:, None], slopes.new_full((len(targets), 1), -1.0)))
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
