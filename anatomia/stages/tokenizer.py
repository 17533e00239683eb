"""tokenizer: a vocabulary learnt from the corpus (or somebody's), and the corpus in its tokens."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute
import pyarrow.parquet
from pydantic import ConfigDict, Field

from anatomia.base.errors import UserError
from anatomia.base.files import write_json
from anatomia.base.settings import Settings
from anatomia.stages.stage import Context, Metrics, Stage
from anatomia.tokens.shards import Shard, token_type, write_shard
from anatomia.tokens.specimens import compare_sentences, first_merges, longest_tokens
from anatomia.tokens.vocabulary import SMALLEST, Vocabulary, train_vocabulary

PASSAGE = 10_000
"""Characters: training text is chosen by passages of at most this length, so that one long book does not decide."""


AT_ONCE = 4_000_000
"""Characters that are encoded together: enough to keep all cores busy, little enough to hold."""


class TokenizerSettings(Settings):
    """The recipe's section [tokenizer].

    Attributes:
        size: tokens in the vocabulary, special ones included.
        from_: (`from` in a recipe) somebody's tokenizer to use instead: a tokenizer.json or a Hugging Face directory.
        train_megabytes: most text to learn the vocabulary from, taken evenly from the whole corpus.
    """

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    size: int = 4096
    from_: str | None = Field(default=None, alias="from")
    train_megabytes: float = Field(default=32.0, gt=0)


@dataclass
class Count:
    """Documents, bytes and tokens of one language."""

    documents: int = 0
    bytes: int = 0
    tokens: int = 0


@dataclass
class Split:
    """One part of the corpus, encoded."""

    shard: Shard
    languages: dict[str, Count] = field(default_factory=dict)

    def total(self, what: str) -> int:
        """The sum over languages of `documents`, `bytes` or `tokens`."""
        return sum(getattr(count, what) for count in self.languages.values())


def run(context: Context) -> Metrics:
    """Learn or load the vocabulary, write it, encode the corpus into shards."""
    settings = context.settings["tokenizer"]
    assert isinstance(settings, TokenizerSettings)
    corpus = context.inputs["corpus"]
    train, validation = corpus.file("train.parquet"), corpus.file("validation.parquet")
    vocabulary = _vocabulary(settings, context, train)
    for note in vocabulary.notes:
        context.ledger.note(note)
    vocabulary.save(context.work)
    encoder = _Encoder(vocabulary, context, _rows(train) + _rows(validation))
    parts = {"train": encoder.encode(train, "train"), "validation": encoder.encode(validation, "validation")}
    compression = _compression(parts)
    write_json(
        context.work / "specimens.json",
        {
            "sentences": compare_sentences(vocabulary, _sample(train)),
            "merges": first_merges(vocabulary, 30),
            "longest": longest_tokens(vocabulary, 30),
            "compression": {name: value for name, value in compression.items() if name != "all"},
        },
    )
    return {
        "vocabulary": vocabulary.size,
        "train_documents": parts["train"].total("documents"),
        "train_tokens": len(parts["train"].shard.tokens),
        "train_bytes": parts["train"].total("bytes"),
        "validation_documents": parts["validation"].total("documents"),
        "validation_tokens": len(parts["validation"].shard.tokens),
        "validation_bytes": parts["validation"].total("bytes"),
        "bytes_per_token": compression,
    }


def _vocabulary(settings: TokenizerSettings, context: Context, train: Path) -> Vocabulary:
    if settings.from_ is not None:
        return Vocabulary.load(context.root / settings.from_)
    context.ledger.note(f"Learning a vocabulary of {settings.size} tokens from the corpus.")
    vocabulary = train_vocabulary(_passages(train, settings.train_megabytes * 1e6), settings.size)
    if vocabulary.size < settings.size:
        context.ledger.note(
            f"The corpus holds too little text for tokenizer.size = {settings.size}: "
            f"the vocabulary has {vocabulary.size} tokens."
        )
    return vocabulary


class _Encoder:
    """Encodes parts of the corpus and tells the ledger how far it is."""

    def __init__(self, vocabulary: Vocabulary, context: Context, documents: int) -> None:
        self.vocabulary, self.context, self.documents, self.done = vocabulary, context, documents, 0
        self.before = [] if vocabulary.begin is None else [vocabulary.begin]

    def encode(self, parquet: Path, name: str) -> Split:
        """Each document of `parquet` as begin, text, end in the shard `name`."""
        languages: dict[str, Count] = {}
        shard = write_shard(
            self.context.work, name, self._sequences(parquet, languages), token_type(self.vocabulary.size)
        )
        return Split(shard, languages)

    def _sequences(self, parquet: Path, languages: dict[str, Count]) -> Iterator[list[int]]:
        for rows in _batches(parquet, ["text", "language"]):
            encoded = self.vocabulary.encode_batch([row["text"] for row in rows])
            for row, ids in zip(rows, encoded):
                count = languages.setdefault(row["language"] or "", Count())
                count.documents += 1
                count.bytes += len(row["text"].encode())
                count.tokens += len(ids)
                yield [*self.before, *ids, self.vocabulary.end]
            self.done += len(rows)
            self.context.ledger.progress(self.done, self.documents, "documents")


def _batches(parquet: Path, columns: list[str]) -> Iterator[list[dict[str, Any]]]:
    """The rows in order, about a thousand at a time, fewer where they are books."""
    rows: list[dict[str, Any]] = []
    characters = 0
    for batch in pyarrow.parquet.ParquetFile(parquet).iter_batches(batch_size=64, columns=columns):
        for row in batch.to_pylist():
            rows.append(row)
            characters += len(row["text"])
        if len(rows) >= 1024 or characters >= AT_ONCE:
            yield rows
            rows, characters = [], 0
    if rows:
        yield rows


def _rows(parquet: Path) -> int:
    return int(pyarrow.parquet.ParquetFile(parquet).metadata.num_rows)


def _passages(parquet: Path, limit: float) -> Iterator[str]:
    """Text for training: all of it, or every so-manieth passage where there are more than `limit` bytes."""
    total = 0
    for batch in pyarrow.parquet.ParquetFile(parquet).iter_batches(columns=["text"]):
        total += pyarrow.compute.sum(pyarrow.compute.binary_length(batch.column("text"))).as_py() or 0
    share = min(1.0, limit / max(total, 1))
    due = 0.0
    for rows in _batches(parquet, ["text"]):
        for row in rows:
            for start in range(0, len(row["text"]), PASSAGE):
                passage = row["text"][start : start + PASSAGE]
                due += share * len(passage)
                if due >= len(passage):
                    due -= len(passage)
                    yield passage


def _compression(parts: dict[str, Split]) -> dict[str, float]:
    """Bytes per token, overall ("all") and by language, on validation documents where there are any."""
    figures = {}
    languages = sorted({name for part in parts.values() for name in part.languages if name})
    for language in ["all", *languages]:
        for part in (parts["validation"], parts["train"]):
            counts = [count for name, count in part.languages.items() if language in ("all", name)]
            tokens = sum(count.tokens for count in counts)
            if tokens:
                figures[language] = round(sum(count.bytes for count in counts) / tokens, 4)
                break
    return figures


def _sample(parquet: Path) -> list[dict[str, Any]]:
    """Some documents from all over the corpus, chosen by their ids: {"text", "language", "genre"}."""
    chosen: list[tuple[str, dict[str, Any]]] = []
    for rows in _batches(parquet, ["id", "text", "language", "meta"]):
        keyed = ((hashlib.blake2b(row["id"].encode(), digest_size=8).hexdigest(), row) for row in rows)
        chosen = sorted([*chosen, *keyed], key=lambda pair: pair[0])[:400]
    return [
        {
            "text": row["text"][:PASSAGE],
            "language": row["language"],
            "genre": json.loads(row["meta"] or "{}").get("genre"),
        }
        for _, row in chosen
    ]


def _check(recipe: Any, root: Path) -> None:
    settings = recipe.tokenizer
    if settings.from_ is not None:
        Vocabulary.load(root / settings.from_)
    elif settings.size < SMALLEST:
        raise UserError(
            f"tokenizer.size = {settings.size} is too small: 256 bytes and {SMALLEST - 256} special tokens need "
            f"{SMALLEST}; 1000 or more make sense"
        )


def _reads(recipe: Any, root: Path) -> list[Path]:
    if recipe.tokenizer.from_ is None:
        return []
    path = root / recipe.tokenizer.from_
    return sorted(path.glob("*.json")) + sorted(path.glob("*.jinja")) if path.is_dir() else [path]


STAGE = Stage(
    name="tokenizer",
    version=1,
    sections=("tokenizer",),
    run=run,
    parents=lambda recipe: ("corpus",),
    check=_check,
    reads=_reads,
)
