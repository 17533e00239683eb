"""Dialogues from files, whatever dataset they come from."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from anatomia.text.dialogue import Dialogue
from anatomia.text.dialogue_layouts import dialogues
from anatomia.text.records import read_records
from anatomia.text.trees import gather_trees


def read_dialogues(paths: Iterable[Path], left_out: Counter[str] | None = None) -> Iterator[Dialogue]:
    """The demonstrations in the files, in order: dialogues that end with an answer of the assistant's.

    Known are Natural Instructions (versions 1 and 2 and the drafts of 2), Alpaca, Dolly, SpeakLeash, self-instruct's
    seed tasks, ShareGPT, OpenAI's `messages`, OpenAssistant's trees (the best-ranked paths), prompt with completion or
    response, and Polish error correction, each as JSON, JSON Lines, parquet or in a tar, compressed or not. Which one
    a record is, its keys say. `meta` holds `language`, `task`, `category` and all `references` where there are some.

    Records without a question or an answer are left out and, if `left_out` is given, counted there by reason.

    Raises:
        UserError: a file or record cannot be read; names file, record and why.
    """
    for record in gather_trees(read_records(paths)):
        for found in dialogues(record):
            if isinstance(found, Dialogue):
                yield found
            elif left_out is not None:
                left_out[found] += 1
