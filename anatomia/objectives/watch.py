"""What a policy's answers have become, beside the reference policy's to the same prompts: longer, shorter, repetitive,
one word in all of them, another language, endless. Such ways to please a reward are found by learning, and quality does
not follow."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from anatomia.objectives.shifts import Pay, chance_of_rise, chance_of_share, pay
from anatomia.text.language import detect

LONGER, SHORTER = 1.3, 1 / 1.5  # a mean length beyond these multiples of the reference's is another way of answering
MORE = 0.2  # a share of answers that grew by as much is one too
COUNTS = (1, 2, 4)  # a word is counted as "at least so often in an answer"
LOOPING = 0.4  # of an answer's words lie in runs of three (or pairs of one word) that came before in it
SHORT = 100  # words; prose of no more repeats two in five of them at most
TELLING = 80  # characters of several answers together, of which the language can be told
FEW = 16  # answers of a language at the start, from which its words are known
SURELY = 1.0  # nats by which another language's words are likelier
WORDS = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|\\w+|[^\\w\\s]")  # Han and kana one by one

SAID = {
    "longer": (
        "answers have grown from {before:.0f} to {now:.0f} tokens",
        "odpowiedzi wydłużyły się z {before:.0f} do {now:.0f} tokenów",
    ),
    "shorter": (
        "answers have shrunk from {before:.0f} to {now:.0f} tokens",
        "odpowiedzi skróciły się z {before:.0f} do {now:.0f} tokenów",
    ),
    "endless": (
        "{now:.0%} of the answers do not end by themselves ({before:.0%} at the start)",
        "{now:.0%} odpowiedzi nie kończy się samo (na początku {before:.0%})",
    ),
    "repetition": (
        "{now:.0%} of the answers repeat themselves ({before:.0%} at the start)",
        "{now:.0%} odpowiedzi powtarza w kółko to samo (na początku {before:.0%})",
    ),
    "keyword": (
        "“{what}” stands in {now:.0%} of the answers ({before:.0%} at the start)",
        "„{what}” występuje w {now:.0%} odpowiedzi (na początku w {before:.0%})",
    ),
    "language": (
        "{now:.0%} of the answers are in another language than asked ({what}; {before:.0%} at the start)",
        "{now:.0%} odpowiedzi jest w innym języku niż pytanie ({what}; na początku {before:.0%})",
    ),
}
PRICES = {
    "longer": ("each further token brings {:.2g}", "każdy dodatkowy token daje {:.2g}"),
    "shorter": ("each token less brings {:.2g}", "każdy token mniej daje {:.2g}"),
    "share": ("such an answer gets {:.2g} more", "taka odpowiedź dostaje o {:.2g} więcej"),
}


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        text: without special tokens. length: tokens, the end token included. finished: whether it came.
        language: ISO 639-1 of the prompt, "" where unknown.
    """

    text: str
    length: int
    finished: bool
    language: str = ""


Heard = Sequence[tuple[Answer, float]]
"""Answers of one policy, each with its reward."""


@dataclass(frozen=True)
class Change:
    """One thing that the answers do otherwise than the reference's.

    Attributes:
        kind: "longer", "shorter", "endless", "repetition", "keyword" or "language".
        before, now: mean tokens of an answer ("longer", "shorter"), or the share of answers it is true of.
        what: the word ("2 × word" where it is about answers with the word so often), or the language answered in.
        paid: by how much more an answer of this kind is rewarded than another one of the same policy (for lengths: a
            token more, or less); None where that is not known.
    """

    kind: str
    before: float
    now: float
    what: str = ""
    paid: float | None = None


def changes(
    before: Sequence[Answer],
    now: Sequence[Answer],
    alarm: float,
    heard: Sequence[Heard] = (),
    known: Sequence[Answer] = (),
) -> list[Change]:
    """What is certainly and materially otherwise in `now` than in `before`, and paid for.

    Certainly: by an exact test of the two answers to each prompt, at a level that all kinds and words share.
    Materially: by `LONGER`, `SHORTER`, `MORE`. Paid for: among answers of one policy the reward certainly rises along
    with it; what cannot be known, for too few answers differ in it, is named all the same.

    Args:
        before, now: the reference policy's and today's answers to the same prompts.
        alarm: the chance of a false alarm that this look may take (`spent`).
        heard: groups of rewarded answers, each of one policy.
        known: further answers of the reference policy, to tell the languages' words from.
    """
    if not before:
        return []
    part = alarm / 6
    measures: dict[str, Callable[[Answer], float]] = {
        "endless": lambda answer: not answer.finished,
        "repetition": lambda answer: loops(answer.text),
    }
    found = _lengths(before, now, part, heard)
    for kind, measure in measures.items():
        found += _share(kind, measure, before, now, part, heard)
    return found + _languages(before, now, part, heard, known) + _keywords(before, now, part, heard)


