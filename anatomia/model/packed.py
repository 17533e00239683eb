"""Sequences of different lengths through a decoder without padding: several in a row, hidden from one another."""

import numpy as np
import torch
from torch import Tensor

from anatomia.model.attention import document_mask
from anatomia.model.decoder import Decoder
from anatomia.tokens.packing import pack

ROW = 128  # positions of a row, if no sequence is longer: attention costs a row's square


def packed_states(model: Decoder, ids: Tensor, lengths: Tensor) -> Tensor:
    """The hidden states of every real token, the same (up to rounding) as if each sequence stood alone.

    Args:
        ids: int64 [N, T], padded on the right.
        lengths: int64 [N], the real tokens of each sequence, at least 1.

    Returns:
        [lengths.sum(), width], sequence after sequence.
    """
    sizes = lengths.cpu().numpy()
    width = max(int(sizes.max()), ROW)
    plan = pack(sizes, width)
    filled = sizes[plan.pieces]
    before = np.cumsum(filled) - filled
    row = np.repeat(np.arange(plan.rows), np.diff(plan.starts))
    first = plan.starts[:-1][row]
    start, number = np.empty_like(sizes), np.empty_like(sizes)
    start[plan.pieces] = row * width + before - before[first]
    number[plan.pieces] = np.arange(len(sizes)) - first
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    place, inside = (torch.from_numpy(array).to(ids.device) for array in (np.repeat(start, sizes) + within, within))
    blank = torch.zeros(plan.rows * width, dtype=torch.int64, device=ids.device)
    real = torch.arange(ids.shape[1], device=ids.device) < lengths.to(ids.device)[:, None]
    documents = (blank - 1).index_copy(0, place, torch.from_numpy(np.repeat(number, sizes)).to(ids.device))
    tokens, positions = blank.index_copy(0, place, ids[real]), blank.index_copy(0, place, inside)
    mask = document_mask(documents.view(-1, width), model.embedding.dtype, model.config.sliding_window)
    hidden = model.hidden(tokens.view(-1, width), positions.view(-1, width), mask)
    return hidden.flatten(0, 1)[place]
