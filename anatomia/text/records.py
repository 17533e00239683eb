"""Records out of files in whatever they are packed in: JSON, JSON Lines, parquet, CSV, tar; plain or compressed."""

import codecs
import csv
import io
import itertools
import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import pyarrow
import pyarrow.parquet

from anatomia.base.errors import UserError
from anatomia.text.unpack import BROKEN, unpacked


@dataclass(frozen=True)
class Record:
    """One record of a file.

    Attributes:
        file: the file it came from, as given; a member of a tar stands behind a `!`.
        number: its place in the file, from 1.
        value: what it says.
    """

    file: str
    number: int
    value: dict[str, Any]

    @property
    def name(self) -> str:
        """The file's name without its directories, so that what is made of it does not depend on where it lies."""
        path, mark, member = self.file.partition("!")
        return Path(path).name + mark + member

    @property
    def source(self) -> str:
        """Where a person would look it up: "alpaca.json:17"."""
        return f"{self.name}:{self.number}"

    def fail(self, why: str) -> NoReturn:
        """Raise the `UserError` that says file, record and why."""
        raise UserError(f"{self.file}, record {self.number}: {why}")


def read_records(paths: Iterable[Path]) -> Iterator[Record]:
    """The records of the files, in order. What a file is, its content says; its name only tells CSV from JSON.

    A `.json` may be a list, one object (then it is one record) or JSON Lines; compression (gzip, xz, bzip2, zstandard)
    is recognised by its magic number, and so are parquet and tar. JSON Lines and CSV are streamed.

    Raises:
        UserError: a file cannot be read or a record cannot be parsed; names file, record and why.
    """
    for path in paths:
        try:
            with open(path, "rb") as handle:
                yield from _records(handle, str(path))
        except _BROKEN as error:
            raise UserError(f"{path} cannot be read ({error}); is the file whole?") from error


def _records(handle: BinaryIO, name: str) -> Iterator[Record]:
    """Unpack one layer after another until records are left."""
    stream: Any = handle if isinstance(handle, io.BufferedReader) else io.BufferedReader(handle)
    head = stream.peek(512)
    inner = unpacked(stream)
    if inner is not None:
        yield from _records(inner, name)
    elif head.startswith(b"PAR1"):
        yield from _parquet(stream, name)
    elif head[257:262] == b"ustar":
        yield from _tar(stream, name)
    elif ".csv" in Path(name).suffixes[-2:]:
        yield from _numbered(
            csv.DictReader(
                io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""), restkey="(beyond the last column)"
            ),
            name,
        )
    else:
        yield from _json(stream, name)


_BROKEN = (*BROKEN, UnicodeDecodeError, csv.Error, tarfile.TarError, pyarrow.ArrowException)


def _tar(stream: BinaryIO, name: str) -> Iterator[Record]:
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None and not Path(member.name).name.startswith("."):
                yield from _records(content, f"{name}!{member.name}")  # type: ignore[arg-type]


def _parquet(stream: BinaryIO, name: str) -> Iterator[Record]:
    source = stream if stream.seekable() else io.BytesIO(stream.read())
    batches = pyarrow.parquet.ParquetFile(source).iter_batches(batch_size=1024)
    yield from _numbered((row for batch in batches for row in batch.to_pylist()), name)


def _json(stream: BinaryIO, name: str) -> Iterator[Record]:
    """A list, an object over several lines, or one object per line; the first line with something on it tells."""
    unmarked = (line.removeprefix(codecs.BOM_UTF8) for line in stream)
    lines = (line for line in unmarked if line.strip())
    first = next(lines, b"")
    if not first:
        raise UserError(f"{name} is empty; leave it out or fill it")
    if first.lstrip().startswith(b"["):
        values = _parse(first + b"".join(lines), name, None)
    elif _is_json(first):
        values = itertools.chain([_parse(first, name, 1)], (_parse(line, name, at) for at, line in enumerate(lines, 2)))
    else:
        values = [_parse(first + b"".join(lines), name, 1)]
    yield from _numbered(values, name)


def _numbered(values: Iterable[Any], name: str) -> Iterator[Record]:
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict):
            raise UserError(f"{name}, record {number}: {type(value).__name__} where an object with keys should be")
        yield Record(name, number, value)


def _parse(data: bytes, name: str, number: int | None) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        where = name if number is None else f"{name}, record {number}"
        raise UserError(f"{where}: not valid JSON ({error})") from error


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
