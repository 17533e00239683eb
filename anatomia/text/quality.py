"""Rules that tell prose from debris, one function each, with Polish and English parameters.

From Gopher (Rae et al. 2021, Appendix A.1.1), C4 (Raffel et al. 2020, §2.2) and FineWeb (Penedo et al. 2024, §3). The
numbers are theirs where not said otherwise; the Polish ones are ours. A rule answers with its reason, numbers in it, or
"" if the text passes. The rules are tried in the order of `RULES`; the first that speaks drops the text.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from anatomia.base.plural import counted
from anatomia.text.document import Document
from anatomia.text.repetition import repeated_share, top_share
from anatomia.text.words import Words

_ENGLISH = frozenset("the be to of and that have with a in is it was for he she they as on at".split())  # noqa: SIM905
_POLISH = frozenset(
    "i w z na do się nie że to jest o a jak po co od za ale był była są dla przez czy tak ze we już "  # noqa: SIM905
    "ma kto gdzie który która które którym jaki jakie lub oraz".split()
)


@dataclass(frozen=True)
class Norms:
    """What a language's prose is like. Mean word lengths are in characters, punctuation included."""

    stop_words: frozenset[str] = frozenset()
    shortest_mean_word: float = 2.0
    longest_mean_word: float = 14.0


NORMS: Mapping[str, Norms] = {
    "en": Norms(_ENGLISH, 3.0, 10.0),  # Gopher
    "pl": Norms(_POLISH, 3.5, 11.0),  # Polish words are about a character longer
}


@dataclass(frozen=True)
class Limits:
    """The limits that a recipe may move. Gopher starts at 50 words; notices and dictionary entries are shorter."""

    fewest_words: int = 10
    most_words: int = 100_000


@dataclass(frozen=True)
class Measured:
    """A text and what is counted once for all rules.

    Attributes:
        words: split at white space, lower case.
        lines: without empty ones.
        alphabetic: share of words with a letter in them; dashes and such are no words.
        word_length: mean, in characters.
        repeated: n -> share of the characters that lie in a repeat of an n-gram of words (n = 5 … 10).
        top: n -> share of the characters taken by the most frequent n-gram, if it occurs three times (n = 2, 3, 4).
        page: whether it comes from a web page, for which rules are stricter.
    """

    text: str
    words: list[str]
    lines: list[str]
    language: str
    alphabetic: float
    word_length: float
    repeated: Mapping[int, float] = field(default_factory=dict)
    top: Mapping[int, float] = field(default_factory=dict)
    page: bool = False


Rule = Callable[[Measured, Limits], str]


def judge(documents: Sequence[Document], words: Words, limits: Limits) -> list[tuple[str, str]]:
    """For each document the rule that drops it and the reason, ("", "") if none does. `words` are its texts'."""
    results = []
    for measured in _measure(documents, words):
        spoken = ((name, rule(measured, limits)) for name, rule in RULES.items())
        results.append(next(((name, reason) for name, reason in spoken if reason), ("", "")))
    return results


def too_short(m: Measured, limits: Limits) -> str:
    """Gopher: too few words."""
    return (
        f"{counted(len(m.words), 'word', 'words')}, fewer than {limits.fewest_words}"
        if len(m.words) < limits.fewest_words
        else ""
    )


def too_long(m: Measured, limits: Limits) -> str:
    """Gopher: too many words."""
    return (
        f"{counted(len(m.words), 'word', 'words')}, more than {limits.most_words:,}"
        if len(m.words) > limits.most_words
        else ""
    )


def word_length(m: Measured, limits: Limits) -> str:
    """Gopher: the mean word is not as long as words are."""
    norms = NORMS.get(m.language, Norms())
    low, high = norms.shortest_mean_word, norms.longest_mean_word
    return "" if low <= m.word_length <= high else f"mean word of {m.word_length:.1f} characters, not {low} to {high}"


def alphabetic(m: Measured, limits: Limits) -> str:
    """Gopher: more than a fifth of the words have no letter."""
    return f"{m.alphabetic:.0%} of the words have a letter, fewer than 80%" if m.alphabetic < 0.8 else ""


def symbols(m: Measured, limits: Limits) -> str:
    """Gopher: more than one "#" per ten words; for pages, the same of ellipses, which old plays are full of."""
    for name, count in (("#", m.text.count("#")), ("…", m.page * (m.text.count("…") + m.text.count("...")))):
        if count > 0.1 * len(m.words):
            return f"{count} of {name} on {counted(len(m.words), 'word', 'words')}, more than 10%"
    return ""


def bullets(m: Measured, limits: Limits) -> str:
    """Gopher: more than 90% of the lines are items of a list. Dashes do not count: Polish dialogue begins with them."""
    if len(m.lines) < 3:
        return ""
    count = sum(line.startswith(("•", "*", "·", "●", "▪", "◦", "‣")) for line in m.lines)
    return f"{count} of {len(m.lines)} lines are list items, more than 90%" if count > 0.9 * len(m.lines) else ""


def ellipses(m: Measured, limits: Limits) -> str:
    """Gopher: more than 30% of a page's lines end in an ellipsis, as teasers do."""
    count = sum(line.endswith(("…", "...")) for line in m.lines)
    few = not m.page or len(m.lines) < 4
    return "" if few or count <= 0.3 * len(m.lines) else f"{count} of {len(m.lines)} lines end in …, more than 30%"


