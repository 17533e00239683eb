"""What becomes of logits on a CPU, with a compiled kernel (`logits.cpp`) instead of a dozen operations of torch."""

import ctypes
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anatomia.base import machine
from anatomia.base.compiled import library

ALONE = 1 << 20  # numbers that one thread is done with sooner than several have met


@cache
def kernel() -> ctypes.CDLL:
    """The compiled kernel, this and that of decoding (`native`) in one, built where it is not there yet.

    Raises:
        CompileError: it cannot be built on this computer.
    """
    parts = [Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("native.cpp", "logits.cpp")]
    found = library("native", "\n".join(parts))
    found.scratch_size.restype = found.has_pairs.restype = ctypes.c_int64
    return found


def supports(logits: Tensor) -> bool:
    """Whether the kernel is wanted here for logits of such a format and place.

    Raises:
        UserError: as `machine.kernel`.
    """
    if logits.device.type != "cpu" or logits.dtype not in (torch.float32, torch.bfloat16):
        return False
    return machine.kernel(kernel) is not None


def draw(logits: Tensor, uniforms: np.ndarray) -> tuple[Tensor, Tensor]:
    """A token for each row from softmax(logits), ids [N], and its log-probability [N].

    Args:
        logits: [N, V] fp32. uniforms: [N] numbers in [0, 1), one per row.
    """
    logits, thresholds = logits.contiguous(), np.ascontiguousarray(uniforms, np.float64)
    rows, vocabulary = logits.shape
    ids, logprobs = torch.empty(rows, dtype=torch.int64), torch.empty(rows)
    pointers = logits.data_ptr(), thresholds.ctypes.data, ids.data_ptr(), logprobs.data_ptr()
    kernel().draw(*map(ctypes.c_int64, (rows, vocabulary)), *map(ctypes.c_void_p, pointers), threads(logits))
    return ids, logprobs


def judge(logits: Tensor, targets: Tensor, keep: bool, entropies: bool) -> tuple[Tensor, Tensor]:
    """log softmax(logits) at the targets and the entropy of each row, [n] fp32 each.

    Args:
        logits: [n, V]. targets: [n] ids. keep: whether the gradient of -log softmax(logits) at the targets shall
            take the place of the logits. entropies: whether they are asked for; else anything stands there.
    """
    assert logits.is_contiguous()
    targets = targets.contiguous()
    found, entropy = (torch.empty(len(logits)) for _ in range(2))
    kernel().judge(
        *map(ctypes.c_int64, logits.shape), ctypes.c_void_p(logits.data_ptr()),
        ctypes.c_int64(logits.dtype == torch.bfloat16),
        *(ctypes.c_void_p(x.data_ptr()) for x in (targets, found)),
        ctypes.c_void_p(entropy.data_ptr() if entropies else None), ctypes.c_int64(keep), threads(logits),
    )  # fmt: skip
    return found, entropy


def threads(logits: Tensor) -> ctypes.c_int64:
    """How many threads there is work for."""
    return ctypes.c_int64(torch.get_num_threads() if logits.numel() >= ALONE else 1)
