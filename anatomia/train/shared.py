"""Working weights shared out among processes: a block is put together when its turn comes, and given up after it."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from anatomia.model.decoder import Block, Decoder
from anatomia.train import parallel
from anatomia.train.group import Group, Sums
from anatomia.train.layout import Layout, Place
from anatomia.train.parallel import Sharing, Works
from anatomia.train.split import SplitGroup, split

T = TypeVar("T")
PENDING = 8  # gradients that may be on their way to their owners while others are computed
DONE = -1


class SharedWeights:
    """Two rooms of one block each are all that a process has for the blocks' weights (the idea of ZeRO stage 3,
    Rajbhandari et al. 2020, section 5.3). A block is put together from its owners' masters just before it computes,
    forward and backward, in the room of the one before the last, while that before it still computes. Each gradient is
    summed in fp32 into its owners' as soon as it is there. What lies outside the blocks every process has whole.

    Where blocks are split, a process only ever gets its share of one, and all of a circle compute the same data.

    All processes of the circle run the model in the same order and as often, but in `helped`, where only the first one
    does, and in `apart`, where each has all weights for a while.

    Args:
        masters: this process's runs, from which the weights are made.

    Attributes:
        gradient: fp32, the runs of the step's gradient that this process owns, one after the other; gradients: the two.
    """

    together = True

    def __init__(
        self, model: nn.Module, layout: Layout, sharing: Sharing, masters: Sequence[Tensor], dtype: torch.dtype
    ) -> None:
        self.sharing, self.circle, self.masters, self.dtype = sharing, sharing.circle, masters, dtype
        self.gradient = torch.zeros(sum(map(len, masters)), device=masters[0].device)
        self.gradients = list(self.gradient.split([len(master) for master in masters]))
        decoders = [module for module in model.modules() if isinstance(module, Decoder)]
        self.stacks = [[block for block in decoder.blocks if isinstance(block, Block)] for decoder in decoders]
        self.blocks = [block for stack in self.stacks for block in stack]
        inside = [{id(p) for p in block.parameters()} for block in self.blocks]
        places = [[place for place in layout.places if id(place.parameter) in ids] for ids in inside]
        outside = [place for place in layout.places if id(place.parameter) not in set().union(*inside)]
        self.whole = [Group(layout, within, self.circle) for within in places]
        self.parts, self.outer = self.whole, Group(layout, outside, self.circle)
        if sharing.split:
            parallel.work_in_teams(len(self.circle.ranks))
            pairs = zip(self.blocks, places, strict=True)
            self.parts = [SplitGroup(layout, within, self.circle, block.config) for block, within in pairs]
            self.outer = SplitGroup(layout, outside, self.circle)
        self.outer.lie_in(self._room(self.outer))
        self.pending: deque[tuple[Works, Sums]] = deque()
        self.asking = False  # whether the first process runs alone, and says which block it needs
        self.sent: list[Any] = []
        for group in (*self.parts, self.outer):
            for place in group.places:
                hook = partial(self._hand_over, group, place)
                self.sent.append(place.parameter.register_post_accumulate_grad_hook(hook))
        self._watch(self.parts)
        parallel.partings.append(self.apart)
        self.publish(masters)

    def accumulate(self) -> None:
        """Wait until the gradients of one micro-batch are with their owners."""
        while self.pending:
            self._add()

    def close(self) -> None:
        """The next micro-batch is the last."""

    def collect(self) -> None:
        """Sum the step's gradient over all circles, where there are several."""
        if self.sharing.replicas is not None:
            parallel.add_up(self.gradient, self.sharing.replicas)

    def publish(self, masters: Sequence[Tensor]) -> None:
        """Take over the owners' masters. masters: this process's two runs."""
        self.masters = masters
        self._forget()
        self.outer.gather(masters).wait()

    def clear(self) -> None:
        """Forget the step's gradient."""
        self.gradient.zero_()

    def helped(self, work: Callable[[], T]) -> T | None:
        """What `work`, which may run the model, gives in the first process; the others help with what it asks for."""
        if 0 not in self.circle.ranks:
            return None
        with self._joined():
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
        self._unwatch()
        for group in self.whole:
            group.lie_in(self._room(group))
            group.gather(self.masters).wait()
        try:
            yield
        finally:
            self._watch(self.parts)

    def release(self) -> None:
        """Let go of the model."""
        self._unwatch()
        for hook in self.sent:
            hook.remove()
        parallel.partings.remove(self.apart)
        parallel.work_in_teams(1)

    @contextmanager
    def _joined(self) -> Iterator[None]:
        """While one process runs the model, blocks are not split."""
        if self.sharing.split:
            self._unwatch()
            self._watch(self.whole)
        yield
        if self.sharing.split:
            self._unwatch()
            self._watch(self.parts)

    def _watch(self, groups: Sequence[Group]) -> None:
        """From now on blocks, or shares of them, lie in the two rooms and are fetched when they are needed."""
        self.groups = groups
        self.rooms = [self._room(max(groups, key=lambda group: group.length)) for _ in range(2)]
        self.held: list[int | None] = [None, None]  # the number of the block in each room
        self.coming: list[tuple[int, Works] | None] = [None, None]  # and of the one on its way there
        self.undo: list[Callable[[], None]] = []
        number = 0
        for stack in self.stacks:
            last = number + len(stack) - 1
            for place, block in enumerate(stack):
                groups[number].lie_in(self.rooms[number % 2])
                after = number + 1 if number < last else None
                before = number - 1 if place else None
                self._hook(block, number, before, after)
                number += 1
        if groups is not self.whole:
            self.undo += [split(block, self.circle) for block in self.blocks]

    def _hook(self, block: Block, number: int, before: int | None, after: int | None) -> None:
        def forward(module: nn.Module, arguments: Any) -> None:
            self._enter(number, after)

        def backward(module: nn.Module, arguments: Any, output: Tensor) -> None:
            if output.requires_grad:
                output.register_hook(lambda gradient: self._enter(number, before))

        hooks = block.register_forward_pre_hook(forward), block.register_forward_hook(backward)
        self.undo += [hook.remove for hook in hooks]

    def _unwatch(self) -> None:
        self._forget()
        for undo in self.undo:
            undo()
        self.undo = []

    def _room(self, group: Group) -> Tensor:
        return torch.empty(group.length, device=self.gradient.device, dtype=self.dtype)

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
        self.coming[room] = number, self.groups[number].gather(self.masters)

    def _forget(self) -> None:
        """The rooms are empty from now on."""
        for coming in self.coming:
            if coming is not None:
                coming[1].wait()
        self.held, self.coming = [None, None], [None, None]

    def _hand_over(self, group: Group, place: Place, parameter: Tensor) -> None:
        """The gradient of a parameter is whole: send it on its way."""
        assert parameter.grad is not None
        gradient = parameter.grad.to(self.gradient.dtype)
        parameter.grad = None
        while len(self.pending) >= PENDING:
            self._add()
        self.pending.append(group.hand_over(place, gradient, self.gradients))

    def _add(self) -> None:
        """Add the next gradient on its way to the step's sum."""
        works, sums = self.pending.popleft()
        works.wait()
        for total, piece in sums:
            total += piece
