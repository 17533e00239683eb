"""Stop strings end a text exactly where they begin, however they lie across tokens and characters."""

import itertools
from dataclasses import replace

import pytest
import torch
from model.tiny import PLAIN, decoder

from anatomia.generate import chat as chats
from anatomia.generate import engine
from anatomia.generate.engine import generate
from anatomia.generate.sampling import Sampling
from anatomia.generate.stopping import cut, settled
from anatomia.model.decoder import Decoder
from anatomia.tokens.vocabulary import Vocabulary, train_vocabulary

TEXT = "Zażółć gęślą jaźń: the end of the river, the end. 🐟 swims"


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    """Merges of a few letters; what it has not seen falls apart into bytes."""
    return train_vocabulary(["the end of the river, the end. gęślą jaźń"] * 10, 300)


class Scripted:
    """In place of a model: writes given tokens, whatever it reads."""

    def __init__(self, script: list[int], vocabulary: Vocabulary) -> None:
        self.script, self.size, self.place = script, vocabulary.size, 0
        self.logits = self.row()

    def row(self) -> torch.Tensor:
        row = torch.full((1, self.size), -20.0)
        row[0, self.script[self.place]] = 20.0
        self.place += 1
        return row

    def step(self, tokens: torch.Tensor, kept: torch.Tensor | None) -> torch.Tensor:
        return self.row()


@pytest.fixture
def speaker(vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch) -> chats.Speaker:
    """Says `TEXT`, in the vocabulary's tokens."""
    script = [*vocabulary.encode(TEXT), vocabulary.end]
    model = Decoder(replace(PLAIN, vocabulary=vocabulary.size, context=200, end=(vocabulary.end,)))
    monkeypatch.setattr(engine, "begin", lambda *_: Scripted(script, vocabulary))
    return chats.Speaker(model, vocabulary)


WHERE = [TEXT[start:stop] for start, stop in itertools.combinations(range(0, len(TEXT), 3), 2) if stop - start < 13]


@pytest.mark.parametrize("stop", [*WHERE, "ż", "🐟", "nowhere", "e", "eg", "swims", TEXT])
def test_a_text_ends_where_the_stop_string_begins(stop: str, speaker: chats.Speaker, vocabulary: Vocabulary) -> None:
    sampling = Sampling(0.0, max_new=150, stop=(stop,))
    found = chats.complete(speaker, "x", sampling)[0]
    assert found["text"] == TEXT.partition(stop)[0]
    assert found["finished"]
    ids = [*vocabulary.encode(TEXT), vocabulary.end]
    until = next((n for n in range(len(ids) + 1) if stop in vocabulary.decode(ids[:n])), len(ids))
    assert found["tokens"] == until, "it must stop with the token that completes the string"


@pytest.mark.parametrize("stop", [(), ("ż",), ("the end.",), ("🐟",), ("jaźń!", " river, x", "sw"), ("nowhere",)])
def test_a_growing_answer_never_shows_a_stop_string(stop: tuple[str, ...], speaker: chats.Speaker) -> None:
    pieces = list(chats.stream(speaker, [{"role": "user", "content": "x"}], Sampling(0.0, max_new=150, stop=stop)))
    assert "".join(pieces) == cut(TEXT, stop)
    assert all(pieces), "an empty piece would mean the end of the answer"
    assert len(pieces) > 1


def test_the_first_of_several_stop_strings_counts() -> None:
    assert cut("one two three", ("three", "two")) == "one "
    assert cut("one two three", ("two three", "two")) == "one "
    assert cut("one two three", ()) == "one two three"


def test_what_could_begin_a_stop_string_waits() -> None:
    stops = ("###", "\n\nUser")
    assert settled("a #", stops) == "a "
    assert settled("a ##x", stops) == "a ##x"
    assert settled("a\n", stops) == "a"
    assert settled("a\n\nUse", stops) == "a"
    assert settled("a\n\nUser b", stops) == "a"
    assert settled("a �", stops) == "a "
    assert settled("a #�", stops) == "a "


def test_each_row_of_a_batch_stops_by_itself(vocabulary: Vocabulary) -> None:
    model = decoder(vocabulary=vocabulary.size, end=())
    prompts, seeds = [[5], [6, 7], [8]], [1, 2, 3]
    free = generate(model, prompts, seeds, Sampling(max_new=30))
    stop = (vocabulary.decode(free[1].ids[10:11]),)
    stopped = generate(model, prompts, seeds, Sampling(max_new=30, stop=stop), vocabulary=vocabulary)
    for whole, part in zip(free, stopped, strict=True):
        first = next((n for n in range(31) if stop[0] in vocabulary.decode(whole.ids[:n])), None)
        assert part.ids == whole.ids[:first]
        assert part.finished == (first is not None)
    assert len(stopped[1].ids) <= 11


def test_stop_strings_need_a_vocabulary() -> None:
    with pytest.raises(ValueError, match="vocabulary"):
        generate(decoder(), [[5]], [0], Sampling(stop=("x",)))
