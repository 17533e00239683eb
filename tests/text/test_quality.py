import gzip
import json
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anatomia.text.document import Document
from anatomia.text.quality import RULES, Limits, judge
from anatomia.text.repetition import repeated_share, top_share
from anatomia.text.words import words_of

POLISH = (
    "Nad rzeką stał stary młyn, w którym od lat nikt nie mieszkał. A jednak co wieczór paliło się w nim światło.\n"
    "Ludzie ze wsi mówili, że to młynarz wraca po swoje worki, ale nikt go nigdy nie widział z bliska."
)
ENGLISH = (
    "By the river stood an old mill in which nobody had lived for years, and yet a light burned there every night.\n"
    "The people of the village said that it was the miller who came back for his sacks, but nobody had seen him."
)


STREAM = random.Random(1)
WORDS = POLISH.replace("\n", " ").replace(".", "").split()
LINES = [" ".join(STREAM.sample(WORDS, 9)) for _ in range(10)]  # of Polish words, without a phrase that recurs


def rule_of(text, language="pl", page=False, **limits):
    document = Document(text, "test", language, {"page": True} if page else {})
    return judge([document], words_of([text]), Limits(**limits))[0]


@pytest.mark.parametrize("page", [False, True])
@pytest.mark.parametrize(("text", "language"), [(POLISH, "pl"), (ENGLISH, "en")])
def test_prose_passes(text, language, page):
    assert rule_of(text, language, page) == ("", "")


@pytest.mark.parametrize(
    ("rule", "text", "page"),
    [
        ("too_short", "Za mało słów.", False),
        ("word_length", "a b c d e f w z i o " * 5, False),
        ("word_length", "konstantynopolitańczykowianeczka " * 3 + "i w " + "rozprzestrzenianiem " * 30, False),
        ("alphabetic", POLISH + " 12 34 56 78 90 11 22 33 44 55 66 77", False),
        ("symbols", POLISH + " #a #b #c #d #e #f", False),
        ("bullets", "\n".join("• kilka słów w jednym punkcie listy i nie tylko" for _ in range(8)), False),
        ("ellipses", "\n".join(f"To jest zapowiedź numer {n} i nie ma w niej nic więcej…" for n in "abcdef"), True),
        ("stop_words", "kot pies dom las rzeka góra droga niebo chmura deszcz śnieg wiatr " * 4, False),
        ("repeated_lines", "\n".join([POLISH.split("\n")[0]] * 3 + [POLISH]), False),
        ("top_phrase", POLISH + " bardzo piękna kraina" * 12, False),
        ("unfinished_lines", "\n".join(LINES), True),
        ("short_lines", "\n".join(line[:24] + "." for line in LINES), True),
        ("placeholder", POLISH + " Lorem ipsum dolor sit amet.", True),
        ("placeholder", POLISH + " function() { if (a) { return b; } } var x = { y: z };", True),
    ],
)
def test_each_rule_speaks_with_its_reason(rule, text, page):
    found, reason = rule_of(text, page=page)
    assert (found, bool(reason)) == (rule, True)
    assert any(c.isdigit() for c in reason) or rule == "placeholder"


def test_repeated_phrases():
    words = [f"słowo{i}" for i in range(300)]
    stream = random.Random(1)
    body = " ".join(stream.choice(words) for _ in range(200)) + " i w nie że"
    phrase = " ".join(words[:30])
    assert rule_of(body) == ("", "")
    assert rule_of(f"{body} {phrase} {body[:40]} {phrase} x {phrase}")[0] == "repeated_phrases"


def test_what_plays_and_dialogues_do_is_allowed():
    speakers = "\n\n".join(f"Pierwszy obywatel:\n{line} {line[::-1]}…" for line in LINES)
    assert rule_of(speakers) == ("", "")
    dashes = "\n".join(f"— No i {line} — rzekł {line[:5]}." for line in LINES)
    assert rule_of(dashes) == ("", "")


def test_a_batch_gives_what_single_texts_give():
    texts = [POLISH, ENGLISH, POLISH + " " + POLISH, "", "x", " — — — ", ENGLISH + " bla bla bla bla bla bla" * 9]
    for n in (2, 3, 5):
        for share in (top_share, repeated_share):
            alone = [share(words_of([text]), n)[0] for text in texts]
            np.testing.assert_allclose(share(words_of(texts), n), alone)


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=30), min_size=1, max_size=4), st.integers(2, 4))
def test_shares_agree_with_counting_by_hand(lists, n):
    words = words_of([" ".join(words) for words in lists])
    for i, letters in enumerate(lists):
        grams = [tuple(letters[k : k + n]) for k in range(len(letters) - n + 1)]
        covered = {k + j for k, gram in enumerate(grams) if gram in grams[:k] for j in range(n)}
        assert repeated_share(words, n)[i] == pytest.approx(len(covered) / max(1, len(letters)))
        most = max((count for count in Counter(grams).values() if count >= 3), default=0)
        assert top_share(words, n)[i] == pytest.approx(most * n / max(1, len(letters)))


@pytest.mark.real
def test_human_judgement_of_web_pages(real_data):
    """DCLM's people: the rules drop few of the pages they found good, and pages they found bad more often."""
    dropped: dict[int, list[bool]] = {0: [], 1: []}
    data = gzip.decompress((real_data / "quality-labels/agreement_data.jsonl.gz").read_bytes())
    for line in data.split(b"\n"):
        if line.strip():
            record = json.loads(line)
            dropped[int(record["label"])].append(bool(rule_of(record["text"], "en", page=True)[0]))
    shares = {label: sum(values) / len(values) for label, values in dropped.items()}
    assert shares[1] < 0.15
    assert shares[0] > shares[1]


def test_every_rule_has_a_docstring():
    assert all(rule.__doc__ for rule in RULES.values())
