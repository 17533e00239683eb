import random

import numpy as np
import pytest

from anatomia.text.dedup import BANDS, ROWS, exact_duplicates, near_duplicates, sketches
from anatomia.text.words import words_of

VOCABULARY = [f"słowo{i}" for i in range(2000)]


def text(stream, length=200):
    return " ".join(stream.choice(VOCABULARY) for _ in range(length))


def changed(original, count, stream):
    words = original.split()
    for place in stream.sample(range(len(words)), count):
        words[place] = "zmiana" + str(place)
    return " ".join(words)


def jaccard(a, b):
    shingles = [{tuple(words[i : i + 5]) for i in range(len(words) - 4)} for words in (a.split(), b.split())]
    return len(shingles[0] & shingles[1]) / len(shingles[0] | shingles[1])


def test_exact_duplicates_point_at_the_first():
    ids = np.array([b"b", b"a", b"b", b"c", b"a", b"b"], dtype="S1")
    assert exact_duplicates(ids).tolist() == [-1, -1, 0, -1, 1, 0]
    assert exact_duplicates(np.array([], dtype="S1")).tolist() == []


def test_sketches_estimate_the_similarity_of_shingles():
    stream = random.Random(1)
    for count in (0, 1, 3, 6, 12):
        original = text(stream, 400)
        other = changed(original, count, stream)
        values = sketches(words_of([original, other]))
        assert (values[0] == values[1]).mean() == pytest.approx(jaccard(original, other), abs=0.13)


def test_a_sketch_does_not_depend_on_the_batch():
    stream = random.Random(2)
    texts = [text(stream, n) for n in (0, 1, 3, 4, 5, 6, 50, 300)] + ["", "— …", "jeden"]
    together = sketches(words_of(texts))
    assert together.shape == (len(texts), BANDS * ROWS)
    for i, one in enumerate(texts):
        np.testing.assert_array_equal(sketches(words_of([one]))[0], together[i])


def test_short_texts_are_alike_only_if_equal():
    values = sketches(words_of(["ala ma kota", "Ala ma kota!", "kota ma ala", "ala ma"]))
    assert near_duplicates(values, 0.8) == {1: (0, 1.0)}


def test_the_first_of_several_alike_stays():
    stream = random.Random(3)
    originals = [text(stream) for _ in range(50)]
    copies = [changed(original, 2, stream) for original in originals]
    values = sketches(words_of(originals + copies))
    dropped = near_duplicates(values, 0.8)
    assert set(dropped) >= {i + 50 for i in range(50) if jaccard(originals[i], copies[i]) > 0.87}
    assert all(other == i - 50 for i, (other, _) in dropped.items())
    assert near_duplicates(sketches(words_of(originals)), 0.8) == {}


def test_a_chain_is_not_dropped_as_a_whole():
    """Each is like the next, the ends are not alike: what resembles only a dropped text stays."""
    stream = random.Random(4)
    chain = [text(stream, 400)]
    for _ in range(8):
        chain.append(changed(chain[-1], 9, stream))
    dropped = near_duplicates(sketches(words_of(chain)), 0.75)
    assert all(other not in dropped for other, _ in dropped.values())
    assert len(dropped) < len(chain) - 1


def test_recall_is_what_the_docstring_promises():
    stream = random.Random(5)
    pairs = [(original, changed(original, 3, stream)) for original in (text(stream, 280) for _ in range(300))]
    alike = [pair for pair in pairs if jaccard(*pair) >= 0.85]
    assert len(alike) > 200
    found = sum(1 in near_duplicates(sketches(words_of(pair)), 0.75) for pair in alike)
    assert found > 0.97 * len(alike)
