"""From specimens to what chapters show."""

from pathlib import Path
from typing import Any

import pytest

from anatomia.base.artifact import Artifact
from anatomia.explain.chapters.corpus import difference, reason, shorten
from anatomia.explain.chapters.evaluation import in_context, opening
from anatomia.explain.chapters.shared import spread, stars
from anatomia.explain.chapters.training import looks
from anatomia.explain.gather import View
from anatomia.explain.texts import Both
from anatomia.text.document import Document
from anatomia.text.quality import Limits, judge
from anatomia.text.words import words_of


def test_what_cleaning_removed_is_marked() -> None:
    pieces = difference("Menu | Kontakt\nAla  ma kota.", "Ala ma kota.")
    assert "".join(text for _, text in pieces) == "Menu | Kontakt\nAla  ma kota."
    assert "".join(text for removed, text in pieces if removed).startswith("Menu | Kontakt")
    kept = "".join(text for removed, text in pieces if not removed)
    assert kept.split() == ["Ala", "ma", "kota."]


def test_long_pages_end_in_an_ellipsis() -> None:
    assert shorten([(False, "a" * 500), (True, "b" * 500), (False, "c")])[-1] == (False, " …")
    assert shorten([(False, "short")]) == [(False, "short")]


def test_reasons_the_corpus_gives_are_said_in_polish_too() -> None:
    texts = [
        "Za krótko.",
        "Tanie opony!\n" * 60,
        "7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30",
    ]
    verdicts = judge([Document(text, "x", "pl") for text in texts], words_of(texts), Limits())
    assert all(said for _, said in verdicts)
    for _, said in verdicts:
        both = reason(said)
        assert isinstance(both, Both), said
        assert both.en.unescape() == said
        assert both.pl != said


def test_a_count_of_one_has_its_own_form_in_both_languages() -> None:
    (verdict,) = judge([Document("Kot.", "x", "pl")], words_of(["Kot."]), Limits())
    said = reason(verdict[1])
    assert isinstance(said, Both)
    assert said.en == "1 word, fewer than 10"
    assert said.pl == "1 słowo, a\u00a0trzeba co najmniej 10"
    assert isinstance(reason("1 words, fewer than 10"), Both), "as older runs have it"


def test_an_unknown_reason_is_left_as_it_is() -> None:
    assert reason("because of the <weather>") == "because of the <weather>"


@pytest.mark.parametrize(("value", "fill"), [(5.0, 100), (2.5, 50), (0, 0), (None, 0), (float("nan"), 0)])
def test_stars(value: float | None, fill: float) -> None:
    assert stars(value)["fill"] == fill


def test_looks_at_held_out_text_begin_before_and_end_after_the_training() -> None:
    def seen(metrics: dict[str, Any], *steps: int) -> list[tuple[float, float]]:
        events = [{"kind": "validation", "step": step, "loss": 1.0} for step in steps]
        artifact = Artifact(Path(), "finetune", "", {}, {}, {}, metrics, 0.0, "")
        return looks(View("finetune", artifact, {}, events), "loss", "validation_loss", "held_out_loss")

    metrics = {"steps": 30, "held_out_loss_before": 3.0, "held_out_loss": 0.5}
    assert seen(metrics, 10, 20) == [(0, 3.0), (10, 1.0), (20, 1.0), (30, 0.5)]
    assert seen(metrics, 10, 30) == [(0, 3.0), (10, 1.0), (30, 1.0)]
    assert seen({"steps": 30, "validation_loss": 0.9}) == [(30, 0.9)]
    assert seen({}, 10) == [(10, 1.0)]


def test_spread_keeps_the_last() -> None:
    assert spread(list(range(20)), 7)[-1] == 19
    assert len(spread(list(range(20)), 7)) <= 7
    assert spread([1, 2], 7) == [1, 2]


def test_the_page_opens_with_a_question_that_all_models_answer_differently() -> None:
    def question(prompt: str, *answers: tuple[str, bool]) -> dict[str, Any]:
        names = ("base", "finetuned", "aligned")
        rows = {n: {"text": text, "verdict": {"right": right}} for n, (text, right) in zip(names, answers, strict=True)}
        return {"prompt": prompt, "answers": rows}

    same = question("same?", ("Who?", False), ("Yes it is.", True), ("Yes it is.", True))
    wrong = question("wrong?", ("Who?", False), ("Yes.", True), ("No it is not.", False))
    differ = question("differ?", ("Who?", False), ("Yes.", True), ("Yes it is.", True))
    view = View(
        "evaluate", Artifact(Path(), "evaluate", "", {}, {}, {}, {}, 0.0, ""), {"questions": [same, wrong, differ]}, []
    )
    chosen = opening(view)
    assert chosen is not None
    assert chosen["prompt"] == "differ?"


def test_what_found_no_room_in_the_context_is_told_and_long_texts_are_cut_at_their_beginning() -> None:
    figures = {"base": {"in_context": {"0": {"rouge_l": 0.1, "shown": 0.0}, "4": {"rouge_l": 0.2, "shown": 1.1}}}}
    specimens = {"in_context": {"asked": "a" * 900 + "\nquestion\n", "answer": " "}}
    shown = in_context(View("evaluate", Artifact(Path(), "evaluate", "", {}, {}, {}, figures, 0.0, ""), specimens, []))
    assert shown is not None
    assert [group["name"].en for group in shown["groups"]] == [
        "no examples",
        "examples before the question: 4, of which 1.1 found room on average",
    ]
    assert shown["read"]["asked"].startswith("… a")
    assert shown["read"]["asked"].endswith("question\n")
    assert shown["read"]["answer"] == ""
