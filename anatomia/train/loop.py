"""The training loop. Pretraining, fine-tuning, reward modelling and RL all run through `train`."""

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anatomia.base.events import Ledger
from anatomia.train import parallel, room
from anatomia.train.checkpoint import drop_after, load_checkpoint
from anatomia.train.guard import Guard
from anatomia.train.objective import Objective, Sums
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings, learning_rate
from anatomia.train.saver import Saver


@dataclass(frozen=True)
class LoopSettings:
    """How long and how fast to train.

    Attributes:
        steps: updates in all.
        warmup: steps of linear warm-up. decay: the share of steps at the end over which the rate falls.
        dtype: of the working weights; masters are fp32 in any case.
        checkpoint_seconds: time between checkpoints; when they are written never changes what is computed.
        limit: tokens a second that the machine's matrix products allow, where that is known.
    """

    steps: int
    learning_rate: float
    warmup: int
    decay: float
    floor: float = 0.0
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    dtype: torch.dtype = torch.float32
    checkpoint_seconds: float = 20.0
    limit: float | None = None


@dataclass
class Progress:
    """What the loop itself must remember over a restart."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    guard: Guard = field(default_factory=Guard)


def train(
    model: nn.Module, objective: Objective[Any], settings: LoopSettings, ledger: Ledger, resume: Path
) -> dict[str, Any]:
    """Train `model` in place for `settings.steps` steps, from the newest checkpoint in `resume` if there is one.

    A step that the `Guard` finds out of the ordinary changes nothing and is counted; after too many of them training
    goes back to a good checkpoint. Afterwards the weights are fp32. Of several processes (`parallel`) all call this,
    and it returns in the first.

    Returns:
        steps, skipped_steps, returns, tokens, tokens_per_second, share_of_limit (where there is one), train_seconds and
        the last step's metrics.

    Raises:
        UserError: training is hopeless: step after step is not finite.
        Released: this is not the first process.
    """
    with parallel.threads():
        metrics = _train(model, objective, settings, ledger, resume)
    if parallel.rank() > 0:
        raise parallel.Released
    return metrics


def _train(
    model: nn.Module, objective: Objective[Any], settings: LoopSettings, ledger: Ledger, resume: Path
) -> dict[str, Any]:
    sharing, note = room.choose(model, settings.optimizer.muon, settings.dtype)
    optimizer = FlatOptimizer(model, settings.optimizer, settings.dtype, sharing)
    progress = Progress()
    found = newest(resume)
    if found is not None:
        restore(found, progress, optimizer, objective)
    ledger.rewind(progress.step)
    if note:
        ledger.note(note)
    model.train()
    last, metrics = time.monotonic(), {}
    with Saver(resume, settings.checkpoint_seconds, ledger) as saver:
        while progress.step < settings.steps:
            step, guard = progress.step, progress.guard
            rate = guard.scale * learning_rate(
                step, settings.steps, settings.learning_rate, settings.warmup, settings.decay, settings.floor
            )
            if news := guard.hear():
                ledger.note(news, step=step + 1)
            sums = backward(model, objective, optimizer, step)
            norm = optimizer.norm()
            verdict = guard.verdict(step, sums["loss"], norm)
            if not verdict:
                optimizer.step(rate, norm)
            else:
                optimizer.clear()
                ledger.event("skipped", step=step + 1, loss=str(sums["loss"]), gradient_norm=str(norm))
                ledger.note(f"step {step + 1} was skipped: {verdict}", step=step + 1)
                guard.check(rate)
            progress.step = step + 1
            progress.tokens += int(sums.pop("tokens", 0))
            progress.seconds += time.monotonic() - last
            sums |= optimizer.helped(partial(objective.after, model, step)) or {}
            last = time.monotonic()
            metrics = {**sums, "learning_rate": rate, "gradient_norm": norm}
            report(ledger, progress, settings, metrics)
            saver.settle()
            good = guard.good(progress.step, settings.steps)
            if guard.turning:
                turn_back(saver, progress, optimizer, objective, ledger)
            elif progress.step < settings.steps and (good or saver.due()):
                saver.save(progress.step, snapshot(progress, optimizer, objective), good)
                last = time.monotonic()
    optimizer.release()
    model.eval()
    return {
        "steps": progress.step,
        "skipped_steps": progress.guard.skipped,
        "returns": progress.guard.returns,
        "tokens": progress.tokens,
        **speed(progress, settings),
        "train_seconds": round(progress.seconds, 2),
        **{f"last_{key}": value for key, value in metrics.items()},
    }


def backward(model: nn.Module, objective: Objective[Any], optimizer: FlatOptimizer, step: int) -> Sums:
    """Gradients of one step summed into the optimizer; the step's metrics, `loss` among them."""
    totals: dict[str, Tensor | float] = {}
    pieces = objective.micro_batches(model, step)
    mine = parallel.share(pieces)
    for number, micro in enumerate(mine, start=1):
        loss, shares = objective.loss(model, micro)
        if number == len(mine):
            optimizer.close()
        loss.backward()
        optimizer.accumulate()
        for key, value in {"loss": loss.detach(), **shares}.items():
            totals[key] = totals.get(key, 0.0) + value
    if optimizer.together and len(mine) * parallel.teams() < len(pieces):  # others have one more: keep them company
        (objective.loss(model, pieces[0])[0] * 0).backward()
        optimizer.accumulate()
    optimizer.collect()
    return parallel.totals({key: float(value) for key, value in totals.items()})


