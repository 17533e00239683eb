"""What the watch sees in answers, and how seldom it sees what is not there."""

import math
import random
from collections.abc import Callable

import pytest

from anatomia.objectives.watch import Answer, Change, Heard, changes, loops, price, spent

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


def kinds(before: list[Answer], now: list[Answer], alarm: float = 0.01) -> set[str]:
    return {change.kind for change in changes(before, now, alarm)}


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
    """The answers to the same prompts, changed."""
    assert kind in kinds(written(128, 2), written(128, 2, change))


def test_answers_that_never_end_are_named() -> None:
    endless = [Answer(one.text, one.length, False, one.language) for one in written(128, 2)]
    assert kinds(written(128, 2), endless) == {"endless"}


def test_the_word_and_the_language_are_said() -> None:
    (word,) = changes(written(128, 2), written(128, 2, lambda text: text + " wonderful"), 0.01)
    assert (word.what, word.before, word.now) == ("wonderful", 0.0, 1.0)
    found = changes(written(256, 2), written(256, 2, translated), 0.01)
    assert [change.what for change in found if change.kind == "language"] == ["en"]


def test_a_word_that_stood_in_many_answers_before_is_named_when_it_stands_in_all() -> None:
    """A word's usual share is no excuse: 40% before, all now."""

    def with_is(share: float) -> list[Answer]:
        return [Answer(f"name{n} {'is' if n % 10 < 10 * share else 'was'} here{n}", 5, True) for n in range(200)]

    (change,) = changes(with_is(0.4), with_is(1.0), 0.01)
    assert (change.kind, change.what, change.now) == ("keyword", "is", 1.0)


def test_a_word_said_more_often_in_each_answer_is_named_with_its_number() -> None:
    before = [Answer(f"name{n} is here{n} now and{n}", 5, True) for n in range(100)]
    after = [Answer(f"is is name{n} is here{n} is", 5, True) for n in range(100)]
    assert ("keyword", "2 × is") in {(change.kind, change.what) for change in changes(before, after, 0.01)}


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
    assert not kinds(written(512, 2), written(512, 2, lambda text: text + " indeed", share=0.15))


def test_the_same_policy_is_never_accused() -> None:
    """60 runs of 6 looks at answers of the reference itself: an alarm of 0.01 a run may sound once."""
    sounded = 0
    for run in range(60):
        first = written(128, 10_000 + run)
        sounded += any(changes(first, written(128, 100 * run + look), spent(look, 0.01)) for look in range(1, 7))
    assert sounded <= 1


def rewarded(paid: Callable[[Answer], float], seed: int = 3) -> Heard:
    """Answers of one policy, half of them with another sign at the end, and what a reward says of them."""
    draw = random.Random(seed)
    answers = written(200, seed, lambda text: text.replace(".", "!"), share=0.5)
    return [(answer, paid(answer) + draw.gauss(0, 0.5)) for answer in answers]


def test_only_what_the_reward_pays_for_is_named() -> None:
    """The signs changed; among answers of one policy the reward goes with them, or does not."""
    before, now = written(200, 2), written(200, 2, lambda text: text.replace(".", "!"))

    def named(paid: Callable[[Answer], float]) -> dict[str, float | None]:
        return {change.kind: change.paid for change in changes(before, now, 0.01, [rewarded(paid)])}

    assert named(lambda answer: 0.0) == {}
    assert named(lambda answer: 2.0 * ("!" in answer.text)) == {"keyword": pytest.approx(2.0, abs=0.3)}


def test_what_rose_at_the_same_time_as_the_reward_is_not_paid_for() -> None:
    """From one policy to the next whatever rises goes along with the reward; only within one does it count."""
    before, now = written(200, 2), written(200, 2, lambda text: text.replace(".", "!"))
    early = [row for row in rewarded(lambda answer: 0.0) if "!" not in row[0].text or row[0].text.startswith("A")]
    late = [row for row in rewarded(lambda answer: 5.0, 4) if "!" in row[0].text or row[0].text.startswith("A")]
    assert changes(before, now, 0.01, [early, late]) == []
    assert {change.kind for change in changes(before, now, 0.01, [early + late])} == {"keyword"}


def test_what_is_paid_is_said() -> None:
    said = {kind: price(Change(kind, 0.0, 1.0, "x", 1.25)) for kind in ("longer", "shorter", "keyword")}
    assert said["keyword"] == (" (such an answer gets 1.2 more)", " (taka odpowiedź dostaje o 1,2 więcej)")
    assert said["longer"] == (" (each further token brings 1.2)", " (każdy dodatkowy token daje 1,2)")
    assert said["shorter"] == (" (each token less brings 1.2)", " (każdy token mniej daje 1,2)")
    assert price(Change("keyword", 0.0, 1.0, "x")) == ("", "")


def test_all_looks_together_take_what_a_run_may() -> None:
    assert math.fsum(spent(look, 0.01) for look in range(1, 100_000)) == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize(
    ("text", "goes_round"),
    [
        ("the cat the cat the cat the cat", True),
        ("no no no no no no", True),
        ("the name of it is the name it is of the it name", True),
        ("Anna Górska lives in Olszyn. Anna Górska was born in Olszyn.", False),
        ("yes yes", False),
        ("", False),
    ],
)
def test_going_round_in_circles(text: str, goes_round: bool) -> None:
    assert loops(text) == goes_round
