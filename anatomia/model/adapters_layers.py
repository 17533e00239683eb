"""What an adapter changes in one block of a decoder: low-rank terms, gains, biases, or a bottleneck after each half."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Change(nn.Module):
    """One block's part of an adapter. This one changes nothing; the kinds of adapters differ in what they override.

    The matrices are called by their names in `Block` ("qkv", "output", "gate_up" or "up", "down"), norms too.
    """

    def linear(self, name: str, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """What a matrix makes of `x` [..., in]: [..., out]. weight: [out, in]. bias: [out], the block's own."""
        return F.linear(x, weight, self.bias(name, bias))

    def bias(self, name: str, bias: Tensor | None) -> Tensor | None:
        """The bias of a matrix or norm, given the block's own."""
        return bias

    def attended(self, y: Tensor) -> Tensor:
        """What attention adds to the stream."""
        return y

    def fed(self, y: Tensor) -> Tensor:
        """What the feed-forward adds to the stream."""
        return y

    def merged(self, name: str, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The matrix and bias that do by themselves what `linear` does."""
        return weight, self.bias(name, bias)


class Factor(nn.Module):
    """s · B A, added to some rows of a matrix (Hu et al. 2021, LoRA, section 4.1).

    Args:
        module: what Hugging Face calls the layer that these rows are.
        rows: which ones of our matrix.
        a: [rank, in]. b: [out, rank].
        scale: s.
        magnitude: [out] DoRA's, as the difference from the norms of the rows, so that a narrow number format still
            tells small steps apart; None for plain LoRA.
    """

    def __init__(
        self, module: str, rows: slice, a: Tensor, b: Tensor, scale: float, magnitude: Tensor | None = None
    ) -> None:
        super().__init__()
        self.module, self.rows, self.scale = module, rows, scale
        self.a, self.b = nn.Parameter(a), nn.Parameter(b)
        self.magnitude = None if magnitude is None else nn.Parameter(magnitude)


class LowRank(Change):
    """LoRA on some matrices of a block, DoRA (Liu et al. 2024, equation 5) where the factors have magnitudes.

    The factors of one matrix of ours (queries, keys and values; gate and up) are computed together: their A on top of
    each other, their B along a diagonal.

    Args:
        factors: by matrix, in the order of their rows.
    """

    def __init__(self, factors: Mapping[str, Sequence[Factor]]) -> None:
        super().__init__()
        self.factors = nn.ModuleDict({name: nn.ModuleList(parts) for name, parts in factors.items()})

    def of(self, name: str) -> list[Factor]:
        """The factors of a matrix, which may be none."""
        if name not in self.factors:
            return []
        parts = self.factors[name]
        assert isinstance(parts, nn.ModuleList)
        return [part for part in parts if isinstance(part, Factor)]

    def linear(self, name: str, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        parts = self.of(name)
        if not parts:
            return F.linear(x, weight, bias)
        down, up = self.joined(parts, len(weight))
        gain = self.gain(parts, weight, down, up)
        if gain is None:
            return low_rank_linear(x, weight, bias, down, up)
        y = low_rank_linear(x, weight, None, down, up) * gain
        return y if bias is None else y + bias

    def joined(self, parts: Sequence[Factor], rows: int) -> tuple[Tensor, Tensor]:
        """All of a matrix's factors as one: [R, in] and [rows, R], scaled."""
        if len(parts) == 1 and parts[0].b.shape[0] == rows:
            return parts[0].a, parts[0].b * parts[0].scale
        ends = list(accumulate((len(part.a) for part in parts), initial=0))
        blocks, done = [], 0
        for part, (start, stop) in zip(parts, pairwise(ends), strict=True):
            if part.rows.start > done:
                blocks.append(part.b.new_zeros(part.rows.start - done, ends[-1]))
            blocks.append(F.pad(part.b * part.scale, (start, ends[-1] - stop)))
            done = part.rows.stop
        if done < rows:
            blocks.append(parts[0].b.new_zeros(rows - done, ends[-1]))
        return torch.cat([part.a for part in parts]), torch.cat(blocks)

    def gain(self, parts: Sequence[Factor], weight: Tensor, down: Tensor, up: Tensor) -> Tensor | None:
        """[out] what DoRA multiplies each row with: its magnitude over the row's norm, which is held constant for
        gradients (section 4.3 of the paper). None for plain LoRA.

        The norm of W + B A comes from ‖w‖² + 2 w·(b A) + b (A Aᵀ) bᵀ, row by row, so that B A is never written out.
        """
        if parts[0].magnitude is None:
            return None
        with torch.no_grad():
            own = torch.linalg.vector_norm(weight, dim=1, dtype=torch.promote_types(weight.dtype, torch.float32))
            wide, narrow = up.to(own.dtype), down.to(own.dtype)
            cross = (wide * (weight @ down.t())).sum(1)
            square = ((wide @ (narrow @ narrow.t())) * wide).sum(1)
            norm = (own.square() + 2 * cross + square).clamp_min(1e-24).sqrt()
        blocks, done = [], 0
        for part in parts:
            assert part.magnitude is not None
            if part.rows.start > done:
                blocks.append(norm[done : part.rows.start])
            blocks.append(own[part.rows] + part.magnitude)
            done = part.rows.stop
        magnitudes = torch.cat([*blocks, norm[done:]])
        return (magnitudes / norm).to(weight.dtype)

    def merged(self, name: str, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        parts = self.of(name)
        if not parts:
            return weight, bias
        wide = weight.to(torch.promote_types(weight.dtype, torch.float32))
        down, up = (part.to(wide.dtype) for part in self.joined(parts, len(weight)))
        gain = self.gain(parts, wide, down, up)
        whole = torch.addmm(wide, up, down)
        return (whole if gain is None else whole * gain[:, None]).to(weight.dtype), bias


def low_rank_linear(x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor) -> Tensor:
    """x Wᵀ + b + (x downᵀ) upᵀ for `x` [..., in]: [..., out]."""
    if weight.requires_grad or (bias is not None and bias.requires_grad):
        return F.linear(x, weight, bias) + F.linear(F.linear(x, down), up)
    found: Tensor = LowRankLinear.apply(x.reshape(-1, x.shape[-1]), weight, bias, down, up)
    return found.view(*x.shape[:-1], -1)


class LowRankLinear(torch.autograd.Function):
    """The same with frozen W and b, both ways without a temporary of the result's size."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor) -> Tensor:
        inner = x @ down.t()
        ctx.save_for_backward(x, inner, weight, down, up)
        return F.linear(x, weight, bias).addmm_(inner, up.t())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, None, Tensor, Tensor]:
        x, inner, weight, down, up = ctx.saved_tensors
        lower = gradient @ up
        back = (gradient @ weight).addmm_(lower, down) if ctx.needs_input_grad[0] else None
        return back, None, None, lower.t() @ x, gradient.t() @ inner


class Gain(nn.Module):
    """What some results of a matrix, or all of its arguments, are multiplied with.

    Args:
        module: what Hugging Face calls the layer. rows: the results; all rows where arguments are meant.
        change: [out] or [in], as the difference from 1.
    """

    def __init__(self, module: str, rows: slice, change: Tensor) -> None:
        super().__init__()
        self.module, self.rows, self.change = module, rows, nn.Parameter(change)


class Rescaled(Change):
    """(IA)³: learnt gains on keys, values and what the feed-forward computes inside (Liu et al. 2022, section 3.3).

    Args:
        outputs: of the matrices whose results are rescaled, in the order of their rows. inputs: of those whose
            arguments are.
    """

    def __init__(self, outputs: Mapping[str, Sequence[Gain]], inputs: Mapping[str, Gain]) -> None:
        super().__init__()
        self.outputs = nn.ModuleDict({name: nn.ModuleList(gains) for name, gains in outputs.items()})
        self.inputs = nn.ModuleDict(inputs)

    def linear(self, name: str, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if name in self.inputs:
            x = x * self.gain(self.of(self.inputs, name), x.shape[-1])
        y = F.linear(x, weight, bias)
        return y * self.gain(self.of(self.outputs, name), y.shape[-1]) if name in self.outputs else y

    def of(self, gains: nn.ModuleDict, name: str) -> list[Gain]:
        """The gains of a matrix's results or arguments."""
        if name not in gains:
            return []
        found = gains[name]
        parts = found if isinstance(found, nn.ModuleList) else [found]
        return [part for part in parts if isinstance(part, Gain)]

    def gain(self, parts: Sequence[Gain], length: int) -> Tensor:
        """[length] the gains of all results or arguments, 1 where none is learnt."""
        found: list[Tensor] = []
        done = 0
        for part in parts:
            found += [part.change.new_ones(part.rows.start - done), 1 + part.change]
            done = part.rows.stop
        return torch.cat([*found, found[-1].new_ones(length - done)])

    def merged(self, name: str, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if name in self.inputs:
            weight = weight * self.gain(self.of(self.inputs, name), weight.shape[1])
        if name in self.outputs:
            gain = self.gain(self.of(self.outputs, name), len(weight))
            weight, bias = weight * gain[:, None], None if bias is None else bias * gain
        return weight, bias


class Biased(Change):
    """BitFit: only biases are learnt (Ben Zaken et al. 2021), as differences from those that are there.

    Args:
        biases: by matrix or norm.
    """

    def __init__(self, biases: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.biases = nn.ParameterDict(dict(biases))

    def bias(self, name: str, bias: Tensor | None) -> Tensor | None:
        if name not in self.biases:
            return bias
        return self.biases[name] if bias is None else bias + self.biases[name]


class Bottleneck(Change):
    """A small network of one hidden layer on what a half of the block adds to the stream, with a way past it (Houlsby
    et al. 2019, section 2.1).

    Args:
        halves: by half of the block, "attended" and "fed" or one of them.
    """

    def __init__(self, halves: Mapping[str, "Narrow"]) -> None:
        super().__init__()
        self.halves = nn.ModuleDict(halves)

    def attended(self, y: Tensor) -> Tensor:
        return y + self.halves["attended"](y) if "attended" in self.halves else y

    def fed(self, y: Tensor) -> Tensor:
        return y + self.halves["fed"](y) if "fed" in self.halves else y


class Narrow(nn.Module):
    """up · relu(down · y + b) + c.

    Args:
        down: [rank, width]. up: [width, rank].
    """

    def __init__(self, down: Tensor, up: Tensor) -> None:
        super().__init__()
        self.down, self.up = nn.Parameter(down), nn.Parameter(up)
        self.down_bias, self.up_bias = nn.Parameter(down.new_zeros(len(down))), nn.Parameter(up.new_zeros(len(up)))

    def forward(self, y: Tensor) -> Tensor:
        return F.linear(F.relu(F.linear(y, self.down, self.down_bias)), self.up, self.up_bias)
