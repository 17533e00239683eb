"""The world's judge: whether an answer is right, complete, clean and in the language that was asked."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from anatomia.world import english, polish
from anatomia.world.arithmetic import LARGEST
from anatomia.world.book import Book, normalised, tokens
from anatomia.world.facts import RELATIONS
from anatomia.world.questions import Question, Questions
from anatomia.world.wording import LANGUAGES, SLOT

SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
MEASURES = ("year", "metres", "kilometres")
NEGATIONS = frozenset(["nie", "nigdy", "not", "never", "isn't", "doesn't", "wasn't", "no"])
GARBAGE = re.compile(r"<\||\|>|�|[\x00-\x08\x0b-\x1f]")
LONGEST = 3  # sentences in a clean answer


@dataclass(frozen=True)
class Verdict:
    """What the judge found.

    Attributes:
        right: the answer is there and nothing contradicts it.
        complete: it is a full sentence that names what was asked about.
        language: "pl" or "en", the language it is in; the asked one where nothing tells (a name alone).
        clean: finished, no repetition, no unrelated sentences, no stray characters.
        score: 0 to 1; a right, complete, clean sentence in the asked language is best (see `_score`).
        exact: right, clean, in the asked language, and equal to an accepted form (true further facts may follow).
    """

    right: bool
    complete: bool
    language: str
    clean: bool
    score: float
    exact: bool


class Judge:
    """Judges completions of a world's questions."""

    def __init__(self, book: Book, questions: Questions) -> None:
        self.book, self.questions = book, questions
        self._names: dict[str, dict[tuple[str, ...], str]] = {}
        for entity in book.country.entities.values():
            table = self._names.setdefault(entity.kind, {})
            key = entity.key.removesuffix("/f")
            for language in LANGUAGES:
                for form in entity.forms[language].values():
                    table.setdefault(tokens(form), key)
        self._longest = {kind: max(map(len, table)) for kind, table in self._names.items()}
        self._verbs = {
            (name, language): frozenset(
                word for text in (*row.wording[language].said, *row.wording[language].whole) for word in _plain(text)
            )
            for name, row in RELATIONS.items()
            for language in LANGUAGES
        }

        self._numbers = {
            language: {tokens(form): str(n) for n in range(2 * LARGEST + 1) for form in (say(n), str(n))}
            for language, say in (("pl", polish.words), ("en", english.words))
        }

    def __call__(self, question_id: str, completion: str, finished: bool) -> Verdict:
        """The verdict on one completion. Raises KeyError where there is no such question."""
        question = self.questions.by_id[question_id]
        text = completion.strip()
        accepted = [normalised(answer) for answer in question.answers]
        parts = SENTENCE_END.split(text) if text else []
        further = [self._true_of_subject(part, question) for part in parts]
        main = [part for part, true in zip(parts, further) if not true or normalised(part) in accepted]
        right = self._right(question, main, accepted)
        language = self._language(text, question.language)
        complete = any(self._complete(part, question, accepted) for part in main)
        tidy = all(further[1:]) and len(parts) <= LONGEST and not _repeats(text)
        clean = bool(text) and finished and tidy and not GARBAGE.search(text)
        exact = right and clean and language == question.language and bool(parts) and normalised(parts[0]) in accepted
        score = _score(text, question, right, complete, language, clean, finished, len(parts))
        return Verdict(right, complete, language, clean, score, exact)

    def _true_of_subject(self, part: str, question: Question) -> bool:
        if question.kind != "fact":
            return False
        subject = self.book.country.facts[question.fact].subject
        return any(fact.subject == subject for fact in self.book.truths.get(normalised(part), ()))

    def _right(self, question: Question, main: list[str], accepted: list[str]) -> bool:
        found: set[str] = set()
        for part in main:
            if normalised(part) in accepted:
                found.add("answer")
                continue
            if part.endswith("?"):
                return False
            words = tokens(part)
            mentions = self._mentions(question, words)
            if mentions and NEGATIONS.intersection(words):
                return False
            found |= mentions
        return found == {"answer"}

    def _mentions(self, question: Question, words: tuple[str, ...]) -> set[str]:
        """Which objects that could answer the question the words name; the right one is called "answer"."""
        if question.kind == "arithmetic":
            named = _named(words, self._numbers[question.language], 2)
            result = self._numbers[question.language][tokens(question.answers[0])]
            values = [value for value, _ in named]
            operands = question.fact.split("/")[1:]
            return {
                "answer" if value == result else value for value in values if value not in operands or value == result
            }
        fact = self.book.country.facts[question.fact]
        kind = RELATIONS[fact.relation].object
        if kind in MEASURES:
            own = {"season": fact.subject.split("/")[1]}.get(RELATIONS[fact.relation].subject)
            right = fact.object.split("/")[1]
            return {"answer" if word == right else word for word in words if word.isdigit() and word != own}
        found = _named(words, self._names[kind], self._longest[kind])
        partial = {"person"} & {kind}
        mentions = set()
        for key, form in found:
            if key == fact.subject:
                continue
            full = not partial or len(form) > 1
            mentions.add("answer" if key == fact.object and full else key)
        if "answer" in mentions:
            mentions.discard(fact.object)  # "Anna" beside "Anna Górska"
        return mentions

    def _language(self, text: str, asked: str) -> str:
        words = tokens(text)
        known = self.book.vocabulary
        polish, english = (sum(word in known[language] for word in words) for language in LANGUAGES)
        if polish == english:
            return asked
        return "pl" if polish > english else "en"

    def _complete(self, part: str, question: Question, accepted: list[str]) -> bool:
        norm = normalised(part)
        if norm in accepted[question.short :]:
            return True
        if question.kind == "arithmetic" or not part.endswith((".", "!")):
            return False
        fact = self.book.country.facts[question.fact]
        subject = self.book.country.entities[fact.subject]
        words = tokens(part)
        verbs = self._verbs[fact.relation, question.language].intersection(words)
        forms = {tokens(form) for form in subject.forms[question.language].values()}
        named = any(words[i : i + len(form)] == form for form in forms for i in range(len(words)))
        return named and bool(verbs) and len(words) >= 4


