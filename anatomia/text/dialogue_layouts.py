"""The layouts in which datasets keep dialogues, told apart by their keys."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from anatomia.text.dialogue import Dialogue, Role, Turn
from anatomia.text.instructions import Examples, instances
from anatomia.text.messages import LeftOut, text, turns
from anatomia.text.records import Record
from anatomia.text.trees import as_messages, best_paths, is_kept

CORRECT_THIS = "Popraw błędy językowe w tym zdaniu. Jeśli nie ma w nim błędów, powtórz je bez zmian."
ALPACA = re.compile(
    r"(?:Below is an instruction .*?\n\n)?### Instruction:\n(.*?)(?:\n\n### Input:\n(.*?))?\n\n### Response:\s*", re.S
)


Reader = Callable[[Record, Examples], Iterable[Dialogue | str]]


@dataclass(frozen=True)
class Layout:
    """One way to write dialogues down.

    Attributes:
        keys: a record with all of them is in this layout (the first layout in `LAYOUTS` that fits wins).
        read: the record's dialogues; an item that is a string instead says why something was left out.
    """

    name: str
    keys: tuple[str, ...]
    read: Reader


def dialogues(record: Record, examples: Examples) -> Iterator[Dialogue | str]:
    """The dialogues of a record in whatever layout; strings say why something was left out.

    Args:
        examples: of tasks of Natural Instructions, how many stand in their prompts.

    Raises:
        UserError: the layout is unknown, or a value is not what the layout promises.
    """
    layout = next((layout for layout in LAYOUTS if all(key in record.value for key in layout.keys)), None)
    if layout is None:
        known = "; ".join(f"{layout.name} ({', '.join(layout.keys)})" for layout in LAYOUTS)
        record.fail(f"unknown layout with the keys {', '.join(record.value) or 'none'}; known are: {known}")
    try:
        yield from layout.read(record, examples)
    except LeftOut as error:
        yield error.reason
    except (KeyError, TypeError, AttributeError) as error:
        record.fail(f"looks like {layout.name}, but is not ({type(error).__name__}: {error})")


def ask(instruction: str, given: str = "") -> str:
    """An instruction and what it is about, as a person would write them under one another."""
    given = "" if given.lower() in ("<noinput>", "-") else given
    return f"{instruction}\n\n{given}" if instruction and given else instruction or given


def _dialogue(found: tuple[Turn, ...], source: str, **meta: Any) -> Iterator[Dialogue | str]:
    """A dialogue of these turns, without empty ones at its end; or why there is none."""
    while found and _is_empty(found[-1]):
        found = found[:-1]
    if not any(turn.role == "user" and turn.content for turn in found):
        yield "no question"
    elif any(_is_empty(turn) for turn in found if turn.role != "system"):
        yield "an empty turn"
    else:
        kept = tuple(turn for turn in found if turn.content or turn.role != "system")
        yield Dialogue(kept, source, {key: value for key, value in meta.items() if value})


def _is_empty(turn: Turn) -> bool:
    return not turn.content and "tool_calls" not in turn.extra


def _pair(question: str, given: str, answer: str) -> Reader:
    """A reader for an instruction, what it is about and the answer, under these keys; with what the system says and
    earlier turns, pairs of question and answer, where there are some."""

    def read(record: Record, examples: Examples) -> Iterator[Dialogue | str]:
        value = record.value
        prompt = ask(text(record, value[question], question), text(record, value.get(given), given))
        found = [*_system(record), *_history(record)]
        found += Turn("user", prompt), Turn("assistant", text(record, value[answer], answer))
        category = value.get("category") or value.get("source_name")
        yield from _dialogue(tuple(found), record.source, category=category if isinstance(category, str) else "")

    return read


def _system(record: Record) -> list[Turn]:
    key = next((key for key in ("system", "system_prompt") if key in record.value), "system")
    said = text(record, record.value.get(key), key)
    return [Turn("system", said)] if said else []


def _history(record: Record) -> Iterator[Turn]:
    """Earlier turns as LLaMA-Factory writes them."""
    history = record.value.get("history") or []
    if not isinstance(history, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in history):
        record.fail("history is a list of pairs of question and answer")
    for asked, answered in history:
        yield Turn("user", text(record, asked, "history"))
        yield Turn("assistant", text(record, answered, "history"))


def _natural_instructions(record: Record, examples: Examples) -> Iterator[Dialogue | str]:
    for instance in instances(record, examples):
        yield from _dialogue(instance.turns, f"{record.name}:{instance.number}", **instance.meta)


def _instances(record: Record, examples: Examples) -> Iterator[Dialogue | str]:
    """Self-instruct's seed tasks and user-oriented instructions (Wang et al. 2023)."""
    if not isinstance(record.value["instances"], list):
        record.fail("instances is a list")
    instruction = text(record, record.value["instruction"], "instruction")
    for instance in record.value["instances"]:
        if not isinstance(instance, dict):
            record.fail("an instance is an object with input and output")
        prompt = ask(instruction, text(record, instance.get("input"), "input"))
        answer = text(record, instance.get("output"), "output")
        name = record.value.get("name") or record.value.get("motivation_app") or ""
        yield from _dialogue((Turn("user", prompt), Turn("assistant", answer)), record.source, task=name)


