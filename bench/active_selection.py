"""How many rankings it takes to know completions so well, asked at random and asked by what is most telling.

    python bench/active_selection.py [--seeds 10] [--prompts 10] [--completions 12] [--at-once 4] [--rankings 200]

Simulated annotators rank some completions of a prompt at a time: each feels a completion's worth with an error of their
own (one in six guesses), and ties what feels nearly the same. All ways of asking have the same fit of scores
(`feedback.davidson`). Others, who took no part, rank everything: *held-out tau* is the mean Kendall tau-b of the scores
with their rankings. "random" draws prompt, completions and annotator; "question" has the same annotators in the same
turns, and takes the prompt and completions that are most telling; "annotator" draws these and takes whom to ask;
"both" takes all. Prints how many rankings fewer it takes to reach, and keep, what asking at random has reached.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from anatomia.feedback.agreement import kendall_tau_b
from anatomia.feedback.asking import Asker
from anatomia.feedback.ranking import Groups
from anatomia.feedback.scores import Floats, linear_stars

ERRORS = {"ada": 0.3, "bolek": 0.5, "celina": 0.6, "darek": 0.4, "ewa": 0.8, "zgaduj": 50.0}
HELD_OUT = (0.3, 0.4, 0.5)
TIE = 0.15
WAYS = ("random", "question", "annotator", "both")
EVERY = 10  # rankings between two looks
LEARN = 30  # rankings between two estimates of what prompts share


def ranked(random: np.random.Generator, worth: Floats, error: float) -> Groups:
    """Places of things whose worth is felt with an error; what feels nearly as good as the group's best is tied."""
    felt = worth + error * random.normal(size=len(worth))
    groups: list[list[int]] = []
    for index in np.argsort(-felt):
        if groups and felt[groups[-1][0]] - felt[index] < TIE:
            groups[-1].append(int(index))
        else:
            groups.append([int(index)])
    return tuple(tuple(group) for group in groups)


def curve(seed: int, way: str, prompts: int, completions: int, at_once: int, rankings: int) -> Floats:
    """Held-out tau after every `EVERY` rankings."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=(prompts, completions))
    held_out = [[linear_stars(ranked(random, worth, error), completions) for error in HELD_OUT] for worth in truth]
    turns = random.choice(list(ERRORS), rankings)
    choice, answers = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2])
    asker = Asker([completions] * prompts, at_once=at_once)
    taus = []
    for number, annotator in enumerate(turns, 1):
        if way != "random":
            asked = asker.whom([annotator] if way == "question" else list(ERRORS))
            assert asked is not None
            annotator, question = asked
            prompt, shown = question.prompt, list(question.completions)
        if way in ("random", "annotator"):
            prompt = int(choice.integers(prompts))
            shown = sorted(choice.choice(completions, at_once, replace=False).tolist())
        groups = ranked(answers, truth[prompt, shown], ERRORS[annotator])
        asker.answer(prompt, tuple(tuple(shown[i] for i in group) for group in groups), annotator)
        if number % LEARN == 0:
            asker.learn()
        if number % EVERY == 0:
            found = zip(asker.modes, held_out, strict=True)
            taus.append(np.mean([kendall_tau_b(np.round(mode, 9), stars) for mode, given in found for stars in given]))
    return np.array(taus)


def needed(taus: Floats, target: float) -> float:
    """After how many rankings the curve stays at or above the target, interpolated; infinite if it never does."""
    below = np.flatnonzero(taus < target)
    if not len(below):
        return float(EVERY)
    last = int(below[-1])
    if last + 1 >= len(taus):
        return float("inf")
    return EVERY * (last + 1 + (target - taus[last]) / (taus[last + 1] - taus[last]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--prompts", type=int, default=10)
    parser.add_argument("--completions", type=int, default=12)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--rankings", type=int, default=200)
    given = parser.parse_args()
    start = time.perf_counter()
    sizes = given.prompts, given.completions, given.at_once, given.rankings
    curves = np.array(
        [[curve(seed, way, *sizes) for way in WAYS] for seed in range(given.seeds)]
    )  # [seeds, ways, looks]
    mean = curves.mean(0)
    print(f"{given.prompts} prompts of {given.completions}, {given.at_once} at once, {given.seeds} seeds")
    for share in (0.25, 0.5, 0.75, 1.0):
        at = int(given.rankings * share) // EVERY
        for way in range(1, len(WAYS)):
            saved = 1 - needed(mean[way], mean[0, at - 1]) / (at * EVERY)
            each = [1 - needed(of[way], of[0, at - 1]) / (at * EVERY) for of in curves]
            print(
                f"after {at * EVERY}: {WAYS[0]} {mean[0, at - 1]:.3f}, {WAYS[way]} {mean[way, at - 1]:.3f}; the same "
                f"with {saved:.1%} fewer (of the mean curves); by seed median {np.median(each):.1%}, "
                f"from {min(each):.1%} to {max(each):.1%}"
            )
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
