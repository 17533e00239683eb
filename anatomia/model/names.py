"""A decoder's weights under the names and in the arrangement of its family's files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.model.families import FAMILIES


@dataclass(frozen=True)
class Place:
    """One parameter of ours and the tensors that hold its numbers in the files.

    Attributes:
        names: the tensors' names; where there are several, the parameter is these on top of each other.
        rows: how many rows each of them has.
        order: which row of the parameter each row of the file is, where they lie otherwise.
        turned: whether the file has it transposed.
    """

    parameter: nn.Parameter
    names: tuple[str, ...]
    rows: tuple[int, ...]
    order: Tensor | None = None
    turned: bool = False

    def read(self) -> list[Tensor]:
        """The tensors, in the parameter's number format; views of it where they can be."""
        whole = self.parameter.detach()
        if self.order is not None:
            whole = whole[self.order]
        return [part.t() if self.turned else part for part in whole.split(self.rows)]

    def write(self, tensors: Sequence[Tensor]) -> None:
        """Take the numbers of tensors that have the shapes of `read`'s."""
        with torch.no_grad():
            start = 0
            for tensor, rows in zip(tensors, self.rows, strict=True):
                part = tensor.t() if self.turned else tensor
                if self.order is None:
                    self.parameter[start : start + rows] = part
                else:
                    self.parameter[self.order[start : start + rows]] = part.to(self.parameter.dtype)
                start += rows


def places(decoder: Decoder) -> Iterator[Place]:
    """Every weight of a decoder with its place in the files of the family."""
    config = decoder.config
    family = FAMILIES[config.family]
    for name, theirs in family.outer.items():
        prefix = "" if name == "head" else family.prefix
        yield from place(decoder, name, theirs, prefix, config)
    two = family.two_norms if config.parallel and config.norms == 2 else {}
    for number, block in enumerate(decoder.blocks):
        prefix = family.prefix + family.block.format(number)
        for name, theirs in {**family.inner, **two}.items():
            yield from place(block, name, theirs, prefix, config)


def place(
    module: nn.Module, name: str, theirs: str | tuple[str, ...], prefix: str, config: DecoderConfig
) -> Iterator[Place]:
    """The place of a module's parameter, if it has that parameter."""
    parameter = getattr(module, name, None)
    if parameter is None:
        return
    family = FAMILIES[config.family]
    names = tuple(prefix + part for part in ((theirs,) if isinstance(theirs, str) else theirs))
    rows: tuple[int, ...] = (len(parameter),)
    if len(names) > 1:
        joint = name.removesuffix("_bias") == "qkv"
        rows = (config.heads, config.kv_heads, config.kv_heads) if joint else (1, 1)
        rows = tuple(part * len(parameter) // sum(rows) for part in rows)
    order = group_order(config).to(parameter.device) if family.grouped and name.startswith("qkv") else None
    yield Place(parameter, names, rows, order, turned=name in family.turned)


def group_order(config: DecoderConfig) -> Tensor:
    """Which row of `qkv` (all queries, then keys, then values) each row is in a file that keeps heads in groups: the
    queries that share a key, the key, the value. With one group or one query each, that is Falcon's older layouts."""
    heads, kv, size = config.heads, config.kv_heads, config.head_size
    queries = torch.arange(heads).view(kv, heads // kv)
    keys = torch.arange(heads, heads + kv)[:, None]
    order = torch.cat([queries, keys, keys + kv], 1).flatten()
    return (order[:, None] * size + torch.arange(size)).flatten()
