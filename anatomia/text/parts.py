"""A corpus in the making, in parts: what one process made of one batch, on disk, kept over a kill."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from anatomia.base.files import read_json, write_bytes, write_json
from anatomia.text.crawl import Page, Refused
from anatomia.text.document import Document
from anatomia.text.refine import SHOWN, Refined

SPECIMENS = 3  # of what a rule refused, kept per part

COLUMNS = pa.schema([(name, pa.string()) for name in ("id", "text", "source", "language", "meta")])


@dataclass(frozen=True)
class Part:
    """One part: `KEY.parquet` (the columns of the corpus and `before`), `KEY.npy` (sketches), `KEY.json` (this).

    Attributes:
        directory: where its files lie.
        key: names what it was made from.
        documents: how many it holds.
        read: documents read, and their characters.
        refused: rule -> [documents, characters].
        specimens: a few of the refused.
        troubles: every source that could not be read, with the reason.
    """

    directory: Path
    key: str
    documents: int
    read: tuple[int, int]
    refused: dict[str, list[int]]
    specimens: list[Refused]
    troubles: list[tuple[str, str]]

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Its documents (or some columns of them), in order."""
        return pq.read_table(self.directory / f"{self.key}.parquet", columns=columns)

    def sketches(self) -> np.ndarray:
        """uint32 [documents, 128]."""
        return np.load(self.directory / f"{self.key}.npy")


def key_of(found: Sequence[Document | Page | Refused], settings: Any) -> str:
    """Names a batch by its content and what is to be done with it."""
    state = blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    for item in found:
        values = asdict(item)
        for name in sorted(values):
            value = values[name]
            state.update(value if isinstance(value, bytes) else json.dumps(value, sort_keys=True, default=str).encode())
            state.update(b"\0")
    return state.hexdigest()


def write_part(directory: Path, key: str, refined: Refined) -> Part:
    """Write a part; it exists once its `KEY.json` does, which is written last."""
    documents = refined.documents
    columns = {
        "id": [document.id for document in documents],
        "text": [document.text for document in documents],
        "source": [document.source for document in documents],
        "language": [document.language for document in documents],
        "meta": [json.dumps(document.meta, ensure_ascii=False) for document in documents],
        "before": refined.befores,
    }
    table, sketches = io.BytesIO(), io.BytesIO()
    pq.write_table(pa.table(columns, schema=COLUMNS.append(pa.field("before", pa.string()))), table)
    np.save(sketches, refined.sketches)
    write_bytes(directory / f"{key}.parquet", table.getbuffer())
    write_bytes(directory / f"{key}.npy", sketches.getbuffer())
    counts: dict[str, list[int]] = {}
    specimens: list[Refused] = []
    for item in refined.refused:
        count = counts.setdefault(item.rule, [0, 0])
        if count[0] < SPECIMENS:
            specimens.append(Refused(item.rule, item.reason, item.source, item.text[:SHOWN], item.characters))
        count[0] += 1
        count[1] += item.characters
    troubles = [(item.source, item.reason) for item in refined.refused if item.rule == "unreadable"]
    part = Part(directory, key, len(documents), refined.read, counts, specimens, troubles)
    write_json(directory / f"{key}.json", asdict(part) | {"directory": ""})
    return part


def read_part(directory: Path, key: str) -> Part | None:
    """The part of that key, None if it was never finished."""
    path = directory / f"{key}.json"
    if not path.is_file():
        return None
    values = read_json(path) | {"directory": directory}
    values["specimens"] = [Refused(**item) for item in values["specimens"]]
    values["read"] = tuple(values["read"])
    values["troubles"] = [tuple(item) for item in values["troubles"]]
    return Part(**values)
