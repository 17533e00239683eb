"""Parameters that are put together from those who own them, and whose gradients go back there."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from anatomia.train import parallel
from anatomia.train.layout import Layout, Place
from anatomia.train.parallel import Circle, Works

Sums = list[tuple[Tensor, Tensor]]  # what is to be added to what


class Group:
    """Parameters that lie one after the other in a flat room. All processes of the circle call all methods together.

    Attributes:
        places: the parameters. length: numbers that the room must hold.
    """

    def __init__(self, layout: Layout, places: Sequence[Place], circle: Circle) -> None:
        self.layout, self.places, self.circle = layout, places, circle
        self.shapes = [self.shape(place) for place in places]
        self.starts = list(accumulate((shape.numel() for shape in self.shapes), initial=0))
        self.length = self.starts[-1]

    def shape(self, place: Place) -> torch.Size:
        """Of a parameter, as each process has it."""
        return place.shape

    def lie_in(self, room: Tensor) -> None:
        """Let the parameters be views into a room of `length` or more."""
        self.rooms = [room[start:stop] for start, stop in pairwise(self.starts)]
        for place, shape, part in zip(self.places, self.shapes, self.rooms, strict=True):
            place.parameter.data = part.view(shape)

    def gather(self, masters: Sequence[Tensor]) -> Works:
        """Begin to put the parameters together where they lie. masters: this process's two runs."""
        return Works.of(self.fetch(place, room, masters) for place, room in zip(self.places, self.rooms, strict=True))

    def fetch(self, place: Place, room: Tensor, masters: Sequence[Tensor]) -> Works:
        """Begin to fetch one parameter into its flat room."""
        parts = [(part, room[part.start - place.start : part.stop - place.start]) for part in self.layout.parts(place)]
        for part, piece in parts:
            if part.owner == self.circle.own:
                piece.copy_(part.held(masters))
        return parallel.from_owners([(piece, part.owner) for part, piece in parts], self.circle)

    def hand_over(self, place: Place, gradient: Tensor, totals: Sequence[Tensor]) -> tuple[Works, Sums]:
        """Begin to send a parameter's gradient to its owners.

        Args:
            gradient: fp32, of the parameter's shape. totals: this process's two runs of the step's gradient.

        Returns:
            what was begun, and what this process is to add to its totals when that is done.
        """
        flat = gradient.reshape(-1)
        parts = [(part, flat[part.start - place.start : part.stop - place.start]) for part in self.layout.parts(place)]
        works = parallel.to_owners([(piece, part.owner) for part, piece in parts], self.circle)
        return works, [(part.held(totals), piece) for part, piece in parts if part.owner == self.circle.own]
