"""In 64 bits the size of micro-batches changes no gradient: what differs in 32 is rounding, and nothing else."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from model.tiny import scalar, tokens
from objectives.aligning import alignment
from torch import nn

from anatomia.objectives.algorithms import ALGORITHMS
from anatomia.objectives.preference import Judged, Preference
from anatomia.train.loop import backward
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings


@pytest.fixture(autouse=True)
def in_64_bits() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def aligning(method: str, micro: int) -> tuple[nn.Module, Any, int]:
    """Off the starting point, where ratios and clips matter."""
    model, objective = alignment(method, micro=micro, minibatches=1, dtype=torch.float64)
    objective.rollout = objective.roll_out(model, 0)
    with torch.no_grad():
        model.policy.blocks[0].get_parameter("down").add_(0.1)
    return model, objective, 1


def judging(loss: str, micro: int) -> tuple[nn.Module, Any, int]:
    """Nine prompts of three completions each, ties among them."""
    texts = [tuple(tuple(tokens(3 + (n + k) % 6, seed=10 * n + k).tolist()) for k in range(3)) for n in range(9)]
    judged = [Judged(text, ((0, 1, 2), (1, 0, 1))) for text in texts]
    return scalar(), Preference(judged, 9, micro, loss, 1), 0  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [*ALGORITHMS, "pairwise", "listwise"])
def test_pieces_change_nothing(name: str) -> None:
    build = aligning if name in ALGORITHMS else judging
    found = []
    for micro in (100, 1, 5):
        model, objective, step = build(name, micro)
        optimizer = FlatOptimizer(model, OptimizerSettings(), torch.float64)
        sums = backward(model, objective, optimizer, step)
        assert optimizer.gradient.dtype == torch.float64
        found.append((sums["loss"], optimizer.gradient.clone()))
    (loss, gradient), *others = found
    largest = gradient.abs().max()
    assert largest > 1e-3
    for other, theirs in others:
        assert other == pytest.approx(loss, rel=1e-12)
        assert (theirs - gradient).abs().max() < 1e-12 * largest
