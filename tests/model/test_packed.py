"""Sequences packed into rows have the hidden states they have alone."""

import pytest
import torch

from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.model.packed import packed_states


@pytest.mark.parametrize("window", [None, 5])
@pytest.mark.parametrize("sizes", [[1], [7, 7, 7], [3, 130, 1, 64, 64, 128, 2]])
def test_each_sequence_is_as_it_is_alone(sizes: list[int], window: int | None) -> None:
    config = DecoderConfig(
        vocabulary=50,
        width=32,
        layers=2,
        heads=2,
        kv_heads=1,
        head_size=16,
        hidden=48,
        context=256,
        sliding_window=window,
    )
    model = Decoder(config)
    model.initialize(torch.Generator().manual_seed(0))
    lengths = torch.tensor(sizes)
    ids = torch.randint(0, 50, (len(sizes), max(sizes) + 3), generator=torch.Generator().manual_seed(1))
    found = packed_states(model, ids, lengths).split(sizes)
    for row, states in enumerate(found):
        torch.testing.assert_close(states, model.hidden(ids[row : row + 1, : sizes[row]])[0], atol=1e-5, rtol=1e-5)


def test_a_loss_on_one_sequence_does_not_reach_the_others() -> None:
    config = DecoderConfig(vocabulary=9, width=16, layers=1, heads=1, kv_heads=1, head_size=16, hidden=16, context=64)
    model = Decoder(config)
    model.initialize(torch.Generator().manual_seed(0))
    ids = torch.tensor([[1, 2, 3, 0], [4, 5, 6, 7]])
    packed_states(model, ids, torch.tensor([3, 4]))[:3].sum().backward()
    reached = model.embedding.grad.abs().sum(1) > 0  # type: ignore[union-attr]
    assert reached.tolist() == [False, True, True, True] + [False] * 5
