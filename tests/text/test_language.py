import tarfile
import unicodedata

import pytest

from anatomia.text.language import detect

POLISH = "Nad rzeką stał stary młyn, w którym od lat nikt nie mieszkał, a jednak co wieczór paliło się w nim światło."
ENGLISH = (
    "By the river stood an old mill in which nobody had lived for years, and yet a light burned there every night."
)


def test_tells_polish_and_english():
    assert detect(POLISH) == "pl"
    assert detect(ENGLISH) == "en"
    assert detect(POLISH.upper()) == "pl"


def test_decomposed_letters_change_nothing():
    assert detect(unicodedata.normalize("NFD", POLISH)) == "pl"


def test_says_when_it_cannot_tell():
    assert detect("12 34 56 78 90 11 22 33") == ""
    assert detect("") == ""


def test_what_the_source_says_settles_a_close_call_only():
    assert detect("12 34", expected="pl") == "pl"
    assert detect(ENGLISH * 5, expected="pl") == "en"


@pytest.mark.real
def test_accuracy_over_twenty_languages(real_data):
    """Of five sentences, no Polish or English is lost and no other taken for it; of one, unsure rather than wrong."""
    names = {"pol": "pl", "eng": "en"}
    with tarfile.open(real_data / "lang-id/ntrex-20langs-first500.tar.gz") as archive:
        lines = {
            m.name.split(".")[-2]: archive.extractfile(m).read().decode().split("\n")[:500]  # type: ignore[union-attr]
            for m in archive.getmembers()
            if m.isfile()
        }
    for size, recall, wrong in ((5, 1.0, 0), (1, 0.85, 25)):
        found = {"pl": 0, "en": 0}
        false = 0
        for name, sentences in lines.items():
            for start in range(0, 500, size):
                answer = detect(" ".join(sentences[start : start + size]))
                if answer in found and answer == names.get(name):
                    found[answer] += 1
                elif answer in found:
                    false += 1
        assert min(found.values()) >= recall * (500 // size)
        assert false <= wrong
