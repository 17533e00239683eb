"""Where a model's parameters lie in one flat line, and which process owns which part of it."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Place:
    """A parameter and where it lies: numbers `start` to `stop` of the line.

    Attributes:
        shape: its own, whatever a process has of it. kind: 0: a matrix for Muon; 1: AdamW with decay; 2: AdamW without.
    """

    name: str
    parameter: nn.Parameter
    shape: torch.Size
    kind: int
    start: int
    stop: int


@dataclass(frozen=True)
class Part:
    """Numbers `start` to `stop` of the line, which lie in the run `run` (0 or 1) of `owner` from `there` on."""

    start: int
    stop: int
    owner: int
    run: int
    there: int

    def held(self, runs: Sequence[Tensor]) -> Tensor:
        """The part in its owner's two runs."""
        return runs[self.run][self.there : self.there + self.stop - self.start]


class Layout:
    """All parameters of `model` that are trained, in a row: matrices that Muon turns, by shape; what AdamW decays; the
    rest. This order depends on the model and on `muon` alone, and is that of checkpoints.

    Each of `owners` processes owns two runs of the line, for which it keeps masters and moments: whole matrices out of
    those that are turned, and as many of the other numbers as everyone: whole tensors out of those too if `uncut`.

    Attributes:
        turned: where Muon's matrices end. decayed: where what is decayed ends. total: the length.
        cuts: owner i has [cuts[0][i], cuts[0][i + 1]) of what is turned and the same of cuts[1] of the rest.
    """

    def __init__(self, model: nn.Module, muon: bool, owners: int, uncut: bool = False) -> None:
        named = [(_kind(name, p, muon), name, p) for name, p in model.named_parameters() if p.requires_grad]
        named.sort(key=lambda item: (item[0], -item[2].dim(), tuple(item[2].shape), item[1]))
        ends = list(accumulate((p.numel() for _, _, p in named), initial=0))
        self.places = [
            Place(name, p, p.shape, kind, start, stop)
            for (kind, name, p), (start, stop) in zip(named, pairwise(ends), strict=True)
        ]
        self.turned, self.decayed, self.total = (
            max((place.stop for place in self.places if place.kind <= kind), default=0) for kind in range(3)
        )
        borders = [0, *(place.stop for place in self.places)]
        rest = self.total - self.turned
        even = [self.turned + rest * number // owners for number in range(owners + 1)]
        matrices = [border for border in borders if border <= self.turned]
        tensors = [border for border in borders if border >= self.turned]
        self.cuts = (
            [_nearest(matrices, self.turned * number / owners) for number in range(owners + 1)],
            [_nearest(tensors, cut) for cut in even] if uncut else even,
        )

    def spans(self, owner: int) -> tuple[slice, slice]:
        """The two runs that `owner` owns."""
        first, second = self.cuts
        return slice(first[owner], first[owner + 1]), slice(second[owner], second[owner + 1])

    def parts(self, place: Place | None = None) -> Iterator[Part]:
        """Who owns what of a parameter, or of the whole line."""
        for run, cuts in enumerate(self.cuts):
            for owner, (first, last) in enumerate(pairwise(cuts)):
                begin, end = (first, last) if place is None else (max(place.start, first), min(place.stop, last))
                if begin < end:
                    yield Part(begin, end, owner, run, begin - first)

    def read(self, span: slice) -> Tensor:
        """The parameters' numbers in a part of the line, in a new tensor."""
        found = torch.empty(span.stop - span.start, device=self.places[0].parameter.device)
        for place in self.places:
            start, stop = max(place.start, span.start), min(place.stop, span.stop)
            if start < stop:
                numbers = place.parameter.detach().reshape(-1)[start - place.start : stop - place.start]
                found[start - span.start : stop - span.start] = numbers
        return found

    def stacks(self, owner: int) -> list[tuple[int, ...]]:
        """Muon's matrices that `owner` owns, as they lie: [count, m, n] of each shape."""
        span, _ = self.spans(owner)
        shapes = (tuple(p.shape) for p in self.places if span.start <= p.start < min(span.stop, self.turned))
        return [(len(list(group)), *shape) for shape, group in groupby(shapes)]


def _kind(name: str, parameter: nn.Parameter, muon: bool) -> int:
    if parameter.dim() < 2:
        return 2
    return 0 if muon and "blocks." in name else 1


def _nearest(borders: list[int], wanted: float) -> int:
    place = bisect_left(borders, wanted)
    return min(borders[max(place - 1, 0) : place + 1], key=lambda border: abs(border - wanted))
