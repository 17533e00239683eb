"""Blocks split among processes, each of which computes with a share of every block's heads and hidden units."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Block
from anatomia.train import parallel
from anatomia.train.group import Group, Sums
from anatomia.train.layout import Layout, Place
from anatomia.train.parallel import Circle, Works

SUMMED = ("q_norm", "k_norm")  # whole in every process, of which each knows only its heads' part of the gradient


@dataclass(frozen=True)
class Cut:
    """How a parameter is cut along `dim`: each of its sections into an equal piece for each of `count` processes."""

    dim: int
    sections: tuple[int, ...]
    count: int

    def pieces(self, whole: Tensor, number: int) -> Iterator[Tensor]:
        """Views of what process `number` has of each section."""
        start = 0
        for section in self.sections:
            length = section // self.count
            yield whole.narrow(self.dim, start + number * length, length)
            start += section

    def share(self, whole: Tensor, number: int) -> Tensor:
        """What process `number` has, in one tensor."""
        return torch.cat(list(self.pieces(whole, number)), self.dim)

    def sums(self, whole: Tensor, shares: Sequence[Tensor]) -> Sums:
        """Where in `whole` what every process has belongs."""
        lengths = [section // self.count for section in self.sections]
        return [
            pair
            for number, share in enumerate(shares)
            for pair in zip(self.pieces(whole, number), share.split(lengths, self.dim), strict=True)
        ]


def cut(name: str, config: DecoderConfig, count: int) -> Cut | None:
    """How a parameter of a block is cut among `count` processes: rows where it makes heads or hidden units, columns
    where it reads them (Shoeybi et al. 2019, Megatron-LM, section 3); None for what every process has whole."""
    queries, keys, hidden = config.heads * config.head_size, config.kv_heads * config.head_size, config.hidden
    rows = {"qkv": (queries, keys, keys), "gate_up": (hidden, hidden), "up": (hidden,)}
    columns = {"output": (queries,), "down": (hidden,)}
    if name in columns:
        return Cut(1, columns[name], count)
    name = name.removesuffix("_bias")
    return Cut(0, rows[name], count) if name in rows else None


class SplitGroup(Group):
    """Parameters of which each process has its share. Every one has one owner, who has it whole.

    Args:
        config: of the block they are in; None for what lies outside of blocks.
    """

    def __init__(
        self, layout: Layout, places: Sequence[Place], circle: Circle, config: DecoderConfig | None = None
    ) -> None:
        self.cuts: dict[str, Cut | None] = {}
        for place in places:
            found = None if config is None else cut(place.name.rpartition(".")[2], config, len(circle.ranks))
            self.cuts[place.name] = found
        super().__init__(layout, places, circle)

    def shape(self, place: Place) -> torch.Size:
        found = self.cuts[place.name]
        sizes = list(place.shape)
        if found is not None:
            sizes[found.dim] //= found.count
        return torch.Size(sizes)

    def fetch(self, place: Place, room: Tensor, masters: Sequence[Tensor]) -> Works:
        found = self.cuts[place.name]
        if found is None:
            return super().fetch(place, room, masters)
        (part,) = self.layout.parts(place)
        shares: list[Tensor] = []
        if part.owner == self.circle.own:
            whole = part.held(masters).view(place.shape)
            shares = [found.share(whole, number).to(room.dtype).reshape(-1) for number in range(found.count)]
        return parallel.deal(room, shares, part.owner, self.circle)

    def hand_over(self, place: Place, gradient: Tensor, totals: Sequence[Tensor]) -> tuple[Works, Sums]:
        found = self.cuts[place.name]
        if found is None and place.name.endswith(SUMMED):
            return super().hand_over(place, gradient, totals)
        (part,) = self.layout.parts(place)
        mine = part.owner == self.circle.own
        if found is None:  # every process has computed all of it
            return Works([]), [(part.held(totals), gradient.reshape(-1))] if mine else []
        shares = [torch.empty_like(gradient) for _ in range(found.count)] if mine else []
        works = parallel.hand_in(gradient.contiguous(), shares, part.owner, self.circle)
        return works, found.sums(part.held(totals).view(place.shape), shares) if mine else []


def split(block: Block, circle: Circle) -> Callable[[], None]:
    """Let a block compute with this process's share of its heads and hidden units, and sum over the circle what that
    adds to the stream. Returns what undoes it."""
    config, count = block.config, len(circle.ranks)
    biases = {name: p for name, p in block.named_parameters() if name in ("output_bias", "down_bias")}
    heads = config.heads // count
    span = slice(circle.own * heads, (circle.own + 1) * heads)
    attend, feed = block.attend, block.feed

    def attend_split(x: Tensor, angles: Any, mask: Any, bias: Tensor | None, *rest: Any) -> Tensor:
        bias = None if bias is None else bias[:, span]
        return added(
            Total.apply(attend(Read.apply(x, circle), angles, mask, bias, *rest), circle), biases.get("output_bias")
        )

    def feed_split(x: Tensor, *rest: Any) -> Tensor:
        return added(Total.apply(feed(Read.apply(x, circle), *rest), circle), biases.get("down_bias"))

    def undo() -> None:
        block.config = config
        block._parameters |= biases
        del block.__dict__["attend"], block.__dict__["feed"]

    block.config = replace(config, heads=heads, kv_heads=config.kv_heads // count)
    block._parameters |= dict.fromkeys(biases)
    block.__dict__ |= {"attend": attend_split, "feed": feed_split}
    return undo


def added(x: Tensor, bias: Tensor | None) -> Tensor:
    """A bias is added to a sum once, not by everyone to their part of it."""
    return x if bias is None else x + bias


class Read(torch.autograd.Function):
    """What all processes read, whose gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, circle: Circle) -> Tensor:
        ctx.circle = circle
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        parallel.add_up(gradient, ctx.circle)
        return gradient, None


class Total(torch.autograd.Function):
    """The sum of what all processes have, whose gradient is that of each."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, circle: Circle) -> Tensor:
        x = x.clone(memory_format=torch.contiguous_format)
        parallel.add_up(x, circle)
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None
