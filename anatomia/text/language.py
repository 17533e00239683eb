"""Which language a text is in, or "" where one cannot tell."""

import unicodedata
from typing import Any

from resiliparse.parse.lang import detect_fast

SAMPLE = 20_000  # characters looked at; more changes no answer
UNLIKE = 800  # a profile further away than this is no language's prose (lists of numbers, code, very short texts)
MARGIN = 0.02  # the runner-up must be this much further away, or the answer is a guess between neighbours


def detect(text: str, expected: str = "") -> str:
    """ISO 639-1 code of the language `text` is in, "" if unsure.

    Resiliparse compares byte n-gram profiles of 101 languages and gives each a distance (its `detect_fast`). The
    nearest counts as sure when it is near enough and clearly nearer than the next. Where the source says which language
    to expect, that word is enough to settle a close call, but not to overrule a sure answer.

    Args:
        text: any text; composed to NFC here, which the profiles are made of.
        expected: the language the source claims, "" if it claims none.
    """
    sample = text[:SAMPLE]
    sample = sample if sample.isascii() else unicodedata.normalize("NFC", sample)
    ranked: Any = detect_fast(sample, cutoff=2 * UNLIKE, n_results=4)
    if not ranked:
        return expected
    (best, distance), others = ranked[0], ranked[1:]
    margin = MARGIN * distance
    sure = distance <= UNLIKE and (not others or others[0][1] - distance >= margin)
    if (
        expected
        and expected != best
        and (not sure or any(code == expected for code, d in others if d <= distance + margin))
    ):
        return expected
    return best if sure or expected == best else ""
