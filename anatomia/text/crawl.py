"""Web crawls: WARC files (0.17 to 1.1) with pages, WET files with their texts."""

import mmap
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from fastwarc.stream_io import BrotliReader, GzipReader
from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from anatomia.text.extract import LONGEST

_HTML = frozenset(("text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"))
_PLAIN = frozenset(("text/plain",))
_BEGIN = re.compile(rb"\n(WARC/[01]\.\d+\r?\n)")
_CUT = "cut short"
_SWALLOWED = re.compile(rb"\r?\nWARC/[01]\.\d+\r?\n")


@dataclass(frozen=True)
class Page:
    """A page as a crawl or a file holds it: bytes, and what was said about them.

    Attributes:
        source: its address.
        body: undecoded, but without transfer and content encodings.
        charset: the encoding that the HTTP header names, "" if none.
        html: HTML if true, else plain text.
        date: when it was fetched, as recorded (may be no valid date), "" if unknown.
    """

    source: str
    body: bytes
    charset: str = ""
    html: bool = True
    date: str = ""


@dataclass(frozen=True)
class Refused:
    """Something in a source that gives no document, and why.

    Attributes:
        rule: the line of the funnel it counts in.
        reason: the rule with its numbers, for a person.
        source: where it was.
        text: what there was of it, to be shown.
        characters: its size, as far as known.
    """

    rule: str
    reason: str
    source: str
    text: str = ""
    characters: int = 0


def read_crawl(path: Path, name: str) -> Iterator[Page | Refused]:
    """Pages of responses with status 200, texts of conversions, and what was refused.

    Refused as `crawl_type`: images, styles and whatever else is neither HTML nor plain text, DNS answers, robots.txt.
    As `crawl_status`: redirects and errors. As `unreadable`: bodies that do not decode, damage, a file cut short, old
    ARC files. Requests, metadata and revisits are no documents and are passed over.

    Damage does not end the reading: it goes on at the next place where a record begins.
    """
    start, begun, cut, seen = 0, 0, False, set()
    while start >= 0:
        try:
            for record, trouble in _records(path, name, start):
                begun = start + record.stream_pos
                if start and record.record_id in seen:
                    continue
                seen.add(record.record_id)
                cut = trouble is not None and trouble.reason.startswith(_CUT)
                found = trouble or _read(record, name)
                if found is not None:
                    yield found
            break
        except (OSError, ValueError, RuntimeError) as error:
            with open(path, "rb") as handle:
                if b"filedesc://" in handle.read(64):
                    yield Refused("unreadable", "an ARC file; convert it to WARC (warcio recompress)", name)
                    return
            if start == 0 or begun > start:  # what begins where reading went on may be part of the same damage
                yield Refused("unreadable", f"damaged after the record at byte {begun:,}: {error}", name)
            start = begun = _next_record(path, max(start, begun) + 1)
    if not cut and start >= 0 and not _ends_whole(path, begun):
        yield Refused("unreadable", f"{_CUT}: the file ends in the middle of a record", name)


def _records(path: Path, name: str, start: int) -> Iterator[tuple[WarcRecord, Refused | None]]:
    """Records from byte `start` on with their whole block in memory, and what is wrong with those not to be read."""
    with open(path, "rb") as handle:
        handle.seek(start)
        for record in ArchiveIterator(handle, parse_http=False, quirks_mode=start > 0):
            length = record.headers.get("Content-Length") or ""
            if not length.isdecimal():
                raise ValueError("a record without a valid Content-Length")
            declared, source = int(length), _address(record) or name
            if declared > LONGEST:
                reason = f"{declared:,} bytes are more than a page has"
                yield record, Refused("crawl_type", reason, source, characters=declared)
                continue
            record.freeze()
            size, trouble = record.content_length, ""
            if size < declared:
                trouble = f"{_CUT}: the record has {size:,} of {declared:,} bytes"
            elif _SWALLOWED.search(record.reader.read()):
                trouble = f"its length, {size:,} bytes, runs into the next record"
            record.reader.seek(0)
            yield record, Refused("unreadable", trouble, source, characters=size) if trouble else None


