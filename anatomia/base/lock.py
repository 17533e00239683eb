"""One process at a time in a directory, even if the last one was killed."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anatomia.base.errors import UserError

LOCK = ".lock"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock. The system lets go of it when the process ends, however it ends.

    Raises:
        UserError: another process holds it.
    """
    handle = open(directory / LOCK, "a+b")  # noqa: SIM115 (closed below, which is what unlocks)
    try:
        try:
            _lock(handle.fileno())
        except OSError as error:
            raise UserError(
                f"{directory} is in use by another anatomia; wait for it, or choose another --out"
            ) from error
        yield
    finally:
        handle.close()


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        # A record lock, not flock: worker processes that outlive a killed parent do not inherit it.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