def _tree(record: Record, examples: Examples) -> Iterator[Dialogue | str]:
    root = record.value["prompt"]
    if not isinstance(root, dict):
        record.fail("prompt is the first message of a tree, an object with text, role and replies")
    if not is_kept(root):
        yield "deleted"
        return
    paths = list(best_paths(root))
    for path in paths:
        yield from _dialogue(turns(record, as_messages(path)), record.source, language=root.get("lang"))
    if not paths:
        yield "no answer"


def _messages(key: str) -> Reader:
    def read(record: Record, examples: Examples) -> Iterator[Dialogue | str]:
        answer = record.value.get("chosen")  # in preference data the dialogue stops before the answers
        found = turns(record, record.value[key]) + (turns(record, [answer]) if isinstance(answer, dict) else ())
        found = (*_system(record), *found)
        meta = record.value.get("meta") or {}
        tools = _tools(record)
        yield from _dialogue(found, record.source, **{**(meta if isinstance(meta, dict) else {}), **tools})

    return read


def _tools(record: Record) -> dict[str, Any]:
    """The functions that may be called, which some datasets write as JSON text; nothing where there are none."""
    tools = record.value.get("tools") or record.value.get("functions")
    if isinstance(tools, str):
        try:
            tools = json.loads(tools) if tools.strip() else None
        except ValueError:
            record.fail("tools is no JSON")
    if tools and not (isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)):
        record.fail("tools is a list of objects")
    return {"tools": tools} if tools else {}


def _completion(answer: str) -> Reader:
    """Prompt and completion, each a text or a list of messages; Alpaca's wrapping of a prompt is taken off."""

    def read(record: Record, examples: Examples) -> Iterator[Dialogue | str]:
        value = record.value
        yield from _dialogue(
            (*spoken(record, value["prompt"], "user"), *spoken(record, value[answer], "assistant")), record.source
        )

    return read


def spoken(record: Record, value: Any, role: Role) -> tuple[Turn, ...]:
    """The turns that a prompt or a completion is: messages, or one text that `role` says."""
    if isinstance(value, list):
        return turns(record, value)
    if isinstance(value, dict):
        return turns(record, [value])
    content = text(record, value, "prompt" if role == "user" else "completion")
    wrapped = ALPACA.fullmatch(content) if role == "user" else None
    return (Turn(role, ask(wrapped[1].strip(), (wrapped[2] or "").strip()) if wrapped else content),)


def _correction(record: Record, examples: Examples) -> Iterator[Dialogue | str]:
    """Polish grammatical error correction: sentences with and without their errors."""
    incorrect, correct = (text(record, record.value[key], key) for key in ("incorrect", "correct"))
    found = Turn("user", ask(CORRECT_THIS, incorrect)), Turn("assistant", correct)
    if incorrect:
        yield from _dialogue(found, record.source, language="pl", task="correction")
    else:
        yield "no question"


LAYOUTS: tuple[Layout, ...] = (
    Layout("Natural Instructions", ("Definition", "Instances"), _natural_instructions),
    Layout("OpenAssistant trees", ("message_tree_id", "prompt"), _tree),
    Layout("messages", ("messages",), _messages("messages")),
    Layout("ShareGPT", ("conversations",), _messages("conversations")),
    Layout("seed tasks", ("instruction", "instances"), _instances),
    Layout("Dolly", ("instruction", "response"), _pair("instruction", "context", "response")),
    Layout("question and response", ("question", "response"), _pair("question", "context", "response")),
    Layout("question and answer", ("question", "answer"), _pair("question", "context", "answer")),
    Layout("Alpaca", ("instruction", "output"), _pair("instruction", "input", "output")),
    Layout("SpeakLeash", ("instruct", "output"), _pair("instruct", "input", "output")),
    Layout("prompt and completion", ("prompt", "completion"), _completion("completion")),
    Layout("prompt and response", ("prompt", "response"), _completion("response")),
    Layout("prompt and answer", ("prompt", "answer"), _completion("answer")),
    Layout("error correction", ("incorrect", "correct"), _correction),
)
