"""The training loop. Pretraining, fine-tuning, reward modelling and RL all run through `train`."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anatomia.base.errors import UserError
from anatomia.base.events import Ledger
from anatomia.train.checkpoint import load_checkpoint
from anatomia.train.objective import Objective, Sums
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings, learning_rate
from anatomia.train.saver import Saver

MOST_SKIPPED = 20  # steps in a row without a finite gradient: something is wrong, not unlucky


@dataclass(frozen=True)
class LoopSettings:
    """How long and how fast to train.

    Attributes:
        steps: updates in all.
        warmup: steps of linear warm-up. decay: the share of steps at the end over which the rate falls.
        dtype: of the working weights; masters are fp32 in any case.
        checkpoint_seconds: time between checkpoints; when they are written never changes what is computed.
    """

    steps: int
    learning_rate: float
    warmup: int
    decay: float
    floor: float = 0.0
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    dtype: torch.dtype = torch.float32
    checkpoint_seconds: float = 20.0


@dataclass
class Progress:
    """What the loop itself must remember over a restart."""

    step: int = 0
    skipped: int = 0
    in_a_row: int = 0  # skipped steps since the last one that was not; saved, or kills would let a hopeless run go on
    tokens: int = 0
    seconds: float = 0.0


def train(
    model: nn.Module, objective: Objective[Any], settings: LoopSettings, ledger: Ledger, resume: Path
) -> dict[str, Any]:
    """Train `model` in place for `settings.steps` steps, from the newest checkpoint in `resume` if there is one.

    A step whose loss or gradient is not finite changes nothing and is counted. Afterwards the weights are fp32.

    Returns:
        steps, skipped_steps, tokens, tokens_per_second, train_seconds and the last step's metrics.

    Raises:
        UserError: `MOST_SKIPPED` steps in a row were not finite.
    """
    optimizer = FlatOptimizer(model, settings.optimizer, settings.dtype)
    progress = Progress()
    found = load_checkpoint(resume)
    if found is not None:
        restore(found[1], progress, optimizer, objective)
    ledger.rewind(progress.step)
    model.train()
    last, metrics = time.monotonic(), {}
    with Saver(resume, settings.checkpoint_seconds, ledger) as saver:
        while progress.step < settings.steps:
            step = progress.step
            rate = learning_rate(
                step, settings.steps, settings.learning_rate, settings.warmup, settings.decay, settings.floor
            )
            sums = backward(model, objective, optimizer, step)
            norm = optimizer.norm()
            if math.isfinite(norm) and math.isfinite(sums["loss"]):
                optimizer.step(rate, norm)
                progress.in_a_row = 0
            else:
                optimizer.clear()
                progress.skipped += 1
                progress.in_a_row += 1
                ledger.event("skipped", step=step + 1, loss=str(sums["loss"]), gradient_norm=str(norm))
                if progress.in_a_row >= MOST_SKIPPED:
                    raise UserError(
                        f"{MOST_SKIPPED} steps in a row had no finite gradient; lower the learning rate ({rate:g} now)"
                    )
            progress.step = step + 1
            progress.tokens += int(sums.pop("tokens", 0))
            sums |= objective.after(model, step)
            now = time.monotonic()
            elapsed, last = now - last, now
            progress.seconds += elapsed
            metrics = {**sums, "learning_rate": rate, "gradient_norm": norm}
            report(ledger, progress, settings.steps, metrics)
            saver.settle()
            if saver.due() and progress.step < settings.steps:
                saver.save(progress.step, snapshot(progress, optimizer, objective))
                last = time.monotonic()
    optimizer.release()
    model.eval()
    rate_of_tokens = progress.tokens / progress.seconds if progress.seconds else 0.0
    return {
        "steps": progress.step,
        "skipped_steps": progress.skipped,
        "tokens": progress.tokens,
        "tokens_per_second": round(rate_of_tokens, 1),
        "train_seconds": round(progress.seconds, 2),
        **{f"last_{key}": value for key, value in metrics.items()},
    }


def backward(model: nn.Module, objective: Objective[Any], optimizer: FlatOptimizer, step: int) -> Sums:
    """Gradients of one step summed into the optimizer; the step's metrics, `loss` among them."""
    totals: dict[str, Tensor | float] = {}
    for micro in objective.micro_batches(model, step):
        loss, shares = objective.loss(model, micro)
        loss.backward()
        optimizer.accumulate()
        for key, value in {"loss": loss.detach(), **shares}.items():
            totals[key] = totals.get(key, 0.0) + value
    return {key: float(value) for key, value in totals.items()}


def report(ledger: Ledger, progress: Progress, steps: int, metrics: Mapping[str, float]) -> None:
    """Tell the ledger of a step."""
    rate = progress.tokens / progress.seconds if progress.seconds else 0.0
    rounded = {key: float(f"{value:.5g}") for key, value in metrics.items() if math.isfinite(value)}
    ledger.event("step", step=progress.step, **rounded, tokens=progress.tokens, tokens_per_second=round(rate))
    ledger.progress(progress.step, steps, "steps", **rounded, tokens_per_second=round(rate))


def snapshot(progress: Progress, optimizer: FlatOptimizer, objective: Objective[Any]) -> dict[str, Any]:
    """Everything a resumed run needs."""
    return {"progress": dict(vars(progress)), "optimizer": optimizer.state(), "objective": objective.state()}


def restore(state: dict[str, Any], progress: Progress, optimizer: FlatOptimizer, objective: Objective[Any]) -> None:
    """The inverse of `snapshot`."""
    for key, value in state["progress"].items():
        setattr(progress, key, value)
    optimizer.load(state["optimizer"])
    objective.load(state["objective"])