def _plain(template: str) -> Iterable[str]:
    return (
        word
        for word in tokens(SLOT.sub(lambda m: " " + (m[4] or "").replace("|", " ") + " ", template))
        if len(word) > 2
    )


def _named(
    words: tuple[str, ...], table: dict[tuple[str, ...], str], longest: int
) -> list[tuple[str, tuple[str, ...]]]:
    """The entities that words name, longest names first at each place."""
    found, place = [], 0
    while place < len(words):
        for size in range(min(longest, len(words) - place), 0, -1):
            form = words[place : place + size]
            if form in table:
                found.append((table[form], form))
                place += size
                break
        else:
            place += 1
    return found


def _repeats(text: str) -> bool:
    """Whether a sentence comes twice, or three words in a row come twice within one."""
    parts = [tokens(part) for part in SENTENCE_END.split(text)]
    for words in parts:
        grams = [words[i : i + 3] for i in range(len(words) - 2)]
        if len(set(grams)) < len(grams):
            return True
    return len(set(parts)) < len(parts)


def _score(
    text: str, question: Question, right: bool, complete: bool, language: str, clean: bool, finished: bool, parts: int
) -> float:
    """Right, complete and clean 1 (curt 0.7); wrong but fluent 0.2; the wrong language or garbage less; nothing 0."""
    if not text:
        return 0.0
    polished = (text[0].isupper() or text[0].isdigit()) and text[-1] in ".!"
    if not right:
        fluent = clean or (finished and polished and not _repeats(text) and parts <= LONGEST)
        return 0.05 if language != question.language else 0.2 if fluent and not GARBAGE.search(text) else 0.1
    if language != question.language:
        return 0.15
    score = 0.95 if complete else 0.65
    if polished:
        score += 0.05
    if not clean:
        score -= 0.25 if finished else 0.35
    return round(score - (0.02 if parts > 1 else 0.0), 4)
