"""`anatomia doctor`: what this computer can do, what was chosen for it, and which versions are at work."""

import platform
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.box import ROUNDED
from rich.table import Table

from anatomia import __version__
from anatomia.base import machine as machines
from anatomia.messages import Messages

LIBRARIES = (
    "torch",
    "tokenizers",
    "safetensors",
    "numpy",
    "pyarrow",
    "resiliparse",
    "fastwarc",
    "rensa",
    "transformers",
)

MEANINGS = {
    "native": "native: our own kernel in C++",
    "fused": "fused: programs that torch compiles",
    "eager": "eager: torch as it is",
}
"""What the names of ways to write and to train stand for."""


def diagnose(again: bool = False) -> dict[str, dict[str, Any]]:
    """What `doctor` has to say, by section. `again` measures anew instead of remembering."""
    if again:
        machines.forget()
    machine = machines.recall()
    gigabytes = 1 / 2**30
    return {
        "machine": {
            "processor": machine.processor,
            "cores": machine.cores,
            "memory_gb": round(machine.memory * gigabytes, 1),
            "disk_free_gb": round(shutil.disk_usage(Path.cwd()).free * gigabytes, 1),
            "gpu": machine.gpu or None,
            "float32_gflops": machine.float32,
            "bfloat16_gflops": machine.bfloat16,
        },
        "chosen": machine.numerics(),
        "versions": {
            "anatomia": __version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in LIBRARIES},
        },
    }


def table(rows: dict[str, dict[str, Any]], messages: Messages) -> Table:
    """`diagnose` as a table."""
    made = Table(show_header=False, box=ROUNDED)
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for section in rows.values():
        for name, value in section.items():
            made.add_row(messages(name.replace("_", " ")), _said(value, messages))
        made.add_section()
    return made


def _said(value: Any, messages: Messages) -> str:
    if value is None:
        return "–"
    return messages(MEANINGS.get(value, value)) if isinstance(value, str) else messages.number(value)


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
