"""What is compressed as streams of bytes: whole files with damage noted instead of raised, and any stream."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import zstandard

BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
"""What reading a damaged stream raises."""

_HEAD = 4096
_SUFFIXES = (".gz", ".xz", ".zst", ".bz2", ".lzma")


class Unpacked:
    """A file's bytes after decompression (gzip, xz, zstandard, bzip2, by their magic numbers; one layer).

    Attributes:
        head: the first bytes.
        suffix: the file's suffix without that of the compression, lower case.
        trouble: what went wrong while reading, "" so far nothing. Bytes before the damage have been given.
    """

    def __init__(self, path: Path) -> None:
        self.trouble = ""
        suffixes = [suffix.lower() for suffix in path.suffixes]
        while len(suffixes) > 1 and suffixes[-1] in _SUFFIXES:
            suffixes.pop()
        self.suffix = suffixes[-1] if suffixes else ""
        self._file = open(path, "rb")  # noqa: SIM115 (closed by __exit__)
        self._stream: Any = unpacked(self._file) or self._file
        self._ended = False
        self.head = self._take(_HEAD)
        self._pending = self.head

    def __enter__(self) -> "Unpacked":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def blocks(self, size: int = 1 << 20) -> Iterator[bytes]:
        """All bytes, in blocks."""
        if self._pending:
            yield self._pending
            self._pending = b""
        while block := self._take(size):
            yield block

    def read(self) -> bytes:
        """All bytes."""
        return b"".join(self.blocks())

    def lines(self) -> Iterator[bytes]:
        """The lines, without their line feed; nothing else (U+2028, a lone carriage return) ends one."""
        rest = b""
        for block in self.blocks():
            *lines, rest = (rest + block).split(b"\n")
            yield from lines
        if rest:
            yield rest

    def _take(self, size: int) -> bytes:
        """Up to `size` bytes, fewer only at the end, which damage is too."""
        gathered = b""
        while not self._ended and len(gathered) < size:
            try:
                block = self._stream.read1(size - len(gathered))
            except BROKEN as error:
                self.trouble = f"cut short or damaged: {error}"
                block = b""
            self._ended = not block
            gathered += block
        return gathered


def unpacked(stream: "io.BufferedReader[Any]") -> BinaryIO | None:
    """The stream within a compressed one (gzip, xz, bzip2, zstandard, by its magic number); None if it is not."""
    magic = stream.peek(6)
    return next((opened(stream) for start, opened in _OPENED.items() if magic.startswith(start)), None)


class _Zstandard(io.RawIOBase):
    """Zstandard frames as a stream that, unlike the library's own, notices the end of the file within a frame."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._input = b""
        self._output = memoryview(b"")
        self._between = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Put some bytes into `buffer`; how many, 0 at the end.

        Raises:
            EOFError: the last frame is not complete.
        """
        while not self._output:
            data = self._input or self._file.read(1 << 16)
            if not data:
                if self._between:
                    return 0
                raise EOFError("the file ends within a frame")
            self._between, self._input = False, b""
            self._output = memoryview(self._frame.decompress(data))
            if self._frame.eof:
                self._between, self._input = True, self._frame.unused_data
                self._frame = zstandard.ZstdDecompressor().decompressobj()
        size = min(len(buffer), len(self._output))
        buffer[:size], self._output = self._output[:size], self._output[size:]
        return size


_OPENED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda stream: gzip.GzipFile(fileobj=stream),
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"BZh": bz2.BZ2File,
    b"\x28\xb5\x2f\xfd": lambda stream: io.BufferedReader(_Zstandard(stream)),
}
