"""How far an answer agrees with reference answers: exact match and ROUGE-L, as Natural Instructions measures them.

Wang et al. 2022, "Super-NaturalInstructions", section 5, and the program beside it: the best over all references, then
the mean over all prompts (there times 100). For English in ASCII both are that program's and `rouge_score`'s numbers.
Elsewhere they are what is meant: `rouge_score` sees a–z and 0–9 alone, so that "żółć" is no word to it and "łąka" the
word "ka"; here letters and digits of every script make words, and typographic punctuation is punctuation too.
"""

import re
import string
import unicodedata
from collections.abc import Iterable, Sequence

from anatomia.text.stems import stem

_WORD = re.compile(r"[^\W_]+")
_STEMMED = ("en", "")  # the stems are English; where nobody says a language, as in Natural Instructions


def exact_match(answer: str, references: Iterable[str]) -> bool:
    """Whether the answer is one of the references, but for capitals, punctuation and white space."""
    said = plain(answer)
    return any(said == plain(reference) for reference in references)


def rouge_l(answer: str, references: Iterable[str], language: str = "en") -> float:
    """The best F measure, 0 to 1, of the longest common subsequence of words (Lin 2004, "ROUGE", section 3).

    Args:
        language: ISO 639-1; English words ("en", or "" for unknown) are compared by their stems, others as they are.
    """
    said = words(answer, language)
    return max((_f_measure(said, words(reference, language)) for reference in references), default=0.0)


def plain(text: str) -> str:
    """Lower case, no punctuation, single spaces."""
    text = unicodedata.normalize("NFC", text).lower()
    return " ".join("".join(character for character in text if not _is_punctuation(character)).split())


def words(text: str, language: str) -> list[str]:
    """The words that ROUGE-L compares. Words of more than three letters are stemmed in English."""
    found = _WORD.findall(unicodedata.normalize("NFC", text).lower())
    return [stem(word) if len(word) > 3 else word for word in found] if language in _STEMMED else found


def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def _f_measure(said: Sequence[str], wanted: Sequence[str]) -> float:
    if not said or not wanted:
        return 0.0
    common = _longest_common(said, wanted)
    precision, recall = common / len(said), common / len(wanted)
    return 2 * precision * recall / (precision + recall) if common else 0.0


def _longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest common subsequence, a column of the table in one number's bits (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        matched = row & places.get(word, 0)
        row = (row + matched | row - matched) & full
    return len(first) - row.bit_count()
