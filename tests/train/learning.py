"""Small problems for the training loop, and a way to kill it where one likes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from model.tiny import tokens
from torch import nn

from anatomia.base.events import Event, Ledger
from anatomia.objectives.next_token import NextToken
from anatomia.tokens.batches import Packed
from anatomia.tokens.shards import Shard
from anatomia.train.loop import LoopSettings, train
from anatomia.train.objective import Objective
from anatomia.train.optimizer import OptimizerSettings


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def documents(count: int = 30) -> Packed:
    """Random documents, packed: 4 rows of 24 positions per step."""
    parts = [tokens(3 + 5 * number % 19, seed=number).numpy() for number in range(count)]
    starts = np.cumsum([0, *map(len, parts)])
    return Packed(Shard(np.concatenate(parts), starts), 24, 4, 3, 0)


def next_token(
    micro: int = 4, hook: Callable[[nn.Module, int], dict[str, float]] = lambda model, step: {}
) -> NextToken:
    return NextToken(documents(), micro, hook)


def settings(steps: int, **changes: Any) -> LoopSettings:
    """Every step leaves a checkpoint, so that any of them can be gone on from."""
    usual: dict[str, Any] = {
        "learning_rate": 1e-2, "warmup": 2, "decay": 0.5, "floor": 0.1, "checkpoint_seconds": -1.0,
        "optimizer": OptimizerSettings(weight_decay=0.1),
    }  # fmt: skip
    return LoopSettings(steps, **(usual | changes))


def killer(step: int) -> Callable[[Event], None]:
    """A listener that kills once `step` steps are done, before their checkpoint is written."""

    def listen(event: Event) -> None:
        if event["kind"] == "step" and event["step"] == step:
            raise Killed

    return listen


def killed_and_resumed(
    fresh: Callable[[], tuple[nn.Module, Objective[Any]]],
    how: LoopSettings,
    kills: tuple[int, ...],
    directory: Path,
    between: Callable[[Path], None] = lambda directory: None,
) -> tuple[nn.Module, dict[str, Any]]:
    """Train from fresh objects, killed at each of `kills`, then to the end."""
    for step in kills:
        model, objective = fresh()
        try:
            train(model, objective, how, Ledger(directory / "events.jsonl", [killer(step)]), directory)
        except Killed:
            between(directory)
        else:
            raise AssertionError("it ended before it was killed")
    model, objective = fresh()
    return model, train(model, objective, how, Ledger(directory / "events.jsonl"), directory)


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def same(first: nn.Module, second: nn.Module) -> bool:
    """Whether all weights are the same bits."""
    mine, other = weights(first), weights(second)
    return mine.keys() == other.keys() and all(
        mine[name].numpy().tobytes() == other[name].numpy().tobytes() for name in mine
    )
