"""Where fine-tuning's dialogues and the prompts of later stages come from: files, or the made-up world."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from anatomia.generate.sampling import stream_seed
from anatomia.stages.corpus import WorldSettings
from anatomia.stages.models import in_share
from anatomia.text.dialogue import Dialogue
from anatomia.text.dialogues import read_dialogues
from anatomia.text.sources import files_of
from anatomia.world import World

WORLD = "world"
HELD_OUT = 0.05  # the share of dialogues, by their prompt, that nothing is ever trained on


def dialogue_files(patterns: Sequence[str], root: Path, key: str) -> list[Path]:
    """The files that `patterns` name, the word "world" left aside.

    Raises:
        UserError: a pattern matches nothing; the message names `key`.
    """
    return files_of(patterns, root, key) if patterns else []


def load_dialogues(patterns: Sequence[str], root: Path, key: str, world: WorldSettings, count: int) -> list[Dialogue]:
    """All dialogues of the files, and `count` of the world's if it is named, in an order of their own."""
    found = list(read_dialogues(dialogue_files(patterns, root, key)))
    if WORLD in patterns:
        found += World(world.seed).dialogues(stream_seed(world.seed, "dialogues"), count)
    Random(stream_seed(world.seed, "order of dialogues")).shuffle(found)
    return found


def split_dialogues(dialogues: Sequence[Dialogue]) -> tuple[list[Dialogue], list[Dialogue]]:
    """(train, held out) by the hash of the first user's turn: one prompt is never on both sides."""
    held_out = [in_share(first_prompt(dialogue), HELD_OUT) for dialogue in dialogues]
    pairs = list(zip(dialogues, held_out, strict=True))
    return [dialogue for dialogue, held in pairs if not held], [dialogue for dialogue, held in pairs if held]


def first_prompt(dialogue: Dialogue) -> str:
    """The first thing the user says."""
    return next((turn.content for turn in dialogue.turns if turn.role == "user"), "")


def load_prompts(
    patterns: Sequence[str], root: Path, key: str, world: WorldSettings, count: int, held_out: bool, purpose: str
) -> list[Dialogue]:
    """`count` prompts, each ending with a user's turn: the world's, or dialogues of files without their last answers.

    Args:
        held_out: take prompts that no stage trains on (the world's held-out facts; the held-out share of files).
        purpose: names the random stream; the same purpose draws the same prompts.
    """
    prompts: list[Dialogue] = []
    if WORLD in patterns:
        split = "held_out" if held_out else "train"
        prompts += World(world.seed).prompts(split, stream_seed(world.seed, purpose), count)
    files = dialogue_files(patterns, root, key)
    if files:
        train, rest = split_dialogues(list(read_dialogues(files)))
        unique: dict[tuple[Any, ...], Dialogue] = {}
        for dialogue in rest if held_out else train:
            prompt = as_prompt(dialogue)
            if prompt is not None:
                unique.setdefault(prompt.turns, prompt)
        from_files = sorted(unique.values(), key=lambda prompt: prompt.source)
        Random(stream_seed(world.seed, purpose)).shuffle(from_files)
        prompts += from_files[: max(0, count - len(prompts))] if prompts else from_files[:count]
    return prompts


def load_demonstrations(
    patterns: Sequence[str], root: Path, key: str, world: WorldSettings, count: int
) -> list[Dialogue]:
    """Dialogues with their answers, of which nothing is held out: all of the files', and `count` of the world's."""
    found = split_dialogues(list(read_dialogues(dialogue_files(patterns, root, key))))[0]
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


def messages(prompt: Dialogue) -> list[dict[str, Any]]:
    """The prompt as messages."""
    return prompt.messages
