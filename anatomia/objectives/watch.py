"""What a policy's answers have become, beside the reference policy's: longer, shorter, repetitive, one word in all of
them, another language, endless. Such ways to please a reward are found by learning, and quality does not follow."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from anatomia.text.language import detect

LONGER, SHORTER = 1.5, 1 / 3  # a mean length beyond these multiples of the reference's is another way of answering
MORE = 0.2  # a share of answers that grew by more than this is one too
OFTEN = 3.0  # and a word that stands in more than so many times as many answers
COUNTS = (1, 2, 4)  # a word is counted as "at least so often in an answer"
LOOPING = 0.4  # of an answer's words lie in runs of three (or pairs of one word) that came before in it
ENOUGH = 80  # characters of several answers together, of which the language can be told
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
        "„{what}” stoi w {now:.0%} odpowiedzi (na początku w {before:.0%})",
    ),
    "language": (
        "{now:.0%} of the answers are in another language than asked ({what}; {before:.0%} at the start)",
        "{now:.0%} odpowiedzi jest w innym języku niż pytanie ({what}; na początku {before:.0%})",
    ),
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


@dataclass(frozen=True)
class Change:
    """One thing that the answers do otherwise than the reference's.

    Attributes:
        kind: "longer", "shorter", "endless", "repetition", "keyword" or "language".
        before, now: mean tokens of an answer ("longer", "shorter"), or the share of answers it is true of.
        what: the word, or the language answered in.
    """

    kind: str
    before: float
    now: float
    what: str = ""


def changes(reference: Sequence[Answer], answers: Sequence[Answer], alarm: float) -> list[Change]:
    """What is both certainly and materially otherwise in `answers` than in `reference`.

    Shares are compared by bounds that hold for any number of answers (Hoeffding 1963, theorem 1), so that the chance of
    naming anything where no share moved by more than the tolerances is at most `alarm`, over all words together.
    Lengths are compared by the normal approximation to the logarithm of a ratio of means.

    Args:
        reference: of the policy before, to the same kind of prompts; reused at each look.
        alarm: the chance of a false alarm that this look may take (`spent`).
    """
    if not reference or not answers:
        return []
    part = alarm / 6
    return [
        *_lengths(reference, answers, part),
        *_share("endless", [not a.finished for a in reference], [not a.finished for a in answers], part),
        *_share("repetition", [loops(a.text) for a in reference], [loops(a.text) for a in answers], part),
        *_languages(reference, answers, part),
        *_keywords(reference, answers, part),
    ]


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


def loops(text: str) -> bool:
    """Whether an answer goes round in circles: much of it lies in three words in a row, or a word twice in a row, that
    came before in it. Numerals written with figures count as words."""
    words = [word.lower() for word in WORDS.findall(text)]
    if len(words) < 4:
        return False
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


def lower_bound(hits: int, count: int, alarm: float) -> float:
    """The smallest share that `hits` of `count` still allow, but for a chance of `alarm` (Hoeffding 1963, theorem 1:
    P(mean ≥ p + t) ≤ exp(-n·kl(p + t, p)))."""
    return 1 - upper_bound(count - hits, count, alarm)


def upper_bound(hits: int, count: int, alarm: float) -> float:
    """The largest such share."""
    if not count:
        return 1.0
    share, low, high = hits / count, hits / count, 1.0
    limit = -math.log(alarm) / count
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _divergence(share, middle) <= limit else (low, middle)
    return high


def _divergence(p: float, q: float) -> float:
    """KL between two coins, in nats."""
    found = 0.0
    for one, other in ((p, q), (1 - p, 1 - q)):
        if one > 0:
            found += one * math.log(one / other) if other > 0 else math.inf
    return found


def _share(kind: str, before: Sequence[bool], now: Sequence[bool], alarm: float, what: str = "") -> list[Change]:
    """A share that has grown by more than `MORE`."""
    usual = upper_bound(sum(before), len(before), alarm / 2)
    if now and lower_bound(sum(now), len(now), alarm / 2) > usual + MORE:
        return [Change(kind, sum(before) / max(len(before), 1), sum(now) / len(now), what)]
    return []


def _lengths(reference: Sequence[Answer], answers: Sequence[Answer], alarm: float) -> list[Change]:
    """Longer answers; and shorter ones among those that ended by themselves, for the others were only cut off."""
    found = []
    for kind, limit, chosen in (
        ("longer", LONGER, lambda answer: True),
        ("shorter", SHORTER, lambda answer: answer.finished),
    ):
        before, now = ([max(a.length, 1) for a in group if chosen(a)] for group in (reference, answers))
        if min(len(before), len(now)) < 8:
            continue
        ratio, error = _log_ratio(before, now)
        beyond = (ratio - math.log(limit)) * (1 if limit > 1 else -1)
        if beyond > _deviations(alarm) * error:
            found.append(Change(kind, _mean(before), _mean(now)))
    return found


def _log_ratio(before: Sequence[float], now: Sequence[float]) -> tuple[float, float]:
    """log(mean now / mean before) and its standard error (delta method)."""
    variance = 0.0
    for values in (before, now):
        mean = _mean(values)
        spread = sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1)
        variance += spread / len(values) / mean**2
    return math.log(_mean(now) / _mean(before)), math.sqrt(variance)


def _deviations(alarm: float) -> float:
    """How many deviations a normal variable exceeds with a chance of at most `alarm` (its bound exp(-z²/2))."""
    return math.sqrt(-2 * math.log(alarm))


def _languages(reference: Sequence[Answer], answers: Sequence[Answer], alarm: float) -> list[Change]:
    """Answers in another language than asked, counted by bundles of answers: one alone is often too short to tell."""
    before, now = _bundles(reference), _bundles(answers)
    asked = sorted({language for language, _ in now})
    found = _other_words(reference, answers, alarm / 2)
    if found:
        return found
    alarm /= 2
    for language in asked:
        wrong, usual = ([said != language for of, said in group if of == language and said] for group in (now, before))
        said = Counter(said for of, said in now if of == language and said and said != language)
        if said:
            found += _share("language", usual, wrong, alarm / len(asked), said.most_common(1)[0][0])
    return found


def _other_words(reference: Sequence[Answer], answers: Sequence[Answer], alarm: float) -> list[Change]:
    """Answers whose words stood, at the start, in answers to prompts of another language; tells short ones too."""
    asked = Counter(answer.language for answer in reference if answer.language)
    known = sorted(language for language, count in asked.items() if count >= FEW)
    stood: dict[str, Counter[str]] = {language: Counter() for language in known}
    for answer in reference:
        if answer.language in stood:
            stood[answer.language].update(_words(answer.text))

    def nearest(answer: Answer, own: bool) -> str:
        """The language of the likeliest words; a reference answer does not count for itself."""
        score = dict.fromkeys(known, 0.0)
        for word in _words(answer.text):
            for language in known:
                mine = own and language == answer.language
                score[language] += math.log((stood[language][word] - mine + 0.5) / (asked[language] - mine + 1))
        best = max(known, key=score.__getitem__)
        return best if score[best] > score[answer.language] + SURELY else answer.language

    found = []
    for language in known if len(known) > 1 else []:
        before, now = (
            [nearest(answer, own) for answer in group if answer.language == language]
            for group, own in ((reference, True), (answers, False))
        )
        other = Counter(said for said in now if said != language)
        if other:
            pairs = ([said != language for said in before], [said != language for said in now])
            found += _share("language", *pairs, alarm / len(known), other.most_common(1)[0][0])
    return found


def _words(text: str) -> set[str]:
    return {word.lower() for word in WORDS.findall(text)}


def _bundles(answers: Iterable[Answer]) -> list[tuple[str, str]]:
    """(language asked in, language detected or "") of bundles of answers to prompts of one language."""
    texts: dict[str, str] = {}
    found = []
    for answer in answers:
        if answer.language:
            texts[answer.language] = text = f"{texts.get(answer.language, '')} {answer.text}"
            if len(text) >= ENOUGH:
                found.append((answer.language, detect(text)))
                texts[answer.language] = ""
    return found


def _keywords(reference: Sequence[Answer], answers: Sequence[Answer], alarm: float) -> list[Change]:
    """The word or sign that came to stand in most answers that it did not stand in before."""
    before, now = (_documents(group) for group in (reference, answers))
    part = alarm / max(len(now), 1)
    best: tuple[float, Change] | None = None
    for (word, times), hits in now.items():
        if hits < MORE * len(answers):
            continue
        usual = upper_bound(before[word, times], len(reference), part / 2)
        surely = lower_bound(hits, len(answers), part / 2)
        if surely > max(usual + MORE, OFTEN * usual):
            change = Change("keyword", before[word, times] / len(reference), hits / len(answers), word)
            margin = change.now - change.before + 1e-3 * len(word) + (1e-2 if times == 1 else 0.0)
            if best is None or margin > best[0]:
                best = margin, change
    return [best[1]] if best else []


def _documents(answers: Iterable[Answer]) -> Counter[tuple[str, int]]:
    """In how many answers each word stands at least so often."""
    found: Counter[tuple[str, int]] = Counter()
    for answer in answers:
        counts = Counter(word.lower() for word in WORDS.findall(answer.text))
        found.update((word, times) for word, often in counts.items() for times in COUNTS if often >= times)
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
