"""Messages as turns: OpenAI's, ShareGPT's, and what a prompt or a completion may be."""

import json
from typing import Any

from anatomia.base.errors import UserError
from anatomia.text.dialogue import Role, Turn
from anatomia.text.records import Record

ROLES: dict[str, Role] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bard", "bing", "model", "bot", "function_call"), "assistant"),
    **dict.fromkeys(("tool", "function", "observation", "function_response", "tool_response"), "tool"),
}
KEPT = ("name", "tool_call_id", "weight", "reasoning_content")
"""What else of a message chat templates use; `weight` 0 says that an answer is not to be learnt (OpenAI)."""


class LeftOut(UserError):
    """A record is in order, but nothing can be learnt from it; `reason` says why, without saying where."""

    def __init__(self, record: Record, reason: str) -> None:
        super().__init__(f"{record.file}, record {record.number}: {reason}")
        self.reason = reason


def turns(record: Record, messages: Any) -> tuple[Turn, ...]:
    """Turns from messages in OpenAI's (role, content) or ShareGPT's (from, value) form.

    Raises:
        UserError: a message has no role that is known, or no text.
        LeftOut: a message holds a picture, a sound or something else that is no text.
    """
    if not isinstance(messages, list):
        record.fail(f"a dialogue is a list of messages, not {type(messages).__name__}")
    found = []
    for message in messages:
        if not isinstance(message, dict):
            record.fail(f"a message is an object with role and content, not {type(message).__name__}")
        role = message.get("role", message.get("from"))
        if not isinstance(role, str) or role not in ROLES:
            record.fail(f"unknown role {role!r}; known are: {', '.join(ROLES)}")
        content = _content(record, message.get("content", message.get("value")))
        calls = message.get("tool_calls") or []
        if role == "function_call":
            content, calls = _called(content)
        elif message.get("function_call"):
            calls = [{"type": "function", "function": message["function_call"]}]
        extra = {key: message[key] for key in KEPT if message.get(key) is not None}
        if calls:
            extra["tool_calls"] = _calls(record, calls)
        written = json.dumps(extra, ensure_ascii=False) if extra else ""
        found.append(Turn(ROLES[role], content, written))
    return tuple(found)


def text(record: Record, value: Any, key: str) -> str:
    """`value` as stripped text. Absent is ""; numbers and truth values, which tools make of "7" and "True", are text.

    Raises:
        UserError: it is something else.
    """
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        record.fail(f"{key} is text, not {type(value).__name__}")
    return whole(str(value)).strip()


def whole(text: str) -> str:
    """The text with U+FFFD for halves of characters (lone surrogates, from JSON that was cut in the middle of one)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _content(record: Record, content: Any) -> str:
    if isinstance(content, list):  # OpenAI's content parts
        kinds = {part.get("type", "text") if isinstance(part, dict) else type(part).__name__ for part in content}
        if kinds - {"text", "input_text", "output_text", "str"}:
            raise LeftOut(record, "pictures, sounds or other things that are no text")
        content = "".join(part if isinstance(part, str) else str(part.get("text", "")) for part in content)
    if content is not None and not isinstance(content, str):
        record.fail(f"the content of a message is text, not {type(content).__name__}")
    return whole(content or "").strip()


def _called(content: str) -> tuple[str, list[dict[str, Any]]]:
    """ShareGPT's turn that calls a function: (what is left of its text, the call)."""
    try:
        call = json.loads(content)
    except ValueError:
        return content, []
    calls = call if isinstance(call, list) else [call]
    return "", [{"type": "function", "function": call} for call in calls]


def _calls(record: Record, calls: Any) -> list[dict[str, Any]]:
    """Calls of tools with their arguments as objects, as chat templates expect them; OpenAI writes JSON text."""
    if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
        record.fail("tool_calls is a list of objects")
    found = []
    for call in calls:
        function = call.get("function")
        if not isinstance(function, dict) or "name" not in function:
            record.fail("a call in tool_calls has a function with name and arguments")
        arguments = function.get("arguments", {})
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments)
            except ValueError:
                record.fail(f"the arguments of a call of {function['name']} are no JSON")
        found.append({**call, "function": {**function, "arguments": arguments}})
    return found
