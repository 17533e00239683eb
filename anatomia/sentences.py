"""Polish for what is written in English all over the code: help pages, and the sentences of errors and notes.

The code says each sentence once, in English, with its values already in it. `polish.toml` holds the same sentence with
numbered holes for the values, {0}, {1}, …, in the order of the code; a sentence is recognised by the words around the
holes, and what stands in a hole is itself looked up. A sentence that the table lacks stays English.
"""

import re
import tomllib
from functools import cache
from importlib.resources import files

HOLE = r"\{(\d+)\}"


def sentence(english: str) -> str:
    """The Polish of a sentence, of one with a place before a colon ("recipe.toml: …") too; else the English."""
    return _found(english) or _drops(english) or english


def help_text(english: str) -> str | None:
    """The Polish of a help text, named by its first line; of a command's, with its examples."""
    return table()["help"].get(english)


@cache
def table() -> dict[str, dict[str, str]]:
    """The Polish by the English: `help`, `sentences` of this program, and those of the `libraries` it works with."""
    return tomllib.loads(files("anatomia").joinpath("polish.toml").read_text(encoding="utf-8"))


@cache
def patterns() -> list[tuple[re.Pattern[str], str]]:
    """A pattern for each English sentence, with its Polish; those with the most words of their own come first."""
    known = {**table()["libraries"], **table()["sentences"]}
    found = []
    for english in sorted(known, key=lambda english: -len(re.sub(HOLE, "", english))):
        parts = re.split(HOLE, english)  # now the numbers of the holes stand at odd places
        words = ["(.*?)" if place % 2 else re.escape(part) for place, part in enumerate(parts)]
        if re.match(HOLE + r" \w", english):  # it begins with what it is about; a place before that is not part of it
            words[1] = "((?:(?!: ).)*?)"
        found.append((re.compile("".join(words), re.DOTALL), known[english]))
    return found


def _found(english: str) -> str | None:
    for pattern, polish in patterns():
        match = pattern.fullmatch(english)
        if match:
            return _filled(polish, [sentence(value) for value in match.groups()])
    place, colon, rest = english.partition(": ")
    said = _found(rest) if colon else None
    return None if said is None else place + colon + said


def _drops(english: str) -> str | None:
    """How many documents fell to which of the corpus's rules, "too_short 3, language 1", by the rules' Polish names."""
    parts = [re.fullmatch(r"(\w+) ([\d,]+)", part) for part in english.split(", ")]
    if None in parts:
        return None
    from anatomia.explain.texts import has, plain

    counts = [(part[1], part[2]) for part in parts if part]
    if not all(has(f"rule.{rule}") for rule, _ in counts):
        return None
    return ", ".join(f"{plain(f'rule.{rule}', 'pl')}: {count}" for rule, count in counts)


def _filled(polish: str, values: list[str]) -> str:
    return re.sub(HOLE, lambda hole: values[int(hole[1])], polish)