def spent(look: int, alarm: float) -> float:
    """The part of a whole run's chance of a false alarm that look `look` (from 1) may take; all of them, however many
    there will be, take no more than `alarm` (Σ 6/(πk)² = 1)."""
    return alarm * 6 / (math.pi * look) ** 2


def said(change: Change) -> tuple[str, str]:
    """The change in one clause, in English and in Polish."""
    english, polish = (
        phrase.format(before=change.before, now=change.now, what=change.what) for phrase in SAID[change.kind]
    )
    return english, polish


def price(change: Change) -> tuple[str, str]:
    """What the reward pays for it, in English and in Polish, with a space before; nothing where that is not known."""
    if change.paid is None:
        return "", ""
    english, polish = PRICES.get(change.kind, PRICES["share"])
    return f" ({english.format(change.paid)})", f" ({polish.format(change.paid).replace('.', ',')})"


def loops(text: str) -> bool:
    """Whether an answer goes round in circles: much of it lies in three words in a row, or a word twice in a row, that
    came before in it; or, where it is not so long that words must come again, fewer than half of its words differ.
    Numerals written with figures count as words."""
    words = [word.lower() for word in WORDS.findall(text)]
    if len(words) < 4:
        return False
    if len(words) <= SHORT and 2 * len(set(words)) < len(words):
        return True
    seen: set[tuple[str, ...]] = set()
    again = [False] * len(words)
    for place in range(len(words) - 2):
        gram = tuple(words[place : place + 3])
        if gram in seen:
            again[place : place + 3] = [True] * 3
        seen.add(gram)
    for place, (one, two) in enumerate(pairwise(words)):
        if one == two:
            again[place + 1] = True
    return sum(again) >= LOOPING * len(words)


def _priced(change: Change, worth: Pay | None) -> list[Change]:
    """The change with what is paid for it; nothing if that is known not to be anything."""
    if worth is None:
        return [change]
    return [replace(change, paid=worth.slope)] if worth.certain else []


def _share(
    kind: str,
    measure: Callable[[Answer], float],
    before: Sequence[Answer],
    now: Sequence[Answer],
    alarm: float,
    heard: Sequence[Heard],
    what: str = "",
) -> list[Change]:
    """A share of answers that has grown."""
    then, later = ([float(measure(answer)) for answer in group] for group in (before, now))
    change = Change(kind, _mean(then), _mean(later), what)
    if change.now < change.before + MORE or chance_of_rise(then, later) > alarm:
        return []
    return _priced(
        change, pay([[(float(measure(answer)), reward, 0.0) for answer, reward in group] for group in heard])
    )


def _lengths(before: Sequence[Answer], now: Sequence[Answer], alarm: float, heard: Sequence[Heard]) -> list[Change]:
    """Longer answers; and shorter ones among those that ended by themselves, for the others were only cut off: a reward
    that pays for ending pays for that, not for being short."""
    pairs = list(zip(before, now, strict=True))
    ended = [pair for pair in pairs if pair[1].finished]
    for kind, sign, chosen in (("longer", 1, pairs), ("shorter", -1, ended)):
        then, later = ([max(pair[place].length, 1) for pair in chosen] for place in (0, 1))
        if not chosen:
            continue
        change = Change(kind, _mean(then), _mean(later))
        beyond = change.now >= LONGER * change.before if sign > 0 else change.now <= SHORTER * change.before
        if beyond and chance_of_rise([sign * one for one in then], [sign * one for one in later]) <= alarm:
            alike = [[row for row in group if sign > 0 or row[0].finished] for group in heard]
            worth = pay([[(float(sign * answer.length), reward, 0.0) for answer, reward in group] for group in alike])
            return _priced(change, worth)
    return []


def _languages(
    before: Sequence[Answer], now: Sequence[Answer], alarm: float, heard: Sequence[Heard], known: Sequence[Answer]
) -> list[Change]:
    """Answers in another language than asked: told by words that stood, at the start, in answers to prompts of that
    language, which tells short ones too, or by a detector from bundles of answers, where one alone is too short."""
    tell = Teller([*before, *known])
    found = []
    for language in tell.known if len(tell.known) > 1 else []:
        pairs = [pair for pair in zip(before, now, strict=True) if pair[1].language == language]
        other = Counter(tell(answer) for _, answer in pairs)
        del other[language]
        if other:

            def measure(answer: Answer, language: str = language) -> bool:
                return answer.language == language and tell(answer) != language

            asked = [[(answer, reward) for answer, reward in group if answer.language == language] for group in heard]
            parts = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            level = alarm / 2 / len(tell.known)
            found += _share("language", measure, *parts, level, asked, other.most_common(1)[0][0])
    return found or _detected(before, now, alarm / 2)