def report(ledger: Ledger, progress: Progress, settings: LoopSettings, metrics: Mapping[str, float]) -> None:
    """Tell the ledger of a step."""
    rounded = {key: float(f"{value:.5g}") for key, value in metrics.items() if math.isfinite(value)}
    fast = speed(progress, settings)
    ledger.event("step", step=progress.step, **rounded, tokens=progress.tokens, **fast)
    ledger.progress(progress.step, settings.steps, "steps", **rounded, **fast)


def speed(progress: Progress, settings: LoopSettings) -> dict[str, float]:
    """Tokens a second over all steps so far, and their share of the limit where there is one."""
    rate = progress.tokens / progress.seconds if progress.seconds else 0.0
    share = {"share_of_limit": round(rate / settings.limit, 4)} if settings.limit else {}
    return {"tokens_per_second": round(rate, 1), **share}


def turn_back(
    saver: Saver, progress: Progress, optimizer: FlatOptimizer, objective: Objective[Any], ledger: Ledger
) -> None:
    """To the last good checkpoint, if there is one, with half the learning rate.

    Killed anywhere in here, the run goes on from a checkpoint written before, and comes to the same decision again.
    """
    step, guard = progress.step, progress.guard
    saver.wait()
    found = newest(saver.directory, good=True)
    if found is None:
        progress.guard = guard.turn(step, None, step)
        return
    restore(found, progress, optimizer, objective)
    progress.guard = guard.turn(step, progress.guard, progress.step)
    if parallel.rank() == 0:
        drop_after(saver.directory, progress.step)
    ledger.rewind(progress.step)
    saver.save(progress.step, snapshot(progress, optimizer, objective))


def snapshot(progress: Progress, optimizer: FlatOptimizer, objective: Objective[Any]) -> dict[str, Any]:
    """Everything a resumed run needs."""
    return {"progress": asdict(progress), "optimizer": optimizer.state(), "objective": objective.state()}


def newest(directory: Path, good: bool = False) -> dict[str, Any] | None:
    """The state in the newest checkpoint, or None if there is none. Only the first process reads it and has it; the
    others get an empty one. `good` as in `load_checkpoint`."""
    found = load_checkpoint(directory, good) if parallel.rank() == 0 else None
    if not parallel.agreed(found is not None):
        return None
    return found[1] if found is not None else {}


def restore(state: dict[str, Any], progress: Progress, optimizer: FlatOptimizer, objective: Objective[Any]) -> None:
    """The inverse of `snapshot`, in all processes, from the first one's `state`."""
    saved = parallel.lead(lambda: {"progress": state["progress"], "objective": state["objective"]})
    for key, value in saved["progress"].items():
        setattr(progress, key, Guard(**value) if key == "guard" else value)
    optimizer.load(state.get("optimizer"))
    objective.load(saved["objective"])
