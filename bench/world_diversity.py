"""How varied the small world's texts are, against real text: n-grams, repetition, compression, duplicates.

    python bench/world_diversity.py [--words 1000000 5000000 20000000] [--real TEXT_FILE_OR_DIRECTORY ...]

Prints, for each number of words and each text: the share of distinct 1- to 5-grams, the share of 8-grams seen before,
compressed size over raw size (xz -9 and gzip -9, on at most the first 20 MB), and the shares of exact and near
duplicates among documents (near: Jaccard similarity of word 3-grams of at least 0.8, by MinHash with 64 hashes in 16
bands). N-grams are counted by 64-bit hashes.
"""

import argparse
import gzip
import lzma
import sys
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from anatomia.world import World

COMPRESSED = 20_000_000  # bytes
HASHES, BANDS = 64, 16
NEAR = 0.8


def world_texts(language: str | None) -> Iterator[str]:
    """Documents of the world, endless."""
    world = World(1)
    first = 0
    while True:
        for document in world.documents(0, first, 10_000):
            if language in (None, document.language):
                yield document.text
        first += 10_000


def real_texts(path: Path) -> Iterator[str]:
    """Paragraph groups of about 100 words from .txt and .txt.gz files, so that documents are as long as the world's."""
    files = sorted([*path.rglob("*.txt"), *path.rglob("*.txt.gz")]) if path.is_dir() else [path]
    for file in files:
        group: list[str] = []
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        for paragraph in raw.decode(errors="replace").replace("\r", "").split("\n\n"):
            group += paragraph.split()
            if len(group) >= 100:
                yield " ".join(group)
                group = []


def measure(texts: Iterator[str], words: int) -> dict[str, float] | None:
    """The figures for the first `words` words, None where there are not so many."""
    ids: dict[str, int] = {}
    stream = np.empty(words, dtype=np.uint64)
    documents: list[str] = []
    filled = 0
    for text in texts:
        row = text.split()[: words - filled]
        stream[filled : filled + len(row)] = [ids.setdefault(word, len(ids) + 1) for word in row]
        filled += len(row)
        documents.append(text)
        if filled == words:
            break
    if filled < words:
        return None
    figures: dict[str, float] = {"documents": len(documents)}
    for size in (1, 2, 3, 4, 5, 8):
        hashes = np.zeros(words - size + 1, dtype=np.uint64)
        for place in range(size):
            hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + stream[place : place + len(hashes)]
            hashes ^= hashes >> np.uint64(29)
        share = len(np.unique(hashes)) / len(hashes)
        figures["8-grams seen before" if size == 8 else f"distinct {size}-grams"] = 1 - share if size == 8 else share
    raw = "\n\n".join(documents[: COMPRESSED // 200]).encode()[:COMPRESSED]
    figures["xz"] = len(lzma.compress(raw, preset=9)) / len(raw)
    figures["gzip"] = len(gzip.compress(raw, 9)) / len(raw)
    figures["exact duplicates"] = 1 - len(set(documents)) / len(documents)
    figures["near duplicates"] = near_duplicates(documents[:50_000])
    return figures


def near_duplicates(documents: list[str]) -> float:
    """The share of documents that are near duplicates of an earlier one."""
    random = np.random.default_rng(0)
    multipliers = random.integers(1, 2**63, HASHES, dtype=np.uint64) | np.uint64(1)
    buckets: dict[bytes, int] = {}
    shingles: list[set[int]] = []
    near = 0
    for index, text in enumerate(documents):
        words = text.split()
        grams = {crc32(" ".join(words[i : i + 3]).encode()) for i in range(max(1, len(words) - 2))}
        shingles.append(grams)
        values = np.fromiter(grams, dtype=np.uint64)
        signature = ((values[:, None] * multipliers[None, :]) >> np.uint64(32)).min(axis=0)
        similar = False
        for band in range(BANDS):
            rows = HASHES // BANDS
            key = bytes([band]) + signature[band * rows : (band + 1) * rows].tobytes()
            other = buckets.setdefault(key, index)
            if other != index and not similar:
                both = len(shingles[other] & grams)
                similar = both / (len(shingles[other]) + len(grams) - both) >= NEAR
        near += similar
    return near / len(documents)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--words", type=int, nargs="+", default=[1_000_000, 5_000_000, 20_000_000])
    parser.add_argument("--real", type=Path, nargs="*", default=[])
    parser.add_argument("--language", choices=["pl", "en"])
    options = parser.parse_args()
    for words in options.words:
        for name, texts in [("world", world_texts(options.language)), *((str(p), real_texts(p)) for p in options.real)]:
            figures = measure(texts, words)
            print(f"\n{name}, {words:,} words" + ("" if figures else ": not so many there"))
            for key, value in (figures or {}).items():
                print(f"  {key:22} {value:.4f}" if key != "documents" else f"  {key:22} {value:.0f}")


if __name__ == "__main__":
    main()
