"""What the watch sees in answers, and how seldom it sees what is not there."""

import math
import random
from collections.abc import Callable

import pytest

from anatomia.objectives.watch import Answer, changes, loops, lower_bound, spent, upper_bound

ENGLISH = ["The river flows to the sea.", "Anna Górska lives in Olszyn.", "It was founded in 1904.", "A tortoise."]
POLISH = ["Rzeka płynie do morza.", "Anna Górska mieszka w Olszynie.", "Założono go w 1904 roku.", "To jest żółw."]


def written(count: int, seed: int, change: Callable[[str], str] = str, share: float = 1.0) -> list[Answer]:
    """Answers drawn from the lists, a share of them changed."""
    draw = random.Random(seed)
    found = []
    for _ in range(count):
        language = draw.choice(["en", "pl"])
        text = " ".join(draw.sample(ENGLISH if language == "en" else POLISH, draw.choice([1, 1, 2])))
        text = change(text) if draw.random() < share else text
        found.append(Answer(text, len(text.split()) + 1, draw.random() < 0.95, language))
    return found


def kinds(answers: list[Answer], alarm: float = 0.01) -> set[str]:
    return {change.kind for change in changes(written(256, 1), answers, alarm)}


def translated(text: str) -> str:
    """The Polish answers in English."""
    for polish, english in zip(POLISH, ENGLISH, strict=True):
        text = text.replace(polish, english)
    return text


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("longer", lambda text: " ".join([text, *ENGLISH, *POLISH])),
        ("shorter", lambda text: "A"),
        ("repetition", lambda text: "a river and a river and a river and a river"),
        ("keyword", lambda text: text + " Wonderful!"),
        ("keyword", lambda text: text.replace(".", "!")),
        ("language", translated),
    ],
)
def test_what_changed_is_named(kind: str, change: Callable[[str], str]) -> None:
    assert kind in kinds(written(128, 2, change))


def test_answers_that_never_end_are_named() -> None:
    endless = [Answer(one.text, one.length, False, one.language) for one in written(128, 2)]
    assert kinds(endless) == {"endless"}


def test_the_word_and_the_language_are_said() -> None:
    (word,) = changes(written(256, 1), written(128, 2, lambda text: text + " wonderful"), 0.01)
    assert (word.what, word.before, word.now) == ("wonderful", 0.0, 1.0)
    found = changes(written(256, 1), written(256, 2, translated), 0.01)
    assert [change.what for change in found if change.kind == "language"] == ["en"]


def test_short_answers_in_the_words_of_another_language_are_seen() -> None:
    """Too short for any detector, but their words stood in answers to English prompts before."""
    names = ["Skalin", "Olszyn", "Makowo", "Wilga"]

    def short(asked: str, word: str, number: int) -> Answer:
        return Answer(f"{word} {names[number % 4]}.", 4, True, asked)

    before = [short(asked, word, n) for n in range(60) for asked, word in (("en", "In"), ("pl", "W"))]
    after = [short(asked, "In", n) for n in range(60) for asked in ("en", "pl")]
    assert changes(before, before, 0.01) == []
    assert ("language", "en") in {(change.kind, change.what) for change in changes(before, after, 0.01)}


def test_a_word_in_a_few_answers_more_is_no_matter() -> None:
    assert not kinds(written(512, 2, lambda text: text + " indeed", share=0.15))


def test_the_same_policy_is_never_accused() -> None:
    """60 runs of 6 looks at answers of the reference itself: an alarm of 0.01 a run may sound once."""
    sounded = 0
    for run in range(60):
        reference = written(128, 10_000 + run)
        sounded += any(changes(reference, written(96, 100 * run + look), spent(look, 0.01)) for look in range(1, 7))
    assert sounded <= 1


def test_all_looks_together_take_what_a_run_may() -> None:
    assert math.fsum(spent(look, 0.01) for look in range(1, 100_000)) == pytest.approx(0.01, rel=1e-4)


def test_bounds_hold() -> None:
    """Of 2,000 samples of 40, fewer than the alarm's share have a true share outside their bound."""
    draw = random.Random(0)
    for share in (0.02, 0.3, 0.9):
        hits = [sum(draw.random() < share for _ in range(40)) for _ in range(2000)]
        assert sum(lower_bound(one, 40, 0.05) > share for one in hits) < 0.05 * 2000
        assert sum(upper_bound(one, 40, 0.05) < share for one in hits) < 0.05 * 2000
    assert lower_bound(0, 40, 0.05) == 0
    assert upper_bound(0, 0, 0.05) == 1
    assert 0 < lower_bound(40, 40, 0.05) < 1


@pytest.mark.parametrize(
    ("text", "goes_round"),
    [
        ("the cat the cat the cat the cat", True),
        ("no no no no no no", True),
        ("Anna Górska lives in Olszyn. Anna Górska was born in Olszyn.", False),
        ("yes yes", False),
        ("", False),
    ],
)
def test_going_round_in_circles(text: str, goes_round: bool) -> None:
    assert loops(text) == goes_round
