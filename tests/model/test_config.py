"""What a configuration says about cost is what torch counts."""

from typing import Any

import pytest
import torch
from model.tiny import decoder, tokens
from torch.utils.flop_counter import FlopCounterMode

from anatomia.model.attention import causal_mask

SHAPE = {"width": 64, "hidden": 160, "vocabulary": 300, "layers": 3, "heads": 4, "kv_heads": 2, "head_size": 16}
KINDS: list[dict[str, Any]] = [
    {},
    {"tied": False, "qkv_bias": True},
    {"family": "gpt2", "positions": "learned", "norm": "layer", "gated": False, "feed_bias": True, "context": 128},
]


@pytest.mark.parametrize("changes", KINDS)
def test_operations_are_those_of_the_products_of_a_training_step(changes: dict[str, Any]) -> None:
    """Rows short enough for one block, of which attention here computes all scores: PaLM's count without the half."""
    model = decoder(**(SHAPE | changes))
    rows, length = 2, 48
    with FlopCounterMode(display=False) as counter:
        model(tokens(rows, length, high=300)).sum().backward()
    whole = 6 * 3 * 4 * 16 * length  # the half of all scores that causality hides
    counted = counter.get_total_flops() / (rows * length)
    assert model.config.flops_per_token(length) + whole == pytest.approx(counted, rel=0.02)


@pytest.mark.parametrize("window", [1, 7, 48, 100])
def test_behind_a_window_fewer_positions_count(window: int) -> None:
    """As many as the mask leaves, to within half a position."""
    length = 48
    plain = decoder(**SHAPE).config
    cut = decoder(**SHAPE, sliding_window=window, family="mistral").config
    mixed = decoder(**SHAPE, layer_windows=(None, None, window), family="qwen2").config
    seen = [
        float((causal_mask(length, length, width, torch.float32, torch.device("cpu")) == 0).sum(1).double().mean())
        for width in (None, window)
    ]
    position = 12 * 4 * 16
    lost = position * (seen[0] - seen[1])
    assert plain.flops_per_token(length) - cut.flops_per_token(length) == pytest.approx(3 * lost, abs=1.5 * position)
    assert plain.flops_per_token(length) - mixed.flops_per_token(length) == pytest.approx(lost, abs=0.5 * position)
