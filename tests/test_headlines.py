"""What a stage achieved in one line: the right forms of words, and only the figures that there are."""

import ast
from pathlib import Path
from typing import Any

import pytest

import anatomia
from anatomia.base.plural import plural
from anatomia.headlines import HEADLINES, headline
from anatomia.messages import UNITS, Messages

ENGLISH, POLISH = Messages("en"), Messages("pl")
SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("number", "form"),
    [
        *((1, "dokument"), (2, "dokumenty"), (4, "dokumenty"), (22, "dokumenty"), (1003, "dokumenty")),
        *((0, "dokumentów"), (5, "dokumentów"), (12, "dokumentów"), (21, "dokumentów"), (112, "dokumentów")),
    ],
)
def test_polish_has_three_forms_and_english_two(number: int, form: str) -> None:
    assert plural("pl", number, ("dokument", "dokumenty", "dokumentów")) == form
    assert plural("en", number, ("document", "documents")) == ("document" if number == 1 else "documents")


def test_headlines_count_in_the_right_form() -> None:
    assert headline("align", {"steps": 1}, ENGLISH) == "1 update of the policy"
    assert [headline("align", {"steps": n}, POLISH) for n in (1, 3, 11)] == [
        "1 poprawka modelu",
        "3 poprawki modelu",
        "11 poprawek modelu",
    ]
    kept = {"documents_kept": 0, "documents_read": 1, "characters_kept": 1004}
    assert headline("corpus", kept, ENGLISH) == "0 of 1 document kept, 1,004 characters"
    assert headline("corpus", kept, POLISH) == f"zachowano 0 z 1 dokumentu, 1{SPACE}004 znaki"


def test_every_word_beside_a_number_has_all_its_forms() -> None:
    for stage, phrases in HEADLINES.items():
        for phrase, count in ((phrase, count) for pair in phrases for phrase, count in zip(pair, (2, 3), strict=True)):
            holes = [hole.partition("}")[0].split("|")[1:] for hole in phrase.split("{")[1:]]
            assert all(len(forms) in (0, count) for forms in holes), (stage, phrase)


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (("base", "finetuned", "aligned"), "exact answers 0% → 50% → 75%"),
        (("base", "aligned"), "exact answers 0% → 75%"),
        (("base", "finetuned"), "exact answers 0% → 50%"),
        (("finetuned",), ""),
    ],
)
def test_exactness_is_said_of_the_models_that_there_are(models: tuple[str, ...], said: str) -> None:
    shares = {"base": 0.0, "finetuned": 0.5, "aligned": 0.75}
    metrics = {name: {"greedy": {"exact": shares[name]}} for name in models}
    assert headline("evaluate", metrics, ENGLISH) == said
    assert headline("evaluate", metrics, POLISH) == said.replace("exact answers", "dokładne odpowiedzi")


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"pl": 4.5, "en": 4.25}, "9 tokens, bytes a token: Polish 4.5, English 4.25"),
        ({"en": 4.25}, "9 tokens, bytes a token: English 4.25"),
        ({"pl": 4.5}, "9 tokens, bytes a token: Polish 4.5"),
        ({}, "9 tokens"),
    ],
)
def test_a_phrase_leaves_out_what_was_not_measured(figures: dict[str, Any], said: str) -> None:
    assert headline("tokenizer", {"vocabulary": 9, "bytes_per_token": figures}, ENGLISH) == said


def test_every_unit_that_a_stage_counts_in_has_its_words() -> None:
    assert ENGLISH.progress(0, 1, "documents") == "0/1 document"
    assert POLISH.progress(1, 1, "documents") == "1/1 dokumentu"
    assert POLISH.progress(2, 1000, "prompts scored") == f"2/1{SPACE}000 ocenionych poleceń"
    sources = [path for directory in anatomia.__path__ for path in Path(directory).rglob("*.py")]
    calls = [node for path in sources for node in ast.walk(ast.parse(path.read_text("utf-8"))) if is_progress(node)]
    units = {unit.value for call in calls for unit in call.args[2:3] if isinstance(unit, ast.Constant)}
    assert {"documents", "steps", "prompts"} <= units <= UNITS.keys()


def is_progress(node: ast.AST) -> Any:
    """Whether the node calls a ledger's `progress`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "progress"
