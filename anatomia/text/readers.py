"""Documents out of each kind of file: plain text, JSON, tables of tab-separated values, Parquet."""

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from anatomia.text.books import parts, unframe
from anatomia.text.charset import decode
from anatomia.text.crawl import Refused
from anatomia.text.document import Document
from anatomia.text.unpack import Unpacked

TEXT_KEYS = ("text", "content", "raw_content", "body", "article")
_KEPT_META = ("title", "url", "date", "timestamp", "category", "author")
_ESCAPE = re.compile(r"\\([\\nrt])")
_ESCAPED = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
_SHOWN = 600
STRETCH = 64_000_000  # bytes of a plain text that are in memory at a time
_BINARY = 0.01  # share of control characters from which a file is no text

_ARCHIVES = (
    (b"PK\x03\x04", "a zip archive (or an office document)"),
    (b"%PDF", "a PDF"),
    (b"Rar!", "a rar archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GGUF", "a model"),
)

Found = Document | Refused


def why_no_text(head: bytes) -> str | None:
    """Why a file that begins like this cannot hold texts that we read, None if it may."""
    for magic, name in _ARCHIVES:
        if head.startswith(magic):
            return f"{name}; unpack or convert it to text first"
    return "a tar archive; unpack it first" if head[257:262] == b"ustar" else None


def read_text(name: str, file: Unpacked) -> Iterator[Found]:
    """A plain text, in parts if it is a book; `meta` says which part of how many (of a file over 64 MB: which only)."""
    stretches = _stretches(file)
    data, following = next(stretches, b""), next(stretches, None)
    text, encoding = decode(data)
    if sum(text.count(chr(code)) for code in (*range(9), *range(14, 27), 0xFFFD)) > _BINARY * len(text):
        yield Refused("unreadable", f"no text (it would be {encoding})", name, characters=len(data))
        return
    if following is None:
        pieces = list(parts(unframe(_lines_ended(text))))
        for number, piece in enumerate(pieces, 1):
            yield Document(piece, name, meta={"part": number, "parts": len(pieces)} if len(pieces) > 1 else {})
        return
    number = 0
    for stretch in chain([data, following], stretches):
        for piece in parts(_lines_ended(decode(stretch, [encoding])[0])):
            number += 1
            yield Document(piece, name, meta={"part": number})


def _stretches(file: Unpacked) -> Iterator[bytes]:
    """The file's bytes, in stretches of bounded size that end at line ends."""
    if file.head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield file.read()  # its line ends are two bytes; texts so large are not in it
        return
    gathered = b""
    for block in file.blocks(STRETCH):
        gathered += block
        if len(gathered) >= STRETCH:
            cut = gathered.rfind(b"\n") + 1 or len(gathered)
            yield gathered[:cut]
            gathered = gathered[cut:]
    if gathered:
        yield gathered


