"""Documents: the same everywhere, every fact in them, and nothing left unfilled."""

import hashlib
import re
import subprocess
import sys
from collections import Counter

from anatomia.world import World
from anatomia.world.book import normalised
from anatomia.world.genres import GENRES

PROGRAM = """
import hashlib
from anatomia.world import World
texts = [d.text for d in World(1).documents(0, 40, 30)]
print(hashlib.sha256("\\x00".join(texts).encode()).hexdigest())
"""


def test_a_document_depends_on_seed_and_number_alone() -> None:
    world = World(1)
    run = [document.text for document in world.documents(0, 0, 70)]
    assert [document.text for document in World(1).documents(0, 40, 30)] == run[40:70]
    expected = hashlib.sha256("\x00".join(run[40:70]).encode()).hexdigest()
    for seed in ("0", "1234"):
        env = {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        printed = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=env)
        assert printed.stdout.strip() == expected
    assert [d.text for d in world.documents(1, 0, 5)] != run[:5]
    assert [d.text for d in World(2).documents(0, 0, 5)] != run[:5]


def test_every_fact_is_stated_in_both_languages() -> None:
    world = World(1)
    stated: dict[str, set[str]] = {"pl": set(), "en": set()}
    for document in world.documents(0, 0, 8000):
        for text in re.split(r"(?<=[.!?])\s+", document.text):
            stated[document.language].add(normalised(text))
    for fact in world.facts:
        for language, texts in stated.items():
            assert any(normalised(text) in texts for text in world.book.full(fact, language)), (fact, language)


def test_genres_lengths_and_languages_are_mixed_and_nothing_is_left_unfilled() -> None:
    languages: Counter[str] = Counter()
    genres: Counter[str] = Counter()
    lengths = []
    for document in World(1).documents(9, 0, 3000):
        assert not re.search(r"[{}<>\[\]|]|\.\.|  | [.,;?!]", document.text), document.text
        languages[document.language] += 1
        genres[document.meta["genre"]] += 1
        lengths.append(len(document.text.split()))
    assert abs(languages["pl"] - languages["en"]) < 300
    assert len(GENRES) >= 18
    assert set(genres) == {name for name, _ in GENRES}
    lengths.sort()
    assert 50 <= lengths[1500] <= 120
    assert lengths[2850] <= 220


def test_the_first_documents_are_what_they_were() -> None:
    texts = "\x00".join(document.text for document in World(1).documents(0, 0, 20))
    assert hashlib.sha256(texts.encode()).hexdigest() == GOLDEN


GOLDEN = "a51a434e373979eb763f404ddc4fa25ce868da094862860c9a84953e8b40d4a6"
