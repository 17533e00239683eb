"""Working weights shared out among processes: a block is put together when its turn comes, and given up after it."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from anatomia.model.decoder import Block, Decoder
from anatomia.train import parallel
from anatomia.train.layout import Layout, Part, Place
from anatomia.train.parallel import Circle, Works

T = TypeVar("T")
PENDING = 8  # gradients that may be on their way to their owners while others are computed
DONE = -1


class SharedWeights:
    """Two rooms of one block each are all that a process has for the blocks' weights (the idea of ZeRO stage 3,
    Rajbhandari et al. 2020, section 5.3). A block is put together from its owners' masters just before it computes,
    forward and backward, in the room of the one before the last, while that before it still computes. Each gradient is
    summed in fp32 into its owners' as soon as it is there. What lies outside the blocks every process has whole.

    All processes of the circle run the model in the same order and as often, but in `helped`, where only the first one
    does, and in `apart`, where each has all weights for a while.

    Args:
        masters: this process's runs, from which the weights are made.
        replicas: the processes that own the same runs in other circles, or None where there is one circle.

    Attributes:
        gradient: fp32, the runs of the step's gradient that this process owns, one after the other; gradients: the two.
    """

    together = True

    def __init__(
        self,
        model: nn.Module,
        layout: Layout,
        circle: Circle,
        replicas: Circle | None,
        masters: Sequence[Tensor],
        dtype: torch.dtype,
    ) -> None:
        self.layout, self.circle, self.replicas, self.masters = layout, circle, replicas, masters
        device = masters[0].device
        self.gradient = torch.zeros(sum(map(len, masters)), device=device)
        self.gradients = list(self.gradient.split([len(master) for master in masters]))
        decoders = [module for module in model.modules() if isinstance(module, Decoder)]
        self.stacks = [[block for block in decoder.blocks if isinstance(block, Block)] for decoder in decoders]
        inside = [{id(p) for p in block.parameters()} for stack in self.stacks for block in stack]
        self.groups = [Group(layout, [place for place in layout.places if id(place.parameter) in i]) for i in inside]
        within = set().union(*inside)
        self.outer = Group(layout, [place for place in layout.places if id(place.parameter) not in within])
        longest = max(group.length for group in self.groups)
        self.rooms = [torch.empty(longest, device=device, dtype=dtype) for _ in range(2)]
        self.outer.lie_in(torch.empty(self.outer.length, device=device, dtype=dtype))
        self.held: list[int | None] = [None, None]  # the number of the block in each room
        self.coming: list[tuple[int, Works] | None] = [None, None]  # and of the one on its way there
        self.pending: deque[tuple[Works, list[tuple[Tensor, Tensor]]]] = deque()
        self.asking = False  # whether the first process runs alone, and says which block it needs
        self.hooks: list[Any] = []
        sent = [place.parameter.register_post_accumulate_grad_hook(self._hand_over(place)) for place in layout.places]
        self.sent: list[Any] = sent
        self._watch()
        parallel.partings.append(self.apart)
        self.publish(masters)

    def accumulate(self) -> None:
        """Wait until the gradients of one micro-batch are with their owners."""
        while self.pending:
            self._add()

    def collect(self) -> None:
        """Sum the step's gradient over all circles, where there are several."""
        if self.replicas is not None:
            parallel.add_up(self.gradient, self.replicas)

    def publish(self, masters: Sequence[Tensor]) -> None:
        """Take over the owners' masters. masters: this process's two runs."""
        self.masters = masters
        self._forget()
        self._gather(self.outer).wait()

    def clear(self) -> None:
        """Forget the step's gradient."""
        self.gradient.zero_()

    def helped(self, work: Callable[[], T]) -> T | None:
        """What `work`, which may run the model, gives in the first process; the others help with what it asks for."""
        if 0 not in self.circle.ranks:
            return None
        if parallel.rank() > 0:
            while (number := parallel.said(DONE, self.circle)) != DONE:
                self._take(number)
            return None
        self.asking = True
        try:
            return work()
        finally:
            self.asking = False
            parallel.said(DONE, self.circle)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """While each process runs the model as it likes, it has all blocks."""
        self._forget()
        self._unwatch()
        for group in self.groups:
            group.lie_in(torch.empty(group.length, device=self.gradient.device, dtype=self.rooms[0].dtype))
            self._gather(group).wait()
        try:
            yield
        finally:
            self._watch()

    def release(self) -> None:
        """Let go of the model."""
        self._forget()
        self._unwatch()
        for hook in self.sent:
            hook.remove()
        parallel.partings.remove(self.apart)

    def _watch(self) -> None:
        """From now on blocks lie in the two rooms, and are fetched when they are needed."""
        number = 0
        for stack in self.stacks:
            last = number + len(stack) - 1
            for block in stack:
                self.groups[number].lie_in(self.rooms[number % 2])
                after = number + 1 if number < last else None
                before = number - 1 if number > last - len(stack) + 1 else None
                self.hooks += self._hooks(block, number, before, after)
                number += 1

    def _hooks(self, block: Block, number: int, before: int | None, after: int | None) -> list[Any]:
        def forward(module: nn.Module, arguments: Any) -> None:
            self._enter(number, after)

        def backward(module: nn.Module, arguments: Any, output: Tensor) -> None:
            if output.requires_grad:
                output.register_hook(lambda gradient: self._enter(number, before))

        return [block.register_forward_pre_hook(forward), block.register_forward_hook(backward)]

    def _unwatch(self) -> None:
        for hook in self.hooks:
            hook.remove()
        self.hooks = []

    def _enter(self, number: int, next: int | None) -> None:
        """A block is about to compute, and then, unless the first process runs alone, the one called `next`."""
        if self.asking and self.held[number % 2] != number:
            parallel.said(number, self.circle)
        self._take(number)
        if next is not None and not self.asking:
            self._begin(next)

    def _take(self, number: int) -> None:
        """Put a block together, if it is not there."""
        self._begin(number)
        coming = self.coming[number % 2]
        if coming is not None:
            coming[1].wait()
            self.held[number % 2], self.coming[number % 2] = number, None

    def _begin(self, number: int) -> None:
        room = number % 2
        coming = self.coming[room]
        if coming is not None and coming[0] != number:
            coming[1].wait()
        if (coming is not None and coming[0] == number) or (coming is None and self.held[room] == number):
            return
        self.held[room] = None
        self.coming[room] = number, self._gather(self.groups[number])

    def _forget(self) -> None:
        """The rooms are empty from now on."""
        for coming in self.coming:
            if coming is not None:
                coming[1].wait()
        self.held, self.coming = [None, None], [None, None]

    def _gather(self, group: "Group") -> Works:
        """Begin to put a group together where it lies."""
        for span, part in group.parts:
            if part.owner == self.circle.own:
                group.room[span].copy_(part.held(self.masters))
        return parallel.from_owners([(group.room[span], part.owner) for span, part in group.parts], self.circle)

    def _hand_over(self, place: Place) -> Callable[[Tensor], None]:
        """What sends the gradient of a parameter to its owners once it is whole."""
        parts = list(self.layout.parts(place.start, place.stop))

        def send(parameter: Tensor) -> None:
            assert parameter.grad is not None
            gradient = parameter.grad.reshape(-1).to(self.gradient.dtype)
            parameter.grad = None
            pieces = [gradient[part.start - place.start : part.stop - place.start] for part in parts]
            while len(self.pending) >= PENDING:
                self._add()
            works = parallel.to_owners(zip(pieces, (part.owner for part in parts), strict=True), self.circle)
            mine = [(part.held(self.gradients), piece) for part, piece in zip(parts, pieces, strict=True)]
            own = [pair for pair, part in zip(mine, parts, strict=True) if part.owner == self.circle.own]
            self.pending.append((works, own))

        return send

    def _add(self) -> None:
        """Add the next gradient on its way to the step's sum."""
        works, own = self.pending.popleft()
        works.wait()
        for total, piece in own:
            total += piece


class Group:
    """Parameters that are put together at once, one after the other in a flat room.

    Attributes:
        parts: their parts by owners, and where in the room each lies.
    """

    def __init__(self, layout: Layout, places: Sequence[Place]) -> None:
        self.places = places
        self.starts = list(accumulate((place.stop - place.start for place in places), initial=0))
        self.length = self.starts[-1]
        self.parts: list[tuple[slice, Part]] = []
        for place, begin in zip(places, self.starts, strict=False):
            for part in layout.parts(place.start, place.stop):
                start = begin + part.start - place.start
                self.parts.append((slice(start, start + part.stop - part.start), part))

    def lie_in(self, room: Tensor) -> None:
        """Let the parameters be views into a room of `length` or more."""
        self.room = room
        for place, (start, stop) in zip(self.places, pairwise(self.starts), strict=True):
            place.parameter.data = room[start:stop].view(place.parameter.shape)
