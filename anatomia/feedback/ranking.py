"""Rankings: what people (or the world's simulated rankers) say about completions of one prompt."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

Message = dict[str, str]
Groups = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Candidates:
    """A prompt and the completions that are to be ranked.

    Attributes:
        prompt_id: names the prompt.
        prompt: as messages ({"role", "content"}), oldest first, ending with the user's turn.
        completions: the texts; equal ones may stand there twice.
    """

    prompt_id: str
    prompt: tuple[Message, ...]
    completions: tuple[str, ...]

    @property
    def key(self) -> str:
        """Equal for the same texts, whatever the prompt is called; new completions to an old prompt have a new key."""
        return name_of(self.prompt, self.completions)

    @staticmethod
    def from_sample(sample: dict[str, Any]) -> "Candidates":
        """From a line of the sample stage's samples.jsonl."""
        texts = tuple(completion["text"] for completion in sample["completions"])
        return Candidates(sample["prompt_id"], tuple(sample["prompt"]), texts)


@dataclass(frozen=True)
class Ranking:
    """One annotator's ranking of the completions of one prompt.

    Attributes:
        prompt_id: names the prompt; rankings with the same id are about the same prompt and the same completions.
        prompt: the prompt as messages ({"role", "content"}), oldest first, ending with the user's turn.
        completions: the texts, in the order they were shown.
        groups: indices into `completions`, best group first; indices in one group are tied. Completions the annotator
            did not place are in no group (a partial ranking).
        annotator: who ranked. Simulated rankers' names begin with "simulated:", files' with "file:".
        time: seconds since the epoch, 0 where unknown.
    """

    prompt_id: str
    prompt: tuple[Message, ...]
    completions: tuple[str, ...]
    groups: Groups
    annotator: str
    time: float = 0.0

    def __post_init__(self) -> None:
        placed = [index for group in self.groups for index in group]
        if len(set(placed)) != len(placed) or any(not 0 <= index < len(self.completions) for index in placed):
            raise ValueError(
                f"ranking of {self.prompt_id}: {self.groups} does not fit the completions ({len(self.completions)})"
            )

    @property
    def candidates(self) -> Candidates:
        """What was ranked."""
        return Candidates(self.prompt_id, self.prompt, self.completions)

    def pairs(self) -> list[tuple[int, int]]:
        """All (better, worse) index pairs; tied pairs are left out."""
        return [
            (better, worse)
            for place, group in enumerate(self.groups)
            for lower in self.groups[place + 1 :]
            for better in group
            for worse in lower
        ]

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "prompt_id": self.prompt_id,
            "prompt": list(self.prompt),
            "completions": list(self.completions),
            "groups": [list(group) for group in self.groups],
            "annotator": self.annotator,
            "time": self.time,
        }

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Ranking":
        """The inverse of `to_json`."""
        return Ranking(
            record["prompt_id"],
            tuple(record["prompt"]),
            tuple(record["completions"]),
            tuple(tuple(group) for group in record["groups"]),
            record["annotator"],
            record.get("time", 0.0),
        )


def name_of(prompt: Sequence[Message], completions: Sequence[str] = ()) -> str:
    """A name for a prompt (and its completions): 64 bits of BLAKE2b, in hexadecimal, equal wherever the texts are."""
    turns = [[message["role"], message["content"]] for message in prompt]
    text = json.dumps([turns, list(completions)], ensure_ascii=False, separators=(",", ":"))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
