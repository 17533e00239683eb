"""Training with weights in bfloat16 goes the way of training in 32 bits, within a band that the documentation tells."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from model.tiny import decoder
from train.learning import settings

from anatomia.base.compiled import can_fuse
from anatomia.base.events import Event, Ledger
from anatomia.objectives.next_token import NextToken
from anatomia.tokens.batches import Packed
from anatomia.tokens.shards import Shard
from anatomia.train.loop import train
from anatomia.train.optimizer import OptimizerSettings

STEP, END = 0.01, 0.002  # how far apart losses may be, as shares: of each step, and over the last quarter on average
SHAPE = {"width": 48, "hidden": 96, "heads": 4, "kv_heads": 2, "head_size": 12}
KINDS: dict[str, dict[str, Any]] = {
    "qwen3": {},
    "gpt2": {
        "family": "gpt2", "positions": "learned", "norm": "layer", "gated": False, "feed_bias": True, "qkv_bias": True,
        "output_bias": True, "qk_norm": False, "kv_heads": 4,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def chain() -> Packed:
    """Documents of a Markov chain over 37 tokens: something to learn, of which some stays uncertain."""
    chance = np.random.default_rng(0)
    table = chance.dirichlet(np.full(37, 0.15), size=37)
    documents = []
    for _ in range(400):
        ids = [int(chance.integers(37))]
        for _ in range(int(chance.integers(8, 60))):
            ids.append(int(chance.choice(37, p=table[ids[-1]])))
        documents.append(np.array(ids) + 3)
    starts = np.cumsum([0, *map(len, documents)])
    return Packed(Shard(np.concatenate(documents), starts), 48, 8, 3, 0)


@pytest.mark.parametrize("muon", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_tracks_float32(kind: str, muon: bool, chain: Packed, tmp_path: Path) -> None:
    compare(kind, muon, False, chain, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not can_fuse("cpu"), reason="needs a C++ compiler and Python's headers")
@pytest.mark.parametrize("kind", KINDS)
def test_compiled_bfloat16_tracks_float32(kind: str, chain: Packed, tmp_path: Path) -> None:
    compare(kind, True, True, chain, tmp_path)


def compare(kind: str, muon: bool, fused: bool, chain: Packed, directory: Path) -> None:
    """Train in both formats, in bfloat16 with compiled blocks if `fused`."""
    losses = []
    for dtype in (torch.float32, torch.bfloat16):
        model = decoder(**(SHAPE | KINDS[kind]))
        model.initialize(torch.Generator().manual_seed(1))
        model.fused = fused and dtype == torch.bfloat16
        events: list[Event] = []
        optimizer = OptimizerSettings(muon=muon)
        how = settings(200, dtype=dtype, learning_rate=4e-3, optimizer=optimizer, checkpoint_seconds=1e9)
        objective = NextToken(chain, 8, lambda model, step: {})
        train(model, objective, how, Ledger(None, [events.append]), directory / str(dtype))
        losses.append(np.array([event["loss"] for event in events if event["kind"] == "step"]))
    exact, rounded = losses
    assert exact[-50:].mean() < 0.65 * exact[0], "it must have learnt for this to say anything"
    assert (exact != rounded).any()
    assert np.abs(rounded / exact - 1).max() < STEP
    assert abs(rounded[-50:].mean() / exact[-50:].mean() - 1) < END
