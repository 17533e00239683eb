"""Checkpoints of unfinished training: whole or absent, checked when read, the one before kept."""

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import torch

from anatomia.base.files import sync_directory

PATTERN = "step-*.checkpoint"
KEPT = 2


def save_checkpoint(directory: Path, step: int, state: dict[str, Any]) -> None:
    """Write the state after `step` steps; a SHA-256 of what follows stands in front. Keeps the newest two."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getbuffer()
    path = directory / f"step-{step:09d}.checkpoint"
    partial = path.with_suffix(".partial")
    with open(partial, "wb") as handle:
        handle.write(hashlib.sha256(data).digest())
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(partial, path)
    sync_directory(directory)
    for old in sorted(directory.glob(PATTERN))[:-KEPT]:
        old.unlink()


def load_checkpoint(directory: Path) -> tuple[int, dict[str, Any]] | None:
    """The newest undamaged checkpoint as (steps done, state), or None. Damaged and half-written ones are removed."""
    for partial in directory.glob("step-*.partial"):
        partial.unlink()
    for path in sorted(directory.glob(PATTERN), reverse=True):
        data = path.read_bytes()
        if len(data) > 32 and hashlib.sha256(memoryview(data)[32:]).digest() == data[:32]:
            state = torch.load(io.BytesIO(memoryview(data)[32:]), weights_only=True)
            return int(path.stem.removeprefix("step-")), state
        path.unlink()
    return None
