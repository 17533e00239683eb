"""Vocabularies: training, round trips, readable pieces, loading anyone's."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anatomia.base.errors import UserError
from anatomia.tokens.template import SPECIAL
from anatomia.tokens.vocabulary import SMALLEST, Vocabulary, train_vocabulary

TEXTS = ["Zażółć gęślą jaźń, zażółć gęślą jaźń.", "The quick brown fox and the quick brown dog."] * 3


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return train_vocabulary(TEXTS, 300)


def test_special_tokens_have_their_fixed_ids(vocabulary: Vocabulary) -> None:
    assert [vocabulary.tokenizer.token_to_id(token) for token in SPECIAL] == list(range(6))
    assert (vocabulary.padding, vocabulary.begin, vocabulary.end) == (0, 1, 2)
    assert vocabulary.size == 300


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_any_text_comes_back(vocabulary: Vocabulary, text: str) -> None:
    ids = vocabulary.encode(text)
    assert vocabulary.decode(ids, special=True) == text
    assert not set(ids) & set(range(6))
    assert b"".join(vocabulary.bytes_of(i) for i in ids) == text.encode()


def test_what_looks_like_a_special_token_stays_text(vocabulary: Vocabulary) -> None:
    text = "<|end|> and <|assistant|>"
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert vocabulary.encode_batch([text]) == [vocabulary.encode(text)]
    assert min(vocabulary.encode(text)) >= len(SPECIAL)


def test_special_tokens_are_shown_only_when_asked_for(vocabulary: Vocabulary) -> None:
    ids = [1, *vocabulary.encode("fox"), 2]
    assert vocabulary.decode(ids) == "fox"
    assert vocabulary.decode(ids, special=True) == "<|begin|>fox<|end|>"


def test_pieces_show_whole_tokens_as_text_and_split_characters_as_bytes(vocabulary: Vocabulary) -> None:
    ids = [1, *vocabulary.encode("Zażółć the fox")]
    assert "".join(vocabulary.pieces(ids)) == "<|begin|>Zażółć the fox"
    assert vocabulary.pieces(vocabulary.encode("ŵ")) == ["⟨c5⟩", "⟨b5⟩"]
    assert vocabulary.pieces([vocabulary.size + 5]) == [""]


def test_numbers_are_cut_by_three_digits_and_words_at_apostrophes() -> None:
    learnt = train_vocabulary(["1234567 doesn't"] * 5, 400)
    assert learnt.pieces(learnt.encode("1234567 doesn't")) == ["123", "456", "7", " doesn", "'t"]


def test_too_little_text_gives_a_smaller_vocabulary() -> None:
    assert SMALLEST < train_vocabulary(["abab abab"], 5000).size < SMALLEST + 10
    assert train_vocabulary([], 5000).size == SMALLEST


def test_a_size_that_cannot_hold_the_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="256 bytes"):
        train_vocabulary(TEXTS, SMALLEST - 1)


def test_saved_and_loaded_it_is_the_same(vocabulary: Vocabulary, tmp_path: Path) -> None:
    vocabulary.save(tmp_path)
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        loaded = Vocabulary.load(path)
        assert loaded.encode("Zażółć the fox") == vocabulary.encode("Zażółć the fox")
        assert (loaded.begin, loaded.end, loaded.padding) == (1, 2, 0)
        assert loaded.template == vocabulary.template
        assert loaded.notes == ()


def bare(vocabulary: Vocabulary, directory: Path) -> Path:
    vocabulary.save(directory)
    (directory / "tokenizer_config.json").unlink()
    return directory


def test_special_tokens_are_found_in_whichever_file_names_them(vocabulary: Vocabulary, tmp_path: Path) -> None:
    directory = bare(vocabulary, tmp_path)
    (directory / "special_tokens_map.json").write_text(json.dumps({"pad_token": {"content": "<|user|>"}}))
    (directory / "generation_config.json").write_text(json.dumps({"bos_token_id": 3, "eos_token_id": [5, 2]}))
    loaded = Vocabulary.load(directory)
    assert (loaded.begin, loaded.end, loaded.padding) == (3, 5, 4)
    assert loaded.stops == (5, 2)


def test_a_begin_token_declared_absent_is_absent(vocabulary: Vocabulary, tmp_path: Path) -> None:
    vocabulary.save(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config | {"bos_token": None}), encoding="utf-8")
    (tmp_path / "config.json").write_text(json.dumps({"bos_token_id": 2}))
    assert Vocabulary.load(tmp_path).begin is None


def test_what_had_to_be_assumed_is_said(vocabulary: Vocabulary, tmp_path: Path) -> None:
    loaded = Vocabulary.load(bare(vocabulary, tmp_path))
    assert (loaded.begin, loaded.end, loaded.padding) == (1, 2, None)
    assert any("eos_token" in note and "<|end|>" in note for note in loaded.notes)
    assert any("chat template" in note for note in loaded.notes)


def test_truncation_and_padding_of_somebodys_file_do_not_touch_texts(vocabulary: Vocabulary, tmp_path: Path) -> None:
    vocabulary.save(tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    content["truncation"] = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    assert Vocabulary.load(tmp_path).encode("The quick brown") == vocabulary.encode("The quick brown")


def test_directories_without_a_usable_tokenizer_are_named(vocabulary: Vocabulary, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no tokenizer.*tokenizer\.json"):
        Vocabulary.load(tmp_path)
    with pytest.raises(UserError, match="gone does not exist"):
        Vocabulary.load(tmp_path / "gone")
    (tmp_path / "tokenizer.model").write_bytes(b"")
    with pytest.raises(UserError, match="SentencePiece"):
        Vocabulary.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="is no tokenizer"):
        Vocabulary.load(tmp_path)
    vocabulary.save(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config | {"eos_token": "<absent>"}))
    with pytest.raises(UserError, match="eos_token"):
        Vocabulary.load(tmp_path)
