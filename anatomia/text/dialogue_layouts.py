"""The layouts in which datasets keep dialogues, told apart by their keys."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from anatomia.text.dialogue import Dialogue, Role, Turn
from anatomia.text.records import Record
from anatomia.text.trees import as_messages, best_paths, is_kept

ROLES: dict[str, Role] = {
    **dict.fromkeys(("system",), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bard", "bing", "model", "bot"), "assistant"),
}
LANGUAGES = {"English": "en", "Polish": "pl"}
CORRECT_THIS = "Popraw błędy językowe w tym zdaniu. Jeśli nie ma w nim błędów, powtórz je bez zmian."
ALPACA = re.compile(
    r"(?:Below is an instruction .*?\n\n)?### Instruction:\n(.*?)(?:\n\n### Input:\n(.*?))?\n\n### Response:\s*", re.S
)


@dataclass(frozen=True)
class Layout:
    """One way to write dialogues down.

    Attributes:
        keys: a record with all of them is in this layout (the first layout in `LAYOUTS` that fits wins).
        read: the record's dialogues; an item that is a string instead says why something was left out.
    """

    name: str
    keys: tuple[str, ...]
    read: Callable[[Record], Iterable[Dialogue | str]]


def dialogues(record: Record) -> Iterator[Dialogue | str]:
    """The dialogues of a record in whatever layout; strings say why something was left out.

    Raises:
        UserError: the layout is unknown, or a value is not what the layout promises.
    """
    layout = next((layout for layout in LAYOUTS if all(key in record.value for key in layout.keys)), None)
    if layout is None:
        known = "; ".join(f"{layout.name} ({', '.join(layout.keys)})" for layout in LAYOUTS)
        record.fail(f"unknown layout with the keys {', '.join(record.value) or 'none'}; known are: {known}")
    try:
        yield from layout.read(record)
    except (KeyError, TypeError, AttributeError) as error:
        record.fail(f"looks like {layout.name}, but is not ({type(error).__name__}: {error})")


def turns(record: Record, messages: Any) -> tuple[Turn, ...]:
    """Turns from messages in OpenAI's (role, content) or ShareGPT's (from, value) form.

    Raises:
        UserError: a message has no role that is known, or no text.
    """
    if not isinstance(messages, list):
        record.fail(f"a dialogue is a list of messages, not {type(messages).__name__}")
    found = []
    for message in messages:
        if not isinstance(message, dict):
            record.fail(f"a message is an object with role and content, not {type(message).__name__}")
        role = message.get("role", message.get("from"))
        content = message.get("content", message.get("value"))
        if role not in ROLES:
            record.fail(f"unknown role {role!r}; known are: {', '.join(ROLES)}")
        if isinstance(content, list):  # OpenAI's content parts
            content = "".join(part.get("text", "") for part in content if isinstance(part, dict))
        if content is not None and not isinstance(content, str):
            record.fail(f"the content of a message is text, not {type(content).__name__}")
        found.append(Turn(ROLES[role], (content or "").strip()))
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
    return str(value).strip()


def ask(instruction: str, given: str = "") -> str:
    """An instruction and what it is about, as a person would write them under one another."""
    given = "" if given.lower() in ("<noinput>", "-") else given
    return f"{instruction}\n\n{given}" if instruction and given else instruction or given


def _demonstration(found: tuple[Turn, ...], source: str, **meta: Any) -> Dialogue | str:
    """A dialogue cut after its last answer; or why there is none."""
    last = max((at for at, turn in enumerate(found) if turn.role == "assistant"), default=-1)
    found = found[: last + 1]
    if not found:
        return "no answer"
    if not any(turn.role == "user" for turn in found):
        return "no question"
    if any(not turn.content for turn in found if turn.role != "system"):
        return "empty turn" if found[-1].content else "empty answer"
    kept = tuple(turn for turn in found if turn.content)
    return Dialogue(kept, source, {key: value for key, value in meta.items() if value})


def _pair(question: str, given: str, answer: str) -> Callable[[Record], Iterable[Dialogue | str]]:
    """A reader for an instruction, what it is about and the answer, under these keys."""

    def read(record: Record) -> Iterator[Dialogue | str]:
        value = record.value
        prompt = ask(text(record, value[question], question), text(record, value.get(given), given))
        turn = Turn("user", prompt), Turn("assistant", text(record, value[answer], answer))
        category = value.get("category") or value.get("source_name")
        yield _demonstration(turn, record.source, category=category if isinstance(category, str) else "")

    return read


def _natural_instructions(record: Record) -> Iterator[Dialogue | str]:
    """Versions 1 and 2 and the drafts of 2 (Mishra et al. 2022; Wang et al. 2022): a task with its instances."""
    task = record.value

    def first(key: str) -> str:
        value = task.get(key, "")
        return text(record, "\n".join(value) if isinstance(value, list) else value, key)

    instruction = ask(first("Definition"), first("Prompt"))
    name = record.name.rpartition("!")[2].rpartition("/")[2].partition(".")[0]
    if not isinstance(task["Instances"], list):
        record.fail("Instances is a list")
    for number, instance in enumerate(task["Instances"], 1):
        if not isinstance(instance, dict) or not {"input", "output"} <= instance.keys():
            record.fail(f"instance {number} has no input and output")
        output = instance["output"]
        wanted = [text(record, item, "output") for item in (output if isinstance(output, list) else [output])]
        references = [item for item in wanted if item]
        found = (
            Turn("user", ask(instruction, text(record, instance["input"], "input"))),
            Turn("assistant", references[0] if references else ""),
        )
        language = LANGUAGES.get(first("Output_language"), "")
        yield _demonstration(found, f"{record.name}:{number}", task=name, language=language, references=references)


def _instances(record: Record) -> Iterator[Dialogue | str]:
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
        yield _demonstration((Turn("user", prompt), Turn("assistant", answer)), record.source, task=name)


def _tree(record: Record) -> Iterator[Dialogue | str]:
    root = record.value["prompt"]
    if not isinstance(root, dict):
        record.fail("prompt is the first message of a tree, an object with text, role and replies")
    if not is_kept(root):
        yield "deleted"
        return
    paths = list(best_paths(root))
    for path in paths:
        yield _demonstration(turns(record, as_messages(path)), record.source, language=root.get("lang"))
    if not paths:
        yield "no answer"


def _messages(key: str) -> Callable[[Record], Iterable[Dialogue | str]]:
    def read(record: Record) -> Iterator[Dialogue | str]:
        answer = record.value.get("chosen")  # in preference data the dialogue stops before the answers
        found = turns(record, record.value[key]) + (turns(record, [answer]) if isinstance(answer, dict) else ())
        system = text(record, record.value.get("system"), "system")
        found = (Turn("system", system), *found) if system else found
        meta = record.value.get("meta") or {}
        yield _demonstration(found, record.source, **(meta if isinstance(meta, dict) else {}))

    return read


def _completion(answer: str) -> Callable[[Record], Iterable[Dialogue | str]]:
    """Prompt and completion, each a text or a list of messages; Alpaca's wrapping of a prompt is taken off."""

    def read(record: Record) -> Iterator[Dialogue | str]:
        value = record.value
        yield _demonstration(
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


def _correction(record: Record) -> Iterator[Dialogue | str]:
    """Polish grammatical error correction: sentences with and without their errors."""
    incorrect, correct = (text(record, record.value[key], key) for key in ("incorrect", "correct"))
    found = Turn("user", ask(CORRECT_THIS, incorrect)), Turn("assistant", correct)
    yield _demonstration(found, record.source, language="pl", task="correction") if incorrect else "no question"


LAYOUTS: tuple[Layout, ...] = (
    Layout("Natural Instructions", ("Definition", "Instances"), _natural_instructions),
    Layout("OpenAssistant trees", ("message_tree_id", "prompt"), _tree),
    Layout("messages", ("messages",), _messages("messages")),
    Layout("ShareGPT", ("conversations",), _messages("conversations")),
    Layout("seed tasks", ("instruction", "instances"), _instances),
    Layout("Dolly", ("instruction", "response"), _pair("instruction", "context", "response")),
    Layout("Alpaca", ("instruction", "output"), _pair("instruction", "input", "output")),
    Layout("SpeakLeash", ("instruct", "output"), _pair("instruct", "input", "output")),
    Layout("prompt and completion", ("prompt", "completion"), _completion("completion")),
    Layout("prompt and response", ("prompt", "response"), _completion("response")),
    Layout("error correction", ("incorrect", "correct"), _correction),
)
