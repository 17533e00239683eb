"""OpenAssistant's conversation trees: every message has several replies, and people ranked the assistant's.

Köpf et al. 2023, "OpenAssistant Conversations", section 3. `rank` 0 is the best among siblings; it may be missing.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from anatomia.text.records import Record

ROW = ("message_id", "parent_id", "text", "role")
Message = dict[str, Any]


def gather_trees(records: Iterable[Record], left_out: Counter[str] | None = None) -> Iterator[Record]:
    """The same records, but those that are single messages of trees (as in the parquet files of oasst1 and oasst2) are
    replaced by their trees, each in the place of its prompt. A message that no prompt in the file leads to is left out
    and counted in `left_out`.

    Raises:
        UserError: a message's name is no text, or is another's too.
    """
    for is_row, run in itertools.groupby(records, lambda record: all(key in record.value for key in ROW)):
        if not is_row:
            yield from run
            continue
        rows = list(run)
        answers: dict[tuple[str, str], list[Message]] = defaultdict(list)
        names: set[tuple[str, str]] = set()
        for record in rows:
            if not all(isinstance(record.value[key], str | int | None) for key in ("message_id", "parent_id")):
                record.fail("message_id and parent_id name messages; they are texts")
            name = record.file, record.value["message_id"]
            if name in names:
                record.fail(f"message_id {name[1]} comes twice")
            names.add(name)
            record.value["replies"] = answers[name]
            if record.value["parent_id"]:
                answers[record.file, record.value["parent_id"]].append(record.value)
        lost = len(rows) - _reached(record.value for record in rows if not record.value["parent_id"])
        if lost and left_out is not None:
            left_out["a message whose tree is not in the file"] += lost
        for record in rows:
            if not record.value["parent_id"]:
                tree = {"message_tree_id": record.value["message_id"], "prompt": record.value}
                yield Record(record.file, record.number, tree)


def _reached(roots: Iterable[Message]) -> int:
    """How many messages these trees hold."""
    waiting, seen = list(roots), set()
    while waiting:
        message = waiting.pop()
        if id(message) not in seen:
            seen.add(id(message))
            waiting += message["replies"]
    return len(seen)


def replies(message: Message) -> list[Message]:
    """The replies that were not deleted, failed in review or left empty; ranked ones first, best first."""
    kept = [reply for reply in message.get("replies") or [] if is_kept(reply)]
    return sorted(kept, key=lambda reply: reply["rank"] if reply.get("rank") is not None else len(kept))


def is_kept(message: Message) -> bool:
    """Whether a message may be learned from."""
    passed = not message.get("deleted") and message.get("review_result") is not False
    return passed and bool((message.get("text") or "").strip())


def best_paths(root: Message) -> Iterator[list[Message]]:
    """The paths from the root on which every assistant's message is the best among its siblings.

    A path ends at an assistant's message that nobody went on from. There are several where several people went on.
    """
    waiting = [[root]]
    while waiting:
        path = waiting.pop()
        following = replies(path[-1])
        if path[-1]["role"] == "prompter":
            if following:
                waiting.append([*path, following[0]])
            continue
        continued = [reply for reply in following if replies(reply)]
        if continued:
            waiting.extend([*path, reply] for reply in reversed(continued))
        else:
            yield path


def sibling_groups(root: Message) -> Iterator[tuple[list[Message], list[Message]]]:
    """(path to a prompter's message, the assistant's replies to it), wherever at least two replies are ranked."""
    waiting = [[root]]
    while waiting:
        path = waiting.pop()
        following = replies(path[-1])
        if path[-1]["role"] == "prompter" and sum(reply.get("rank") is not None for reply in following) >= 2:
            yield path, following
        waiting.extend([*path, reply] for reply in reversed(following))


def as_messages(path: list[Message]) -> list[dict[str, str]]:
    """A path as messages with role (user or assistant) and content."""
    return [
        {"role": "user" if message["role"] == "prompter" else "assistant", "content": message["text"].strip()}
        for message in path
    ]
