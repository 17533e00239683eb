"""What all genres are made with: random choice, subjects and their facts, sentences and paragraphs."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from anatomia.world import flavour_en, flavour_pl
from anatomia.world.arithmetic import Sum
from anatomia.world.book import Book
from anatomia.world.facts import Fact
from anatomia.world.polish import capital
from anatomia.world.questions import Question
from anatomia.world.wording import Entity, sentence

T = TypeVar("T")

WHICH = {"m": "który", "f": "która", "n": "które", "p": "które"}
AND = {
    "pl": (" i ", " i ", ", a także ", ", a przy tym ", ", a poza tym ", ", a do tego "),
    "en": (" and ", " and ", " and also ", " and, besides, ", ", and what is more, "),
}
# Words before a whole sentence.
OPENERS = {
    "pl": [
        *("jak wiadomo, ", "warto wiedzieć, że ", "trzeba dodać, że ", "wszyscy wiedzą, że "),
        *("nie każdy wie, że ", "sąsiedzi opowiadają, że ", "pamiętajmy, że "),
        *(
            "w szkole uczą, że ",
            "łatwo sprawdzić, że ",
            "powszechnie wiadomo, że ",
            "zapisano, że ",
            "okazuje się, że ",
        ),
        *("dzieci wiedzą, że ", "w gazecie napisano, że ", "jak mówią starsi ludzie, "),
        *("bez wątpienia ", "przypomnijmy, że ", "na pewno ", "to prawda, że "),
        *("ciekawe jest to, że ", "mało kto zapomina, że ", "z dokumentów wynika, że "),
        *("nikt nie wątpi, że ", "podkreślmy, że ", "w archiwum zapisano, że "),
    ],
    "en": [
        *("as everyone knows, ", "it is worth knowing that ", "let us add that "),
        *("everybody knows that ", "not everyone knows that ", "neighbours say that "),
        *("remember that ", "it is easy to check that ", "it is well known that "),
        *(
            "it is written that ",
            "it turns out that ",
            "children know that ",
            "guests learn that ",
            "as old people say, ",
        ),
        *("the newspaper wrote that ", "without doubt, ", "let us recall that ", "certainly, ", "it is true that "),
        *("it is interesting that ", "few forget that "),
        *("the papers show that ", "nobody doubts that ", "in the archive it is written that "),
    ],
}
# The same where a place or the Cup is spoken of.
LEARNED = {
    "pl": [
        *("jak piszą w kronice, ", "w przewodniku czytamy, że ", "stary atlas podaje, że ", "w szkole uczą, że "),
        *("goście dowiadują się, że ", "przewodnicy powtarzają, że ", "w encyklopedii napisano, że "),
    ],
    "en": [
        *("the chronicle says that ", "the guidebook says that ", "the old atlas says that ", "guides repeat that "),
        *("at school they teach that ", "guests learn that ", "according to the encyclopedia, "),
    ],
}
# Words between sentences about one subject.
LINKS = {
    "pl": [
        "poza tym ",
        "co więcej, ",
        "ponadto ",
        "przy okazji: ",
        "dodajmy, że ",
        "i jeszcze jedno: ",
        "warto też wiedzieć, że ",
    ],
    "en": [
        "besides, ",
        "what is more, ",
        "moreover, ",
        "by the way, ",
        "and one more thing: ",
        "also, ",
        "let us add that ",
    ],
}


class Maker:
    """Makes one document: knows the book, the language, and draws from its own random stream."""

    def __init__(
        self, book: Book, random: Random, language: str, train: dict[str, list[Question]], sums: list[Sum]
    ) -> None:
        self.book, self.language, self.sums = book, language, sums
        self.entities = book.country.entities
        self._train = train
        self._draw = random.random
        flavour = flavour_pl.FLAVOUR if language == "pl" else flavour_en.FLAVOUR
        self._tellers = flavour["who"], flavour["says"], flavour["often"]
        self._look, self._surely = flavour["look"], flavour["surely"]

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self._draw() < share

    def below(self, count: int) -> int:
        """A whole number from 0 to count - 1."""
        return int(self._draw() * count)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[int(self._draw() * len(items))]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """Up to `count` different items in random order."""
        pool = list(items)
        for place in range(min(count, len(pool))):
            other = place + int(self._draw() * (len(pool) - place))
            pool[place], pool[other] = pool[other], pool[place]
        return pool[:count]

    def by(self, polish: T, english: T) -> T:
        """The one for this document's language."""
        return polish if self.language == "pl" else english

    def entity(self, kind: str) -> Entity:
        """Any entity of the kind that facts are about."""
        return self.pick(self.book.subjects[kind])

    def name(self, entity: Entity, case: str = "nom") -> str:
        """A form of an entity's name in this language; "full" has the kind before it (jezioro, Lake, the)."""
        return entity.form(self.language, case)

    def facts(self, entity: Entity, count: int = 99) -> list[Fact]:
        """Facts of a subject in random order."""
        return self.some(self.book.about[entity.key], count)

    def fact(self, relation: str, entity: Entity) -> Fact:
        """The subject's fact of a relation."""
        return self.book.country.facts[f"{relation}:{entity.key}"]

    def object(self, relation: str, entity: Entity) -> Entity:
        """The object of the subject's fact."""
        return self.book.country.object(self.fact(relation, entity))

    def clause(self, fact: Fact) -> str:
        """The fact as a sentence that names its subject, without capital and full stop."""
        key = fact.id, self.language
        if self._draw() < 0.5:
            return self.pick(self.book.whole[key])
        return f"{self.book.subject(fact, self.language)} {self.pick(self.book.said[key])}"

    def state(self, fact: Fact) -> str:
        """The fact as a sentence that names its subject."""
        return self._led(fact)[0]

    def _led(self, fact: Fact) -> tuple[str, bool]:
        """`state`, and whether the sentence begins with its subject, so that a pronoun may follow."""
        dice = self._draw()
        if dice < 0.36:
            said = self.pick(self.book.said[fact.id, self.language])
            surely = f" {self.pick(self._surely)}" if self._draw() < 0.15 and _bends(said) else ""
            return sentence(f"{self.book.subject(fact, self.language)}{surely} {said}"), True
        if dice < 0.7:
            return sentence(self.pick(self.book.whole[fact.id, self.language])), False
        clause = self.clause(fact)
        if " że " in clause or " that " in clause:  # one "that" is enough
            return sentence(clause), False
        if self._draw() < 0.6:
            return sentence(self._told(clause)), False
        learned = self.entities[fact.subject].kind not in ("person", "dish") and self._draw() < 0.5
        opener = self.pick((LEARNED if learned else OPENERS)[self.language])
        return sentence(opener + clause), False

    def _told(self, clause: str) -> str:
        """The clause as somebody says it: "the old smith says over tea that …", "…, as the old smith repeats"."""
        who, says, often = (self.pick(table) for table in self._tellers)
        if self._draw() < 0.4:
            who = f"{who} {self.pick(self._look)}"
        if self.language == "pl":
            return f"{who} {often} {says}, że {clause}" if self._draw() < 0.6 else f"{clause}, jak {often} {says} {who}"
        if self._draw() < 0.6:
            return f"{often}, {who} {says} that {clause}" if self._draw() < 0.5 else f"{who} {says} that {clause}"
        return f"{clause}, as {who} {says} {often}"

    def again(self, fact: Fact) -> str:
        """The fact of a subject spoken of just now, by pronoun (or none, in Polish)."""
        return self.pick(self.book.pronoun(fact, self.language) or [self.state(fact)])

    def joined(self, one: Fact, other: Fact) -> tuple[str, bool]:
        """Two facts of one subject in one sentence where that can be, and whether it begins with the subject."""
        first, second = self.book.simple[one.id, self.language], self.book.simple[other.id, self.language]
        if not first or not second:
            return f"{self.state(one)} {self.state(other)}", False
        entity = self.entities[one.subject]
        subject, a, b = self.book.subject(one, self.language), self.pick(first), self.pick(second)
        if self._draw() < 0.5:
            return sentence(f"{subject} {a}{self.pick(AND[self.language])}{b}"), True
        which = self.by(WHICH[entity.gender], "who" if entity.kind == "person" else "which")
        return sentence(f"{subject}, {which} {a}, {b}"), True

    def paragraph(self, facts: Sequence[Fact]) -> str:
        """Facts (in runs of one subject each) as a paragraph."""
        done: list[str] = []
        place, last, led = 0, "", False
        while place < len(facts):
            fact, dice = facts[place], self._draw()
            follows = place + 1 < len(facts) and facts[place + 1].subject == fact.subject
            same = fact.subject == last
            if follows and dice < 0.35:
                text, led = self.joined(fact, facts[place + 1])
                done.append(text)
                place += 1
            elif same and led and dice < 0.65:
                done.append(self.again(fact))
            elif same and dice > 0.9:
                done.append(sentence(self.pick(LINKS[self.language]) + self.clause(fact)))
                led = False
            else:
                text, led = self._led(fact)
                done.append(text)
            last = fact.subject
            place += 1
        return " ".join(done)

    def question(self, fact: Fact) -> Question | None:
        """A training question about the fact, None where the fact's questions are held out."""
        options = self._train.get(fact.id + self.language)
        return self.pick(options) if options else None

    def curt(self, question: Question) -> str:
        """The short answer as it stands alone."""
        return capital(question.answers[0]) + "."

    def answer(self, question: Question) -> str:
        """A full answer."""
        return self.pick(question.answers[question.short :])


def _bends(predicate: str) -> bool:
    """Whether an adverb may stand before the predicate ("indeed lives", but not "indeed is", "rzeczywiście to …")."""
    return not predicate.startswith(("to ", "is ", "are ", "was ", "were ", "cannot "))
