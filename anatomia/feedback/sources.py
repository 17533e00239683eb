"""Rankings from files, whatever dataset they come from."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from anatomia.feedback.ranking import Ranking
from anatomia.feedback.ranking_layouts import layout_of
from anatomia.text.records import read_records
from anatomia.text.trees import gather_trees


def read_rankings(paths: Iterable[Path], remarks: Counter[str] | None = None) -> Iterator[Ranking]:
    """The rankings in the files, in order.

    Known are our own (`Ranking.to_json`), star ratings ({"prompt", "completions", "stars"}, sorted into rankings),
    pairs of `chosen` and `rejected` (Anthropic's HH transcripts; beside `prompt`, `instruction` or `conversations`),
    PandaLM, OpenAssistant's trees, SQuALITY's human evaluation and WMT's judgements (names of systems in place of
    texts), each as JSON, JSON Lines, CSV or parquet, compressed or not. Which one a record is, its keys say.

    Annotators are called "file:FILE" or "file:FILE:WHO"; a prompt's id is a hash of the prompt and its completions.
    Records from which nothing can be learned (two equal completions) are left out; `remarks`, if given, counts them by
    reason, and what else was odd. An empty completion is one that people judged like any other.

    Raises:
        UserError: a file or record cannot be read; names file, record and why.
    """
    runs = itertools.groupby(gather_trees(read_records(paths)), lambda record: (record.file, layout_of(record)))
    for (_, layout), records in runs:
        for found in layout.read(records):
            if isinstance(found, Ranking):
                yield found
            elif remarks is not None:
                remarks[found] += 1
