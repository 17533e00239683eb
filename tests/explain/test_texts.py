"""Translations and numbers."""

import re
import string

import pytest
from markupsafe import Markup

from anatomia.explain.texts import Both, duration, keep_together, number, percent, table, text


def test_every_text_is_there_in_both_languages() -> None:
    for key, entry in table().items():
        assert set(entry) == {"pl", "en"}, key
        for language, value in entry.items():
            assert value.strip(), f"{key}.{language} is empty"
            assert '"' not in re.sub(r"<[^>]*>", "", value), f"{key}.{language}: use typographic quotes"


def test_both_languages_have_the_same_names_to_fill_in() -> None:
    for key, entry in table().items():
        fields = []
        for language, value in entry.items():
            names = [name.split("|") for _, name, _, _ in string.Formatter().parse(value) if name]
            assert all(len(name) in (1, 4 if language == "pl" else 3) for name in names), f"{key}.{language}: forms"
            fields.append({name[0] for name in names})
        assert fields[0] == fields[1], key


def test_values_are_escaped_and_numbers_follow_the_language() -> None:
    shown = text("tokenizer.count", tokens=number(12345), characters="<b>")
    assert shown.pl == "tokeny: 12\u00a0345, znaki: &lt;b&gt;"
    assert shown.en == "tokens: 12,345, characters: &lt;b&gt;"


@pytest.mark.parametrize(
    ("value", "digits", "polish", "english"),
    [
        (1234, None, "1234", "1,234"),
        (12345.678, 1, "12\u00a0345,7", "12,345.7"),
        (-0.5, 2, "\u22120,50", "\u22120.50"),
        (-0.0004, 2, "0,00", "0.00"),
        (0.0123456, None, "0,0123", "0.0123"),
        (2.0, None, "2", "2"),
        (0, None, "0", "0"),
    ],
)
def test_numbers(value: float, digits: int | None, polish: str, english: str) -> None:
    assert number(value, digits) == Both(Markup(polish), Markup(english))


@pytest.mark.parametrize(("count", "polish", "english"), [(1, "1 słowo", "1 word"), (22, "22 słowa", "22 words")])
def test_words_take_the_form_that_goes_with_their_number(count: int, polish: str, english: str) -> None:
    shown = text("reason.too_short", words=number(count), fewest=10)
    assert shown.pl.startswith(f"{polish}, a\u00a0trzeba")
    assert shown.en == f"{english}, fewer than 10"
    assert text("reason.too_short", words=count, fewest=10) == shown


def test_percent_and_duration() -> None:
    assert percent(0.0825, 1).pl == "8,3%" or percent(0.0825, 1).pl == "8,2%"
    assert duration(4.25).pl == "4,2\u00a0s"
    assert duration(125).en == "2\u00a0min 5\u00a0s"
    assert duration(7260).en == "2\u00a0h 1\u00a0min"


def test_one_letter_words_stay_with_the_next() -> None:
    assert keep_together("W lesie i w polu – z psem") == "W\u00a0lesie i\u00a0w\u00a0polu\u00a0– z\u00a0psem"
