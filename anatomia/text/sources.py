"""What a recipe names as sources: which files those are, and what documents lie in them, whatever they are called."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from anatomia.base.errors import UserError
from anatomia.base.globs import expand
from anatomia.text.crawl import Page, Refused, read_crawl
from anatomia.text.document import Document
from anatomia.text.readers import read_lines_of_json, read_parquet, read_table, read_text, why_no_text
from anatomia.text.unpack import Unpacked

WORLD = "world"


def files_of(sources: Sequence[str], root: Path, key: str = "corpus.sources") -> list[Path]:
    """The files that `sources` name, each once, in the order of the sources and by name within one.

    Args:
        sources: paths or globs, as `base.globs.expand` takes them; "world" is passed over.
        root: where relative ones start.
        key: the recipe's key, for the message.

    Raises:
        UserError: one of them matches no file, or is a directory.
    """
    patterns = [source for source in sources if source != WORLD]
    for pattern in patterns:
        if (root / os.path.expanduser(pattern)).is_dir():
            raise UserError(
                f"{key}: {pattern!r} is a directory; name its files, for instance {pattern.rstrip('/')}/**/*"
            )
    return expand(patterns, root, key)


def read(path: Path, name: str = "") -> Iterator[Document | Page | Refused]:
    """The documents in a file, told by its content rather than its name, in the order they stand.

    Pages are yet to be extracted, and no text is normalised. What cannot be read comes as `Refused` by the rule
    `unreadable`; what was read before the damage stays. Nothing in a file makes this raise.

    Args:
        path: the file.
        name: what the documents' `source` begins with, the path if "".
    """
    name = name or str(path)
    try:
        with Unpacked(path) as file:
            yield from _read(path, name, file)
    except (OSError, EOFError, ValueError, RuntimeError) as error:
        yield Refused("unreadable", f"{type(error).__name__}: {error}", name)


def _read(path: Path, name: str, file: Unpacked) -> Iterator[Document | Page | Refused]:
    head = file.head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if file.head.startswith((b"WARC/", b"filedesc://")):
        yield from read_crawl(path, name)
    elif file.head.startswith(b"PAR1"):
        yield from read_parquet(path, name)
    elif (reason := why_no_text(file.head)) is not None:
        yield Refused("unreadable", reason, name, characters=path.stat().st_size)
    elif head.startswith((b"{", b"[")) and file.suffix not in (".txt", ".md", ".tsv"):
        yield from read_lines_of_json(name, file)
    elif file.suffix in (".html", ".htm", ".xhtml") or head[:200].lower().startswith((b"<!doctype html", b"<html")):
        yield Page(name, file.read())
    elif file.suffix == ".tsv":
        yield from read_table(name, file)
    else:
        yield from read_text(name, file)
    if file.trouble:
        yield Refused("unreadable", file.trouble, name)
