"""Dialogues: what fine-tuning learns from and what prompts are."""

from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Turn:
    """One turn of a dialogue."""

    role: Role
    content: str


@dataclass(frozen=True)
class Dialogue:
    """Turns in order. A prompt is a dialogue that ends with a user's turn; a demonstration ends with the assistant's.

    Attributes:
        source: file and record, as a person would look it up ("alpaca.json:17").
        meta: what else is known: language, task, the world's question id, further references…; plain JSON values.
    """

    turns: tuple[Turn, ...]
    source: str
    meta: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The form in which dialogues are stored: OpenAI's `messages`."""
        messages = [{"role": turn.role, "content": turn.content} for turn in self.turns]
        return {"messages": messages, "source": self.source, "meta": self.meta}

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Dialogue":
        """The inverse of `to_json`."""
        turns = tuple(Turn(message["role"], message["content"]) for message in record["messages"])
        return Dialogue(turns, record.get("source", ""), record.get("meta", {}))
