"""The gradients of one step by every method of alignment, in 64 bits: of one process, or of several (`train.ranks`)."""

from typing import Any

import torch
from objectives.aligning import alignment
from objectives.test_direct import direct

from anatomia.objectives.algorithms import ALGORITHMS
from anatomia.objectives.direct import DIRECT
from anatomia.train.loop import backward
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings
from anatomia.train.pieces import Pieces


def fresh(method: str) -> tuple[Any, Any, int]:
    """Policy and objective off the starting point, and a step of it."""
    if method in DIRECT:
        model, objective = direct(method, dtype=torch.float64)
        policy, step = model, 0
    else:
        model, objective = alignment(method, minibatches=1, dtype=torch.float64)
        objective.rollout = objective.roll_out(model, 0)
        policy, step = model.policy, 1
    with torch.no_grad():
        policy.blocks[0].get_parameter("down").add_(0.1)
    return model, objective, step


def gradients() -> dict[str, list[float]]:
    """The loss and gradient of one step by every method, in 64 bits."""
    torch.set_default_dtype(torch.float64)
    found = {}
    try:
        for method in (*ALGORITHMS, *DIRECT):
            model, objective, step = fresh(method)
            optimizer = FlatOptimizer(model, OptimizerSettings(), torch.float64, None)
            sums = backward(model, objective, optimizer, step)
            gradient = Pieces(
                list(zip(optimizer.layout.cuts, optimizer.gradients, strict=True)), optimizer.sharing
            ).whole()
            found[method] = [sums["loss"], *([] if gradient is None else gradient.tolist())]
            optimizer.release()
    finally:
        torch.set_default_dtype(torch.float32)
    return found
