"""Questions about the facts: wordings, accepted answers, and what is held out from training."""

from dataclasses import dataclass
from random import Random

from anatomia.world.arithmetic import Sum, sums
from anatomia.world.book import Book
from anatomia.world.facts import RELATIONS
from anatomia.world.polish import capital
from anatomia.world.wording import HELD_WORDINGS, LANGUAGES, fill

HELD_SHARE = 0.3


@dataclass(frozen=True)
class Question:
    """One question in one wording.

    Attributes:
        id: "fact's id:language:wording".
        fact: the fact's id ("home:person/anna"), or the sum's ("plus/7/5").
        language: "pl" or "en".
        text: the question.
        answers: accepted answers, short forms first (the first is the one demonstrations use), then full sentences.
        full: the model answer, a full sentence.
        wording: which wording of the relation it is, from 0.
        kind: "fact" or "arithmetic".
        short: how many of `answers` are short forms.
    """

    id: str
    fact: str
    language: str
    text: str
    answers: tuple[str, ...]
    full: str
    wording: int
    kind: str
    short: int


class Questions:
    """All questions of a world, by split.

    Splits: "train" (facts and wordings of training), "held_out" (facts whose question never occurs in training, in
    training's wordings), "new_wording" (training's facts in wordings that training never uses).
    """

    def __init__(self, book: Book, seed: int) -> None:
        self.held_facts = frozenset(_held_facts(book, seed))
        self.train_sums, self.held_sums = sums(seed)
        self.by_id: dict[str, Question] = {}
        self.splits: dict[str, list[Question]] = {"train": [], "held_out": [], "new_wording": []}
        for fact in book.country.facts.values():
            subject, object_ = book.ends(fact)
            for language in LANGUAGES:
                wording = RELATIONS[fact.relation].wording[language]
                short = tuple(fill(text, subject, object_, language) for text in wording.short)
                full = book.full(fact, language)
                texts = [capital(fill(text, subject, object_, language)) for text in wording.ask]
                shorts = [tuple(dict.fromkeys((short[first], *short))) for first in wording.natural]
                self._enter(fact.id, language, texts, shorts, full, fact.id in self.held_facts, "fact")
        for held, group in ((False, self.train_sums), (True, self.held_sums)):
            for row in group:
                for language in LANGUAGES:
                    self._enter_sum(row, language, held)

    def _enter_sum(self, row: Sum, language: str, held: bool) -> None:
        texts = row.questions(language)
        shorts: list[tuple[str, ...]] = [(row.words(language)["c"], str(row.result))] * len(texts)
        self._enter(row.id, language, texts, shorts, row.statements(language), held, "arithmetic")

    def _enter(
        self,
        fact: str,
        language: str,
        texts: list[str],
        shorts: list[tuple[str, ...]],
        full: list[str],
        held: bool,
        kind: str,
    ) -> None:
        for wording, (text, short) in enumerate(zip(texts, shorts)):
            name = f"{fact}:{language}:{wording}"
            question = Question(name, fact, language, text, (*short, *full), full[0], wording, kind, len(short))
            self.by_id[name] = question
            new = wording >= len(texts) - HELD_WORDINGS
            if held and not new:
                self.splits["held_out"].append(question)
            elif not held:
                self.splits["new_wording" if new else "train"].append(question)


def _held_facts(book: Book, seed: int) -> list[str]:
    random = Random(f"held out {seed}")
    held: list[str] = []
    for name in RELATIONS:
        group = [fact.id for fact in book.country.facts.values() if fact.relation == name]
        held += random.sample(group, round(len(group) * HELD_SHARE))
    return held
