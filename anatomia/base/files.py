"""Files that are either whole or absent: write beside, sync, rename."""

import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from anatomia.base.errors import DamagedFile

PARTIAL = ".partial"


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` durable (a rename is only safe on disk once its directory is synced)."""
    if os.name == "nt":  # Windows cannot open directories, and makes renames durable itself
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write `data` to `path` so that a reader, or a machine after a crash, sees all of it or none."""
    partial = path.with_name(path.name + PARTIAL)
    with open(partial, "wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(partial, path)
    sync_directory(path.parent)


def write_json(path: Path, value: Any) -> None:
    """`value` as readable, key-ordered-as-given UTF-8 JSON, written whole or not at all."""
    write_bytes(path, (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode())


def read_json(path: Path) -> Any:
    """The JSON value in `path`.

    Raises:
        DamagedFile: there is none.
    """
    return _value(path.read_bytes(), str(path))


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    """One JSON value per line, written whole or not at all."""
    write_bytes(path, b"".join((json.dumps(row, ensure_ascii=False) + "\n").encode() for row in rows))


def read_jsonl(path: Path) -> Iterator[Any]:
    """The values of a JSON Lines file. Lines end at line feeds only: U+2028 may stand inside a record.

    Raises:
        DamagedFile: a line holds none.
    """
    with open(path, "rb") as handle:
        for number, line in enumerate(handle, 1):
            if line.strip():
                yield _value(line, f"{path}:{number}")


def _value(data: bytes, place: str) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise DamagedFile(
            f"{place} is damaged ({error}); put a copy in its place, or delete its directory and run again"
        ) from error


def typed(path: Path) -> str:
    """A path as one types it in a shell: in quotes where it holds spaces or signs that shells read otherwise."""
    text = str(path)
    if re.fullmatch(r"[\w./\\:~+@%-]+", text):
        return text
    return f'"{text}"' if os.name == "nt" else shlex.quote(text)


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Hexadecimal SHA-256 of a JSON value in canonical form (sorted keys, no spaces)."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()
