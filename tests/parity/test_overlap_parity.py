"""Exact match and ROUGE-L against what Natural Instructions measures with: `rouge_score`, and NLTK's stems in it."""

import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anatomia.text.overlap import exact_match, rouge_l
from anatomia.text.stems import _STEP_2, _STEP_3, _STEP_4, stem

rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer")
porter = pytest.importorskip("nltk.stem.porter")

TALK = st.lists(
    st.sampled_from(
        ["the", "a", "cat", "cats", "running", "runs", "connections", "Connected,", "it's", "1945.", "flies", "_x_"]
    ),
    max_size=12,
).map(" ".join)
ASCII = st.text(st.characters(codec="ascii"), max_size=40)


@pytest.fixture(scope="module")
def scorer():  # type: ignore[no-untyped-def]
    return rouge_scorer.RougeScorer(["rougeL"], use_stemmer=True)


def theirs(text: str) -> str:
    """The normalisation of Natural Instructions' own evaluation."""
    lowered = text.lower()
    return " ".join("".join(character for character in lowered if character not in string.punctuation).split())


@given(TALK | ASCII, TALK | ASCII)
@settings(max_examples=400, deadline=None)
def test_ascii_texts_are_measured_alike(scorer, answer: str, reference: str) -> None:  # type: ignore[no-untyped-def]
    expected = scorer.score(target=reference, prediction=answer)["rougeL"].fmeasure
    assert rouge_l(answer, [reference]) == pytest.approx(expected, abs=1e-12)
    assert exact_match(answer, [reference]) == (theirs(answer) == theirs(reference))


def test_words_with_every_ending_have_the_stems_of_nltk() -> None:
    stemmer, draw = porter.PorterStemmer(), random.Random(0)
    endings = [ending for ending, _ in (*_STEP_2, *_STEP_3)]
    endings += [*_STEP_4, "s", "es", "ies", "ied", "ed", "ing", "eed", "y", "ll", "logi", "sses"]
    beginnings = ["".join(draw.choices("abeioulstyzwx", k=1 + place % 5)) for place in range(200)]
    made = [first + last + more for first in beginnings for last in endings for more in ("", "s", "ed", "e")]
    irregular = ["sky", "skies", "dying", "lying", "tying", "news", "innings", "outings", "cannings", "howe", "proceed"]
    assert [stem(word) for word in made + irregular] == [stemmer.stem(word) for word in made + irregular]


def test_where_rouge_score_is_wrong_about_polish(scorer) -> None:  # type: ignore[no-untyped-def]
    """It cuts words at every letter but a–z: it finds agreement where there is none, and none where all agrees."""

    def said(answer: str, reference: str) -> float:
        return float(scorer.score(target=reference, prediction=answer)["rougeL"].fmeasure)

    assert said("łąka", "ka") == 1.0
    assert rouge_l("łąka", ["ka"], "pl") == 0.0
    assert said("żółć", "żółć") == 0.0
    assert rouge_l("żółć", ["żółć"], "pl") == 1.0
