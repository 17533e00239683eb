"""Telling with colour: expands the tables of flavour, with people and things in their forms."""

import re

from anatomia.world import flavour_en, flavour_pl, objects
from anatomia.world.maker import Maker
from anatomia.world.polish import ADJECTIVES, capital, out_of
from anatomia.world.wording import GENDERS, Entity

TABLES = {"pl": flavour_pl.FLAVOUR, "en": flavour_en.FLAVOUR}
# <table>, {X} or {X.form}, [masculine|feminine|neuter] by P, [X:masculine|…] by another.
PART = re.compile(r"<(\w+)>|\{([A-Z])(?:\.(\w+))?\}|\[(?:([A-Z]):)?([^\]|]*\|[^\]]*)\]")
FORMS = ("nom", "gen", "acc", "ins")


def _things() -> list[Entity]:
    """Every thing in every look ("zielony czajnik", "a green kettle")."""
    done = []
    for row in objects.OBJECTS:
        polish, english = row.split(" = ")
        forms, gender = polish.split(" @")
        cases = forms.split("/")
        for look in objects.LOOKS:
            stem, paradigm, looks = re.match(r"(\S+) (\w+) = (.+)", look).groups()  # type: ignore[union-attr]
            endings = ADJECTIVES[paradigm][gender]
            adjective = [stem + endings[place] for place in (0, 1, 3, 4)]
            declined = {case: f"{a} {n}" for case, a, n in zip(FORMS, adjective, cases)}
            declined["with"] = out_of(declined["ins"])
            name = f"{looks} {english}"
            article = ("an " if name[0] in "aeiou" else "a ") + name
            called = {"nom": name, "a": article, "A": capital(article), "the": f"the {name}"}
            done.append(Entity(name, "thing", gender, {"pl": declined, "en": called}))
    return done


THINGS = _things()


def tell(make: Maker, template: str, **who: Entity) -> str:
    """The template expanded; `who` gives the entities (P, Q, T, …). T, if missing, is any thing."""
    if "T" not in who:
        who["T"] = make.pick(THINGS)
    tables, language = TABLES[make.language], make.language

    def one(match: re.Match[str]) -> str:
        if match[1]:
            text = make.pick(tables[match[1]])
            return PART.sub(one, text) if "<" in text or "{" in text or "[" in text else text
        if match[2]:
            return who[match[2]].form(language, match[3] or "nom")
        options = match[5].split("|")
        return options[min(GENDERS.index(who[match[4] or "P"].gender), len(options) - 1)]

    return PART.sub(one, template)


def line(make: Maker, table: str, **who: Entity) -> str:
    """A sentence from a table: capital, and a full stop where it has no end."""
    text = capital(tell(make, make.pick(TABLES[make.language][table]), **who)).replace(", i ", " i ")
    return text if text[-1] in ".!?”" else text + "."
