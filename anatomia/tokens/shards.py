"""Shards: the tokens of many documents in one flat file that is mapped into memory, not read."""

import os
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from anatomia.base.errors import UserError
from anatomia.base.files import PARTIAL, sync_directory

Sequence = list[int] | tuple[list[int], list[int]]
HEADER = 128


@dataclass(frozen=True)
class Shard:
    """Documents' tokens end to end.

    Attributes:
        tokens: ids, one dimension (uint16 where the vocabulary fits, else uint32).
        starts: int64 [documents + 1]; document i is tokens[starts[i]:starts[i + 1]].
        weights: loss weights, uint8, as long as `tokens`; None where every token counts.
    """

    tokens: np.ndarray
    starts: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.starts) - 1

    def document(self, index: int) -> np.ndarray:
        """The ids of one document."""
        return self.tokens[self.starts[index] : self.starts[index + 1]]


def token_type(size: int) -> Any:
    """The smallest type of number that holds the ids of a vocabulary of `size`."""
    return np.uint16 if size <= 1 << 16 else np.uint32


def write_shard(directory: Path, name: str, sequences: Iterable[Sequence], dtype: Any) -> Shard:
    """Write `sequences` (ids, or ids with weights) as NAME.tokens.npy, NAME.starts.npy and NAME.weights.npy.

    Sequences are written as they come; only their starts are held in memory. Files appear whole or not at all. Either
    all sequences have weights or none.

    Raises:
        ValueError: weights do not fit ids, or an id does not fit `dtype`.
    """
    starts = array("q", [0])
    with (
        _Growing(directory / f"{name}.tokens.npy", np.dtype(dtype)) as tokens,
        _Growing(directory / f"{name}.weights.npy", np.dtype(np.uint8)) as weights,
    ):
        for sequence in sequences:
            ids, mask = sequence if isinstance(sequence, tuple) else (sequence, None)
            tokens.append(ids)
            if mask is not None:
                weights.append(mask)
            if weights.length != (0 if mask is None else tokens.length):
                raise ValueError(f"{name}: document {len(starts) - 1} has weights that do not fit its ids")
            starts.append(tokens.length)
        if not weights.length:
            weights.discard()
    with _Growing(directory / f"{name}.starts.npy", np.dtype(np.int64)) as file:
        file.append(starts)
    return read_shard(directory, name)


def read_shard(directory: Path, name: str) -> Shard:
    """The shard NAME of `directory`, mapped into memory.

    Raises:
        UserError: its files are missing or do not fit each other.
    """
    try:
        tokens, starts = _map(directory / f"{name}.tokens.npy"), _map(directory / f"{name}.starts.npy")
        file = directory / f"{name}.weights.npy"
        weights = _map(file) if file.exists() else None
    except (OSError, ValueError) as error:
        raise UserError(f"{directory} holds no readable shard {name} ({error}); run the stage that makes it") from error
    if starts[-1] != len(tokens) or (weights is not None and len(weights) != len(tokens)):
        raise UserError(f"the files of shard {name} in {directory} do not fit each other; make it again")
    return Shard(tokens, starts, weights)


class _Growing:
    """A one-dimensional .npy file whose length is known only at the end; renamed into place when all is written."""

    def __init__(self, path: Path, dtype: np.dtype) -> None:
        self.path, self.dtype, self.length = path, dtype, 0
        self.partial = path.with_name(path.name + PARTIAL)
        self.kept = True

    def __enter__(self) -> "_Growing":
        self.file: BinaryIO = open(self.partial, "wb")
        self.file.write(bytes(HEADER))
        return self

    def append(self, values: Any) -> None:
        wide = np.asarray(values, dtype=np.int64)
        if len(wide) and not 0 <= wide.min() <= wide.max() <= np.iinfo(self.dtype).max:
            raise ValueError(f"{self.path.name}: a value in {wide.min()}..{wide.max()} does not fit {self.dtype}")
        self.file.write(wide.astype(self.dtype).tobytes())
        self.length += len(wide)

    def discard(self) -> None:
        self.kept = False

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.file.seek(0)
        about = f"{{'descr': '{self.dtype.str}', 'fortran_order': False, 'shape': ({self.length},), }}".encode()
        self.file.write(b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little") + about.ljust(HEADER - 11) + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        if kind is not None or not self.kept:
            self.partial.unlink()
            self.path.unlink(missing_ok=True)
        else:
            os.replace(self.partial, self.path)
            sync_directory(self.path.parent)


def _map(path: Path) -> np.ndarray:
    empty = path.stat().st_size <= HEADER  # nothing cannot be mapped
    return np.load(path, mmap_mode=None if empty else "r", allow_pickle=False)