def _next_record(path: Path, start: int) -> int:
    """Where, from byte `start` on, the next record (in a compressed file: its gzip member) begins; -1 if nowhere."""
    with open(path, "rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:2] != b"\x1f\x8b":
            match = _BEGIN.search(data, start)
            return match.start(1) if match else -1
        while (start := data.find(b"\x1f\x8b\x08", start)) >= 0:
            try:
                if zlib.decompressobj(wbits=31).decompress(data[start : start + 4096], 5) == b"WARC/":
                    return start
            except zlib.error:
                pass
            start += 1
        return -1


def _read(record: WarcRecord, name: str) -> Page | Refused | None:
    kind, address, size = record.record_type, _address(record) or name, record.content_length
    date = record.headers.get("WARC-Date") or ""
    if kind == WarcRecordType.conversion:
        return Page(address, record.reader.read(), "utf-8", html=False, date=date)
    if kind not in (WarcRecordType.response, WarcRecordType.resource):
        return None
    if address.startswith(("metadata:", "dns:")) or address.endswith("/robots.txt"):
        return Refused("crawl_type", "no page", address, characters=size)
    mime, charset, coding = (record.headers.get("Content-Type") or "").split(";")[0].strip(), "", ""
    if kind == WarcRecordType.response:
        try:
            record.parse_http(auto_decode="transfer", quirks_mode=True)
        except (OSError, ValueError) as error:
            return Refused("unreadable", f"no valid HTTP: {error}", address, characters=size)
        status = record.http_headers.status_code if record.http_headers is not None else None
        if status != 200:
            return Refused("crawl_status", f"status {status}", address, characters=size)
        mime, charset = record.http_content_type or "", record.http_charset or ""
        coding = (record.http_headers.get("Content-Encoding") or "").strip().lower()
    if mime.lower() not in _HTML and mime.lower() not in _PLAIN:
        return Refused("crawl_type", f"its type is {mime or 'not given'}", address, characters=size)
    try:
        body = _decoded(record.reader.read(), coding)
    except (OSError, ValueError, RuntimeError) as error:
        return Refused("unreadable", f"the body does not decode: {error}", address, characters=size)
    if len(body) > LONGEST:
        return Refused("crawl_type", f"more than {LONGEST:,} bytes", address, characters=size)
    return Page(address, body, charset, mime.lower() in _HTML, date)


def _decoded(body: bytes, coding: str) -> bytes:
    """The body without its content encoding, if it has the one that is named: some crawlers decode and keep the header.

    Raises:
        OSError: the body is damaged.
    """
    if body.startswith(b"\x1f\x8b"):
        return GzipReader(BytesIO(body)).read(LONGEST + 1)
    if coding == "br":
        try:
            return BrotliReader(BytesIO(body)).read(LONGEST + 1)
        except OSError:
            if body.lstrip().startswith(b"<"):
                return body
            raise
    if coding == "deflate" and not body.lstrip().startswith(b"<"):
        return GzipReader(BytesIO(body), zlib=True).read(LONGEST + 1)
    return body


def _address(record: WarcRecord) -> str:
    return (record.headers.get("WARC-Target-URI") or "").strip().strip("<>")


def _ends_whole(path: Path, position: int) -> bool:
    """Whether the file, from its last record on, is complete: FastWARC takes a cut file's end for the end."""
    with open(path, "rb") as handle:
        gzip = handle.read(2) == b"\x1f\x8b"
        if gzip:
            return _gzip_ends_whole(handle, position)
        handle.seek(max(0, path.stat().st_size - 4))
        tail = handle.read()
    return tail.endswith((b"\r\n\r\n", b"\n\n"))


def _gzip_ends_whole(handle: IO[bytes], position: int) -> bool:
    """Whether the gzip member at `position` and all that follow are complete."""
    handle.seek(position)
    stream = zlib.decompressobj(wbits=31)
    fresh = True
    while data := handle.read(1 << 16):
        while data:
            fresh = False
            try:
                stream.decompress(data)
            except zlib.error:
                return False
            data = b""
            if stream.eof:
                data = stream.unused_data.lstrip(b"\0")
                stream, fresh = zlib.decompressobj(wbits=31), True
    return fresh
