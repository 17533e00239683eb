"""Sentences and numbers in Polish and English, both at once: a page holds the two, a terminal picks one."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from markupsafe import Markup, escape

from anatomia.base.plural import plural

Language = Literal["pl", "en"]
LANGUAGES: tuple[Language, ...] = ("pl", "en")
NBSP = "\u00a0"
CHOICE = re.compile(r"{(\w+)\|([^}]*)}")


@dataclass(frozen=True)
class Both:
    """The same thing said in Polish and in English, as HTML. In a page it becomes two spans, one of them hidden."""

    pl: Markup
    en: Markup

    def __html__(self) -> str:
        if self.pl == self.en:
            return self.pl
        return f'<span class="pl" lang="pl">{self.pl}</span><span class="en" lang="en">{self.en}</span>'

    def __str__(self) -> str:
        return self.__html__()

    def svg(self) -> Markup:
        """The form inside an SVG `text` element, where `span` is not allowed."""
        if self.pl == self.en:
            return self.pl
        return Markup(f'<tspan class="pl" lang="pl">{self.pl}</tspan><tspan class="en" lang="en">{self.en}</tspan>')


@cache
def table() -> dict[str, dict[str, str]]:
    """All texts: dotted key -> {"pl": …, "en": …}."""
    flat: dict[str, dict[str, str]] = {}

    def walk(prefix: str, node: dict[str, Any]) -> None:
        if any(isinstance(value, str) for value in node.values()):
            flat[prefix] = node
            return
        for key, child in node.items():
            walk(f"{prefix}.{key}" if prefix else key, child)

    walk("", tomllib.loads(files("anatomia.explain").joinpath("texts.toml").read_text(encoding="utf-8")))
    return flat


def text(key: str, **values: Any) -> Both:
    """The text `key` in both languages, its `{names}` filled with `values` (escaped unless Both or Markup).

    `{name|word|words}` becomes the form of the word that goes with the number `name` (see `base.plural`).
    """
    entry = table()[key]

    def fill(language: Language) -> Markup:
        chosen = {
            name: getattr(value, language) if isinstance(value, Both) else value for name, value in values.items()
        }
        said = CHOICE.sub(lambda form: chosen_form(form, values, language), entry[language])
        sentence = Markup(keep_together(said) if language == "pl" else said)
        return sentence.format(**chosen) if chosen else sentence

    return Both(fill("pl"), fill("en"))


def chosen_form(form: re.Match[str], values: dict[str, Any], language: Language) -> str:
    """`{words|word|words}`: the form that goes with the value of `words`, a number or one written in both languages."""
    value = values[form[1]]
    count = float(str(value.en).replace(",", "")) if isinstance(value, Both) else float(value)
    return plural(language, count, form[2].split("|"))


def has(key: str) -> bool:
    """Whether there is a text with this key."""
    return key in table()


def plain(key: str, language: str) -> str:
    """The text in one language for a terminal: no HTML."""
    return Markup(table()[key][language if language in LANGUAGES else "en"]).striptags()


def number(value: float, digits: int | None = None) -> Both:
    """A number as written in Polish (12 345,6) and in English (12,345.6).

    With `digits`, so many places after the point; without, integers are whole and others get three significant ones.
    """
    if isinstance(value, bool) or value != value or value in (float("inf"), float("-inf")):
        return Both(escape(str(value)), escape(str(value)))
    if digits is None:
        digits = 0 if float(value).is_integer() and abs(value) < 1e15 else significant(value)
    english = f"{value:,.{digits}f}"
    if not english.strip("-0."):  # rounded to nothing, which has no sign
        english = english.removeprefix("-")
    if digits > 6 or abs(value) >= 1e15:
        english = f"{value:.2e}"
    if english.startswith("-"):
        english = "\u2212" + english[1:]
    whole, dot, rest = english.partition(".")
    if whole.count(",") == 1 and len(whole.lstrip("\u2212")) == 5:
        polish = whole.replace(",", "")  # Polish groups digits from five up
    else:
        polish = whole.replace(",", NBSP)
    return Both(Markup(polish + ("," + rest if dot else "")), Markup(english))


def significant(value: float, places: int = 3) -> int:
    """How many digits after the point show `places` significant ones."""
    magnitude = abs(value)
    digits = 0
    while magnitude < 10 ** (places - 1) and digits < places + 5 and magnitude > 0:
        magnitude *= 10
        digits += 1
    return digits


def percent(share: float, digits: int = 0) -> Both:
    """A share from 0 to 1 as a percentage; Polish and English alike set it without a space in figures."""
    shown = number(100 * share, digits)
    return Both(shown.pl + "%", shown.en + "%")


def duration(seconds: float) -> Both:
    """Seconds as a person would say them."""
    if seconds < 60:
        shown = number(seconds, 1 if seconds < 10 else 0)
        return Both(shown.pl + NBSP + "s", shown.en + NBSP + "s")
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours}{NBSP}h"] if hours else []
    parts.append(f"{minutes}{NBSP}min")
    if not hours and rest:
        parts.append(f"{rest}{NBSP}s")
    return Both(Markup(" ".join(parts)), Markup(" ".join(parts)))


def keep_together(polish: str) -> str:
    """Polish typography: one-letter words never end a line, a dash never begins one."""
    return re.sub(r"(?<!\w)([wzioauWZIOAU]) (?=\S)", rf"\1{NBSP}", polish).replace(" –", f"{NBSP}–")
