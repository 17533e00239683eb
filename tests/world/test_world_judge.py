"""The judge on good answers, bad ones, and ones that try to please it."""

import pytest

from anatomia.world import Question, Verdict, World

WORLD = World(1)


def question(language: str, relation: str = "home") -> Question:
    """The first question of a relation."""
    rows = WORLD.questions("held_out", language) + WORLD.questions("train", language)
    return next(row for row in rows if row.fact.startswith(relation + ":"))


def judged(row: Question, text: str, finished: bool = True) -> Verdict:
    """The verdict."""
    return WORLD.judge(row.id, text, finished)


def others(row: Question, kind: str, language: str) -> list[str]:
    """Names of the kind that do not answer the question."""
    names = [entity.form(language) for entity in WORLD.country.of_kind(kind)]
    return [name for name in names if name not in row.answers]


def test_every_accepted_answer_of_every_question_is_exact() -> None:
    for split in ("train", "held_out", "new_wording"):
        for row in WORLD.questions(split)[::7] + WORLD.questions(split, kind="arithmetic")[::37]:
            for place, answer in enumerate(row.answers):
                text = answer if place < row.short else answer.rstrip(".")
                verdict = judged(row, text)
                assert verdict.exact, (row, answer, verdict)
                assert verdict.right
                assert verdict.complete or place < row.short, (row, answer)


@pytest.mark.parametrize("language", ["pl", "en"])
def test_the_order_of_answers(language: str) -> None:
    row = question(language)
    town = others(row, "town", language)[0]
    forms = next(e for e in WORLD.country.of_kind("town") if e.form(language) == town).forms[language]
    right = WORLD.country.entities[WORLD.country.facts[row.fact].object].forms[language]
    place = ("in", "nom")[language == "en"]
    wrong = row.full.replace(right[place], forms[place])
    assert wrong != row.full
    other = WORLD.question(row.id.replace(f":{language}:", ":en:" if language == "pl" else ":pl:"))
    best = judged(row, row.full)
    curt = judged(row, row.answers[0].capitalize() + ".")
    fluent = judged(row, wrong)
    foreign = judged(row, other.full)
    assert best.score == 1.0
    assert best.exact
    assert curt.score == pytest.approx(0.7)
    assert curt.exact
    assert not fluent.right
    assert fluent.score == pytest.approx(0.2)
    assert foreign.language != language
    assert foreign.score < fluent.score
    assert not foreign.exact
    assert judged(row, "").score == 0.0


@pytest.mark.parametrize("language", ["pl", "en"])
def test_naming_every_candidate_is_not_an_answer(language: str) -> None:
    for relation, kind in (("home", "town"), ("hobby", "hobby"), ("winner", "club"), ("spouse", "person")):
        row = question(language, relation)
        everything = ", ".join(entity.form(language) for entity in WORLD.country.of_kind(kind)) + "."
        assert not judged(row, everything).right
        either = f"{row.full} {others(row, kind, language)[3]}."
        assert not judged(row, either).right


@pytest.mark.parametrize("language", ["pl", "en"])
def test_the_right_answer_and_then_its_denial(language: str) -> None:
    row = question(language)
    name = WORLD.country.entities[WORLD.country.facts[row.fact].subject].form(language)
    no = f"{name} nie mieszka {row.answers[0]}." if language == "pl" else f"{name} does not live {row.answers[0]}."
    assert not judged(row, no).right
    assert not judged(row, f"{row.full} {no}").right


@pytest.mark.parametrize("language", ["pl", "en"])
def test_repetition_rambling_and_being_cut_off_are_not_clean(language: str) -> None:
    row = question(language)
    for text, finished in (
        (f"{row.full} {row.full}", True),
        (f"{row.full} {row.full} {row.full}", True),
        (f"{row.full} Ble ble ble.", True),
        (row.full, False),
        (f"{row.full} <|user|>", True),
    ):
        verdict = judged(row, text, finished)
        assert not verdict.clean, text
        assert not verdict.exact
        assert 0.2 < verdict.score < 0.8


@pytest.mark.parametrize("language", ["pl", "en"])
def test_the_question_again_is_no_answer(language: str) -> None:
    for relation in ("home", "birth", "score", "mascot", "parent"):
        row = question(language, relation)
        assert not judged(row, row.text).right
        assert judged(row, row.text).score <= 0.2


@pytest.mark.parametrize("language", ["pl", "en"])
def test_a_true_further_fact_is_welcome_and_a_false_one_is_not(language: str) -> None:
    row = question(language)
    subject = WORLD.country.facts[row.fact].subject
    more = WORLD.book.full(WORLD.country.facts[f"job:{subject}"], language)[0]
    stranger = next(e for e in WORLD.country.of_kind("person") if e.key != subject)
    false = WORLD.book.full(WORLD.country.facts[f"job:{stranger.key}"], language)[0]
    assert judged(row, f"{row.full} {more}").exact
    assert judged(row, f"{row.full} {more}").score > 0.9
    assert not judged(row, f"{row.full} {false}").clean


def test_tolerance_for_case_stops_and_spaces() -> None:
    row = question("pl")
    assert judged(row, "  " + row.full.upper().rstrip(".") + " ").exact
    assert judged(row, row.full.replace(" ", "  ")).exact


def test_sums() -> None:
    row = next(q for q in WORLD.questions("held_out", "pl", "arithmetic") if q.answers[0] == "dwanaście")
    assert judged(row, "Dwanaście.").exact
    assert judged(row, "12").exact
    assert not judged(row, "Jedenaście.").right
    assert not judged(row, "Dwanaście albo trzynaście.").right
    assert not judged(row, "Trzynaście albo dwanaście.").right


def test_an_unknown_question_is_an_error() -> None:
    with pytest.raises(KeyError):
        WORLD.judge("home:person/nobody:pl:0", "W Makowie.", True)