def stop_words(m: Measured, limits: Limits) -> str:
    """Gopher: fewer than two different words of those that every text has; in a text of under 30 words (ours), none."""
    expected = NORMS.get(m.language, Norms()).stop_words
    found, needed = len(expected.intersection(m.words)), 2 if len(m.words) >= 30 else 1
    return f"{found} of the language's commonest words, fewer than {needed}" if expected and found < needed else ""


def repeated_lines(m: Measured, limits: Limits) -> str:
    """Gopher: more than 30% of the lines, or 20% of the characters, stand in lines that stood before.

    Only lines of four words or more count (ours): the names of speakers in a play and refrains' short lines recur.
    """
    if len(m.lines) < 2:
        return ""
    counts = Counter(line for line in m.lines if line.count(" ") >= 3)
    repeats = {line: count - 1 for line, count in counts.items() if count > 1}
    lines, size = sum(repeats.values()) / len(m.lines), sum(len(line) * n for line, n in repeats.items()) / len(m.text)
    return (
        f"{lines:.0%} of the lines and {size:.0%} of the characters repeat lines" if lines > 0.3 or size > 0.2 else ""
    )


_TOP = {2: 0.20, 3: 0.18, 4: 0.16}
_SHORT = 100  # words; below, the limits on phrases are twice Gopher's: a notice of one person names that person often
_REPEATED = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}


def top_phrase(m: Measured, limits: Limits) -> str:
    """Gopher: one phrase of 2, 3 or 4 words takes more than 20%, 18% or 16% of the characters."""
    for n, limit in _limits(_TOP, m):
        if m.top.get(n, 0.0) > limit:
            return f"one phrase of {n} words is {m.top[n]:.0%} of the text, more than {limit:.0%}"
    return ""


def repeated_phrases(m: Measured, limits: Limits) -> str:
    """Gopher: repeats of phrases of 5 to 10 words take more than 15% to 10% of the characters."""
    for n, limit in _limits(_REPEATED, m):
        if m.repeated.get(n, 0.0) > limit:
            return f"{m.repeated[n]:.0%} of the text repeats phrases of {n} words, more than {limit:.0%}"
    return ""


def _limits(limits: Mapping[int, float], m: Measured) -> list[tuple[int, float]]:
    return [(n, limit * (2 if len(m.words) < _SHORT else 1)) for n, limit in limits.items()]


_ENDS = (".", "!", "?", "…", ":", ";", '"', "”", "»", ")")


def unfinished_lines(m: Measured, limits: Limits) -> str:
    """FineWeb: of a page's lines, hardly any (12% or fewer) end as sentences do: a list of links or goods."""
    ended = sum(line.endswith(_ENDS) for line in m.lines)
    few = not m.page or len(m.lines) < 3
    return "" if few or ended > 0.12 * len(m.lines) else f"{ended} of {len(m.lines)} lines end a sentence, 12% or fewer"


def short_lines(m: Measured, limits: Limits) -> str:
    """FineWeb: two thirds of a page's lines or more are shorter than 30 characters: menus and tables."""
    short = sum(len(line) < 30 for line in m.lines)
    few = not m.page or len(m.lines) < 6
    return "" if few or short < 0.67 * len(m.lines) else f"{short} of {len(m.lines)} lines are under 30 characters"


def placeholder(m: Measured, limits: Limits) -> str:
    """C4: a page with "lorem ipsum" in it, or with curly brackets of code (three or more; C4 drops at the first)."""
    if not m.page:
        return ""
    if "lorem ipsum" in m.text.lower():
        return "it has lorem ipsum"
    curly = m.text.count("{")
    return f"it has {curly} curly brackets, as code has" if curly >= max(3, len(m.words) / 100) else ""


RULES: Mapping[str, Rule] = {
    rule.__name__: rule
    for rule in (
        too_short,
        too_long,
        word_length,
        alphabetic,
        symbols,
        bullets,
        ellipses,
        stop_words,
        repeated_lines,
        top_phrase,
        repeated_phrases,
        unfinished_lines,
        short_lines,
        placeholder,
    )
}


def _measure(documents: Sequence[Document], words: Words) -> list[Measured]:
    counts = np.maximum(np.diff(words.offsets), 1)
    lengths = words.sums(words.lengths) / counts
    letters = words.sums(words.hashes & np.uint64(1)) / counts
    top = {n: top_share(words, n) for n in _TOP}
    # A repeat of a longer phrase is made of repeats of its five-word parts: where those are few, no more is counted.
    repeated = {n: np.zeros(len(documents)) for n in _REPEATED} | {5: repeated_share(words, 5)}
    suspects = np.flatnonzero(repeated[5] > min(_REPEATED.values())).tolist()
    for n in _REPEATED:
        if n > 5 and suspects:
            repeated[n][suspects] = repeated_share(words.take(suspects), n)
    return [
        Measured(
            text=document.text,
            words=words.lists[i],
            lines=[line for line in document.text.split("\n") if line],
            language=document.language,
            alphabetic=float(letters[i]),
            word_length=float(lengths[i]),
            repeated={n: float(share[i]) for n, share in repeated.items()},
            top={n: float(share[i]) for n, share in top.items()},
            page=bool(document.meta.get("page")),
        )
        for i, document in enumerate(documents)
    ]
