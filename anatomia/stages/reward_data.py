"""What a reward model learns from and is tested on: prompts, their answers as texts and as tokens, and rankings."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from anatomia.base.artifact import Artifact
from anatomia.base.files import read_jsonl
from anatomia.feedback.ranking import Message, Ranking
from anatomia.objectives.judged import UNPLACED, Judged
from anatomia.text.dialogue import Dialogue, Turn
from anatomia.tokens.dialogue import encode_dialogue
from anatomia.tokens.vocabulary import Vocabulary


@dataclass(frozen=True)
class Case:
    """A prompt and its answers, as people saw them and as the model does."""

    prompt: tuple[Message, ...]
    completions: tuple[str, ...]
    item: Judged

    @property
    def question(self) -> str:
        """What was asked last."""
        return self.prompt[-1]["content"]

    @property
    def best(self) -> str:
        """The answer that was placed best."""
        return self.completions[self.item.best]


def load_cases(ranks: Artifact, vocabulary: Vocabulary, context: int) -> tuple[dict[str, list[Case]], int]:
    """The rankings of each split ("train", "held_out"), those of one prompt together; how many prompts were too
    long."""
    stars = {row["prompt_id"]: row["davidson"] for row in read_jsonl(ranks.file("stars.jsonl"))}
    groups: dict[tuple[str, tuple[str, ...]], list[Ranking]] = defaultdict(list)
    splits: dict[str, str] = {}
    for row in read_jsonl(ranks.file("rankings.jsonl")):
        ranking = Ranking.from_json(row)
        if ranking.pairs():
            groups[ranking.prompt_id, ranking.completions].append(ranking)
            splits[ranking.prompt_id] = row["split"]
    cases: dict[str, list[Case]] = {"train": [], "held_out": []}
    too_long = 0
    for (name, completions), rankings in groups.items():
        prompt = rankings[0].prompt
        sequences = tuple(tuple(encode(vocabulary, prompt, text)) for text in completions)
        if max(map(len, sequences)) > context:
            too_long += 1
            continue
        given = tuple(math.nan if star is None else float(star) for star in stars.get(name, ()))
        orders = tuple(places(ranking) for ranking in rankings)
        item = Judged(sequences, orders, prompt_length(vocabulary, prompt), given)
        cases[splits[name]].append(Case(prompt, completions, item))
    return cases, too_long


def encode(vocabulary: Vocabulary, prompt: Sequence[Message], completion: str) -> list[int]:
    """A prompt with one completion and its end token."""
    return encode_dialogue(vocabulary, answered(prompt, completion))[0]


def prompt_length(vocabulary: Vocabulary, prompt: Sequence[Message]) -> int:
    """The number of tokens before a completion's first."""
    weights = encode_dialogue(vocabulary, answered(prompt, "1"))[1]
    end = len(weights) - weights[::-1].index(1)
    return next((place + 1 for place in range(end - 1, -1, -1) if not weights[place]), 0)


def answered(prompt: Sequence[Message], completion: str) -> Dialogue:
    """A prompt with a completion, calls of tools and what else belongs to its turns included."""
    return Dialogue((*map(Turn.from_message, prompt), Turn("assistant", completion)), "ranking")


def places(ranking: Ranking) -> tuple[int, ...]:
    """For each completion, the number of its group, best 0."""
    found = [UNPLACED] * len(ranking.completions)
    for place, group in enumerate(ranking.groups):
        for index in group:
            found[index] = place
    return tuple(found)
