"""Attention with a small compiled kernel (`attention.cpp`), for processors that multiply pairs of bfloat16."""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anatomia.base import machine
from anatomia.base.compiled import library
from anatomia.model.positions import Turn

GRAIN = 32  # numbers of a head that the kernel takes at once: two vectors


class _Shape(ctypes.Structure):
    names = ("rows", "heads", "kv_heads", "length", "size", "threads", "turned_rows")
    _fields_ = [(name, ctypes.c_int64) for name in names]


@cache
def kernel() -> ctypes.CDLL:
    """The compiled kernel, built where it is not there yet.

    Raises:
        CompileError: it cannot be built on this computer.
    """
    return library("attention", Path(__file__).with_name("attention.cpp").read_text(encoding="utf-8"))


def supports(weight: Tensor, size: int) -> bool:
    """Whether the kernel is wanted here, the processor is for it, and it knows heads of `size` numbers of the format of
    these weights.

    Raises:
        UserError: as `machine.kernel`.
    """
    if weight.device.type != "cpu" or weight.dtype != torch.bfloat16 or size % GRAIN:
        return False
    found = machine.kernel(kernel)
    return found is not None and bool(found.usable())


def reach_attention(
    joint: Tensor, angles: Turn | None, reach: Tensor, heads: int, kv_heads: int, scale: float
) -> Tensor:
    """softmax(q kᵀ · scale) v, where key s is seen by the queries s ≤ t < reach[s].

    Args:
        joint: bfloat16 [B, T, (heads + 2 kv_heads) · d] queries, keys and values of each token side by side.
        angles: cosines and signed sines, each bfloat16 [B or 1, 1, T, d], by which queries and keys are turned first.
        reach: int32 [B, T], each past its own place.

    Returns:
        [B, T, heads · d].
    """
    cosines, sines = angles or (None, None)
    y: Tensor = _attend(joint, cosines, sines, reach, heads, kv_heads, scale)[0]
    return y


@torch.library.custom_op("anatomia::attend", mutates_args=())
def _attend(
    joint: Tensor,
    cosines: Tensor | None,
    sines: Tensor | None,
    reach: Tensor,
    heads: int,
    kv_heads: int,
    scale: float,
) -> tuple[Tensor, Tensor]:
    y, normals = _empty(joint, heads, kv_heads)
    _call("attend", joint, cosines, sines, reach, kv_heads, scale, y, normals)
    return y, normals


@torch.library.custom_op("anatomia::attend_back", mutates_args=())
def _attend_back(
    joint: Tensor,
    cosines: Tensor | None,
    sines: Tensor | None,
    reach: Tensor,
    kv_heads: int,
    scale: float,
    y: Tensor,
    normals: Tensor,
    by_y: Tensor,
) -> Tensor:
    found = torch.empty_like(joint, memory_format=torch.contiguous_format)
    _call("attend_back", joint, cosines, sines, reach, kv_heads, scale, y, normals, by_y.contiguous(), found)
    return found


@_attend.register_fake
def _(
    joint: Tensor,
    cosines: Tensor | None,
    sines: Tensor | None,
    reach: Tensor,
    heads: int,
    kv_heads: int,
    scale: float,
) -> tuple[Tensor, Tensor]:
    return _empty(joint, heads, kv_heads)


@_attend_back.register_fake
def _(joint: Tensor, *others: Any) -> Tensor:
    return torch.empty_like(joint, memory_format=torch.contiguous_format)


def _empty(joint: Tensor, heads: int, kv_heads: int) -> tuple[Tensor, Tensor]:
    rows, length, width = joint.shape
    size = width // (heads + 2 * kv_heads)
    return joint.new_empty(rows, length, heads * size), joint.new_empty(rows, heads, length, dtype=torch.float32)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    joint, cosines, sines, reach, _, ctx.kv_heads, ctx.scale = inputs
    y, normals = output
    ctx.mark_non_differentiable(normals)
    ctx.save_for_backward(joint, cosines, sines, reach, y, normals)


def _back(ctx: Any, by_y: Tensor, unused: Tensor) -> tuple[Tensor | None, ...]:
    joint, cosines, sines, reach, y, normals = ctx.saved_tensors
    found = _attend_back(joint, cosines, sines, reach, ctx.kv_heads, ctx.scale, y, normals, by_y)
    return found, None, None, None, None, None, None


_attend.register_autograd(_back, setup_context=_keep)


def _call(
    name: str,
    joint: Tensor,
    cosines: Tensor | None,
    sines: Tensor | None,
    reach: Tensor,
    kv_heads: int,
    scale: float,
    *others: Tensor,
) -> None:
    rows, length, width = joint.shape
    heads = others[1].shape[1]
    size = width // (heads + 2 * kv_heads)
    turned = 1 if cosines is None else cosines.shape[0]
    shape = _Shape(rows, heads, kv_heads, length, size, torch.get_num_threads(), turned)
    given = [None if x is None else x.contiguous() for x in (joint, cosines, sines, reach)]  # kept until the call ends
    pointers = [None if x is None else ctypes.c_void_p(x.data_ptr()) for x in given]
    rest = [ctypes.c_void_p(x.data_ptr()) for x in others]
    getattr(kernel(), name)(ctypes.byref(shape), ctypes.c_double(scale), *pointers, *rest)
