"""Working weights that every process holds whole, in one flat buffer, and their gradients in another."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from anatomia.train import parallel
from anatomia.train.layout import Layout
from anatomia.train.parallel import Circle, Works

T = TypeVar("T")


class WholeWeights:
    """The model's parameters become views into one flat buffer of `dtype`. Gradients are summed in another, of fp32, as
    soon as they are there; what comes in a smaller format is then given up.

    Args:
        early: send the sums of gradients one by one while others are computed: worth while where sending takes no work
            from the processors that compute, or much longer.

    Attributes:
        weights: [total] of `dtype`. gradient: [total] fp32, the step's sum; after `collect` only the parts that this
            process owns are of use. Both are ordered as the layout says. gradients: those parts.
        together: False, since each process may run the model as often as it likes.
    """

    together = False

    def __init__(
        self, model: nn.Module, layout: Layout, circle: Circle, dtype: torch.dtype, early: bool = False
    ) -> None:
        self.layout, self.circle = layout, circle
        device = layout.places[0].parameter.device
        self.weights = torch.empty(layout.total, device=device, dtype=dtype)
        with torch.no_grad():
            for place in layout.places:
                p, span = place.parameter, slice(place.start, place.stop)
                self.weights[span] = p.detach().reshape(-1)
                p.data = self.weights[span].view(p.shape)
        self.gradient = torch.zeros(layout.total, device=device)  # only now, when the model as it came has made room
        self.gradients = [self.gradient[span] for span in layout.spans(circle.own)]
        position = {id(p): number for number, p in enumerate(model.parameters())}
        self.order = sorted(layout.places, key=lambda place: -position[id(place.parameter)])  # as gradients come
        self.early, self.closing, self.ready, self.sent = early, False, set[int](), list[Works]()
        self.narrow, self.begun = dtype != torch.float32, set[int]()
        self.hooks: list[Any] = []
        for number, place in enumerate(self.order):
            p = place.parameter
            if self.narrow:
                self.hooks.append(p.register_post_accumulate_grad_hook(partial(self._add, number)))
            else:
                p.grad = self.gradient[place.start : place.stop].view(place.shape)
            if early:
                self.hooks.append(p.register_post_accumulate_grad_hook(partial(self._ready, number)))

    def accumulate(self) -> None:
        """The gradients of one micro-batch are all there."""

    def close(self) -> None:
        """The next micro-batch is the last: what is computed of its gradient is sent while the rest still is."""
        self.closing = self.early

    def collect(self) -> None:
        """Sum the gradients of all processes, each part into its owner's."""
        if self.narrow:  # what nothing was added to still holds the last step's sum
            for number, place in enumerate(self.order):
                if number not in self.begun:
                    self.gradient[place.start : place.stop] = 0
        if self.early:
            self._send(len(self.order))
            for works in self.sent:
                works.wait()
            self.closing, self.ready, self.sent = False, set(), []
        elif len(self.circle.ranks) > 1:
            parallel.to_owners(self._parts(self.gradient), self.circle).wait()

    def publish(self, masters: Sequence[Tensor]) -> None:
        """Take over the owners' masters. masters: this process's two runs."""
        for span, master in zip(self.layout.spans(self.circle.own), masters, strict=True):
            if master.data_ptr() != self.weights[span].data_ptr():
                self.weights[span].copy_(master)
        if len(self.circle.ranks) > 1:
            parallel.from_owners(self._parts(self.weights), self.circle).wait()

    def helped(self, work: Callable[[], T]) -> T | None:
        """What `work`, which may run the model, gives in the first process; None in the others."""
        return work() if parallel.rank() == 0 else None

    def clear(self) -> None:
        """Forget the step's gradient."""
        self.begun.clear()
        if not self.narrow:
            self.gradient.zero_()

    def _add(self, number: int, parameter: Tensor) -> None:
        """Add the gradient of a parameter to its sum, and give it up. The step's first is the sum, so that nothing has
        to be read, nor to be set to 0 before."""
        place = self.order[number]
        total = self.gradient[place.start : place.stop].view(place.shape)
        assert parameter.grad is not None
        if number in self.begun:
            total += parameter.grad
        else:
            total.copy_(parameter.grad)
            self.begun.add(number)
        parameter.grad = None

    def _ready(self, number: int, parameter: Tensor) -> None:
        """The gradient of a parameter is whole, as far as the micro-batch goes; of the last, it is sent in its turn."""
        if not self.closing:
            return
        self.ready.add(number)
        first = len(self.sent)
        self._send(next(n for n in range(first, len(self.order) + 1) if n not in self.ready))

    def _send(self, stop: int) -> None:
        """Begin to sum the gradients of the parameters up to `stop`, in an order that is the same everywhere."""
        for place in self.order[len(self.sent) : stop]:
            parts = [(self.gradient[part.start : part.stop], part.owner) for part in self.layout.parts(place)]
            self.sent.append(parallel.to_owners(parts, self.circle))

    def _parts(self, line: Tensor) -> list[tuple[Tensor, int]]:
        return [(line[part.start : part.stop], part.owner) for part in self.layout.parts()]

    def release(self) -> None:
        """Let go of the model."""
        for hook in self.hooks:
            hook.remove()
        for place in self.layout.places:
            place.parameter.grad = None
