"""Relations and their wordings: little templates that know cases and gender.

A template holds slots and choices. `{s}` is the subject and `{o}` the object in their basic form, `{o.loc}` in a named
one (Polish cases; `in` and `from` for "w/we …" and "z/ze …"; English `a` and `the`). `[był|była|było]` chooses by the
subject's gender (masculine, feminine, neuter, plural; the last one given serves the rest), `[o:znany|znana]` by the
object's.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from anatomia.world.polish import capital

LANGUAGES = ("pl", "en")
GENDERS = "mfnp"
SLOT = re.compile(r"\{([so])(?:\.(\w+))?\}|\[(o:)?([^\]]*)\]")


@dataclass(frozen=True)
class Entity:
    """Something that facts are about, with its forms in both languages.

    Attributes:
        key: unique over the world ("town/makowo").
        kind: person, town, river, …
        gender: m, f, n, or p for plural nouns.
        forms: by language, then by the form's name; "nom" is the basic one.
    """

    key: str
    kind: str
    gender: str
    forms: Mapping[str, Mapping[str, str]]

    def form(self, language: str, name: str = "nom") -> str:
        """One form; English names have only the basic one, so any other name of a form falls back to it."""
        forms = self.forms[language]
        return forms.get(name) or forms["nom"]


@dataclass(frozen=True)
class Wording:
    """How one language states a relation and asks about it.

    Attributes:
        said: predicates that follow the subject ("mieszka {o.in}").
        whole: sentences in another order, without the final full stop ("{o.in} mieszka {s}").
        ask: questions for the object; the last `HELD_WORDINGS` of them are never used in training.
        natural: for each question, which of `short` answers it naturally.
        short: accepted short answers.
        mine: predicates in the first person ("mieszkam {o.in}"), for letters and diaries.
    """

    said: tuple[str, ...]
    whole: tuple[str, ...]
    ask: tuple[str, ...]
    natural: tuple[int, ...]
    short: tuple[str, ...]
    mine: tuple[str, ...] = ()


HELD_WORDINGS = 2


@dataclass(frozen=True)
class Relation:
    """One column of the fact table: its name, what it leads from and to, and its wordings by language."""

    name: str
    subject: str
    object: str
    wording: Mapping[str, Wording] = field(default_factory=dict)


def lines(text: str) -> tuple[str, ...]:
    """The templates of a table: one per line, blank lines dropped."""
    return tuple(line.strip() for line in text.strip().split("\n") if line.strip())


def wording(said: str, whole: str, ask: str, short: str, mine: str = "") -> Wording:
    """A `Wording` from tables of one template per line.

    A question may end in " @2": the short answer that goes with it is number 2 (from 0), not the first.
    """
    asked = [row.partition(" @") for row in lines(ask)]
    natural = tuple(int(number or 0) for _, _, number in asked)
    return Wording(lines(said), lines(whole), tuple(row for row, _, _ in asked), natural, lines(short), lines(mine))


def fill(template: str, subject: Entity, object_: Entity, language: str) -> str:
    """A template with its slots filled and its choices made."""
    return SLOT.sub(_filler(subject, object_, language), template)


def _filler(subject: Entity, object_: Entity, language: str) -> Callable[[re.Match[str]], str]:
    def one(match: re.Match[str]) -> str:
        if match[1]:
            return (subject if match[1] == "s" else object_).form(language, match[2] or "nom")
        options = match[4].split("|")
        gender = (object_ if match[3] else subject).gender
        return options[min(GENDERS.index(gender), len(options) - 1)]

    return one


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    return capital(text) + "."
