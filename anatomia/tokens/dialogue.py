"""Dialogues as tokens: rendered by the vocabulary's chat template, with a loss weight for every token."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from anatomia.base.errors import UserError
from anatomia.text.dialogue import Dialogue
from anatomia.tokens.vocabulary import Vocabulary

Message = dict[str, str]
Span = tuple[int, int]


def render(vocabulary: Vocabulary, messages: list[Message], generation: bool) -> str:
    """The dialogue as one text with its special tokens written out; with `generation`, an answer is asked for.

    Raises:
        UserError: the template cannot be read, or refuses these turns.
    """
    try:
        return _compiled(vocabulary.template).render(
            messages=messages,
            add_generation_prompt=generation,
            tools=None,
            documents=None,
            **vocabulary.special_texts,
        )
    except jinja2.TemplateError as error:
        raise UserError(f"the chat template of {vocabulary.name} refuses this dialogue: {error}") from error


def prompt_ids(vocabulary: Vocabulary, messages: list[Message]) -> list[int]:
    """The ids of a prompt: the dialogue up to where the assistant's answer begins.

    Text of the turns that looks like a special token stays text: nobody can end a turn or speak for another role.
    """
    guarded, stand_ins = _guard(vocabulary, messages)
    return _encode(vocabulary, render(vocabulary, guarded, generation=True), stand_ins)[0]


def encode_dialogue(vocabulary: Vocabulary, dialogue: Dialogue) -> tuple[list[int], list[int]]:
    """Ids and loss weights of a dialogue: 1 on tokens of the assistant's content and on the end token after it.

    An answer begins where the rendered prompt before it ends, and ends with the special token that follows its content.

    Raises:
        UserError: the template writes a dialogue otherwise than its own prompts, so answers cannot be found in it.
    """
    messages: list[Message] = [{"role": turn.role, "content": turn.content} for turn in dialogue.turns]
    guarded, stand_ins = _guard(vocabulary, messages)
    text = render(vocabulary, guarded, generation=False)
    ids, offsets = _encode(vocabulary, text, stand_ins)
    weights = [0] * len(ids)
    for place, message in enumerate(guarded):
        if message["role"] == "assistant":
            prompt = render(vocabulary, guarded[:place], generation=True)
            if not text.startswith(prompt):
                raise UserError(
                    f"the chat template of {vocabulary.name} writes what precedes turn {place + 1} of "
                    f"{dialogue.source or 'a dialogue'} otherwise as a prompt than within the dialogue; "
                    "give the tokenizer a template whose prompts are prefixes of its dialogues"
                )
            start, end = len(prompt), _answer_end(vocabulary, text, len(prompt), message["content"])
            for token, (first, last) in enumerate(offsets):
                if first < end and last > start:
                    weights[token] = 1
    return ids, weights


def stop_ids(vocabulary: Vocabulary) -> tuple[int, ...]:
    """The ids at which a completion ends: the end token, those of generation_config.json, and the template's own."""
    ids = [vocabulary.end, *vocabulary.stops]
    probe = [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}]
    text = render(vocabulary, probe, generation=False)
    closing = _special(vocabulary).match(text, text.rindex("2") + 1)
    if closing:
        ids.append(vocabulary.specials[closing.group().strip()])
    return tuple(dict.fromkeys(ids))


def _answer_end(vocabulary: Vocabulary, text: str, start: int, content: str) -> int:
    """Where in `text` the answer that begins at `start` ends, its end token included."""
    found = text.find(content.strip(), start)
    if found >= 0:
        after = found + len(content.strip())
        closing = re.compile(rf"\s*(?:{_special(vocabulary).pattern})").match(text, after)
        return closing.end() if closing else after
    closing = _special(vocabulary).search(text, start)
    return closing.end() if closing else len(text)


def _guard(vocabulary: Vocabulary, messages: list[Message]) -> tuple[list[Message], dict[str, str]]:
    """The messages with every special token's text in them replaced by one private-use character that stands for it."""
    special = _special(vocabulary)
    found = sorted({match for message in messages for match in special.findall(message["content"])})
    if not found:
        return messages, {}
    used = set("".join(message["content"] for message in messages))
    free = (chr(point) for point in range(0xF0000, 0x10FFFE) if chr(point) not in used)
    characters = dict(zip(found, free))
    guarded = [
        {**message, "content": special.sub(lambda match: characters[match.group()], message["content"])}
        for message in messages
    ]
    return guarded, {character: text for text, character in characters.items()}


def _encode(vocabulary: Vocabulary, text: str, stand_ins: dict[str, str]) -> tuple[list[int], list[Span]]:
    """Ids of rendered text and each token's span of characters in it; stand-ins are encoded as what they stand for."""
    if not stand_ins:
        encoding = vocabulary.parsing.encode(text, add_special_tokens=False)
        return encoding.ids, encoding.offsets
    ids: list[int] = []
    spans: list[Span] = []
    position = 0
    for special in [*_special(vocabulary).finditer(text), None]:
        stop = special.start() if special else len(text)
        token = vocabulary.added[vocabulary.specials[special.group()]] if special else None
        between = text[position:stop].rstrip() if token and token.lstrip else text[position:stop]
        written = [stand_ins.get(character, character) for character in between]
        origin = [position + place for place, characters in enumerate(written) for _ in characters]
        encoding = vocabulary.literal.encode("".join(written), add_special_tokens=False)
        ids += encoding.ids
        spans += [(origin[a], origin[b - 1] + 1) if a < b else (position, position) for a, b in encoding.offsets]
        if special and token:
            ids.append(vocabulary.specials[special.group()])
            spans.append(special.span())
            position = special.end()
            if token.rstrip:
                position = len(text) - len(text[position:].lstrip())
    return ids, spans


@lru_cache(maxsize=16)
def _pattern(texts: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True)) or r"(?!)")


def _special(vocabulary: Vocabulary) -> re.Pattern[str]:
    return _pattern(tuple(vocabulary.specials))


class _Generation(jinja2.ext.Extension):
    """`{% generation %}…{% endgeneration %}` marks the assistant's text for transformers; here its body is rendered."""

    tags = {"generation"}

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


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
