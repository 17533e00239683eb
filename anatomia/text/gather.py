"""The parts of a corpus become the corpus: duplicates out, validation split off, two Parquet files."""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from anatomia.text.crawl import Refused
from anatomia.text.dedup import BANDS, ROWS, exact_duplicates, near_duplicates
from anatomia.text.parts import COLUMNS, SPECIMENS, Part
from anatomia.text.refine import SHOWN

_ROW_GROUP = 16_000_000  # bytes of text gathered before a row group is written
_KEPT_SHOWN = 3  # specimens of pages and of other texts, per language


@dataclass(frozen=True)
class Duplicate:
    """Why a document is left out: `original` is the number of the one that stays."""

    rule: str
    original: int
    similarity: float = 1.0

    def reason(self, source: str) -> str:
        """For a person; `source` is the original's."""
        if self.rule == "exact_duplicate":
            return f"the same text as in {source}"
        return f"similarity {self.similarity:.2f} to a text in {source}"


@dataclass
class Gathered:
    """What the corpus came to.

    Attributes:
        documents, characters, bytes: kept, validation included.
        validation_documents: how many of them are for validation.
        languages: language -> characters.
        duplicates: the duplicates' rule -> [documents, characters].
        refused: specimens of duplicates.
        kept: specimens of kept documents, before and after.
    """

    documents: int = 0
    characters: int = 0
    bytes: int = 0
    validation_documents: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    duplicates: dict[str, list[int]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)


def gather(parts: Sequence[Part], directory: Path, scratch: Path, threshold: float, fraction: float) -> Gathered:
    """Write `train.parquet` and `validation.parquet` into `directory`.

    Args:
        parts: in the order of the corpus.
        scratch: a directory for a file of sketches too large for the memory.
        threshold: similarity from which texts are near duplicates; 1.0 leaves only exact ones out.
        fraction: share of validation documents, chosen by their ids' value; at least one if two are kept.
    """
    ids = [np.array(part.table(["id"])["id"].to_pylist(), dtype="S32") for part in parts]
    everything = np.concatenate(ids) if ids else np.array([], dtype="S32")
    original = exact_duplicates(everything)
    reasons = {i: Duplicate("exact_duplicate", int(original[i])) for i in np.flatnonzero(original >= 0).tolist()}
    if threshold < 1.0:
        distinct = np.flatnonzero(original < 0).tolist()
        for i, (other, similarity) in near_duplicates(_sketches(parts, original < 0, scratch), threshold).items():
            reasons[distinct[i]] = Duplicate("near_duplicate", distinct[other], similarity)
    originals = dict.fromkeys((duplicate.original for duplicate in reasons.values()), "")
    validation = _validation(everything, reasons, fraction)
    gathered = Gathered()
    writers = {name: _Writer(directory / f"{name}.parquet") for name in ("train", "validation")}
    shown: dict[tuple[str, bool], list[tuple[Any, dict[str, str]]]] = {}
    for index, row in enumerate(_rows(parts)):
        text = row["text"]
        if index in reasons:
            duplicate = reasons[index]
            count = gathered.duplicates.setdefault(duplicate.rule, [0, 0])
            if count[0] < SPECIMENS:
                reason = duplicate.reason(originals[duplicate.original])
                gathered.refused.append(Refused(duplicate.rule, reason, row["source"], text[:SHOWN], len(text)))
            count[0] += 1
            count[1] += len(text)
            continue
        if index in originals:
            originals[index] = row["source"]
        before = row.pop("before")
        writers["validation" if validation[index] else "train"].add(row)
        gathered.documents += 1
        gathered.validation_documents += int(validation[index])
        gathered.characters += len(text)
        gathered.bytes += len(text.encode())
        gathered.languages[row["language"]] += len(text)
        best = shown.setdefault((row["language"], '"page"' in row["meta"]), [])
        # What changed comes first; among equals the id decides: as good as chance, and always the same.
        rank = (not text.startswith(before), row["id"])
        specimen = {"source": row["source"], "language": row["language"], "before": before, "after": text[:SHOWN]}
        if len(best) < _KEPT_SHOWN:
            heapq.heappush(best, (rank, specimen))
        elif rank > best[0][0]:
            heapq.heapreplace(best, (rank, specimen))
    for writer in writers.values():
        writer.close()
    best_first = (sorted(shown[key], reverse=True, key=lambda entry: entry[0]) for key in sorted(shown))
    gathered.kept = [specimen for entries in best_first for _, specimen in entries]
    return gathered


def _sketches(parts: Sequence[Part], wanted: NDArray[np.bool_], scratch: Path) -> NDArray[np.uint32]:
    """The sketches of the wanted documents, one after another in a file mapped into memory.

    It is written first and mapped then: a disk that fills up under a mapping would end the process without a word.
    """
    shape = (int(wanted.sum()), BANDS * ROWS)
    if not shape[0]:
        return np.zeros(shape, np.uint32)
    path = scratch / "sketches.npy"
    begin = 0
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<u4", "fortran_order": False, "shape": shape})
        for part in parts:
            file.write(part.sketches()[wanted[begin : begin + part.documents]].astype("<u4").tobytes())
            begin += part.documents
    return np.load(path, mmap_mode="r")


def _validation(ids: NDArray, reasons: dict[int, Duplicate], fraction: float) -> NDArray[np.bool_]:
    """Which documents are for validation: those whose id, read as a number from 0 to 1, is below `fraction`."""
    values = np.array([int(i[:8], 16) / 2**32 for i in ids.tolist()])
    kept = np.array([index not in reasons for index in range(len(ids))], dtype=bool)
    chosen = kept & (values < fraction)
    if fraction > 0 and not chosen.any() and kept.sum() >= 2:
        chosen[np.argmin(np.where(kept, values, 2.0))] = True
    return chosen


def _rows(parts: Sequence[Part]) -> Iterator[dict[str, str]]:
    for part in parts:
        yield from part.table().to_pylist()


class _Writer:
    """A Parquet file written in row groups of bounded size."""

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetWriter(path, COLUMNS, compression="zstd")
        self._rows: list[dict[str, str]] = []
        self._size = 0

    def add(self, row: dict[str, str]) -> None:
        self._rows.append(row)
        self._size += len(row["text"])
        if self._size > _ROW_GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        self._file.write_table(pa.Table.from_pylist(self._rows, COLUMNS))
        self._rows, self._size = [], 0
