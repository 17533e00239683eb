"""Attention, in the form that is fastest where it runs, and the masks that keep documents apart."""

import torch
import torch.nn.functional as F
from torch import Tensor

HIDDEN = -1e4  # large enough that exp() is 0 in every dtype, small enough for bfloat16 sums to stay finite
BLOCK = 128


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    window: int | None = None,
    scale: float | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """softmax(q kᵀ · scale + bias + mask) v, causal where no mask is given.

    On a CPU this is plain matrix products over blocks of queries: the keys after a block are never touched, and
    bfloat16 products run at their full rate (scaled_dot_product_attention does not reach it there). Training goes
    through `attention_native` where it can.

    Args:
        q: [B, heads, T, d]. k, v: [B, kv_heads, S, d], S ≥ T; query t stands at position S - T + t.
        mask: [B, T, S] additive, or None for causal. A mask must itself be causal.
        window: attend to at most so many positions back, the own one included.
        scale: by default 1 / √d.
        bias: [B or 1, heads, S] what each head adds to the scores of each key.

    Returns:
        [B, heads, T, d].
    """
    rows, heads, length, size = q.shape
    kv, seen = k.shape[1], k.shape[2]
    if mask is None and (length > 1 or window is not None):
        mask = causal_mask(length, seen, window, q.dtype, q.device)[None]
    if q.is_cuda:
        return fused(q, k, v, mask, scale, bias)
    group = heads // kv
    q = (q * (size**-0.5 if scale is None else scale)).reshape(rows, kv, group, length, size)
    k, v = k.reshape(rows * kv, seen, size).transpose(1, 2), v.reshape(rows * kv, seen, size)
    parts = []
    for start in range(0, length, BLOCK):
        stop = min(start + BLOCK, length)
        last = seen - length + stop
        block = q[:, :, :, start:stop].reshape(rows * kv, group * (stop - start), size)
        scores = torch.bmm(block, k[:, :, :last]).view(rows, kv, group, stop - start, last)
        if mask is not None:
            scores = scores + mask[:, None, None, start:stop, :last]
        if bias is not None:
            scores = scores + bias[:, :, :last].view(-1, kv, group, 1, last)
        weights = torch.softmax(scores, -1).view(rows * kv, group * (stop - start), last)
        parts.append(torch.bmm(weights, v[:, :last]).view(rows, kv, group, stop - start, size))
    y = parts[0] if len(parts) == 1 else torch.cat(parts, 3)
    return y.view(rows, heads, length, size)


def fused(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float | None = None, bias: Tensor | None = None
) -> Tensor:
    """The same in torch's own kernels, which see no more than `mask` lets them (none: everything)."""
    added = None if mask is None else mask[:, None]
    if bias is not None:
        added = bias[:, :, None] if added is None else added + bias[:, :, None]
    return F.scaled_dot_product_attention(q, k, v, added, scale=scale, enable_gqa=q.shape[1] != k.shape[1])


def causal_mask(length: int, seen: int, window: int | None, dtype: torch.dtype, device: torch.device) -> Tensor:
    """[T, S] additive mask: query t, at position S - T + t, sees positions up to its own (and `window` back)."""
    query = torch.arange(seen - length, seen, device=device)[:, None]
    key = torch.arange(seen, device=device)[None]
    hidden = key > query
    if window is not None:
        hidden |= key <= query - window
    return torch.zeros(length, seen, dtype=dtype, device=device).masked_fill_(hidden, HIDDEN)


def document_reach(documents: Tensor, window: int | None = None) -> Tensor:
    """int32 [B, T] how far each key is seen: by the queries from its own place up to, and without, this one. It says
    causal, and only within a document.

    Args:
        documents: [B, T] the document each position belongs to, all of a document side by side; padding is -1 and sees
            only padding, so that no row of the softmax is empty.
        window: keys are seen by at most so many queries, the own one included.
    """
    length = documents.shape[1]
    place = torch.arange(length, device=documents.device)
    last = F.pad(documents[:, 1:] != documents[:, :-1], (0, 1), value=True)
    ends = torch.where(last, place + 1, length).flip(1).cummin(1).values.flip(1)
    return (ends if window is None else ends.minimum(place + window)).int()


def reach_mask(reach: Tensor, dtype: torch.dtype) -> Tensor:
    """The additive mask [B, T, T] that hides from each query the keys which do not reach it."""
    place = torch.arange(reach.shape[1], device=reach.device)
    seen = (place[None] <= place[:, None]) & (place[:, None] < reach[:, None, :])
    return torch.zeros(seen.shape, dtype=dtype, device=reach.device).masked_fill_(~seen, HIDDEN)


def document_mask(documents: Tensor, dtype: torch.dtype, window: int | None = None) -> Tensor:
    """[B, T, T] additive mask: causal, and only within a document; see `document_reach`."""
    return reach_mask(document_reach(documents, window), dtype)


def tree_mask(ends: Tensor, positions: Tensor, dtype: torch.dtype, window: int) -> Tensor:
    """[B, T, T] additive mask of rows that hold trees (`model.packed.Forest`): a token sees those on its way from the
    root that are at most so many positions back, the own one included.

    Args:
        ends: int32 [B, T] the place in the row where each token's branch ends: its reach, but for the window.
        positions: [B, T] how far from its root each token is.
    """
    near = positions[:, None, :] > positions[:, :, None] - window
    return reach_mask(ends, dtype).masked_fill_(~near, HIDDEN)