def _lines_ended(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines_of_json(name: str, file: Unpacked) -> Iterator[Found]:
    """JSON Lines, or one JSON value: a list of records, or an object of texts (a statute by its articles)."""
    lines = file.lines()
    first = next(lines, b"")
    try:
        value = json.loads(first)
        whole = isinstance(value, list)
    except ValueError:
        whole = True
    if not whole:
        yield from _record(value, f"{name}:1")
        for number, line in enumerate(lines, 2):
            if line.strip():
                yield from _parsed(line, f"{name}:{number}")
        return
    data = b"\n".join([first, *lines])
    try:
        value = json.loads(decode(data)[0])
    except (ValueError, RecursionError) as error:
        if file.suffix in (".jsonl", ".ndjson"):
            for number, line in enumerate(data.split(b"\n"), 1):
                if line.strip():
                    yield from _parsed(line, f"{name}:{number}")
        else:
            yield Refused("unreadable", f"no valid JSON: {error}", name, characters=len(data))
        return
    if isinstance(value, dict) and not any(key in value for key in TEXT_KEYS):
        texts = [text for text in value.values() if isinstance(text, str)]
        if len(texts) < len(value) / 2:
            yield Refused("unreadable", _no_text(value), name, _shown(value), len(data))
            return
        pieces = list(parts("\n\n".join(texts)))
        for number, piece in enumerate(pieces, 1):
            yield Document(piece, name, meta={"part": number, "parts": len(pieces)})
        return
    for number, record in enumerate(value if isinstance(value, list) else [value]):
        yield from _record(record, f"{name}[{number}]")


def _parsed(line: bytes, source: str) -> Iterator[Found]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        yield Refused(
            "unreadable", f"no valid JSON: {error}", source, line[:_SHOWN].decode("utf-8", "replace"), len(line)
        )
        return
    yield from _record(value, source)


def _record(value: Any, source: str) -> Iterator[Found]:
    if isinstance(value, str):
        yield Document(value, source)
        return
    key = next((key for key in TEXT_KEYS if isinstance(value, dict) and isinstance(value.get(key), str)), None)
    if key is None:
        yield Refused("unreadable", _no_text(value), source, _shown(value), len(str(value)))
        return
    meta = {key: value[key] for key in _KEPT_META if isinstance(value.get(key), str | int | float)}
    language = value.get("language", value.get("lang", ""))
    yield Document(value[key], source, language if isinstance(language, str) and len(language) == 2 else "", meta)


def _no_text(value: Any) -> str:
    keys = ", ".join(map(str, list(value)[:8])) if isinstance(value, dict) else type(value).__name__
    return f"no text: none of the keys {', '.join(TEXT_KEYS)} (it has {keys or 'none'})"


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:_SHOWN]


def read_table(name: str, file: Unpacked) -> Iterator[Found]:
    """One document per line of tab-separated values, from the column named like a text or else the one with most text.

    A line break inside a value is written backslash n, a tab backslash t, and a backslash doubled.
    """
    lines = (decode(line.removesuffix(b"\r"))[0].split("\t") for line in file.lines() if line.strip())
    head = list(islice(lines, 200))
    if not head:
        return
    named = [column for column, title in enumerate(head[0]) if title.strip().lower() in TEXT_KEYS]
    sizes = Counter(dict.fromkeys(range(len(head[0])), 0))
    for row in head:
        sizes.update({column: len(value) for column, value in enumerate(row)})
    column = named[0] if named else max(sizes, key=lambda index: (sizes[index], -index))
    for number, row in enumerate(chain(head, lines), 1):
        if named and number == 1:
            continue
        if column < len(row):
            yield Document(unescape(row[column]), f"{name}:{number}")
        else:
            yield Refused("unreadable", f"the line has no column {column + 1}", f"{name}:{number}", "\t".join(row))


def unescape(value: str) -> str:
    """A value of a table with its escapes undone, in one pass: `\\\\n` is a backslash and an n, not a line break."""
    return _ESCAPE.sub(lambda match: _ESCAPED[match[1]], value)


def read_parquet(path: Path, name: str) -> Iterator[Found]:
    """One document per row, from the column named like a text."""
    try:
        with pq.ParquetFile(path) as table:
            names = table.schema_arrow.names
            key = next((key for key in TEXT_KEYS if key in names), None)
            if key is None:
                reason = f"no text: none of the columns {', '.join(TEXT_KEYS)} (it has {', '.join(names[:8])})"
                yield Refused("unreadable", reason, name, characters=path.stat().st_size)
                return
            columns = [key, *(name for name in (*_KEPT_META, "language", "lang") if name in names)]
            number = 0
            for batch in table.iter_batches(1024, columns=columns):
                for row in batch.to_pylist():
                    yield from _record(row, f"{name}:{number}")
                    number += 1
    except pa.ArrowException as error:
        yield Refused("unreadable", f"damaged Parquet: {error}", name, characters=path.stat().st_size)
