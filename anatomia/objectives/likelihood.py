"""Log-probabilities of sequences in chunks: the logits of a whole batch never exist at once, forwards or backwards."""

from typing import Any

import torch
from torch import Tensor

from anatomia.model.decoder import Decoder
from anatomia.model.packed import shared_states
from anatomia.objectives.cross_entropy import CHUNK
from anatomia.tokens.batches import pad_sequences


class TargetLogProbabilities(torch.autograd.Function):
    """log softmax(hᵢ Wᵀ)[tᵢ]. Logits are made again on the way back: one product more, for memory that does not grow
    with the number of tokens."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        full = torch.promote_types(hidden.dtype, torch.float32)
        normals = torch.empty(len(hidden), dtype=full, device=hidden.device)
        found = torch.empty_like(normals)
        for start in range(0, len(hidden), CHUNK):
            span = slice(start, start + CHUNK)
            logits = torch.mm(hidden[span], weight.t()).to(full)
            normals[span] = torch.logsumexp(logits, -1)
            found[span] = logits.gather(1, targets[span, None]).squeeze(1) - normals[span]
        ctx.save_for_backward(hidden, weight, targets, normals)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None]:
        hidden, weight, targets, normals = ctx.saved_tensors
        back = torch.empty_like(hidden)
        learnt = ctx.needs_input_grad[1]
        sums = torch.zeros(weight.shape if learnt else (0,), dtype=normals.dtype, device=weight.device)
        for start in range(0, len(hidden), CHUNK):
            span = slice(start, start + CHUNK)
            by_logit = torch.mm(hidden[span], weight.t()).to(normals.dtype)
            by_logit = by_logit.sub_(normals[span, None]).exp_().mul_(-gradient[span, None])
            by_logit.scatter_add_(1, targets[span, None], gradient[span, None])
            part = by_logit.to(hidden.dtype)
            back[span] = torch.mm(part, weight)
            if learnt:
                sums += torch.mm(part.t(), hidden[span])
        return back, sums.to(weight.dtype) if learnt else None, None


def target_log_probabilities(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """log p(target) [N] in nats, in 32 bits or more, with gradients.

    Args:
        hidden: [N, width]. weight: [vocabulary, width]. targets: [N].
    """
    found: Tensor = TargetLogProbabilities.apply(hidden, weight, targets)
    return found


def sequence_log_probabilities(model: Decoder, sequences: list[list[int]], starts: list[int]) -> Tensor:
    """[N] log p of what follows the first `starts` tokens of each sequence, given these, in nats, with gradients.
    Sequences with equal beginnings are best neighbours: these are computed once."""
    device = model.embedding.device
    ids, real = pad_sequences(sequences, model.config.padding or 0, "right")
    ids, lengths = ids.to(device), (real.sum(1) - 1).to(device)
    place = torch.arange(ids.shape[1] - 1, device=device)[None]
    inside = place < lengths[:, None]
    wanted = inside & (place >= torch.tensor(starts, device=device)[:, None] - 1)
    states = shared_states(model, ids[:, :-1], lengths)[wanted[inside]]
    found = target_log_probabilities(states, model.output, ids[:, 1:][wanted])
    row = torch.arange(len(sequences), device=device)[:, None].expand_as(wanted)[wanted]
    return torch.zeros(len(sequences), dtype=found.dtype, device=device).index_add(0, row, found)
