"""Training itself against transformers and torch's AdamW: our rows, loss, micro-batches and flat optimizer beside plain
documents, one after the other."""

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from model.tiny import tokens
from parity.kinds import KINDS, build, close, gradients
from train.learning import settings

from anatomia.base.compiled import can_fuse
from anatomia.base.events import Ledger
from anatomia.model.checkpoint import load_model
from anatomia.model.decoder import Decoder
from anatomia.model.names import places
from anatomia.objectives.cross_entropy import CHUNK
from anatomia.objectives.next_token import NextToken
from anatomia.tokens.batches import Packed
from anatomia.tokens.shards import Shard
from anatomia.train.loop import backward, train
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings

STEPS = 3
HOW = OptimizerSettings(weight_decay=0.3, clip=0.5, eps=1e-3)


def rows(count: int = 4) -> Packed:
    """Documents of 3 to 21 tokens, several to a row, with padding; every third token carries no loss.

    Args:
        count: of rows in a step.
    """
    parts = [tokens(3 + 5 * number % 19, seed=number, high=61).numpy() for number in range(6 * count)]
    ids = np.concatenate(parts)
    weights = (np.arange(len(ids)) % 3 > 0).astype(np.uint8)
    return Packed(Shard(ids, np.cumsum([0, *map(len, parts)]), weights), 24, count, 3, 0)


def plain_loss(model: Any, data: Packed, step: int) -> torch.Tensor:
    """The mean loss of a step's documents, each read by itself from its first position on."""
    batch, total = data.batch(step), torch.zeros(())
    for row, numbers in enumerate(batch.documents.tolist()):
        start = 0
        for number, run in groupby(numbers):
            stop = start + len(list(run))
            if number >= 0:
                logits = model(batch.ids[row : row + 1, start:stop]).logits[0]
                losses = F.cross_entropy(logits, batch.targets[row, start:stop], reduction="none")
                total = total + (losses * batch.weights[row, start:stop]).sum()
            start = stop
    return total / batch.weights.sum()


def plain_training(model: Any, data: Packed) -> None:
    """AdamW with two groups, one tensor after the other."""
    decayed = [weight for weight in model.parameters() if weight.dim() >= 2]
    others = [weight for weight in model.parameters() if weight.dim() < 2]
    groups = [{"params": decayed, "weight_decay": HOW.weight_decay}, {"params": others, "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, 1e-2, (HOW.beta1, HOW.beta2), HOW.eps, foreach=False)
    for step in range(STEPS):
        plain_loss(model, data, step).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), HOW.clip)
        adam.step()
        adam.zero_grad()


def same_gradients(theirs: Any, ours: Decoder, data: Packed, micro: int) -> None:
    """Of one step: packed rows in pieces of `micro` here, one document after the other there."""
    assert data.batch(0).documents.max() > 0
    optimizer = FlatOptimizer(ours, HOW, torch.float32)
    sums = backward(ours, NextToken(data, micro, lambda model, step: {}), optimizer, 0)
    loss = plain_loss(theirs, data, 0)
    loss.backward()
    assert sums["loss"] == pytest.approx(loss.item(), rel=1e-5)
    mine = gradients(ours)
    for key, weight in theirs.named_parameters():
        assert (mine[key] - weight.grad).norm() < 1e-5 * weight.grad.norm() + 1e-7, key
    theirs.zero_grad()


@pytest.mark.parametrize("name", KINDS)
def test_training_is_transformers_with_adamw(name: str, tmp_path: Path) -> None:
    """The gradients of a step of packed rows in two pieces, and the weights after three steps, to 1e-5."""
    theirs, data = build(name), rows()
    theirs.save_pretrained(tmp_path)
    same_gradients(theirs, load_model(tmp_path), data, 3)
    trained, objective = load_model(tmp_path), NextToken(data, 3, lambda model, step: {})
    how = settings(STEPS, warmup=0, decay=0.0, optimizer=HOW, checkpoint_seconds=1e9)
    train(trained, objective, how, Ledger(), tmp_path / "resume")
    before = {key: weight.detach().clone() for key, weight in theirs.named_parameters()}
    plain_training(theirs, data)
    after: dict[str, torch.Tensor] = {}
    for place in places(trained):
        after |= zip(place.names, place.read(), strict=True)
    moved = 0
    for key, weight in theirs.named_parameters():
        close(after[key].detach(), weight.detach())
        moved += int((weight - before[key]).abs().max() > 1e-3)
    assert moved > 0.8 * len(before)


COMPILED = [
    "qwen3", "qwen3-windows-above", "qwen2-yarn", "llama2-biased", "llama3", "mistral-window", "falcon-7b",
    "falcon-40b-biased", "falcon-rw", "gpt2",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not can_fuse("cpu"), reason="needs a C++ compiler and Python's headers")
@pytest.mark.parametrize("name", COMPILED)
def test_compiled_blocks_and_losses_have_those_gradients_too(name: str, tmp_path: Path) -> None:
    """In more positions than a chunk of the loss holds, so that one is compiled."""
    theirs, data = build(name), rows(48)
    theirs.save_pretrained(tmp_path)
    ours = load_model(tmp_path)
    ours.fused = True
    assert CHUNK < 24 * 24
    same_gradients(theirs, ours, data, 24)
