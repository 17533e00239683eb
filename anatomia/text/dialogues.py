"""Dialogues from files, whatever dataset they come from."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from anatomia.text.dialogue import Dialogue
from anatomia.text.dialogue_layouts import dialogues
from anatomia.text.instructions import Examples
from anatomia.text.records import read_records
from anatomia.text.trees import gather_trees


def read_dialogues(
    paths: Iterable[Path],
    left_out: Counter[str] | None = None,
    examples: Examples | None = None,
    answered: bool = True,
) -> Iterator[Dialogue]:
    """The dialogues in the files, in order, each up to the last answer of the assistant's.

    Known are Natural Instructions (versions 1 and 2 and the drafts of 2), Alpaca, Dolly, SpeakLeash, self-instruct's
    seed tasks, ShareGPT, OpenAI's `messages`, OpenAssistant's trees (the best-ranked paths), prompt with completion,
    response or answer, question with answer or response, and Polish error correction, each as JSON, JSON Lines, parquet
    or in a tar, compressed or not. Which one a record is, its keys say. `meta` holds `language`, `task`, `category`,
    `tools` and all `references` where there are some.

    Args:
        left_out: counts by reason what was left out: records without a question or an answer, turns after the last
            answer, what is no text.
        examples: how many of a task's own examples stand in the prompts of Natural Instructions; by default none.
        answered: False takes dialogues whole, with or without an answer, to ask a model what they ask.

    Raises:
        UserError: a file or record cannot be read; names file, record and why.
    """
    counted: Counter[str] = Counter() if left_out is None else left_out
    for record in gather_trees(read_records(paths), counted):
        for found in dialogues(record, examples or Examples()):
            if isinstance(found, str):
                counted[found] += 1
            elif not answered or found.turns[-1].role == "assistant":
                yield found
            else:
                yield from _cut(found, counted)


def _cut(dialogue: Dialogue, left_out: Counter[str]) -> Iterator[Dialogue]:
    """The dialogue up to its last answer, if there is one."""
    last = max((at for at, turn in enumerate(dialogue.turns) if turn.role == "assistant"), default=None)
    if last is None:
        left_out["no answer"] += 1
    else:
        left_out["turns after the last answer"] += len(dialogue.turns) - last - 1
        yield replace(dialogue, turns=dialogue.turns[: last + 1])
