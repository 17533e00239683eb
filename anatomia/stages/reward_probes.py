"""Where a reward model can be had cheaply, and where it is wrong: what spoilt copies of good answers get, words that it
likes more than people do, and its worst mistakes."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from anatomia.stages.reward_card import Floats, draws, ratings_of, signs, with_interval
from anatomia.stages.reward_data import Case
from anatomia.text.language import detect

PROBED = 200  # prompts whose best answers are spoilt
FEWEST = 10  # fewer prompts than this say nothing
TELLING = 4.0  # deviations that a word's liking must be from people's: chance alone gets there once in 16,000 words
WORDS = 8
MISTAKES = 6
Scorer = Callable[[Sequence[tuple[Case, str]]], list[float | None]]


def probe(cases: Sequence[Case], score: Scorer) -> dict[str, dict[str, Any]]:
    """How the reward changes when the best known answer to a prompt is spoilt.

    Args:
        score: the rewards, in deviations, of answers to the cases' prompts; None where one is too long.

    Returns:
        By kind of damage: `repeated` (said twice), `halved` (its first half), `wrong_prompt` (another prompt's best
        answer, in the same language), `wrong_language` (one in another language), `empty`: the mean `change` in
        deviations with its interval, `falls`, the share of prompts where the reward falls, and `prompts`. Kinds of
        which fewer than `FEWEST` could be made are left out.
    """
    chosen = [case for case in cases if case.best.strip()][:PROBED]
    plain = score([(case, case.best) for case in chosen])
    kinds: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for place, case in enumerate(chosen):
        words = case.best.split()
        kinds["repeated"].append((place, f"{case.best.strip()} {case.best.strip()}"))
        if len(words) > 1:
            kinds["halved"].append((place, " ".join(words[: len(words) // 2])))
        kinds["empty"].append((place, ""))
    languages = [detect(f"{case.question}\n{case.best}") for case in chosen]
    for name, same in (("wrong_prompt", True), ("wrong_language", False)):
        kinds[name] = others([case.best for case in chosen], languages, same)
    found = {}
    for name, spoilt in kinds.items():
        scores = score([(chosen[place], text) for place, text in spoilt])
        pairs = [(plain[place], value) for (place, _), value in zip(spoilt, scores, strict=True)]
        change = np.array([after - before for before, after in pairs if before is not None and after is not None])
        if len(change) >= FEWEST:
            found[name] = {
                "change": with_interval(float(change.mean()), draws(len(change)) @ change / len(change)),
                "falls": round(float((change < 0).mean()), 4),
                "prompts": len(change),
            }
    return found


def others(answers: Sequence[str], languages: Sequence[str], same: bool) -> list[tuple[int, str]]:
    """For each prompt that has one, another prompt's best answer, in the same language or in another that is known."""
    chance = np.random.default_rng(0)
    found = []
    for place, (own, language) in enumerate(zip(answers, languages, strict=True)):
        suitable = [
            answer
            for answer, other in zip(answers, languages, strict=True)
            if answer != own and (other == language if same else "" not in (other, language) and other != language)
        ]
        if suitable:
            found.append((place, suitable[int(chance.integers(len(suitable)))]))
    return found


def keywords(cases: Sequence[Case], scores: Sequence[Floats]) -> list[dict[str, Any]]:
    """Words that the model likes, or dislikes, more than people do: tricks that a policy could learn.

    A word is looked at where some answers to a prompt hold it and some do not: how much higher the first score, in
    deviations within prompts, by the model and by how often people placed them above another. Where the model's
    difference has the other sign than people's or is larger, and the two are `TELLING` standard errors apart (of one
    deviation for all words, so that a rare word's luck is not taken for certainty), the word is told of.

    Returns:
        At most `WORDS`, the most certain first: `word`, `prompts`, `model` and `people` (the two differences).
    """
    likings = [np.nansum(signs(ratings_of(case.item)), (0, 2)) / len(case.item.places) for case in cases]
    lifts: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for case, mine, theirs in zip(cases, standard(scores), standard(likings), strict=True):
        held = [set(re.findall(r"[^\W\d_]+", text.lower())) for text in case.completions]
        for word in sorted(set().union(*held)):
            has = np.array([word in words for words in held])
            if not has.all():
                lifts[word].append(tuple(v[has].mean() - v[~has].mean() for v in (mine, theirs)))
    tables = {word: np.array(rows) for word, rows in lifts.items() if len(rows) >= FEWEST}
    if not tables:
        return []
    deviation = np.concatenate([table[:, 0] - table[:, 1] for table in tables.values()]).std()
    found = []
    for word, table in tables.items():
        model, people = table.mean(0)
        certainty = abs(model - people) * np.sqrt(len(table)) / max(deviation, 1e-9)
        if certainty >= TELLING and (model * people <= 0 or abs(model) > abs(people)):
            found.append((certainty, word, len(table), model, people))
    found.sort(key=lambda row: (-row[0], row[1]))
    return [
        {"word": word, "prompts": prompts, "model": round(float(model), 3), "people": round(float(people), 3)}
        for _, word, prompts, model, people in found[:WORDS]
    ]


def standard(values: Sequence[Floats]) -> list[Floats]:
    """Values less their means within a prompt, in deviations of what is left."""
    centred = [v - v.mean() for v in values]
    deviation = np.concatenate(centred).std() or 1.0
    return [v / deviation for v in centred]


def mistakes(cases: Sequence[Case], rewards: Sequence[Floats]) -> list[dict[str, Any]]:
    """Where the model is most wrong: of each prompt the pair that people agreed on most clearly and that it puts the
    other way round by most, the worst first.

    Returns:
        At most `MISTAKES`: `prompt`, `better` and `worse` (by people's count: `text` and `reward`), and of the
        annotators who placed both how many said so (`agree`), the opposite (`disagree`), or neither (`tied`).
    """
    found = []
    for case, values in zip(cases, rewards, strict=True):
        orders = signs(ratings_of(case.item))
        clear = np.nansum(orders, 0) / np.maximum((~np.isnan(orders)).sum(0), 1)
        wrong = np.clip(clear, 0, None) * np.clip(values - values[:, None], 0, None)
        better, worse = np.unravel_index(int(wrong.argmax()), wrong.shape)
        if wrong[better, worse] > 0:
            found.append((float(wrong[better, worse]), case, int(better), int(worse), orders[:, better, worse], values))
    found.sort(key=lambda row: -row[0])
    return [
        {
            "prompt": case.question,
            **{
                name: {"text": case.completions[place], "reward": round(float(values[place]), 3)}
                for name, place in (("better", better), ("worse", worse))
            },
            **{said: int((votes == sign).sum()) for said, sign in (("agree", 1), ("disagree", -1), ("tied", 0))},
        }
        for _, case, better, worse, votes, values in found[:MISTAKES]
    ]
