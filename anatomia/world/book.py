"""Every fact said in every wording, once, so that writing documents and judging answers is looking things up."""

import re
from collections.abc import Iterable
from functools import cached_property
from unicodedata import normalize

from anatomia.world.facts import RELATIONS, Country, Fact
from anatomia.world.wording import LANGUAGES, Entity, fill, sentence

TOKEN = re.compile(r"\d+[:-]\d+|\w+(?:['’-]\w+)*")
PRONOUNS = {"m": "he", "f": "she", "n": "it", "p": "they"}


def tokens(text: str) -> tuple[str, ...]:
    """Words and numbers in lower case."""
    return tuple(TOKEN.findall(normalize("NFC", text).lower()))


def normalised(text: str) -> str:
    """A text as answers are compared: case, outer punctuation, quotes and spaces do not count."""
    text = " ".join(normalize("NFC", text).lower().split())
    return text.strip(" .!?\"„”“'")


class Book:
    """Sentences by (fact's id, language), without capital and full stop.

    Attributes:
        said: predicates.
        whole: whole sentences in another order.
        simple: those predicates that may stand in a relative clause or beside another predicate.
        mine: predicates in the first person.
        about: the facts of each subject.
        subjects: the entities that have facts, by kind.
        fans: who likes a dish best, by dish.
        located: what lies in a region or comes from there, by region.
    """

    def __init__(self, country: Country) -> None:
        self.country = country
        self.said: dict[tuple[str, str], list[str]] = {}
        self.whole: dict[tuple[str, str], list[str]] = {}
        self.simple: dict[tuple[str, str], list[str]] = {}
        self.mine: dict[tuple[str, str], list[str]] = {}
        self.about: dict[str, list[Fact]] = {}
        self.subjects: dict[str, list[Entity]] = {}
        self.fans: dict[str, list[Fact]] = {}
        self.located: dict[str, list[Fact]] = {}
        for fact in country.facts.values():
            subject, object_ = self.ends(fact)
            if fact.subject not in self.about:
                self.about[fact.subject] = []
                self.subjects.setdefault(subject.kind, []).append(subject)
            self.about[fact.subject].append(fact)
            if fact.relation == "dish":
                self.fans.setdefault(fact.object, []).append(fact)
            elif object_.kind == "region":
                self.located.setdefault(fact.object, []).append(fact)
            for language in LANGUAGES:
                wording = RELATIONS[fact.relation].wording[language]
                key = fact.id, language
                self.said[key] = [fill(text, subject, object_, language) for text in wording.said]
                self.whole[key] = [fill(text, subject, object_, language) for text in wording.whole]
                self.simple[key] = [text for text in self.said[key] if _joins(text)]
                self.mine[key] = [fill(text, subject, object_, language) for text in wording.mine]

    def ends(self, fact: Fact) -> tuple[Entity, Entity]:
        """The subject and the object of a fact."""
        return self.country.entities[fact.subject], self.country.object(fact)

    def subject(self, fact: Fact, language: str) -> str:
        """The name under which a fact's subject begins a sentence: "Anna Górska", "jezioro Zaduma", "the fox"."""
        return self.country.entities[fact.subject].form(language, "full")

    def full(self, fact: Fact, language: str) -> list[str]:
        """All sentences that state the fact and name both its ends."""
        name = self.subject(fact, language)
        said = [f"{name} {text}" for text in self.said[fact.id, language]]
        return [sentence(text) for text in (*said, *self.whole[fact.id, language])]

    def pronoun(self, fact: Fact, language: str) -> list[str]:
        """Sentences that state the fact of the subject spoken of last: "Mieszka w Makowie.", "She lives in Makowo."."""
        texts = [text for text in self.said[fact.id, language] if not text.startswith("to ")]
        if language == "pl":
            return [sentence(text) for text in texts]
        he = self.he(self.country.entities[fact.subject])
        return [sentence(f"{he} {text}") for text in texts]

    @staticmethod
    def he(entity: Entity) -> str:
        """The English pronoun for an entity."""
        return PRONOUNS[entity.gender] if entity.kind == "person" or entity.gender == "p" else "it"

    @cached_property
    def truths(self) -> dict[str, list[Fact]]:
        """Normalised sentences and the facts that they state."""
        table: dict[str, list[Fact]] = {}
        for fact in self.country.facts.values():
            for language in LANGUAGES:
                for text in (*self.full(fact, language), *self.pronoun(fact, language)):
                    table.setdefault(normalised(text), []).append(fact)
        return table

    @cached_property
    def vocabulary(self) -> dict[str, frozenset[str]]:
        """The words by which each language is known: those that only its sentences have."""
        seen = {language: frozenset(self._words(language)) for language in LANGUAGES}
        return {"pl": seen["pl"] - seen["en"], "en": seen["en"] - seen["pl"]}

    def _words(self, language: str) -> Iterable[str]:
        for fact in self.country.facts.values():
            for text in (*self.full(fact, language), *self.pronoun(fact, language)):
                yield from tokens(text)


def _joins(predicate: str) -> bool:
    return not predicate.startswith("to ") and not any(mark in predicate for mark in ",;:")
