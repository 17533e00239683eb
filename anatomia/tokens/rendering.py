"""Dialogues as text: a chat template, ours or anyone's, in the surroundings that transformers gives it."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from anatomia.base.errors import UserError
from anatomia.tokens.vocabulary import Vocabulary

Message = dict[str, Any]
Span = tuple[int, int]
OPENS, CLOSES = "\ufdd0", "\ufdd1"
"""What stands for `{% generation %}` and its end while a template is rendered; no characters, so no text holds them."""


class RefusedDialogue(UserError):
    """A chat template refuses a dialogue: an unknown role, no alternation, tools it cannot write…"""


@dataclass(frozen=True)
class Rendered:
    """A dialogue as text, and where in it the template marks what the assistant says (`{% generation %}`)."""

    text: str
    marked: tuple[Span, ...]


def render(vocabulary: Vocabulary, messages: list[Message], generation: bool, tools: Any = None) -> Rendered:
    """The dialogue as one text with its special tokens written out; with `generation`, an answer is asked for.

    Args:
        tools: the functions that the assistant may call; for them a template named "tool_use" is taken if there is one.

    Raises:
        RefusedDialogue: the template cannot be read, or refuses these turns.
    """
    template = vocabulary.templates.get("tool_use", vocabulary.template) if tools else vocabulary.template
    if any(message.get("tool_calls") for message in messages) and "tool_calls" not in template:
        raise RefusedDialogue(f"the chat template of {vocabulary.name} knows no tools, which this dialogue calls")
    try:
        text = _compiled(template).render(
            messages=messages,
            add_generation_prompt=generation,
            tools=tools or None,
            documents=None,
            **vocabulary.special_texts,
        )
    except (jinja2.TemplateError, TypeError) as error:
        raise RefusedDialogue(f"the chat template of {vocabulary.name} refuses this dialogue: {error}") from error
    return _unmarked(text)


@lru_cache(maxsize=64)
def takes_system(template: str, specials: tuple[tuple[str, str], ...]) -> bool:
    """Whether a template writes a system's turn. Some raise an exception instead (Gemma's, the first of Mistral's)."""
    probe = [{"role": "system", "content": "1"}, {"role": "user", "content": "2"}]
    try:
        _compiled(template).render(messages=probe, add_generation_prompt=True, tools=None, **dict(specials))
    except (jinja2.TemplateError, TypeError):
        return False
    return True


def _unmarked(text: str) -> Rendered:
    """The text without the marks of generation, and where they were."""
    if OPENS not in text:
        return Rendered(text, ())
    found: list[Span] = []
    parts: list[str] = []
    length = start = 0
    for part in re.split(f"([{OPENS}{CLOSES}])", text):
        if part == OPENS:
            start = length
        elif part == CLOSES:
            found.append((start, length))
        else:
            parts.append(part)
            length += len(part)
    return Rendered("".join(parts), tuple(found))


class _Generation(jinja2.ext.Extension):
    """`{% generation %}…{% endgeneration %}` marks the assistant's text; it is rendered between two signs."""

    tags = {"generation"}

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_mark"), [], [], body).set_lineno(line)

    def _mark(self, caller: Callable[[], str]) -> str:
        return OPENS + caller() + CLOSES


@lru_cache(maxsize=16)
def _compiled(template: str) -> jinja2.Template:
    """The template in the environment that transformers gives it: sandboxed, with the same extras."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(template)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: Sequence[str] | None = None,
    sort_keys: bool = False,
) -> str:
    pair = (separators[0], separators[1]) if separators else None
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=pair, sort_keys=sort_keys)


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)
