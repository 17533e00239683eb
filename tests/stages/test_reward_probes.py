"""Cheap tricks and worst mistakes of a reward model, planted and found."""

from collections.abc import Sequence

import numpy as np
import pytest

from anatomia.objectives.judged import UNPLACED, Judged
from anatomia.stages.reward_data import Case
from anatomia.stages.reward_probes import FEWEST, keywords, mistakes, probe

ENGLISH = "What did the woman say about the house that they have in the village?"
POLISH = "Co powiedziała kobieta, która nie była w tym domu, jak się okazało?"


def case(question: str, texts: Sequence[str], places: Sequence[Sequence[int]]) -> Case:
    sequences = tuple(tuple(range(1 + len(text.split()))) for text in texts)
    return Case(({"role": "user", "content": question},), tuple(texts), Judged(sequences, tuple(map(tuple, places)), 1))


def polyglot(count: int = 30) -> list[Case]:
    """Half in English, half in Polish; the first answer is the better one."""
    found = []
    for n in range(count):
        question = (POLISH if n % 2 else ENGLISH) + f" {n}"
        best = f"Nie wiem, ale dom numer {n} jest tym, w którym była." if n % 2 else f"That the house is number {n}."
        found.append(case(question, [best, "?"], [[0, 1]]))
    return found


def test_a_sound_model_gives_less_to_whatever_was_spoilt() -> None:
    def score(answers: Sequence[tuple[Case, str]]) -> list[float | None]:
        return [2.0 if text == one.best else 0.0 for one, text in answers]

    found = probe(polyglot(), score)
    assert set(found) == {"repeated", "halved", "empty", "wrong_prompt", "wrong_language"}
    for figures in found.values():
        assert figures["change"] == {"value": -2.0, "low": -2.0, "high": -2.0}
        assert figures["falls"] == 1.0


def test_a_model_that_likes_length_likes_things_said_twice() -> None:
    found = probe(polyglot(), lambda answers: [float(len(text)) for _, text in answers])
    assert found["repeated"]["change"]["low"] > 0
    assert found["repeated"]["falls"] == 0.0
    assert found["halved"]["falls"] == found["empty"]["falls"] == 1.0


def test_a_model_that_does_not_read_the_prompt_or_its_language_is_found_out() -> None:
    """It likes Polish letters, whatever was asked."""
    found = probe(polyglot(), lambda answers: [float("ó" in text) for _, text in answers])
    assert found["wrong_prompt"]["change"]["value"] == 0.0
    change = found["wrong_language"]["change"]
    assert change["low"] < 0 < change["high"], "as many gain by it as lose"
    languages: list[tuple[bool, bool]] = []

    def watch(answers: Sequence[tuple[Case, str]]) -> list[float | None]:
        languages.extend((one.question.startswith("Co"), text.startswith("Nie wiem")) for one, text in answers)
        return [0.0] * len(answers)

    probe(polyglot(), watch)
    asked_in_polish, answered_in_polish = np.array(languages[-30:]).T
    assert (asked_in_polish != answered_in_polish).all()


def test_answers_that_are_too_long_are_left_out_and_so_is_what_too_few_say() -> None:
    cases = polyglot()

    def score(answers: Sequence[tuple[Case, str]]) -> list[float | None]:
        return [None if text.count("That the house") > 1 else 1.0 for _, text in answers]

    assert probe(cases, score)["repeated"]["prompts"] == 15
    assert "repeated" not in probe(cases[: FEWEST - 1], score)
    assert "wrong_language" not in probe(cases[::2], score), "there is no other"


def wordy(count: int, seed: int) -> tuple[list[Case], list[np.ndarray]]:
    """Answers of random words, some of which hold "certainly"; people like "exact", and so does the score."""
    chance = np.random.default_rng(seed)
    words = [f"{a}{b}" for a in "bdgklm" for b in ("ata", "oro", "imi", "ulu")]
    cases, scores = [], []
    for n in range(count):
        texts = []
        for _ in range(4):
            body = chance.choice(words, 8).tolist()
            body += ["certainly"] * int(chance.random() < 0.4) + ["exact"] * int(chance.random() < 0.4)
            texts.append(" ".join(body))
        worth = np.array(["exact" in text for text in texts]) + chance.normal(0, 0.5, 4)
        cases.append(case(f"Question {n}", texts, [np.argsort(np.argsort(-worth)).tolist()]))
        scores.append(worth + chance.normal(0, 0.5, 4))
    return cases, scores


def test_a_word_that_the_model_likes_and_people_do_not_is_told_of() -> None:
    cases, scores = wordy(120, 0)
    assert keywords(cases, scores) == [], "what people like too is no trick"
    loved = [s + np.array(["certainly" in text for text in one.completions]) for one, s in zip(cases, scores)]
    found = keywords(cases, loved)
    assert [row["word"] for row in found] == ["certainly"]
    assert found[0]["model"] > 0.5 > abs(found[0]["people"])
    hated = [s - np.array(["certainly" in text for text in one.completions]) for one, s in zip(cases, scores)]
    assert [row["word"] for row in keywords(cases, hated)] == ["certainly"]


@pytest.mark.parametrize("seed", range(20))
def test_chance_makes_no_tricks(seed: int) -> None:
    assert keywords(*wordy(60, seed)) == []


def test_the_worst_mistakes_are_those_that_people_agree_on() -> None:
    cases = [
        case("split", ["a", "b"], [[0, 1], [1, 0], [0, 1]]),
        case("clear", ["c", "d", "e"], [[0, 1, 2], [0, 1, 1], [0, UNPLACED, 1]]),
        case("right", ["f", "g"], [[0, 1]]),
    ]
    rewards = [np.array([0.0, 2.0]), np.array([0.0, 0.5, 1.0]), np.array([1.0, 0.0])]
    found = mistakes(cases, rewards)
    assert [row["prompt"] for row in found] == ["clear", "split"], "2.0 × ⅓ is less than 1.0 × 1"
    assert found[0]["better"] == {"text": "c", "reward": 0.0}
    assert found[0]["worse"] == {"text": "e", "reward": 1.0}
    assert (found[0]["agree"], found[0]["disagree"], found[0]["tied"]) == (3, 0, 0)
    assert (found[1]["agree"], found[1]["disagree"], found[1]["tied"]) == (2, 1, 0)
