"""Where stages get dialogues and prompts from, and that whatever they leave out is told."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokens.chat_templates import NO_SYSTEM, somebodys

from anatomia.base.errors import UserError
from anatomia.base.events import Ledger
from anatomia.sentences import sentence
from anatomia.stages import modules
from anatomia.stages.corpus import WorldSettings
from anatomia.stages.dialogues import (
    InstructionsSettings,
    load_demonstrations,
    load_dialogues,
    load_prompts,
    split_dialogues,
    taken,
)
from anatomia.stages.finetune import to_shard
from anatomia.stages.stage import Context
from anatomia.text.dialogue import Dialogue, Turn

RECORDS = [{"instruction": f"Say {n}.", "output": f"{n}"} for n in range(200)]
ODD = [{"instruction": "Answer me.", "output": ""}, {"instruction": "", "output": "x"}]


class Told(list[str]):
    """A run's stage whose notes are kept."""

    def context(self, root: Path, **instructions: Any) -> Context:
        def listen(event: dict[str, Any]) -> None:
            if event["kind"] == "note":
                self.append(event["text"])

        settings = {"world": WorldSettings(), "instructions": InstructionsSettings(**instructions)}
        return Context(settings, {}, root, Ledger(None, [listen]), 0, root)


def write(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def test_what_is_left_out_of_files_is_told_with_its_reason(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [*RECORDS, *ODD])
    told = Told()
    assert len(load_dialogues(told.context(tmp_path), ["a.jsonl"], "finetune.dialogues", 0)) == 200
    assert told == [
        "finetune.dialogues: 1 × left out of the files: no answer",
        "finetune.dialogues: 1 × left out of the files: no question",
    ]
    assert sentence(told[0]) == "finetune.dialogues: 1 × pominięte z plików: brak odpowiedzi"


def test_a_prompt_needs_no_answer_and_is_never_one_that_was_learnt(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [*RECORDS, *ODD])
    told = Told()
    context = told.context(tmp_path)
    asked = {held: load_prompts(context, ["a.jsonl"], "k", 999, held, "x") for held in (False, True)}
    assert len(asked[False]) + len(asked[True]) == 201
    assert "Answer me." in {prompt.turns[-1].content for prompts in asked.values() for prompt in prompts}
    assert told == ["k: 1 × left out of the files: no question"] * 2
    learnt, _ = split_dialogues(load_dialogues(context, ["a.jsonl"], "k", 0))
    shown = load_demonstrations(context, ["a.jsonl"], "k", 0)
    held_out = {prompt.turns for prompt in asked[True]}
    assert held_out
    assert not held_out & {dialogue.turns[:1] for dialogue in [*learnt, *shown]}
    assert len(shown) == len(learnt)


def test_every_stage_asks_tasks_in_the_same_words(tmp_path: Path) -> None:
    """Else a prompt that is held out in one stage might be learnt in another."""
    task = {
        "Definition": ["Say it."],
        "Positive Examples": [{"input": "a", "output": "b"}],
        "Negative Examples": [],
        "Instances": [{"input": str(n), "output": [str(n)]} for n in range(60)],
    }
    (tmp_path / "task1.json").write_text(json.dumps(task), encoding="utf-8")
    context = Told().context(tmp_path, positive=1)
    learnt = load_dialogues(context, ["task1.json"], "k", 0)
    prompts = [one for held in (False, True) for one in load_prompts(context, ["task1.json"], "k", 99, held, "x")]
    shown = load_demonstrations(context, ["task1.json"], "k", 0)
    assert all("Positive example 1:" in one.turns[0].content for one in [*learnt, *prompts, *shown])
    readers = [module.STAGE for module in modules() if "world" in module.STAGE.sections]
    reading = {stage.name for stage in readers if "instructions" in stage.sections}
    assert reading == {"finetune", "sample", "align", "evaluate"}


def test_dialogues_that_a_template_refuses_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    vocabulary = somebodys(tmp_path, NO_SYSTEM)
    good = Dialogue((Turn("system", "s"), Turn("user", "a"), Turn("assistant", "b")), "x.jsonl:1")
    odd = Dialogue((Turn("user", "a"), Turn("assistant", "b"), Turn("assistant", "c")), "x.jsonl:2")
    shard, too_long, refused = to_shard([good, odd, good], vocabulary, 99)
    assert (len(shard), too_long, list(refused)) == (2, 0, [1])
    told = Told()
    assert taken(told.context(tmp_path), "finetune.dialogues", [good, odd, good], refused, vocabulary) == [good, good]
    first, second = told
    assert first.startswith("finetune.dialogues: the chat template refuses 1 of 3 dialogues; x.jsonl:2: the chat")
    assert second.endswith("refuses what the system says; it is put before the first question")
    assert all(sentence(said) != said for said in told)
    with pytest.raises(UserError, match=r"x\.jsonl:2: the chat template of .* roles must alternate"):
        to_shard([odd, odd], vocabulary, 99)
