"""How many rankings it takes to know completions so well, asked at random and asked by what is most telling.

    python bench/active_selection.py [--seeds 10] [--prompts 10] [--completions 12] [--at-once 4] [--rankings 200]
                                     [--alone ERROR] [--ways question annotator both oracle]

Simulated annotators rank some completions of a prompt at a time: each feels a completion's worth with an error of their
own (one in six guesses), and ties what feels nearly the same. All ways of asking have the same fit of scores
(`feedback.davidson`). Others, who took no part, rank everything: *held-out tau* is the mean Kendall tau-b of the scores
with their rankings. "random" draws prompt, completions and annotator; "question" has the same annotators in the same
turns, and takes the prompt and completions that are most telling; "annotator" draws these and takes whom to ask;
"both" takes all. "oracle" is no way to ask but a bound: in the same turns as "question" it knows what completions are
worth, tries answers to many questions, and asks what brings the scores nearest to that. With --alone there is one
annotator with that error. Prints how many rankings fewer it takes to reach, and keep, what random asking has reached.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from anatomia.feedback.agreement import kendall_tau_b
from anatomia.feedback.asking import Asker
from anatomia.feedback.choices import choices_of
from anatomia.feedback.posteriors import Shared, posteriors
from anatomia.feedback.ranking import Groups
from anatomia.feedback.scores import Floats, linear_stars

ERRORS = {"ada": 0.3, "bolek": 0.5, "celina": 0.6, "darek": 0.4, "ewa": 0.8, "zgaduj": 50.0}
HELD_OUT = (0.3, 0.4, 0.5)
TIE = 0.15
WAYS = ("question", "annotator", "both", "oracle")
TRIED, ANSWERS = 12, 4  # questions about each prompt, and answers to each, that the oracle tries
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


def curve(
    seed: int, way: str, prompts: int, completions: int, at_once: int, rankings: int, alone: float | None = None
) -> Floats:
    """Held-out tau after every `EVERY` rankings; a prompt that nobody ranked has a tau of 0."""
    errors = ERRORS if alone is None else {"ola": alone}
    random = np.random.default_rng(seed)
    truth = random.normal(size=(prompts, completions))
    held_out = [[linear_stars(ranked(random, worth, error), completions) for error in HELD_OUT] for worth in truth]
    turns = random.choice(list(errors), rankings)
    choice, answers, tried = (np.random.default_rng([seed, stream]) for stream in (1, 2, 3))
    asker = Asker([completions] * prompts, at_once=at_once)
    taus = []
    for number, annotator in enumerate(turns, 1):
        if way in ("question", "annotator", "both"):
            asked = asker.whom([annotator] if way == "question" else list(errors))
            assert asked is not None
            annotator, question = asked
            prompt, shown = question.prompt, list(question.completions)
        if way in ("random", "annotator"):
            prompt = int(choice.integers(prompts))
            shown = sorted(choice.choice(completions, at_once, replace=False).tolist())
        if way == "oracle":
            prompt, shown = best_known(asker, truth, annotator, errors[annotator], tried)
        groups = ranked(answers, truth[prompt, shown], errors[annotator])
        asker.answer(prompt, tuple(tuple(shown[i] for i in group) for group in groups), annotator)
        if number % LEARN == 0:
            asker.learn()
        if number % EVERY == 0:
            found = zip(asker.modes, held_out, strict=True)
            each = [
                kendall_tau_b(np.round(mode, 9), stars) if len(mode) else 0.0 for mode, all_ in found for stars in all_
            ]
            taus.append(np.mean(np.nan_to_num(each)))
    return np.array(taus)


def best_known(
    asker: Asker, truth: Floats, annotator: str, error: float, random: np.random.Generator
) -> tuple[int, list[int]]:
    """The prompt and completions whose answer, as it is to be expected of this annotator, helps the order most."""
    prompts, n = truth.shape
    known = len(asker.shared.reliability)
    number = {name: min(place, known) for name, place in asker._number.items()}
    tried = []
    for prompt in range(prompts):
        for _ in range(TRIED):
            shown = sorted(random.choice(n, asker.at_once, replace=False).tolist())
            for _ in range(ANSWERS):
                groups = ranked(random, truth[prompt, shown], error)
                tried.append((prompt, shown, tuple(tuple(shown[i] for i in group) for group in groups)))
    choices = choices_of(
        [[*asker.prompts[prompt], groups] for prompt, _, groups in tried],
        [n] * len(tried),
        [[number.get(name, known) for name in (*asker.annotators[prompt], annotator)] for prompt, _, _ in tried],
        pairs=True,
    )
    shared = Shared(asker.shared.ties, np.append(asker.shared.reliability, 1.0), asker.shared.spread)
    (block,) = posteriors(choices, shared)
    first, second = np.triu_indices(n, 1)
    places = [prompt for prompt, _, _ in tried]
    right = np.sign(truth[:, first] - truth[:, second])
    now = np.array([mode if len(mode) else np.zeros(n) for mode in asker.modes])
    after = (np.sign(block.mode[:, first] - block.mode[:, second]) * right[places]).mean(1)
    before = (np.sign(now[:, first] - now[:, second]) * right).mean(1)[places]
    best = int(np.argmax((after - before).reshape(-1, ANSWERS).mean(1))) * ANSWERS
    return tried[best][0], tried[best][1]


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
    parser.add_argument("--alone", type=float, help="one annotator, with this error")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS[:3])
    given = parser.parse_args()
    start = time.perf_counter()
    sizes = given.prompts, given.completions, given.at_once, given.rankings, given.alone
    curves = np.array(
        [[curve(seed, way, *sizes) for way in ("random", *given.ways)] for seed in range(given.seeds)]
    )  # [seeds, ways, looks]
    mean = curves.mean(0)
    who = "six annotators" if given.alone is None else f"one annotator with an error of {given.alone:g}"
    print(f"{given.prompts} prompts of {given.completions}, {given.at_once} at once, {who}, {given.seeds} seeds")
    for share in (0.25, 0.5, 0.75, 1.0):
        at = int(given.rankings * share) // EVERY
        for way, name in enumerate(given.ways, 1):
            saved = 1 - needed(mean[way], mean[0, at - 1]) / (at * EVERY)
            each = [1 - needed(of[way], of[0, at - 1]) / (at * EVERY) for of in curves]
            print(
                f"after {at * EVERY}: random {mean[0, at - 1]:.3f}, {name} {mean[way, at - 1]:.3f}; the same "
                f"with {saved:.1%} fewer (of the mean curves); by seed median {np.median(each):.1%}, "
                f"from {min(each):.1%} to {max(each):.1%}"
            )
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
