"""Which language a text is in, or "" where one cannot tell."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from resiliparse.parse.lang import detect_fast, supported_langs

SAMPLE = 20_000  # characters looked at; more changes no answer
UNLIKE = 800  # a profile further away than this is no language's prose (lists of numbers, code, very short texts)
CLOSE = 450  # a profile nearer than this needs no second opinion
MARGIN = 0.02  # the runner-up must be this much further away, or the answer is a guess between neighbours

# Common words that the neighbours do not have ("a", "na", "to" are Polish, but Czech and Croatian too).
STOP_WORDS: Mapping[str, frozenset[str]] = {
    "en": frozenset(
        "the of and that have with for they this are from his she you which not were".split()  # noqa: SIM905
    ),
    "pl": frozenset(
        "w się nie że jest jak przez był była są dla czy już lub oraz które który jego tym ich może".split()  # noqa: SIM905
    ),
}
_TELLING = 0.05  # share of such words from which a short text's language is settled


def recognised() -> frozenset[str]:
    """The codes that `detect` may answer with."""
    return frozenset(supported_langs()) | STOP_WORDS.keys()


def detect(text: str, expected: str = "") -> str:
    """ISO 639-1 code of the language `text` is in, "" if unsure.

    Resiliparse compares byte n-gram profiles of 101 languages and gives each a distance (its `detect_fast`). The
    nearest counts as sure when it is near enough and clearly nearer than the next. For short texts, whose distances say
    little, English is confirmed by its commonest words, and Polish and English are found by theirs. Where the source
    says which language to expect, that settles a close call, but does not overrule a sure answer.

    Args:
        text: any text; composed to NFC here, which the profiles are made of.
        expected: the language the source claims, "" if it claims none.
    """
    sample = text[:SAMPLE]
    sample = sample if sample.isascii() else unicodedata.normalize("NFC", sample)
    if sum(map(str.isupper, sample[:500])) > 0.3 * len(sample[:500]):  # the profiles are of ordinary writing
        sample = sample.lower()
    ranked: Any = detect_fast(sample, cutoff=2 * UNLIKE, n_results=4)
    if not ranked:
        return expected
    (best, distance), others = ranked[0], ranked[1:]
    margin = MARGIN * distance
    sure = distance <= UNLIKE and (not others or others[0][1] - distance >= margin)
    if expected and (expected == best or not sure):
        return expected
    if distance <= CLOSE:
        return best if sure else ""
    likely = {code for code, _ in ranked} | {expected}
    telling = [code for code in STOP_WORDS if code in likely and _share(sample, code) >= _TELLING]
    if expected in telling:
        return expected
    if len(telling) == 1 and (best == telling[0] or not sure):
        return telling[0]
    return best if sure and best != "en" else ""  # English profiles attract short texts of any kind


def _share(sample: str, language: str) -> float:
    words = sample.lower().split()
    return sum(map(STOP_WORDS[language].__contains__, words)) / max(1, len(words))
