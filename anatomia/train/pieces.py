"""Tensors of which each process holds a part, put together by the first process and taken apart again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from anatomia.train import parallel
from anatomia.train.parallel import Sharing


@dataclass(frozen=True)
class Pieces:
    """A flat tensor, and what this process holds of it.

    Attributes:
        parts: (cuts, held) for each run of it: process i of the circle holds numbers cuts[i] to cuts[i + 1], this one
            in `held`. The first run begins where the tensor does.
        sharing: among whom. Each of its circles holds all of it.
    """

    parts: Sequence[tuple[Sequence[int], Tensor]]
    sharing: Sharing

    def whole(self, old: Tensor | None = None) -> Tensor | None:
        """The whole, on the CPU of the first process; None in the others. All of them call this.

        Args:
            old: memory to put it into, where it fits.
        """
        if 0 not in self.sharing.circle.ranks:
            return None
        if parallel.rank() > 0:
            for _, held in self.parts:
                if len(held):
                    parallel.send(held, 0)
            return None
        length, dtype = self.parts[-1][0][-1] - self.parts[0][0][0], self.parts[0][1].dtype
        fits = old is not None and (old.shape, old.dtype) == ((length,), dtype)
        found = old if old is not None and fits else torch.empty(length, dtype=dtype)
        for held, place, rank in self._places(found):
            if rank == 0:
                place.copy_(held)
            else:
                parallel.receive(place, rank)
        return found

    def fill(self, whole: Tensor | None) -> None:
        """Overwrite every process's part with that of `whole`, which the first process gives. All of them call this."""
        if parallel.rank() == 0 and whole is not None:
            for held, place, rank in self._places(whole):
                if rank == 0:
                    held.copy_(place)
                else:
                    parallel.send(place, rank)
        elif 0 in self.sharing.circle.ranks:
            for _, held in self.parts:
                if len(held):
                    parallel.receive(held, 0)
        if self.sharing.replicas is not None:
            for _, held in self.parts:
                parallel.spread(held, self.sharing.replicas)

    def _places(self, whole: Tensor) -> Iterator[tuple[Tensor, Tensor, int]]:
        """What this process holds of a run, and each process's place in the whole, with its number."""
        first = self.parts[0][0][0]
        for cuts, held in self.parts:
            for rank, start, stop in zip(self.sharing.circle.ranks, cuts, cuts[1:], strict=False):
                if start < stop:
                    yield held, whole[start - first : stop - first], rank


def fill(pieces: Any, whole: Any) -> None:
    """Fill all that is in pieces in nested dictionaries from the same dictionaries in the first process."""
    if isinstance(pieces, Pieces):
        pieces.fill(whole)
    elif isinstance(pieces, dict):
        for key, part in pieces.items():
            fill(part, whole[key] if whole is not None else None)