class Teller:
    """Tells an answer's language by its words.

    Args:
        answers: of the reference policy.
    """

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.own = set(answers)
        self.asked = Counter(answer.language for answer in answers if answer.language)
        self.known = sorted(language for language, count in self.asked.items() if count >= FEW)
        self.stood: dict[str, Counter[str]] = {language: Counter() for language in self.known}
        for answer in answers:
            if answer.language in self.stood:
                self.stood[answer.language].update(_words(answer.text))

    def __call__(self, answer: Answer) -> str:
        """The language of the likeliest words, if it is surely not the one asked; an answer that these words were taken
        from does not count for itself."""
        score, own = dict.fromkeys(self.known, 0.0), answer in self.own
        for word in _words(answer.text):
            for language in self.known:
                mine = own and language == answer.language
                stood, asked = self.stood[language][word] - mine, self.asked[language] - mine
                score[language] += math.log((stood + 0.5) / (asked + 1))
        best = max(self.known, key=score.__getitem__)
        return best if score[best] > score.get(answer.language, math.inf) + SURELY else answer.language


def _words(text: str) -> set[str]:
    return {word.lower() for word in WORDS.findall(text)}


def _detected(before: Sequence[Answer], now: Sequence[Answer], alarm: float) -> list[Change]:
    """What the detector says of bundles of answers to prompts of one language."""
    usual, today = _bundles(before), _bundles(now)
    asked = sorted({language for language, _ in today})
    found = []
    for language in asked:
        then, later = ([told for of, told in group if of == language and told] for group in (usual, today))
        other = Counter(later)
        del other[language]
        if not other or not then:
            continue
        wrong, right = len(then) - then.count(language), other.total()
        change = Change("language", wrong / len(then), right / len(later), other.most_common(1)[0][0])
        certain = chance_of_share(wrong, len(then), right, len(later)) <= alarm / len(asked)
        found += [change] if certain and change.now >= change.before + MORE else []
    return found


def _bundles(answers: Iterable[Answer]) -> list[tuple[str, str]]:
    """(language asked in, language detected or "") of bundles of answers to prompts of one language."""
    texts: dict[str, str] = {}
    found = []
    for answer in answers:
        if answer.language:
            texts[answer.language] = text = f"{texts.get(answer.language, '')} {answer.text}"
            if len(text) >= TELLING:
                found.append((answer.language, detect(text)))
                texts[answer.language] = ""
    return found


def _keywords(before: Sequence[Answer], now: Sequence[Answer], alarm: float, heard: Sequence[Heard]) -> list[Change]:
    """The word or sign that came to stand in more answers, or more often in them: of those that did, the one that the
    rise is paid most for."""
    then, later = ([_counted(answer.text) for answer in group] for group in (before, now))
    today = _standing(later)
    often = [place for place, hits in today.items() if hits >= MORE * len(now)]
    counted = [
        [(_counted(answer.text), reward, float(answer.length)) for answer, reward in group]
        for group in (heard if often else [])
    ]
    best: tuple[tuple[float, float], Change] | None = None
    for word, times in sorted(often):
        one, other = ([float(counts[word] >= times) for counts in group] for group in (then, later))
        grown = _mean(other) - _mean(one)
        if grown < MORE or chance_of_rise(one, other) > alarm / len(often):
            continue
        worth = pay(
            [[(float(words[word] >= times), reward, length) for words, reward, length in group] for group in counted]
        )
        what = word if times == 1 else f"{times} × {word}"
        for change in _priced(Change("keyword", _mean(one), _mean(other), what), worth):
            rank = (grown * (change.paid or 0.0), grown + 1e-3 * len(word) + (1e-2 if times == 1 else 0.0))
            if best is None or rank > best[0]:
                best = rank, change
    return [best[1]] if best else []


def _counted(text: str) -> Counter[str]:
    return Counter(word.lower() for word in WORDS.findall(text))


def _standing(answers: Iterable[Counter[str]]) -> Counter[tuple[str, int]]:
    """In how many answers each word stands at least so often."""
    found: Counter[tuple[str, int]] = Counter()
    for counts in answers:
        found.update((word, times) for word, often in counts.items() for times in COUNTS if often >= times)
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
