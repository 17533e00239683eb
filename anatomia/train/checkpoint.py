"""Checkpoints of unfinished training: whole or absent, checked when read, the ones before kept."""

import hashlib
import os
from pathlib import Path
from typing import IO, Any, cast

import torch

from anatomia.base.files import sync_directory

PATTERN = "*.checkpoint"
KEPT = 2  # of the newest; besides them, the newest good one
DIGEST = 32  # bytes in front of a file: the SHA-256 of all that follows


def save_checkpoint(directory: Path, step: int, state: dict[str, Any], good: bool = False) -> None:
    """Write the state after `step` steps, and drop older ones.

    Args:
        good: whether training was going well, so that it may go back to this one when it no longer does.

    Raises:
        OSError: it could not be written; those before it are still there.
    """
    path = directory / f"{'good' if good else 'step'}-{step:09d}.checkpoint"
    partial = path.with_suffix(".partial")
    try:
        with open(partial, "wb") as handle:
            handle.write(bytes(DIGEST))
            hashing = _Hashing(handle)
            torch.save(state, cast(IO[bytes], hashing))
            handle.seek(0)
            handle.write(hashing.hash.digest())
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):  # torch raises its own on top of what `write` did
            cause = cause.__context__
        raise (cause or error) from None
    sync_directory(directory)
    for kind, kept in (("step", KEPT), ("good", 1)):
        for old in sorted(directory.glob(f"{kind}-{PATTERN}"))[:-kept]:
            old.unlink()


def load_checkpoint(directory: Path, good: bool = False) -> tuple[int, dict[str, Any]] | None:
    """The newest undamaged checkpoint as (steps done, state), or None. Damaged and half-written ones are removed.

    Args:
        good: look only among those to which training may go back.
    """
    for partial in directory.glob("*-*.partial"):
        partial.unlink()
    found = directory.glob(f"good-{PATTERN}" if good else f"*-{PATTERN}")
    for path in sorted(found, key=lambda path: (step_of(path), path.name), reverse=True):
        with open(path, "rb") as handle:
            expected = handle.read(DIGEST)
            if hashlib.file_digest(handle, "sha256").digest() == expected:
                handle.seek(DIGEST)
                return step_of(path), torch.load(handle, weights_only=True)
        path.unlink()
    return None


def drop_after(directory: Path, step: int) -> None:
    """Remove the checkpoints of more than `step` steps, the newest first."""
    for path in sorted(directory.glob(PATTERN), key=step_of, reverse=True):
        if step_of(path) > step:
            path.unlink()


def step_of(path: Path) -> int:
    """The number of steps that were done when a checkpoint was written, from its name."""
    return int(path.stem.partition("-")[2])


class _Hashing:
    """A file that is written to, and the hash of what was."""

    def __init__(self, handle: IO[bytes]) -> None:
        self.handle, self.hash = handle, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self.handle.write(data)

    def flush(self) -> None:
        self.handle.flush()
