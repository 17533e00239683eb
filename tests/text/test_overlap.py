"""Exact match and ROUGE-L: what counts as the same answer."""

import pytest

from anatomia.text.overlap import exact_match, rouge_l


@pytest.mark.parametrize(
    ("answer", "reference", "same"),
    [
        ("The  Vistula.", "the vistula", True),
        ("„Wisła” – rzeka…", "wisła rzeka", True),
        ("ZAŻÓŁĆ", "zażółć", True),
        ("z\u0307aba", "\u017caba", True),  # the same letter, written as two characters and as one
        ("Warta", "Warto", False),
        ("it's", "its", True),
        ("", "x", False),
    ],
)
def test_capitals_punctuation_and_spaces_do_not_matter(answer: str, reference: str, same: bool) -> None:
    assert exact_match(answer, [reference]) is same


def test_the_best_reference_counts() -> None:
    references = ["Paris", "the city of Paris", "Rome"]
    assert exact_match("Rome!", references)
    assert rouge_l("Rome!", references) == 1.0
    assert rouge_l("city of Paris", references) == pytest.approx(2 * 3 / (3 + 4))
    assert not exact_match("Rome", [])
    assert rouge_l("Rome", []) == 0.0


def test_order_counts_and_gaps_do_not() -> None:
    assert rouge_l("a b c d", ["a x b y c"]) == pytest.approx(2 * 3 / (4 + 5))
    assert rouge_l("c b a", ["a b c"]) == pytest.approx(1 / 3)


def test_english_is_compared_by_stems_and_polish_is_not() -> None:
    assert rouge_l("connected trains", ["connecting train"]) == 1.0
    assert rouge_l("kotami", ["kotach"], "pl") == 0.0
    assert rouge_l("domed", ["doming"], "pl") == 0.0


def test_polish_letters_make_words() -> None:
    assert rouge_l("Żółta łąka", ["żółta łąka"], "pl") == 1.0
    assert rouge_l("łąka", ["rzeka"], "pl") == rouge_l("łąka", ["ka"], "pl") == 0.0
    assert rouge_l("ćma śpi", ["żółw śpi"], "pl") == 0.5
