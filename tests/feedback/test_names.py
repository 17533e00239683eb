"""What people who rank may be called."""

import pytest

from anatomia.base.errors import UserError
from anatomia.feedback.names import annotator_name


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ala", "Ala"),
        ("  Ala \u00a0 Kowalska ", "Ala Kowalska"),
        ("Zo\u0301sia", "Zósia"),
        ("../../etc/passwd", "../../etc/passwd"),  # a name is never a path
        ("Robert'); DROP TABLE rankings;--", "Robert'); DROP TABLE rankings;--"),
        ("张伟", "张伟"),
        ("علي\u200cرضا", "علي\u200cرضا"),
        ("7", "7"),
        ("x" * 60, "x" * 60),
    ],
)
def test_names_of_all_kinds_are_kept(given: str, kept: str) -> None:
    assert annotator_name(given) == kept


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("", "no letter or digit"),
        (" \t ", "no letter or digit"),
        ("🙂", "no letter or digit"),
        ("x" * 61, "61 signs is too long"),
        ("Al\x1b[2Ja", "cannot be seen"),
        ("Al\u202ea", "cannot be seen"),
        ("Al\udcffa", "cannot be seen"),
        ("simulated:ada", "no people"),
        ("File:x.jsonl", "no people"),
    ],
)
def test_names_that_would_mislead_are_refused(given: str, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        annotator_name(given)
    assert str(caught.value).isprintable()


def test_who_comes_back_in_other_capitals_is_the_same_person() -> None:
    assert annotator_name("łucja", ["Ala", "ŁUCJA"]) == "ŁUCJA"
    assert annotator_name("ola", ["Ala"]) == "ola"
