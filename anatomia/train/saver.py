"""Saving while training goes on: a quick copy of the state, written by a thread, as often as its cost allows."""

import time
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any

import torch

from anatomia.base.events import Ledger
from anatomia.train import parallel
from anatomia.train.checkpoint import save_checkpoint
from anatomia.train.pieces import Pieces

SHARE = 0.01  # of training's time that saving may take


class Saver:
    """Writes checkpoints into `directory`, one at a time. Use it as a context manager: leaving waits for the last one.

    A checkpoint that cannot be written (the disk is full, or gone) is no reason to stop: the user is told, and the
    next one is tried as if nothing had been.

    Args:
        seconds: least time between two checkpoints; 0 or less for one after every step, whatever that costs.
        ledger: gets a note when a checkpoint could not be written, and when they can be again. What it holds back
            because it could not write it comes first: a checkpoint never knows of a step that the ledger does not.

    Attributes:
        cost: seconds of computing that the last checkpoint took from training, at worst: the copy, for which
            training stands still, and the thread's own time, when there is no core to spare for it.
        spent: the same, of all checkpoints.
    """

    def __init__(self, directory: Path, seconds: float, ledger: Ledger) -> None:
        self.directory, self.seconds, self.ledger = directory, seconds, ledger
        self.cost = self.spent = 0.0
        self._last = time.monotonic()
        self._copy: Any = None
        self._thread: Thread | None = None
        self._error: Exception | None = None
        self._failing = False

    def __enter__(self) -> "Saver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.wait()
        elif self._thread is not None:
            self._thread.join()

    def due(self) -> bool:
        """Whether it is time for the next. Of several processes the first one's clock says so to all."""
        busy = self._thread is not None and self._thread.is_alive()
        late = time.monotonic() - self._last > max(self.seconds, self.cost / SHARE)
        return parallel.agreed(self.seconds <= 0 or (late and not busy))

    def save(self, step: int, state: dict[str, Any], good: bool = False) -> None:
        """Copy the state after `step` steps and begin to write it. `good` as in `save_checkpoint`. Several processes
        all call this: the first puts their pieces together, and it alone writes."""
        self.wait()
        self._last = time.monotonic()
        if not parallel.agreed(self._flushed()):
            return
        self._copy = copied(state, self._copy)
        if parallel.rank() > 0:
            return
        self.cost, self._last = time.monotonic() - self._last, time.monotonic()
        self._thread = Thread(target=self._write, args=(step, self._copy, good), name="checkpoint")
        self._thread.start()

    def wait(self) -> None:
        """Until the last one is written, or was not."""
        if self._thread is not None:
            self._thread.join()
            self.settle()

    def settle(self) -> None:
        """Tell the user how the last one went, once it is known."""
        if self._thread is None or self._thread.is_alive():
            return
        self._thread = None
        self.spent += self.cost
        error, self._error = self._error, None
        if error is not None and not isinstance(error, OSError):
            raise error
        self._report(error)

    def _flushed(self) -> bool:
        try:
            self.ledger.flush()
        except OSError as error:
            self._report(error)
            return False
        return True

    def _report(self, error: OSError | None) -> None:
        if error is not None and not self._failing:
            reason = error.strerror or str(error)
            self.ledger.note(f"a checkpoint could not be written ({reason}); training goes on and tries again later")
        elif error is None and self._failing:
            self.ledger.note("checkpoints can be written again")
        self._failing = error is not None

    def _write(self, step: int, state: dict[str, Any], good: bool) -> None:
        try:
            save_checkpoint(self.directory, step, state, good)
        except Exception as error:
            self._error = error
        self.cost += time.thread_time()


def copied(value: Any, old: Any = None) -> Any:
    """A copy of nested dictionaries and lists of tensors, on the CPU, into the memory of an earlier copy where it fits:
    memory that was touched before is several times faster. What several processes hold in pieces is put together."""
    if isinstance(value, Pieces):
        return value.whole(old if isinstance(old, torch.Tensor) else None)
    if isinstance(value, torch.Tensor):
        if isinstance(old, torch.Tensor) and (old.shape, old.dtype) == (value.shape, value.dtype):
            return old.copy_(value.detach())
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        return {key: copied(item, before.get(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        earlier = old if isinstance(old, list | tuple) and len(old) == len(value) else [None] * len(value)
        return type(value)(copied(item, past) for item, past in zip(value, earlier, strict=True))
    return value
