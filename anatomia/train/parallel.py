"""Several processes that train one model: each takes its share of every step, and together they do what one would.

Process 0 leads: it alone writes. Every process holds the whole model, and after each step's sum over all processes all
of them hold the same bits, so whatever is decided from losses and gradients is decided alike everywhere. Alone, a
process pays nothing for any of this.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from anatomia.base.errors import UserError

T = TypeVar("T")
R = TypeVar("R")
LOST = "another process of this run has ended; the same command goes on from the last checkpoint"
FOR_EVER = timedelta(days=300)  # a stage that only process 0 works in may take as long as it likes


class PeerLost(UserError):
    """Another process of the group has ended, so that this one cannot go on."""


class Released(Exception):
    """The training that this process took part in is over; what remains is for process 0 to do."""


def expected() -> int:
    """How many processes the environment speaks of (`WORLD_SIZE`, set by torchrun and `--processes`)."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def join() -> None:
    """Meet the other processes, if the environment says that there are any: gloo between CPUs, NCCL between GPUs."""
    if expected() < 2 or dist.is_initialized():
        return
    backend, cards = "gloo", torch.cuda.device_count()
    if cards:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % cards)
        if int(os.environ["LOCAL_WORLD_SIZE"]) <= cards:
            backend = "cpu:gloo,cuda:nccl"
    with _together():
        dist.init_process_group(backend, timeout=FOR_EVER)


def leave() -> None:
    """Part from the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def share(pieces: Sequence[T]) -> Sequence[T]:
    """This process's pieces of a step."""
    return pieces[rank() :: size()]


def micro_rows(most: int, rows: int) -> int:
    """Rows per piece, at most `most`, so that a step of `rows` rows has a piece for every process where it can."""
    return min(most, math.ceil(rows / size()))


def add_up(tensor: Tensor) -> None:
    """Replace `tensor` by its sum over all processes: the same bits in each of them, and again in a repetition."""
    if size() > 1:
        with _together():
            dist.all_reduce(tensor)


def totals(figures: dict[str, float]) -> dict[str, float]:
    """Figures of all processes, added up by name in the order of the processes."""
    if size() == 1:
        return figures
    found: dict[str, float] = {}
    for part in gather(figures):
        for name, value in part.items():
            found[name] = found.get(name, 0.0) + value
    return found


def divided(work: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T]) -> list[R]:
    """`work` on all items, each process doing a run of them; every process gets all results, in order."""
    number, count = rank(), size()
    mine = items[len(items) * number // count : len(items) * (number + 1) // count]
    return [result for part in gather(work(mine) if mine else []) for result in part]


def gather(value: T) -> list[T]:
    """The values of all processes, in their order."""
    if size() == 1:
        return [value]
    found: list[Any] = [None] * size()
    with _together():
        dist.all_gather_object(found, value)
    return found


def lead(make: Callable[[], T]) -> T:
    """What `make` gives in process 0, in every process. Elsewhere it is not called."""
    if size() == 1:
        return make()
    found = [make() if rank() == 0 else None]
    with _together():
        dist.broadcast_object_list(found)
    return found[0]  # type: ignore[return-value]


def spread(tensor: Tensor) -> None:
    """Overwrite `tensor` with that of process 0."""
    if size() > 1:
        with _together():
            dist.broadcast(tensor, 0)


@contextmanager
def threads() -> Iterator[None]:
    """While training, the processes of one computer share its threads."""
    before = torch.get_num_threads()
    if size() > 1:
        torch.set_num_threads(max(1, before // int(os.environ.get("LOCAL_WORLD_SIZE", size()))))
    try:
        yield
    finally:
        if size() > 1:
            torch.set_num_threads(before)


@contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise PeerLost(LOST) from error
