"""Simulated rankers: made-up annotators who rank completions for the world. Not people; say so wherever they are used.

Each has a taste (what counts beside the judge's score), noise (how far a score is off) and habits (when two completions
count as tied, how often neighbours are swapped, how often the worst are left unplaced).
"""

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from anatomia.feedback.ranking import Ranking
from anatomia.text.dialogue import Dialogue
from anatomia.world.judge import Verdict

if TYPE_CHECKING:
    from anatomia.world.world import World


@dataclass(frozen=True)
class Habits:
    """One annotator's ways.

    Attributes:
        noise: standard deviation of the error on a score.
        tie: scores closer than this are tied.
        swap: chance that two neighbouring places are exchanged.
        partial: chance that the last place is left out of the ranking.
        brevity: added to the score of a short answer.
        detail: added to the score of an answer with more than one sentence.
        polish: taken off where the capital or the full stop is missing.
    """

    noise: float
    tie: float
    swap: float = 0.0
    partial: float = 0.0
    brevity: float = 0.0
    detail: float = 0.0
    polish: float = 0.0


HABITS = {
    "ada": Habits(noise=0.03, tie=0.04),
    "bolek": Habits(noise=0.08, tie=0.06, brevity=0.06),
    "celina": Habits(noise=0.06, tie=0.03, detail=0.12),
    "darek": Habits(noise=0.05, tie=0.03, polish=0.15),
    "ewa": Habits(noise=0.05, tie=0.05, swap=0.12),
    "franek": Habits(noise=0.15, tie=0.1, partial=0.1),
    "gosia": Habits(noise=0.04, tie=0.12),
    "hubert": Habits(noise=0.1, tie=0.05, swap=0.08, detail=0.05),
}


class SimulatedRankers:
    """`count` annotators over a world; beyond the eighth, names and habits come again with a number.

    Args:
        world: whose judge they mostly agree with.
        count: how many.
        seed: of their noise.
    """

    def __init__(self, world: "World", count: int, seed: int) -> None:
        self.world, self.seed = world, seed
        names = list(HABITS)
        self.annotators = {
            f"simulated:{names[i % len(names)]}{i // len(names) + 1 if i >= len(names) else ''}": HABITS[
                names[i % len(names)]
            ]
            for i in range(count)
        }

    def rank(self, prompt: Dialogue, completions: list[str], finished: list[bool], prompt_id: str) -> list[Ranking]:
        """One ranking per annotator; the same for the same (seed, prompt_id, annotator) and completions.

        `prompt.meta["question_id"]` names the question. Raises KeyError where the world has no such question.
        """
        question = str(prompt.meta["question_id"])
        verdicts = [self.world.judge(question, text, end) for text, end in zip(completions, finished)]
        messages = tuple({"role": turn.role, "content": turn.content} for turn in prompt.turns)
        return [
            Ranking(prompt_id, messages, tuple(completions), _groups(completions, verdicts, habits, random), name)
            for name, habits in self.annotators.items()
            for random in [Random(f"ranker {self.seed} {prompt_id} {name}")]
        ]


def _groups(
    completions: list[str], verdicts: list[Verdict], habits: Habits, random: Random
) -> tuple[tuple[int, ...], ...]:
    # Equal texts get equal scores: an annotator sees that they are the same.
    felt: dict[tuple[str, float], float] = {}
    scores = []
    for text, verdict in zip(completions, verdicts):
        error = random.gauss(0.0, habits.noise)
        scores.append(felt.setdefault((text, verdict.score), _taste(text, verdict, habits) + error))
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    groups: list[list[int]] = []
    for index in order:
        if groups and scores[groups[-1][0]] - scores[index] < habits.tie:
            groups[-1].append(index)
        else:
            groups.append([index])
    for place in range(len(groups) - 1):
        if random.random() < habits.swap:
            groups[place], groups[place + 1] = groups[place + 1], groups[place]
    if len(groups) > 2 and random.random() < habits.partial:
        groups.pop()
    return tuple(tuple(group) for group in groups)


def _taste(text: str, verdict: Verdict, habits: Habits) -> float:
    score, text = verdict.score, text.strip()
    if verdict.right and len(text.split()) <= 4:
        score += habits.brevity
    if verdict.right and ". " in text:
        score += habits.detail
    if not text[:1].isupper() or text[-1:] not in (".", "!"):
        score -= habits.polish
    return score
