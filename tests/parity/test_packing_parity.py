"""Dialogues packed into rows give the loss and the gradient that each has alone, unpacked, in transformers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from model.tiny import tokens
from parity.kinds import build, gradients
from torch import Tensor

from anatomia.model.checkpoint import load_model
from anatomia.objectives.next_token import batch_loss
from anatomia.tokens.batches import Packed
from anatomia.tokens.shards import Shard

LENGTHS = (31, 9, 17, 2, 40, 24, 5, 12, 33, 8)
KINDS = [
    "qwen3",
    "llama3",
    "gpt2",
    "falcon-7b",
    "falcon-rw",
    "falcon-alibi-7b",
    "mistral-window",
    "qwen3-windows-above",
]
"""Rotary, learnt and ALiBi positions, and windows in all layers and in some."""


def dialogues() -> tuple[list[Tensor], list[Tensor], Shard]:
    """Ids and loss weights of dialogues of several turns, and the shard that holds them."""
    ids = [tokens(length, seed=length, high=61) for length in LENGTHS]
    weights = [((torch.arange(length) // (2 + length % 4)) % 2).long() for length in LENGTHS]
    starts = np.cumsum([0, *LENGTHS])
    return ids, weights, Shard(torch.cat(ids).numpy(), starts, torch.cat(weights).numpy().astype(np.uint8))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_packed_dialogues_are_isolated_exactly(tmp_path: Path, kind: str, dtype: torch.dtype, device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    theirs: Any = build(kind)
    theirs.save_pretrained(tmp_path)
    ours, theirs = load_model(tmp_path).to(device, dtype), theirs.to(device, dtype)
    ids, weights, shard = dialogues()
    packed = Packed(shard, 48, 4, 0, 0)
    assert packed.efficiency > 0.7
    mine = sum(batch_loss(ours, batch, batch.weights) for batch in packed.once())
    alone = sum(
        (
            F.cross_entropy(theirs(part[None, :-1].to(device)).logits[0], part[1:].to(device), reduction="none")
            * weight
        ).sum()
        for part, weight in zip(ids, [weight[1:].to(device, dtype) for weight in weights], strict=True)
    )
    count = sum(int(weight[1:].sum()) for weight in weights)
    assert isinstance(mine, Tensor)
    assert isinstance(alone, Tensor)
    assert float((mine - alone).detach()) / count == pytest.approx(0, abs=1e-6)
    mine.backward()
    alone.backward()
    found = gradients(ours)
    for name, weight in theirs.named_parameters():
        assert (found[name] - weight.grad).abs().max() <= 1e-5 * max(1.0, float(weight.grad.abs().max())), name
