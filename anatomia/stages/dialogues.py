"""Where fine-tuning's dialogues and the prompts of later stages come from: files, or the made-up world."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from pydantic import Field

from anatomia.base.errors import UserError
from anatomia.base.settings import Settings
from anatomia.generate.sampling import stream_seed
from anatomia.stages.corpus import WorldSettings
from anatomia.stages.models import in_share
from anatomia.stages.stage import Context
from anatomia.text.dialogue import Dialogue
from anatomia.text.dialogues import read_dialogues
from anatomia.text.instructions import Examples
from anatomia.text.sources import files_of
from anatomia.tokens.dialogue import prompt_ids, refuses_system
from anatomia.tokens.rendering import RefusedDialogue
from anatomia.tokens.vocabulary import Vocabulary
from anatomia.world import World

WORLD = "world"
HELD_OUT = 0.05  # the share of dialogues, by their prompt, that nothing is ever trained on


class InstructionsSettings(Settings):
    """The section [instructions]: how the tasks of Natural Instructions become prompts.

    Attributes:
        positive: how many of a task's positive examples stand in the prompt, the first ones. negative: of its negative
            ones. explained: with what the task says of them.
    """

    positive: int = Field(default=0, ge=0)
    negative: int = Field(default=0, ge=0)
    explained: bool = False


def dialogue_files(patterns: Sequence[str], root: Path, key: str) -> list[Path]:
    """The files that `patterns` name, the word "world" left aside.

    Raises:
        UserError: a pattern matches nothing; the message names `key`.
    """
    return files_of(patterns, root, key) if patterns else []


def load_dialogues(context: Context, patterns: Sequence[str], key: str, count: int) -> list[Dialogue]:
    """All dialogues of the files, and `count` of the world's if it is named, in an order of their own."""
    world = world_of(context)
    found = read(context, patterns, key)
    if WORLD in patterns:
        found += World(world.seed).dialogues(stream_seed(world.seed, "dialogues"), count)
    Random(stream_seed(world.seed, "order of dialogues")).shuffle(found)
    return found


def read(context: Context, patterns: Sequence[str], key: str, answered: bool = True) -> list[Dialogue]:
    """The dialogues of the files; what is left out of them is told, once for each reason.

    Args:
        answered: False takes those without an answer too.
    """
    left_out: Counter[str] = Counter()
    files = dialogue_files(patterns, context.root, key)
    found = list(read_dialogues(files, left_out, examples_of(context), answered))
    for reason, count in left_out.items():
        context.ledger.note(f"{key}: {count} × left out of the files: {reason}")
    return found


def examples_of(context: Context) -> Examples:
    """The section [instructions], as the reader takes it."""
    instructions = context.settings["instructions"]
    assert isinstance(instructions, InstructionsSettings)
    return Examples(instructions.positive, instructions.negative, instructions.explained)


def world_of(context: Context) -> WorldSettings:
    """The section [world]."""
    world = context.settings["world"]
    assert isinstance(world, WorldSettings)
    return world


def taken(
    context: Context, key: str, dialogues: list[Dialogue], refused: Mapping[int, UserError], vocabulary: Vocabulary
) -> list[Dialogue]:
    """The dialogues without those that the chat template refuses, by their places; what happens to them is told."""
    if refused:
        why = next(iter(refused.values()))
        context.ledger.note(f"{key}: the chat template refuses {len(refused)} of {len(dialogues)} dialogues; {why}")
    kept = [dialogue for place, dialogue in enumerate(dialogues) if place not in refused]
    if any(dialogue.turns[0].role == "system" for dialogue in kept) and refuses_system(vocabulary):
        context.ledger.note(
            f"the chat template of {vocabulary.name} refuses what the system says; it is put before the first question"
        )
    return kept


def split_dialogues(dialogues: Sequence[Dialogue]) -> tuple[list[Dialogue], list[Dialogue]]:
    """(train, held out) by the hash of the first user's turn: one prompt is never on both sides."""
    held_out = [in_share(first_prompt(dialogue), HELD_OUT) for dialogue in dialogues]
    pairs = list(zip(dialogues, held_out, strict=True))
    return [dialogue for dialogue, held in pairs if not held], [dialogue for dialogue, held in pairs if held]


def first_prompt(dialogue: Dialogue) -> str:
    """The first thing the user says."""
    return next((turn.content for turn in dialogue.turns if turn.role == "user"), "")


def load_prompts(
    context: Context, patterns: Sequence[str], key: str, count: int, held_out: bool, purpose: str
) -> list[Dialogue]:
    """`count` prompts, each ending with a user's turn: the world's, or dialogues of files without their last answers.

    Args:
        held_out: take prompts that no stage trains on (the world's held-out facts; the held-out share of files).
        purpose: names the random stream; the same purpose draws the same prompts.
    """
    world = world_of(context)
    prompts: list[Dialogue] = []
    if WORLD in patterns:
        split = "held_out" if held_out else "train"
        prompts += World(world.seed).prompts(split, stream_seed(world.seed, purpose), count)
    from_files = read(context, patterns, key, answered=False)
    if from_files:
        train, rest = split_dialogues(from_files)
        unique: dict[tuple[Any, ...], Dialogue] = {}
        for dialogue in rest if held_out else train:
            prompt = as_prompt(dialogue)
            if prompt is not None:
                unique.setdefault(prompt.turns, prompt)
        drawn = sorted(unique.values(), key=lambda prompt: prompt.source)
        Random(stream_seed(world.seed, purpose)).shuffle(drawn)
        prompts += drawn[: max(0, count - len(prompts))]
    return prompts


def load_demonstrations(context: Context, patterns: Sequence[str], key: str, count: int) -> list[Dialogue]:
    """Dialogues with their answers, of which nothing is held out: all of the files', and `count` of the world's."""
    world = world_of(context)
    files = dialogue_files(patterns, context.root, key)
    found = split_dialogues(list(read_dialogues(files, examples=examples_of(context))))[0]
    if WORLD in patterns:
        found += World(world.seed).dialogues(stream_seed(world.seed, "to show"), count)
    return found


def as_prompt(dialogue: Dialogue) -> Dialogue | None:
    """The dialogue up to its last user's turn, its last answer kept in meta["reference"]; None if no user speaks."""
    last = max((place for place, turn in enumerate(dialogue.turns) if turn.role == "user"), default=None)
    if last is None:
        return None
    after = dialogue.turns[last + 1 :]
    reference = {"reference": after[0].content} if after else {}
    return Dialogue(dialogue.turns[: last + 1], dialogue.source, dialogue.meta | reference)


def ids_of(vocabulary: Vocabulary, prompt: Dialogue) -> list[int]:
    """The prompt's tokens, up to where the answer begins.

    Raises:
        RefusedDialogue: the chat template refuses it; names where it comes from.
    """
    try:
        return prompt_ids(vocabulary, prompt.messages, prompt.meta.get("tools"))
    except RefusedDialogue as error:
        raise RefusedDialogue(f"{prompt.source}: {error}") from error


def messages(prompt: Dialogue) -> list[dict[str, Any]]:
    """The prompt as messages."""
    return prompt.messages
