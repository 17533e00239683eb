"""In-context learning: a prompt after k answered ones that nothing held out, without any training in between.

Brown et al. 2020, "Language Models are Few-Shot Learners", section 2. A base model, which knows documents and no roles,
gets questions and answers as a text, each answer in the line below its question, and has answered where its line ends.
A model that knows roles gets them as earlier turns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from random import Random

from anatomia.generate.engine import Completion, generate
from anatomia.generate.sampling import Sampling, stream_seed
from anatomia.generate.stopping import cut
from anatomia.model.decoder import Decoder
from anatomia.text.dialogue import Dialogue, Turn
from anatomia.tokens.dialogue import prompt_ids
from anatomia.tokens.vocabulary import Vocabulary

ALIKE = (("task", "language", "kind"), ("task", "language"), ("language",), ())
"""What a demonstration should have in common with the prompt, as far as it is known; the first that enough have."""


@dataclass(frozen=True)
class Asked:
    """A prompt as a model reads it.

    Attributes:
        ids: its tokens. text: what they say, as a person would read it. shown: how many demonstrations come before it.
    """

    ids: list[int]
    text: str
    shown: int


class Shots:
    """Puts demonstrations before prompts: for every model the same, for fewer shots the first of those for more."""

    def __init__(self, demonstrations: Sequence[Dialogue], most: int, seed: int) -> None:
        """Keep the demonstrations that can be shown, one question with its answer, and draw `most` for each prompt."""
        self.pool = [one for one in demonstrations if [turn.role for turn in one.turns] == ["user", "assistant"]]
        self.most, self.seed = most, seed
        self.groups: dict[tuple[object, ...], list[Dialogue]] = {}
        for one in self.pool:
            for keys in ALIKE:
                self.groups.setdefault((keys, *map(one.meta.get, keys)), []).append(one)

    @property
    def stop(self) -> str:
        """What ends an answer in a text of questions and answers: the line's end, unless answers have several lines."""
        return "\n\n" if any("\n" in one.turns[1].content for one in self.pool) else "\n"

    def draw(self, prompt: Dialogue, place: int) -> list[Dialogue]:
        """The demonstrations for the prompt number `place`."""
        groups = [self.groups.get((keys, *map(prompt.meta.get, keys)), []) for keys in ALIKE]
        near = next((group for group in groups if len(group) >= self.most), self.pool)
        return Random(stream_seed(self.seed, "shots", place)).sample(near, min(self.most, len(near)))


def answer_after(
    model: Decoder,
    vocabulary: Vocabulary,
    as_text: bool,
    shots: Shots,
    count: int,
    prompts: list[Dialogue],
    max_new: int,
) -> list[tuple[Asked, Completion, str]]:
    """What was asked, the most probable answer and its text, for each prompt after `count` demonstrations."""
    room = model.config.context - max_new
    asked = [
        ask_after(vocabulary, as_text, prompt, shots.draw(prompt, place)[:count], room)
        for place, prompt in enumerate(prompts)
    ]
    sampling = Sampling(0.0, max_new=max_new, stop=(shots.stop,) if as_text else ())
    answers = generate(model, [one.ids for one in asked], [0] * len(asked), sampling, 256, vocabulary)
    texts = [cut(vocabulary.decode(answer.ids), sampling.stop) for answer in answers]
    return list(zip(asked, answers, texts, strict=True))


def ask_after(vocabulary: Vocabulary, as_text: bool, prompt: Dialogue, shown: Sequence[Dialogue], room: int) -> Asked:
    """The prompt after as many of the demonstrations, the last ones, as leave it within `room` tokens.

    Args:
        as_text: for a model without roles: questions and answers as a text.
    """
    write = _as_text if as_text else _as_turns
    for first in range(len(shown) + 1):
        asked = write(vocabulary, *_once(prompt, shown[first:]))
        if len(asked.ids) <= room:
            break
    return asked


def _as_text(
    vocabulary: Vocabulary, instruction: str, pairs: Sequence[tuple[str, str]], turns: Sequence[Turn]
) -> Asked:
    before = [instruction, *(f"{question}\n{answer}" for question, answer in pairs)]
    asked = "".join(turn.content + ("\n" if turn.role == "user" else "\n\n") for turn in turns)
    text = "\n\n".join([part for part in before if part] + [asked])
    start = [] if vocabulary.begin is None else [vocabulary.begin]
    return Asked([*start, *vocabulary.encode(text)], text, len(pairs))


def _as_turns(
    vocabulary: Vocabulary, instruction: str, pairs: Sequence[tuple[str, str]], turns: Sequence[Turn]
) -> Asked:
    before = [turn for question, answer in pairs for turn in (Turn("user", question), Turn("assistant", answer))]
    if instruction:
        before[0] = Turn("user", f"{instruction}\n\n{before[0].content}")
    system = [turn for turn in turns if turn.role == "system"]
    said = [*system, *before, *(turn for turn in turns if turn.role != "system")]
    ids = prompt_ids(vocabulary, [turn.to_message() for turn in said])
    return Asked(ids, "\n\n".join(turn.content for turn in said), len(pairs))


def _once(prompt: Dialogue, shown: Sequence[Dialogue]) -> tuple[str, list[tuple[str, str]], tuple[Turn, ...]]:
    """(what all questions begin with, the demonstrations without it, the prompt's turns without it).

    The questions of one task begin with its definition; it is said once.
    """
    pairs = [(one.turns[0].content, one.turns[1].content) for one in shown]
    if not pairs or len(prompt.turns) > 1:
        return "", pairs, prompt.turns
    question = prompt.turns[0].content
    asked = sorted([question, *(asked for asked, _ in pairs)])  # what the first and the last share, all share
    same = sum(1 for _ in takewhile(lambda two: two[0] == two[1], zip(asked[0], asked[-1], strict=False)))
    common = question[: question.rfind("\n\n", 0, same) + 2] if "\n\n" in question[:same] else ""
    rest = [(asked[len(common) :], answer) for asked, answer in pairs]
    return common.strip(), rest, (Turn("user", question[len(common) :]),)
