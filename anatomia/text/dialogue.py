"""Dialogues: what fine-tuning learns from and what prompts are."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class Turn:
    """One turn of a dialogue.

    Attributes:
        extra: what else the message says that a chat template may use (`tool_calls`, `tool_call_id`, `name`), as JSON;
            "" where it says nothing else.
    """

    role: Role
    content: str
    extra: str = ""

    def to_message(self) -> dict[str, Any]:
        """The turn as one of OpenAI's messages."""
        message = {"role": self.role, "content": self.content}
        return message | json.loads(self.extra) if self.extra else message

    @staticmethod
    def from_message(message: dict[str, Any]) -> "Turn":
        """The inverse of `to_message`."""
        extra = {key: value for key, value in message.items() if key not in ("role", "content")}
        return Turn(message["role"], message["content"], json.dumps(extra, ensure_ascii=False) if extra else "")


@dataclass(frozen=True)
class Dialogue:
    """Turns in order. A prompt is a dialogue that ends with a user's turn; a demonstration ends with the assistant's.

    Attributes:
        source: file and record, as a person would look it up ("alpaca.json:17").
        meta: what else is known: language, task, the world's question id, further references, `tools` (the functions
            that the assistant may call, as OpenAI describes them)…; plain JSON values.
    """

    turns: tuple[Turn, ...]
    source: str
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The turns as OpenAI's messages."""
        return [turn.to_message() for turn in self.turns]

    def to_json(self) -> dict[str, Any]:
        """The form in which dialogues are stored: OpenAI's `messages`."""
        return {"messages": self.messages, "source": self.source, "meta": self.meta}

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Dialogue":
        """The inverse of `to_json`."""
        turns = tuple(map(Turn.from_message, record["messages"]))
        return Dialogue(turns, record.get("source", ""), record.get("meta", {}))
