"""Dialogues as tokens: rendered by the vocabulary's chat template, with a loss weight for every token."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Any

from anatomia.text.dialogue import Dialogue
from anatomia.tokens import rendering
from anatomia.tokens.rendering import CLOSES, OPENS, Message, RefusedDialogue, Span
from anatomia.tokens.vocabulary import Vocabulary


def render(vocabulary: Vocabulary, messages: list[Message], generation: bool, tools: Any = None) -> str:
    """The dialogue as one text with its special tokens written out; with `generation`, an answer is asked for.

    What the system says goes before the user's first words where the template refuses a system's turn.

    Raises:
        RefusedDialogue: the template cannot be read, or refuses these turns.
    """
    return rendering.render(vocabulary, _taken(vocabulary, messages), generation, tools).text


def prompt_ids(vocabulary: Vocabulary, messages: list[Message], tools: Any = None) -> list[int]:
    """The ids of a prompt: the dialogue up to where the assistant's answer begins.

    Text of the turns that looks like a special token stays text: nobody can end a turn or speak for another role.

    Raises:
        RefusedDialogue: the template refuses these turns.
    """
    guarded, stand_ins = _guard(vocabulary, messages)
    return _encode(vocabulary, render(vocabulary, guarded, True, tools), stand_ins)[0]


def encode_dialogue(vocabulary: Vocabulary, dialogue: Dialogue) -> tuple[list[int], list[int]]:
    """Ids and loss weights of a dialogue: 1 on tokens of the assistant's content and on the end token after it.

    A template that marks what the assistant says (`{% generation %}`) decides itself. Elsewhere an answer begins where
    the rendered prompt before it ends, and ends with the special token that follows its content.

    Raises:
        RefusedDialogue: the template refuses the dialogue, or writes it so that answers cannot be found in it.
    """
    guarded, stand_ins = _guard(vocabulary, dialogue.messages)
    messages, tools = _taken(vocabulary, guarded), dialogue.meta.get("tools")
    try:
        rendered = rendering.render(vocabulary, messages, False, tools)
        answers = rendered.marked or _answers(vocabulary, messages, rendered.text, tools)
        spans = _learnt(vocabulary, messages, answers)
    except RefusedDialogue as error:
        raise RefusedDialogue(f"{dialogue.source or 'a dialogue'}: {error}") from error
    ids, offsets = _encode(vocabulary, rendered.text, stand_ins)
    weights = [0] * len(ids)
    for start, end in spans:
        for token, (first, last) in enumerate(offsets):
            if first < end and last > start:
                weights[token] = 1
    return ids, weights


def refuses_system(vocabulary: Vocabulary) -> bool:
    """Whether the template raises an exception at a system's turn."""
    return not rendering.takes_system(vocabulary.template, tuple(vocabulary.special_texts.items()))


def stop_ids(vocabulary: Vocabulary) -> tuple[int, ...]:
    """The ids at which a completion ends: the end token, those of generation_config.json, and the template's own."""
    ids = [vocabulary.end, *vocabulary.stops]
    probe = [{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}]
    text = render(vocabulary, probe, generation=False)
    closing = _special(vocabulary).match(text, text.rindex("2") + 1)
    if closing:
        ids.append(vocabulary.specials[closing.group().strip()])
    return tuple(dict.fromkeys(ids))


def _taken(vocabulary: Vocabulary, messages: list[Message]) -> list[Message]:
    """The messages as the template takes them: the system's words before the user's first where it refuses a turn."""
    if len(messages) < 2 or messages[0]["role"] != "system" or messages[1]["role"] != "user":
        return messages
    if not refuses_system(vocabulary):
        return messages
    both = f"{messages[0]['content']}\n\n{messages[1]['content']}"
    return [{**messages[1], "content": both}, *messages[2:]]


def _answers(vocabulary: Vocabulary, messages: list[Message], text: str, tools: Any) -> list[Span]:
    """Where the answers stand in a rendered text, their end tokens included.

    Raises:
        RefusedDialogue: one cannot be found.
    """
    spans = []
    for place, message in enumerate(messages):
        if message["role"] == "assistant":
            prompt = rendering.render(vocabulary, messages[:place], True, tools).text
            if not text.startswith(prompt):
                return _framed(vocabulary, messages, text, tools)
            if message.get("tool_calls"):  # perhaps without a word
                end = _turn_end(vocabulary, messages[: place + 1], text, tools)
            else:
                end = _answer_end(vocabulary, text, len(prompt), message["content"])
            spans.append((len(prompt), end))
    return spans


