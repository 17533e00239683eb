"""Log-probabilities of whole sequences."""

import torch
from torch import Tensor

from anatomia.model.decoder import Decoder
from anatomia.model.packed import shared_states
from anatomia.objectives.cross_entropy import token_log_probabilities
from anatomia.tokens.batches import pad_sequences


def sequence_log_probabilities(model: Decoder, sequences: list[list[int]], starts: list[int]) -> Tensor:
    """[N] log p of what follows the first `starts` tokens of each sequence, given these, in nats, with gradients.
    Sequences with equal beginnings are best neighbours: these are computed once."""
    device = model.embedding.device
    ids, real = pad_sequences(sequences, model.config.padding or 0, "right")
    ids, lengths = ids.to(device), (real.sum(1) - 1).to(device)
    place = torch.arange(ids.shape[1] - 1, device=device)[None]
    inside = place < lengths[:, None]
    wanted = inside & (place >= torch.tensor(starts, device=device)[:, None] - 1)
    states = shared_states(model, ids[:, :-1], lengths, wanted)
    found, _ = token_log_probabilities(states, model.output, ids[:, 1:][wanted])
    row = torch.arange(len(sequences), device=device)[:, None].expand_as(wanted)[wanted]
    return torch.zeros(len(sequences), dtype=found.dtype, device=device).index_add(0, row, found)
