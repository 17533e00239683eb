"""The simple models against formulas written out one count at a time, and against the program xz."""

import itertools
import math
import shutil
import subprocess
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anatomia.explain.baselines import NGrams, discounts_of, draw_documents, ngram_bits_per_byte, xz_bits_per_byte
from anatomia.tokens.shards import Shard

Documents = list[list[int]]
VOCABULARY = 8


def shard(documents: Documents) -> Shard:
    starts = np.cumsum([0, *map(len, documents)])
    return Shard(np.array(list(itertools.chain(*documents)), np.uint16), starts)


class Literal:
    """Modified Kneser-Ney by its definition, with a dictionary for every count."""

    def __init__(self, documents: Documents, order: int) -> None:
        self.order = order
        seen: list[Counter[tuple[object, ...]]] = [Counter() for _ in range(order + 1)]
        before: defaultdict[tuple[object, ...], set[object]] = defaultdict(set)
        for document in documents:
            symbols = self.symbols(document)
            for length in range(1, order + 1):
                for start in range(len(symbols) - length + 1):
                    gram = tuple(symbols[start : start + length])
                    seen[length][gram] += 1
                    if start:
                        before[gram].add(symbols[start - 1])
        self.counts: list[dict[tuple[object, ...], int]] = [{}]
        for length in range(1, order + 1):
            self.counts.append(
                {
                    gram: count if length == order or isinstance(gram[0], str) else len(before[gram])
                    for gram, count in seen[length].items()
                    if not isinstance(gram[-1], str)
                }
            )
        self.discounts = [self.discount(list(counts.values())) for counts in self.counts]

    @staticmethod
    def symbols(document: list[int]) -> list[object]:
        return [f"first {document[0]}", *document[1:]] if document else []

    @staticmethod
    def discount(counts: list[int]) -> list[float]:
        n = [sum(count == number for count in counts) for number in range(5)]
        found = [0.0, 0.5, 1.0, 1.5]
        for number in (1, 2, 3):
            if n[1] and n[number]:
                y = n[1] / (n[1] + 2 * n[2])
                value = number - (number + 1) * y * n[number + 1] / n[number]
                found[number] = value if 0 < value <= number else found[number]
        return found

    def probability(self, token: int, context: tuple[object, ...], length: int) -> float:
        if length == 0:
            return 1 / VOCABULARY
        history = context[len(context) - length + 1 :] if length > 1 else ()
        lower = self.probability(token, context, length - 1)
        if len(history) < length - 1:
            return lower
        following = {gram[-1]: count for gram, count in self.counts[length].items() if gram[:-1] == history}
        total = sum(following.values())
        if not total:
            return lower
        d = self.discounts[length]
        left = sum(d[min(count, 3)] for count in following.values()) / total
        count = following.get(token, 0)
        return (count - d[min(count, 3)]) / total + left * lower

    def log_probabilities(self, documents: Documents) -> list[float]:
        return [
            math.log(self.probability(document[place], tuple(self.symbols(document)[:place]), self.order))
            for document in documents
            for place in range(1, len(document))
        ]


texts = st.lists(st.lists(st.integers(0, VOCABULARY - 1), max_size=14), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(train=texts, held_out=texts, order=st.integers(1, 5))
def test_the_formulas_of_chen_and_goodman(train: Documents, held_out: Documents, order: int) -> None:
    mine = NGrams(shard(train), VOCABULARY, order).log_probabilities(shard(held_out))
    np.testing.assert_allclose(mine, Literal(train, order).log_probabilities(held_out), rtol=1e-9, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(train=texts, context=st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=6))
def test_chances_add_up_to_one(train: Documents, context: list[int]) -> None:
    model = NGrams(shard(train), VOCABULARY)
    every = [model.log_probabilities(shard([[*context, token]]))[-1] for token in range(VOCABULARY)]
    assert np.exp(every).sum() == pytest.approx(1)


def test_enough_text_is_discounted_by_its_own_counts() -> None:
    counts = np.repeat([1, 2, 3, 4, 7], [100, 40, 20, 12, 3])
    y = 100 / 180
    assert discounts_of(counts) == pytest.approx([0, 1 - 2 * y * 40 / 100, 2 - 3 * y * 20 / 40, 3 - 4 * y * 12 / 20])


def test_bits_are_counted_as_a_language_model_s() -> None:
    nothing_learnt = shard([[1]])
    held_out = shard([[1, 5, 5, 2], [1, 2], [1]])  # begin, two words, end; an empty text; nothing to predict
    bits = ngram_bits_per_byte(nothing_learnt, held_out, 16, VOCABULARY)
    assert bits == pytest.approx(4 * math.log2(VOCABULARY) / 16)
    assert math.isnan(ngram_bits_per_byte(nothing_learnt, shard([]), 0, VOCABULARY))


def test_longer_contexts_help_where_text_has_them() -> None:
    generator = np.random.default_rng(0)
    words = [[3, 4, 5], [6, 4, 7]]
    documents = [[1, *itertools.chain(*(words[i] for i in generator.integers(0, 2, 20))), 2] for _ in range(60)]
    train, held_out = shard(documents[:50]), shard(documents[50:])
    bits = [ngram_bits_per_byte(train, held_out, 600, VOCABULARY, order) for order in (1, 2, 3)]
    assert bits[0] > bits[1] > bits[2]
    least = math.log2(2.1) + math.log2(21) / 20  # per word: which of two, and whether to end instead
    assert bits[2] * 600 / (10 * 20) == pytest.approx(least, rel=0.05)


def test_no_more_is_learnt_from_than_was_asked_for() -> None:
    documents = [[1, number % 7, 2] for number in range(1000)]
    drawn = draw_documents(shard(documents), 300)
    assert len(drawn) == 100
    assert {len(drawn.document(number)) for number in range(100)} == {3}
    assert len(set(drawn.tokens[1::3].tolist())) == 7  # from all over, not from the beginning
    long = draw_documents(shard([list(range(8)) * 50]), 100)
    assert len(long) == 1
    assert len(long.tokens) == 100
    assert draw_documents(long, 100) is long


def test_as_small_as_the_program_xz_makes_it() -> None:
    if not (program := shutil.which("xz")):
        pytest.skip("no xz here")
    texts = ["Zażółć gęślą jaźń. ", *(f"The river {number * number} flows to the sea. " for number in range(500))]
    data = "".join(texts).encode()
    packed = subprocess.run([program, "-9ec"], input=data, stdout=subprocess.PIPE, check=True).stdout
    assert xz_bits_per_byte(texts) == pytest.approx(8 * len(packed) / len(data), rel=0.02)
    assert math.isnan(xz_bits_per_byte([]))
