"""Tasks of Natural Instructions as prompts: all versions, with and without examples."""

import json
from pathlib import Path
from typing import Any

import pytest

from anatomia.base.errors import UserError
from anatomia.text.dialogue import Dialogue
from anatomia.text.dialogues import read_dialogues
from anatomia.text.instructions import Examples
from anatomia.text.overlap import rouge_l

GOOD = [{"input": f"good {n}", "output": f"yes {n}", "explanation": f"because {n}"} for n in (1, 2, 3)]
BAD = [{"input": "bad", "output": "no", "explanation": "-"}]
RELEASED = {
    "Definition": ["Say yes."], "Categories": ["Misc."], "Input_language": ["English"], "Output_language": ["Polish"],
    "Instruction_language": ["English"], "Positive Examples": GOOD, "Negative Examples": BAD,
    "Instances": [{"id": "task1-1", "input": "now", "output": ["tak", "owszem"]}], "Instance License": ["Unknown"],
}  # fmt: skip
DRAFT = {
    **RELEASED, "Definition": "Say yes.", "Output_language": "Polish", "Instances": [{"input": "now", "output": "tak"}],
}  # fmt: skip
FIRST = {
    "Title": "Yes", "Prompt": "Say it.", "Definition": "Say yes.", "Things to Avoid": "No.", "Emphasis & Caution": "-",
    "Instances": [{"input": "now", "output": ["tak"]}],
    "Examples": {
        "Positive Examples": [{"input": "good 1", "output": "yes 1", "reason": "because 1"}],
        "Negative Examples": ["-"],
    },
}  # fmt: skip


def read(tmp_path: Path, task: dict[str, Any], examples: Examples | None = None) -> Dialogue:
    path = tmp_path / "task1_yes.json"
    path.write_text(json.dumps(task), encoding="utf-8")
    (found,) = read_dialogues([path], examples=examples)
    return found


@pytest.mark.parametrize("task", [RELEASED, DRAFT])
def test_a_definition_and_an_instance(tmp_path: Path, task: dict[str, Any]) -> None:
    found = read(tmp_path, task)
    assert [turn.content for turn in found.turns] == ["Say yes.\n\nnow", "tak"]
    assert (found.meta["task"], found.meta["language"], found.meta["category"]) == ("task1_yes", "pl", "Misc.")
    assert found.source == "task1_yes.json:1"


def test_all_references_are_kept(tmp_path: Path) -> None:
    assert read(tmp_path, RELEASED).meta["references"] == ["tak", "owszem"]


def test_examples_come_in_order_and_with_what_explains_them(tmp_path: Path) -> None:
    asked = read(tmp_path, RELEASED, Examples(2, 1)).turns[0].content
    assert asked == (
        "Say yes.\n\nPositive example 1:\nInput: good 1\nOutput: yes 1"
        "\n\nPositive example 2:\nInput: good 2\nOutput: yes 2"
        "\n\nNegative example 1:\nInput: bad\nOutput: no\n\nNow complete the following example:\nInput: now\nOutput:"
    )
    explained = read(tmp_path, RELEASED, Examples(9, 9, True)).turns[0].content
    assert [line for line in explained.split("\n") if line.startswith("Expl")] == [
        "Explanation: because 1", "Explanation: because 2", "Explanation: because 3",
    ]  # fmt: skip
    assert explained.count("example") == 5


def test_version_1_says_what_to_avoid_and_leaves_out_what_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path, FIRST).turns[0].content == "Say yes.\n\nSay it.\n\nThings to avoid: No.\n\nnow"
    asked = read(tmp_path, FIRST, Examples(1, 1, True)).turns[0].content
    assert "Positive example 1:\nInput: good 1\nOutput: yes 1\nExplanation: because 1\n\nNow complete" in asked
    assert "Negative" not in asked


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"Instances": "none"}, "Instances is a list"),
        ({"Instances": [{"input": "x"}]}, "instance 1 has no input and output"),
        ({"Positive Examples": [{"input": "x"}]}, "example 1 of Positive Examples has no input and output"),
        ({"Definition": {"a": 1}}, "Definition is text, not dict"),
    ],
)
def test_what_is_wrong_in_a_task_is_named(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=rf"task1_yes\.json, record 1: {complaint}"):
        read(tmp_path, RELEASED | changes, Examples(1, 1))


def test_a_language_without_a_code_is_not_taken_for_english(tmp_path: Path) -> None:
    found = read(tmp_path, RELEASED | {"Output_language": ["Igbo"]})
    assert found.meta["language"] == "igbo"
    assert rouge_l("running", ["runs"], found.meta["language"]) == 0
    assert "language" not in read(tmp_path, RELEASED | {"Output_language": ["English", "Polish"]}).meta


@pytest.mark.real
def test_every_real_task_has_prompts_with_examples(real_data: Path) -> None:
    files = sorted((real_data / "instruct").glob("natural-instructions-v*/*"))
    without = list(read_dialogues(files))
    with_two = list(read_dialogues(files, examples=Examples(2, 1, True)))
    assert len(without) == len(with_two) == 8607
    for plain, full in zip(without, with_two, strict=True):
        asked = full.turns[0].content
        assert asked.count("\n\nPositive example ") == 2, full.source
        assert asked.endswith("\nOutput:")
        assert full.turns[1] == plain.turns[1]
        assert full.meta == plain.meta
