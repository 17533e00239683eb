"""Decoding with torch's own operations: runs everywhere, on every model and device."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from anatomia.model.attention import HIDDEN, causal_mask
from anatomia.model.decoder import Decoder


class EagerBatch:
    """Sequences that are continued together, padded on the left. Equal prompts are read once.

    Args:
        room: how many tokens will be added to a prompt, at most.
    """

    def __init__(self, model: Decoder, prompts: Sequence[Sequence[int]], room: int) -> None:
        self.model = model
        places: dict[tuple[int, ...], int] = {}
        copies = [places.setdefault(tuple(prompt), len(places)) for prompt in prompts]
        ids, positions, padding = left_pad(list(places), model)
        longest = ids.shape[1]
        mask = None if padding is None else prompt_mask(padding, longest, model)
        self.cache = model.cache(len(places), longest + room)
        hidden = model.hidden(ids, positions, mask, self.cache)[:, -1]
        self.padding, self.next = padding, positions[:, -1:] + 1
        if len(places) < len(prompts):
            rows = torch.tensor(copies, device=ids.device)
            self._keep(rows)
            hidden = hidden[rows]
        self.logits = self._logits(hidden)

    def step(self, tokens: Tensor, kept: Tensor | None) -> Tensor:
        """The logits [n, V] fp32 after one more token each.

        Args:
            tokens: [n] of the rows that go on. kept: [n] which rows of the batch so far those are; None for all.
        """
        if kept is not None:
            self._keep(kept)
        mask = None if self.padding is None else step_mask(self.padding, self.cache.length + 1, self.model)
        hidden = self.model.hidden(tokens[:, None], self.next, mask, self.cache)[:, -1]
        self.next = self.next + 1
        return self._logits(hidden)

    def _keep(self, rows: Tensor) -> None:
        self.cache.keep(rows)
        self.next = self.next[rows]
        self.padding = None if self.padding is None else self.padding[rows]

    def _logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.model.output).float()


def left_pad(prompts: Sequence[Sequence[int]], model: Decoder) -> tuple[Tensor, Tensor, Tensor | None]:
    """ids and positions [B, T] with the prompts at the right end, and each row's pads ([B], None if there are none)."""
    device = model.embedding.device
    longest = max(len(prompt) for prompt in prompts)
    pads = [longest - len(prompt) for prompt in prompts]
    filler = model.config.padding or 0
    rows = [[filler] * pad + list(prompt) for pad, prompt in zip(pads, prompts, strict=True)]
    padding = torch.tensor(pads, device=device)
    positions = (torch.arange(longest, device=device)[None] - padding[:, None]).clamp(min=0)
    return torch.tensor(rows, device=device), positions, padding if any(pads) else None


def prompt_mask(padding: Tensor, length: int, model: Decoder) -> Tensor:
    """[B, T, T] causal mask that hides the pads on the left; a pad still sees itself, so that no softmax is empty."""
    dtype, device = model.embedding.dtype, model.embedding.device
    mask = causal_mask(length, length, model.config.sliding_window, dtype, device).repeat(len(padding), 1, 1)
    pads = torch.arange(length, device=device)[None] < padding[:, None]
    hidden = pads[:, None, :] & ~torch.eye(length, dtype=torch.bool, device=device)
    return mask.masked_fill_(hidden, HIDDEN)


def step_mask(padding: Tensor, seen: int, model: Decoder) -> Tensor:
    """[B, 1, S] mask for one new token: all that is cached but the pads (and what the window leaves behind)."""
    positions = torch.arange(seen, device=padding.device)[None]
    hidden = positions < padding[:, None]
    if model.config.sliding_window is not None:
        hidden = hidden | (positions <= seen - 1 - model.config.sliding_window)
    mask = torch.zeros(len(padding), 1, seen, dtype=model.embedding.dtype, device=padding.device)
    return mask.masked_fill_(hidden[:, None], HIDDEN)
