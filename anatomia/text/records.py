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
from typing import IO, Any, BinaryIO, NoReturn

import pyarrow
import pyarrow.parquet

from anatomia.base.errors import UserError
from anatomia.text.readers import why_no_text
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
            why = " ".join(str(error).split())
            raise UserError(f"{path} cannot be read ({why}); is the file whole?") from error


def _records(handle: BinaryIO | io.RawIOBase, name: str) -> Iterator[Record]:
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
    elif reason := why_no_text(head):
        raise UserError(f"{name} holds no records; it is {reason}")
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
                yield from _records(_Member(content), f"{name}!{member.name}")


class _Member(io.RawIOBase):
    """A file in a tar that is read once from end to end, as a stream that says so (the library's own fails at that)."""

    def __init__(self, content: IO[bytes]) -> None:
        self.content = content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Put some bytes into `buffer`; how many, 0 at the end."""
        data = self.content.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


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
    values: Iterable[Any]
    if first.lstrip().startswith(b"["):
        values = _list(first + b"".join(lines), name)
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


def _list(data: bytes, name: str) -> list[Any]:
    """The values of a list in JSON.

    Raises:
        UserError: it is not valid; names the first value that is not, or is not there.
    """
    try:
        values: list[Any] = json.loads(data)
    except (ValueError, RecursionError) as error:
        number, why = _first_wrong(data)
        raise UserError(f"{name}, record {number}: not valid JSON ({why or error})") from error
    return values


def _first_wrong(data: bytes) -> tuple[int, str]:
    """The number of the first value of a list that cannot be parsed, and why; "" where only the whole tells."""
    number, at = 1, data.find(b"[") + 1
    try:
        text = data[at:].decode("utf-8")
        at = 0
        while True:
            _, at = json.JSONDecoder().raw_decode(text, _skip(text, at))
            at = _skip(text, at)
            if text[at : at + 1] != ",":
                missing = "something follows the list" if text[at : at + 1] == "]" else "a comma or ] is missing"
                return number, missing if at < len(text) else "the file ends within the list"
            number, at = number + 1, at + 1
    except (ValueError, RecursionError) as error:
        return number, "the file ends within the list" if not data[data.find(b"[") + 1 :].strip() else str(error)


def _skip(text: str, at: int) -> int:
    """The place of the next character that is no white space."""
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


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
