"""Several processes that train one model: each takes its share of every step, and together they do what one would.

Process 0 leads: it alone writes. All processes hear the same losses and norms and hold the same weights, bit for bit,
so whatever is decided from them is decided alike everywhere. Alone, a process pays nothing for any of this.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from anatomia.base.errors import UserError

T = TypeVar("T")
R = TypeVar("R")
LOST = "another process of this run has ended; the same command goes on from the last checkpoint"
partings: list[Callable[[], AbstractContextManager[None]]] = []  # what is in force while processes go their own ways
_members = 1  # of a team
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


@dataclass(frozen=True)
class Circle:
    """Some of the processes, this one among them, that do something together. They are numbered in it from 0.

    Attributes:
        ranks: their numbers among all processes. group: what torch calls them by; None for all.
    """

    ranks: Sequence[int]
    group: dist.ProcessGroup | None = None

    @property
    def own(self) -> int:
        """This process's number in the circle."""
        return self.ranks.index(rank())


@dataclass(frozen=True)
class Sharing:
    """Who shares a model's training out among whom.

    Attributes:
        circle: each of its processes keeps a part of the masters and moments. replicas: the processes that keep the
            same part in other circles, or None where all are in one. weights: whether the working weights are shared
            out among the circle too. split: whether its processes split every block and compute it together. early:
            whether gradients are summed one by one while others are computed, where the weights are whole.
    """

    circle: Circle
    replicas: Circle | None = None
    weights: bool = False
    split: bool = False
    early: bool = False


def everyone() -> Circle:
    """The circle of all processes."""
    return Circle(range(size()))


@cache
def circles(within: int) -> tuple[Circle, Circle]:
    """All processes as a grid, `within` to a row: this one's row, and its column."""
    grid = torch.arange(size()).view(-1, within)
    groups = [(ranks, dist.new_group(ranks, timeout=FOR_EVER)) for ranks in (*grid.tolist(), *grid.t().tolist())]
    row, column = (Circle(ranks, group) for ranks, group in groups if rank() in ranks)
    return row, column


def work_in_teams(members: int) -> None:
    """From now on, so many processes with neighbouring numbers have the same pieces of every step."""
    global _members
    _members = members


def teams() -> int:
    """How many teams there are: each process is one, unless blocks are split."""
    return size() // _members


def share(pieces: Sequence[T]) -> Sequence[T]:
    """This process's pieces of a step."""
    return pieces[rank() // _members :: teams()]


def micro_rows(most: int, rows: int) -> int:
    """Rows per piece, at most `most`, so that a step of `rows` rows has a piece for every team where it can, and pieces
    are of one size."""
    return math.ceil(rows / max(teams(), math.ceil(rows / most)))


class Works:
    """What was begun with other processes, as `works` is gone through."""

    def __init__(self, works: Iterable[dist.Work]) -> None:
        with _together():
            self.works = list(works)

    @staticmethod
    def of(several: "Iterable[Works]") -> "Works":
        """All that was begun in several."""
        return Works([work for works in several for work in works.works])

    def wait(self) -> None:
        """Until it is done."""
        with _together():
            for work in self.works:
                work.wait()


def to_owners(parts: Iterable[tuple[Tensor, int]], circle: Circle) -> Works:
    """Begin to sum each tensor over the circle into its owner's, whose number stands beside it. The others' are spoilt.

    Each owner's sum has the same bits in a repetition. (A reduce-scatter with parts as long as one likes. Of gloo's own
    there is none that is not slower.)
    """
    return Works(dist.reduce(part, circle.ranks[to], group=circle.group, async_op=True) for part, to in parts)


def from_owners(parts: Iterable[tuple[Tensor, int]], circle: Circle) -> Works:
    """Begin to overwrite each tensor with its owner's, whose number stands beside it: the inverse of `to_owners`."""
    return Works(dist.broadcast(part, circle.ranks[of], group=circle.group, async_op=True) for part, of in parts)


def deal(room: Tensor, shares: list[Tensor], owner: int, circle: Circle) -> Works:
    """Begin to give every process of the circle, into `room`, its own of the shares that the owner has."""
    with _together():
        return Works([dist.scatter(room, shares or None, circle.ranks[owner], group=circle.group, async_op=True)])


def hand_in(share: Tensor, shares: list[Tensor], owner: int, circle: Circle) -> Works:
    """Begin to give the owner the share of every process of the circle, into its `shares`: the inverse of `deal`."""
    with _together():
        return Works([dist.gather(share, shares or None, circle.ranks[owner], group=circle.group, async_op=True)])


def numbers(value: float, circle: Circle) -> list[float]:
    """The value of each process of the circle, in their order."""
    if len(circle.ranks) == 1:
        return [value]
    found = [torch.zeros(1, dtype=torch.float64) for _ in circle.ranks]
    with _together():
        dist.all_gather(found, torch.tensor([value], dtype=torch.float64), group=circle.group)
    return [float(number) for number in found]


def agreed(decision: bool) -> bool:
    """What process 0 has decided, in every process."""
    return bool(said(int(decision), everyone()))


def said(number: int, circle: Circle) -> int:
    """What the first process of the circle says, in all of them."""
    if len(circle.ranks) == 1:
        return number
    word = torch.tensor([number])
    spread(word, circle)
    return int(word)


def send(tensor: Tensor, to: int) -> None:
    """Give a tensor to process `to`, which calls `receive`. It goes by way of main memory, wherever it lies."""
    with _together():
        dist.send(tensor.cpu(), to)


def receive(tensor: Tensor, of: int) -> None:
    """Overwrite `tensor` with the one that process `of` sends."""
    there = tensor if tensor.device.type == "cpu" else torch.empty_like(tensor, device="cpu")
    with _together():
        dist.recv(there, of)
    if there is not tensor:
        tensor.copy_(there)


def totals(figures: dict[str, float]) -> dict[str, float]:
    """Figures of all teams, added up by name in the order of the processes."""
    if size() == 1:
        return figures
    found: dict[str, float] = {}
    for part in gather(figures)[::_members]:
        for name, value in part.items():
            found[name] = found.get(name, 0.0) + value
    return found


def divided(work: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T]) -> list[R]:
    """`work` on all items, each process doing a run of them; every process gets all results, in order."""
    number, count = rank(), size()
    mine = items[len(items) * number // count : len(items) * (number + 1) // count]
    with ExitStack() as stack:
        for parting in partings:
            stack.enter_context(parting())
        done = work(mine) if mine else []
    return [result for part in gather(done) for result in part]


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


def spread(tensor: Tensor, circle: Circle | None = None) -> None:
    """Overwrite `tensor` with that of the first process of the circle, which is process 0 if none is given."""
    circle = circle or everyone()
    if len(circle.ranks) > 1:
        with _together():
            dist.broadcast(tensor, circle.ranks[0], group=circle.group)


def add_up(tensor: Tensor, circle: Circle) -> None:
    """Replace `tensor` by its sum over the circle: the same bits in each process, and again in a repetition."""
    with _together():
        dist.all_reduce(tensor, group=circle.group)


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
