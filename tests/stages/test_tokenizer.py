"""The tokenizer stage: from a corpus artifact to a vocabulary, shards, figures and specimens."""

import json
from pathlib import Path
from types import SimpleNamespace

import pyarrow
import pyarrow.parquet
import pytest

from anatomia.base.artifact import Artifact
from anatomia.base.errors import UserError
from anatomia.base.events import Ledger, read_events
from anatomia.stages.stage import Context
from anatomia.stages.tokenizer import STAGE, TokenizerSettings
from anatomia.text.document import Document
from anatomia.tokens.shards import read_shard
from anatomia.tokens.vocabulary import Vocabulary

TEXTS = {
    "pl": "Nad rzeką {n} leży miasteczko, w którym mieszka {n} kotów i {n} psów. Każdy z nich ma swoje imię i dom.",
    "en": "On the river number {n} lies a small town where {n} cats and {n} dogs live. Each has its name and a house.",
}


def corpus(directory: Path, train: int, validation: int) -> Artifact:
    directory.mkdir(parents=True)
    for name, numbers in (("train", range(train)), ("validation", range(train, train + validation))):
        documents = [
            Document(TEXTS[language].format(n=n * n), "made up", language, {"genre": "town"})
            for n in numbers
            for language in TEXTS
        ]
        table = {
            "id": [d.id for d in documents],
            "text": [d.text for d in documents],
            "source": [d.source for d in documents],
            "language": [d.language for d in documents],
            "meta": [json.dumps(d.meta) for d in documents],
        }
        schema = pyarrow.schema([(column, pyarrow.string()) for column in table])
        pyarrow.parquet.write_table(pyarrow.table(table, schema), directory / f"{name}.parquet")
    return Artifact(directory, "corpus", "", {}, {}, {}, {}, 0.0, "")


def context(directory: Path, settings: TokenizerSettings, train: int = 60, validation: int = 5) -> Context:
    work = directory / "work"
    work.mkdir(parents=True)
    inputs = {"corpus": corpus(directory / "corpus", train, validation)}
    return Context({"tokenizer": settings}, inputs, work, Ledger(work / "events.jsonl"), 1, directory)


def test_documents_come_back_from_the_shards(tmp_path: Path) -> None:
    here = context(tmp_path, TokenizerSettings(size=400))
    metrics = STAGE.run(here)
    vocabulary = Vocabulary.load(here.work)
    for name in ("train", "validation"):
        shard = read_shard(here.work, name)
        texts = pyarrow.parquet.read_table(tmp_path / "corpus" / f"{name}.parquet")["text"].to_pylist()
        assert len(shard) == len(texts) == metrics[f"{name}_documents"]
        assert metrics[f"{name}_tokens"] == len(shard.tokens)
        assert metrics[f"{name}_bytes"] == sum(len(text.encode()) for text in texts)
        for index, text in enumerate(texts):
            ids = shard.document(index).tolist()
            assert (ids[0], ids[-1]) == (vocabulary.begin, vocabulary.end)
            assert vocabulary.decode(ids) == text
    assert metrics["vocabulary"] == vocabulary.size == 400
    assert set(metrics["bytes_per_token"]) == {"all", "pl", "en"}
    assert all(1 < value < 10 for value in metrics["bytes_per_token"].values())


def test_the_same_corpus_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        STAGE.run(context(tmp_path / name, TokenizerSettings(size=350)))
    files = [p.name for p in sorted((tmp_path / "a" / "work").iterdir()) if p.is_file() and p.name != "events.jsonl"]
    assert "tokenizer.json" in files
    assert "train.tokens.npy" in files
    for name in files:
        assert (tmp_path / "a/work" / name).read_bytes() == (tmp_path / "b/work" / name).read_bytes(), name


def test_specimens_show_the_languages_side_by_side(tmp_path: Path) -> None:
    here = context(tmp_path, TokenizerSettings(size=400))
    STAGE.run(here)
    specimens = json.loads((here.work / "specimens.json").read_text(encoding="utf-8"))
    assert [s["language"] for s in specimens["sentences"][:2]] == ["en", "pl"]
    for sentence in specimens["sentences"]:
        assert "".join(token["text"] for token in sentence["tokens"]) == sentence["text"]
    assert len(specimens["merges"]) == 30
    assert specimens["longest"][0].strip() in " ".join(TEXTS.values())
    assert set(specimens["compression"]) == {"pl", "en"}


def test_a_small_corpus_gives_a_smaller_vocabulary_and_says_so(tmp_path: Path) -> None:
    here = context(tmp_path, TokenizerSettings(size=30_000), train=3, validation=0)
    metrics = STAGE.run(here)
    assert 262 < metrics["vocabulary"] < 1000
    notes = [event["text"] for event in read_events(here.work / "events.jsonl") if event["kind"] == "note"]
    assert any("tokenizer.size = 30000" in note for note in notes)
    assert metrics["validation_tokens"] == 0
    assert set(metrics["bytes_per_token"]) == {"all", "pl", "en"}


def test_training_text_is_capped_and_spread_over_the_corpus(tmp_path: Path) -> None:
    whole = STAGE.run(context(tmp_path / "a", TokenizerSettings(size=2000)))
    part = STAGE.run(context(tmp_path / "b", TokenizerSettings(size=2000, train_megabytes=0.002)))
    assert part["vocabulary"] < whole["vocabulary"]
    assert part["bytes_per_token"]["pl"] > 2
    assert part["bytes_per_token"]["en"] > 2


def test_somebodys_tokenizer_is_taken_as_it_is(tmp_path: Path) -> None:
    first = context(tmp_path / "a", TokenizerSettings(size=400))
    STAGE.run(first)
    settings = TokenizerSettings.model_validate({"from": str(first.work)})
    second = context(tmp_path / "b", settings)
    STAGE.run(second)
    for name in ("tokenizer.json", "tokenizer_config.json", "train.tokens.npy"):
        assert (first.work / name).read_bytes() == (second.work / name).read_bytes()
    assert first.work / "tokenizer.json" in STAGE.reads(SimpleNamespace(tokenizer=settings), tmp_path)


def test_mistakes_are_named_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tokenizer\.size = 100 .* 262"):
        STAGE.check(SimpleNamespace(tokenizer=TokenizerSettings(size=100)), tmp_path)
    with pytest.raises(UserError, match=r"nowhere.*tokenizer\.json"):
        STAGE.check(SimpleNamespace(tokenizer=TokenizerSettings(from_="nowhere")), tmp_path)