def _learnt(vocabulary: Vocabulary, messages: list[Message], spans: Sequence[Span]) -> Sequence[Span]:
    """The spans of the answers that are to be learnt: not those of `weight` 0, as OpenAI's files mark them."""
    answers = [message for message in messages if message["role"] == "assistant"]
    if all(message.get("weight") != 0 for message in answers):
        return spans
    if len(answers) != len(spans):
        raise RefusedDialogue(
            f"the chat template of {vocabulary.name} marks {len(spans)} of {len(answers)} answers, so that those of "
            "weight 0 cannot be told"
        )
    return [span for span, message in zip(spans, answers, strict=True) if message.get("weight") != 0]


def _answer_end(vocabulary: Vocabulary, text: str, start: int, content: str) -> int:
    """Where in `text` the answer that begins at `start` ends, its end token included."""
    found = text.find(content.strip(), start)
    if found >= 0:
        return _closed(vocabulary, text, found + len(content.strip()))
    closing = _special(vocabulary).search(text, start)
    return closing.end() if closing else len(text)


def _closed(vocabulary: Vocabulary, text: str, end: int) -> int:
    """Where an answer whose content ends at `end` is over: after the special token there, if there is one."""
    closing = re.compile(rf"\s*(?:{_special(vocabulary).pattern})").match(text, end)
    return closing.end() if closing else end


def _turn_end(vocabulary: Vocabulary, messages: list[Message], text: str, tools: Any) -> int:
    """Where the last of these turns ends, white space after its end token left aside."""
    so_far = rendering.render(vocabulary, messages, False, tools).text.rstrip()
    if not text.startswith(so_far):
        raise RefusedDialogue(_unfound(vocabulary, len(messages)))
    return len(so_far)


def _framed(vocabulary: Vocabulary, messages: list[Message], text: str, tools: Any) -> list[Span]:
    """The answers in a template whose prompts are no beginnings of its dialogues: some put the system's words into the
    last turn, or leave thoughts out of earlier answers. The dialogue is rendered with a sign in each turn's place, and
    the text around the signs looked for in the real one. An answer begins where the prompt before it leaves off."""
    free = (chr(point) for point in range(0x100000, 0x10FFFE))
    used = {character for message in messages for character in message["content"]}
    signs = [next(sign for sign in free if sign not in used) for _ in messages]
    signed = [{**message, "content": sign} for message, sign in zip(messages, signs, strict=True)]
    between = re.compile(f"([{''.join(signs)}])")
    parts = between.split(rendering.render(vocabulary, signed, False, tools).text)
    if sorted(parts[1::2]) != sorted(signs) or not text.startswith(parts[0]):
        raise RefusedDialogue(_unfound(vocabulary, len(messages)))
    spans, at = [], len(parts[0])
    for before, sign, after in zip(parts[::2], parts[1::2], parts[2::2], strict=False):
        place = signs.index(sign)
        end = _end_before(text, at, after, messages[place]["content"])
        if end < at or text[at:end].strip() not in messages[place]["content"]:
            raise RefusedDialogue(_unfound(vocabulary, place + 1))
        if messages[place]["role"] == "assistant":
            asked = between.split(rendering.render(vocabulary, signed[:place], True, tools).text)[-1]
            same = sum(1 for _ in takewhile(lambda two: two[0] == two[1], zip(before, asked, strict=False)))
            spans.append((at - len(before) + same, _closed(vocabulary, text, end)))
        at = end + len(after)
    if at != len(text):
        raise RefusedDialogue(_unfound(vocabulary, len(messages)))
    return spans


def _end_before(text: str, at: int, around: str, content: str) -> int:
    """Where in `text` the content that begins at `at`, whole or otherwise, ends and `around` follows; -1 if nowhere."""
    for whole in (content, content.strip()):
        if text.startswith(whole + around, at):
            return at + len(whole)
    return text.find(around, at) if around else len(text)


def _unfound(vocabulary: Vocabulary, turn: int) -> str:
    return (
        f"what is said in turn {turn} cannot be found in what the chat template of {vocabulary.name} makes of it; "
        "give the tokenizer a template that marks answers by {% generation %}"
    )


def _guard(vocabulary: Vocabulary, messages: list[Message]) -> tuple[list[Message], dict[str, str]]:
    """The messages with every special token's text in them replaced by one private-use character that stands for it."""
    special = _guarded(vocabulary)
    found = sorted({match for message in messages for match in special.findall(message["content"])})
    if not found:
        return messages, {}
    used = set("".join(message["content"] for message in messages))
    free = (chr(point) for point in range(0xF0000, 0xFFFFE) if chr(point) not in used)
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


def _guarded(vocabulary: Vocabulary) -> re.Pattern[str]:
    """What may not stand in the text of a turn as it is: special tokens, and our marks of generation."""
    return _pattern((*vocabulary.specials, OPENS, CLOSES))
