"""Specimens from tokens and batches."""

from pathlib import Path

import numpy as np
import pytest

from anatomia.base.artifact import LEDGER
from anatomia.base.events import Ledger
from anatomia.explain import specimens
from anatomia.tokens.batches import Packed
from anatomia.tokens.shards import Shard
from anatomia.tokens.vocabulary import Vocabulary, train_vocabulary


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return train_vocabulary(["ala ma kota, kot ma alę " * 20], 300)


def test_a_window_knows_the_true_next_token() -> None:
    window = specimens.window_specimen(["A", " b", " c"], {2: [(" d", 0.25), (" c", 0.5)], 1: []})
    assert [p["context"] for p in window["predictions"]] == [1, 2]
    assert window["predictions"][1]["next"] == " c"
    assert [c["token"] for c in window["predictions"][1]["candidates"]] == [" c", " d"]


@pytest.mark.parametrize("length", [0, 3])
def test_a_window_needs_a_token_after_the_context(length: int) -> None:
    with pytest.raises(ValueError, match="1…2"):
        specimens.window_specimen(["A", " b", " c"], {length: []})


def test_masks_and_padding() -> None:
    assert specimens.mask_specimen(["q", "a"], [0.0, 0.5], "x:1")["weights"] == [0, 1]
    with pytest.raises(ValueError, match="2 tokens, but 1 weights"):
        specimens.mask_specimen(["q", "a"], [1])
    rows = specimens.padding_specimen([["a", "b", "c"], ["d"]], "·")["rows"]
    assert rows[1] == {"tokens": ["d", "·", "·"], "padding": [False, True, True]}


def test_a_packed_row_keeps_documents_and_positions(vocabulary: Vocabulary) -> None:
    texts = [vocabulary.encode("ala ma kota"), vocabulary.encode("kot")]
    tokens = [[vocabulary.begin, *ids, vocabulary.end] for ids in texts]
    starts = np.cumsum([0, *map(len, tokens)])
    shard = Shard(np.array([token for ids in tokens for token in ids]), starts)
    context = sum(map(len, tokens))
    batch = next(iter(Packed(shard, context, 1, 0, vocabulary.padding or 0).once()))
    row = specimens.packed_specimen(batch, 0, vocabulary)
    assert row["tokens"][0] == "<|begin|>"
    assert sorted(set(row["documents"])) == [-1, 0, 1]
    for document in (0, 1):
        positions = [p for p, d in zip(row["positions"], row["documents"], strict=True) if d == document]
        assert positions == list(range(len(positions)))


def test_tokens_join_to_the_text(vocabulary: Vocabulary) -> None:
    shown = specimens.tokens_specimen(vocabulary, "kot ma ala")
    assert "".join(token["text"] for token in shown["tokens"]) == "kot ma ala"
    assert (shown["characters"], shown["bytes"]) == (10, 10)


def test_samples_on_the_way_are_the_ledger_s_and_the_last(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / LEDGER)
    ledger.event("step", step=1, loss=3.0)
    ledger.event("sample", step=1, prompt="Ala", text=" ma", extra="x")
    last = {"step": 2, "prompt": "Ala", "text": " ma kota"}
    assert specimens.samples_on_the_way(tmp_path, [last]) == [{"step": 1, "prompt": "Ala", "text": " ma"}, last]
    assert specimens.samples_on_the_way(tmp_path / "nowhere", [last]) == [last]
