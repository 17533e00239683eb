"""Working weights that every process holds whole, in one flat buffer, and their gradients in another."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from anatomia.train import parallel
from anatomia.train.layout import Layout
from anatomia.train.parallel import Circle

T = TypeVar("T")


class WholeWeights:
    """The model's parameters become views into one flat buffer of `dtype`, their gradients views into another; those of
    several micro-batches are summed in fp32.

    Attributes:
        weights: [total] of `dtype`. gradient: [total] fp32, the step's sum; after `collect` only the parts that this
            process owns are of use. Both are ordered as the layout says. gradients: those parts.
        together: False, since each process may run the model as often as it likes.
    """

    together = False

    def __init__(self, layout: Layout, circle: Circle, dtype: torch.dtype) -> None:
        self.layout, self.circle = layout, circle
        device = layout.places[0].parameter.device
        self.gradient = torch.zeros(layout.total, device=device)
        self.gradients = [self.gradient[span] for span in layout.spans(circle.own)]
        same = dtype == torch.float32
        self.weights = torch.empty(layout.total, device=device, dtype=dtype)
        self.low_gradient = self.gradient if same else torch.zeros(layout.total, device=device, dtype=dtype)
        with torch.no_grad():
            for place in layout.places:
                p, span = place.parameter, slice(place.start, place.stop)
                self.weights[span] = p.detach().reshape(-1)
                p.data = self.weights[span].view(p.shape)
                p.grad = self.low_gradient[span].view(p.shape)

    def accumulate(self) -> None:
        """Add the gradients of one micro-batch to the step's sum."""
        if self.low_gradient is not self.gradient:
            self.gradient += self.low_gradient
            self.low_gradient.zero_()

    def collect(self) -> None:
        """Sum the gradients of all processes, each part into its owner's."""
        if len(self.circle.ranks) > 1:
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
        self.gradient.zero_()

    def _parts(self, line: Tensor) -> list[tuple[Tensor, int]]:
        return [(line[part.start : part.stop], part.owner) for part in self.layout.parts()]

    def release(self) -> None:
        """Let go of the model."""
        for place in self.layout.places:
            place.parameter.grad = None
