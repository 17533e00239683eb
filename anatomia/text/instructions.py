"""Natural Instructions: a task's definition, its positive and negative examples, and an instance, as a prompt.

Mishra et al. 2022, "Cross-Task Generalization via Natural Language Crowdsourcing Instructions" (version 1), and Wang et
al. 2022, "Super-NaturalInstructions" (version 2 and its drafts), whose section 4 puts the parts in this order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from anatomia.text.dialogue import Turn
from anatomia.text.messages import text
from anatomia.text.records import Record

LANGUAGES = {
    "Arabic": "ar", "Bengali": "bn", "Bulgarian": "bg", "Catalan": "ca", "Chinese": "zh", "Croatian": "hr",
    "Czech": "cs", "Danish": "da", "Dutch": "nl", "English": "en", "Finnish": "fi", "French": "fr", "German": "de",
    "Greek": "el", "Hebrew": "he", "Hindi": "hi", "Hungarian": "hu", "Indonesian": "id", "Italian": "it",
    "Japanese": "ja", "Korean": "ko", "Lithuanian": "lt", "Norwegian": "no", "Persian": "fa", "Polish": "pl",
    "Portuguese": "pt", "Romanian": "ro", "Russian": "ru", "Serbian": "sr", "Slovak": "sk", "Spanish": "es",
    "Swahili": "sw", "Swedish": "sv", "Tamil": "ta", "Thai": "th", "Turkish": "tr", "Ukrainian": "uk", "Urdu": "ur",
    "Vietnamese": "vi",
}  # fmt: skip
FURTHER = (("Things to Avoid", "Things to avoid"), ("Emphasis & Caution", "Emphasis and caution"))  # of version 1


@dataclass(frozen=True)
class Examples:
    """How many of a task's own examples stand in its prompts, the first ones, and whether with what explains them."""

    positive: int = 0
    negative: int = 0
    explained: bool = False


@dataclass(frozen=True)
class Instance:
    """One instance of a task.

    Attributes:
        turns: the prompt, and the first of the answers ("" if there is none).
        meta: task, category, language of the answers, and all of them as `references`.
    """

    number: int
    turns: tuple[Turn, Turn]
    meta: dict[str, Any]


def instances(record: Record, examples: Examples) -> Iterator[Instance]:
    """The instances of the task that a record is, in any of the versions.

    Raises:
        UserError: a part of it is not what it is in Natural Instructions; names the instance.
    """
    task = record.value
    before = instruction(record, examples)
    category = task.get("Categories")
    name = record.name.rpartition("!")[2].rpartition("/")[2].partition(".")[0]
    meta = {"task": name, "category": _first(category), "language": _language(task.get("Output_language"))}
    if not isinstance(task["Instances"], list):
        record.fail("Instances is a list")
    for number, instance in enumerate(task["Instances"], 1):
        if not isinstance(instance, dict) or not {"input", "output"} <= instance.keys():
            record.fail(f"instance {number} has no input and output")
        output = instance["output"]
        wanted = [text(record, item, "output") for item in (output if isinstance(output, list) else [output])]
        references = [item for item in wanted if item]
        prompt = ask(before, text(record, instance["input"], "input"), examples)
        answer = references[0] if references else ""
        found = Turn("user", prompt), Turn("assistant", answer)
        yield Instance(number, found, meta | {"references": references})


def instruction(record: Record, examples: Examples) -> str:
    """What stands before an instance: definition, in version 1 its prompt and cautions, examples."""
    task = record.value
    parts = [_said(record, task, "Definition"), _said(record, task, "Prompt")]
    parts += [f"{label}: {said}" for key, label in FURTHER if (said := _said(record, task, key))]
    inner = task.get("Examples")
    holder = inner if isinstance(inner, dict) else task
    for kind, count in (("Positive", examples.positive), ("Negative", examples.negative)):
        listed = holder.get(f"{kind} Examples")
        for number, example in enumerate(listed[:count] if isinstance(listed, list) else (), 1):
            if not isinstance(example, dict):
                break  # version 1 writes ["-"] where there are none
            if not {"input", "output"} <= example.keys():
                record.fail(f"example {number} of {kind} Examples has no input and output")
            output = example["output"]
            lines = [
                f"{kind} example {number}:",
                f"Input: {text(record, example['input'], 'input')}",
                f"Output: {text(record, output[0] if isinstance(output, list) and output else output, 'output')}",
            ]
            reason = text(record, example.get("explanation", example.get("reason")), "explanation")
            if examples.explained and reason not in ("", "-"):
                lines.append(f"Explanation: {reason}")
            parts.append("\n".join(lines))
    return "\n\n".join(part for part in parts if part)


def ask(before: str, given: str, examples: Examples) -> str:
    """The instance after what stands before it; where examples do, with the words that examples have."""
    if examples.positive or examples.negative:
        return f"{before}\n\nNow complete the following example:\nInput: {given}\nOutput:"
    return f"{before}\n\n{given}" if before and given else before or given


def _said(record: Record, task: dict[str, Any], key: str) -> str:
    """A part of the task, which may be a list of lines; "-" stands for none."""
    value = task.get(key, "")
    said = text(record, "\n".join(map(str, value)) if isinstance(value, list) else value, key)
    return "" if said == "-" else said


def _first(value: Any) -> str:
    found = value[0] if isinstance(value, list) and value else value
    return found if isinstance(found, str) else ""


def _language(value: Any) -> str:
    """The ISO 639-1 code of the one language that is named; its name in small letters where we know no code."""
    names = value if isinstance(value, list) else [value] if value else []
    return LANGUAGES.get(names[0], str(names[0]).lower()) if len(names) == 1 else ""
