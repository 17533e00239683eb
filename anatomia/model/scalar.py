"""A decoder with one scalar output per position: reward models read it at the last token, critics at every token."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anatomia.model.decoder import Decoder
from anatomia.model.packed import end_states


class ScalarModel(nn.Module):
    """Hidden states projected onto one number."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder
        self.score = nn.Parameter(torch.zeros(1, decoder.config.width))
        if decoder.head is not None:
            decoder.head.requires_grad_(False)  # never used here

    def forward(self, ids: Tensor, positions: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """[B, T] scalars in 32 bits or more; arguments as in `Decoder.hidden`."""
        return self.read(self.decoder.hidden(ids, positions, mask))

    def at_last(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """[B] the scalar at each row's last real token. ids: [B, T] padded on the right; lengths: [B]."""
        return self.read(end_states(self.decoder, ids, lengths))

    def at_ends(self, ids: Tensor, real: Tensor) -> Tensor:
        """[B] the scalar at each row's last real token, on whichever side of it the padding is; what rows begin with
        alike is computed once.

        Args:
            ids: int64 [B, T].
            real: bool [B, T] true on tokens, at least one a row, without gaps; false on padding.
        """
        order = (~real).int().argsort(dim=1, stable=True)
        return self.read(end_states(self.decoder, ids.gather(1, order), real.sum(1)))

    def read(self, states: Tensor) -> Tensor:
        """[...] scalars, in 32 bits or more, of hidden states [..., width]."""
        scalars = F.linear(states, self.score.to(states.dtype)).squeeze(-1)
        return scalars.to(torch.promote_types(states.dtype, torch.float32))
