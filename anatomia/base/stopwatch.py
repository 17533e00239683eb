"""How long a stage has worked, over every time it was killed and went on."""

import os
import time
from pathlib import Path
from typing import Any

from anatomia.base.files import read_json, write_json


class Stopwatch:
    """Counts seconds of work in a directory, from one process to the next.

    Nothing is written while the work goes on, so that it costs nothing. Of a process that was killed, the time up to
    the last thing it wrote in the directory counts.

    Args:
        path: where it keeps what was counted so far.
        work: the directory worked in.
    """

    def __init__(self, path: Path, work: Path) -> None:
        self.path = path
        kept: dict[str, Any] = read_json(path) if path.exists() else {"seconds": 0.0, "begun": None}
        self.before: float = kept["seconds"]
        if kept["begun"] is not None:
            self.before += max(0.0, _last_written(work) - kept["begun"])
        self.begun = time.perf_counter()
        write_json(path, {"seconds": self.before, "begun": time.time()})

    def seconds(self) -> float:
        """All the time until now."""
        return self.before + time.perf_counter() - self.begun

    def stop(self) -> None:
        """Keep the time of a process that ends without having finished the work, such as by Ctrl-C."""
        write_json(self.path, {"seconds": self.seconds(), "begun": None})


def _last_written(work: Path) -> float:
    """When a file in the directory was last changed, in seconds since the epoch."""
    return max(os.stat(path).st_mtime for path in work.rglob("*"))
