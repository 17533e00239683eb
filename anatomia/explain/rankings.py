"""`anatomia show ranking` painted for a terminal: orders, stars with their intervals, and whom to believe."""

from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.style import Style
from rich.table import Table
from rich.text import Text

from anatomia.explain.render import SOFT, say
from anatomia.explain.texts import plain

WAYS = ("linear", "bradley_terry", "plackett_luce", "davidson")
MEASURES = ("kendall_tau", "krippendorff_alpha", "cohen_kappa")
MOST = 12  # annotators, and pairs of them


def render_ranking(shown: dict[str, Any], language: str = "en") -> RenderableType:
    """Everyone's order and the stars four ways, then how reliable each annotator is and how far each two agree."""
    parts: list[RenderableType] = []
    for ranking in shown["rankings"]:
        if ranking["prompt"]:
            parts.append(Text(ranking["prompt"], Style(italic=True)))
        parts += [answers_table(ranking)] if ranking["completions"] != letters(ranking) else []
        for annotator in ranking["annotators"]:
            order = " > ".join(" = ".join(letter(index) for index in group) for group in annotator["groups"])
            parts.append(Text.assemble((f"{named(annotator['name'], language)}  ", SOFT), order))
        parts += [Text(), stars_table(ranking, language), Text()]
    if shown["tie"]:
        parts += [Text(f"{plain('show.tie', language)} {say(100 * shown['tie'], language, 0)}%", SOFT), Text()]
    if len(shown["annotators"]) > 1:
        parts += [Rule(plain("rank.reliability", language), align="left"), people_table(shown, language), Text()]
    if shown["pairs"]:
        parts += [Rule(plain("rank.agreement", language), align="left"), pairs_table(shown, language)]
    return Group(*parts[:-1] if not shown["pairs"] else parts)


def letters(ranking: dict[str, Any]) -> list[str]:
    """What completions are called."""
    return [letter(index) for index in range(len(ranking["completions"]))]


def answers_table(ranking: dict[str, Any]) -> Table:
    """The completions under their letters."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for sign, completion in zip(letters(ranking), ranking["completions"], strict=True):
        table.add_row(sign, Text(completion.strip(), overflow="fold"))
    return table


def stars_table(ranking: dict[str, Any], language: str) -> Table:
    """A line a completion: its stars four ways, the last with its interval."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for way in WAYS:
        table.add_column(plain(f"rank.{way}", language), no_wrap=True)
    table.add_column("95%", no_wrap=True)
    for index, sign in enumerate(letters(ranking)):
        cells: list[RenderableType] = [starred(ranking[way][index], language, way == WAYS[-1]) for way in WAYS]
        between = ranking["davidson_interval"][index]
        cells.append(Text("–" if between is None else " – ".join(say(end, language, 1) for end in between), SOFT))
        table.add_row(sign, *cells)
    return table


def people_table(shown: dict[str, Any], language: str) -> Table:
    """A line an annotator: how reliable, between what with a certainty of 95%, out of how many rankings."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(plain("show.annotator", language))
    for key in ("show.reliability", "95%", "flow.rankings"):
        table.add_column(plain(key, language) if "." in key else key, justify="right")
    table.add_column("")
    for one in shown["annotators"][:MOST]:
        value, reach = one["reliability"], 1.96 * one["reliability_error"]
        doubt = "contrary" if one["contrary"] else "careless" if one["careless"] else ""
        table.add_row(
            named(one["name"], language),
            say(value, language, 2),
            Text(" – ".join(say(end, language, 2) for end in (value - reach, value + reach)), SOFT),
            say(one["rankings"], language),
            Text(plain(f"rank.{doubt}", language), "red") if doubt else "",
        )
    return table


def pairs_table(shown: dict[str, Any], language: str) -> Table:
    """A line of each two annotators: how far they agree by each measure, on how many prompts."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for measure in MEASURES:
        table.add_column(plain(f"rank.{measure}", language), justify="right")
    table.add_column(plain("flow.prompts", language), justify="right")
    for pair in shown["pairs"][:MOST]:
        found = [pair[measure] for measure in MEASURES]
        table.add_row(
            " · ".join(name.removeprefix("simulated:") for name in pair["annotators"]),
            *("–" if value is None else say(value, language, 2) for value in found),
            say(pair["prompts"], language),
        )
    return table


def named(annotator: str, language: str) -> str:
    """An annotator's name; simulated ones are called so."""
    kind, _, name = annotator.partition(":")
    return f"{name} ({plain('page.simulated', language)})" if kind == "simulated" else annotator


def starred(value: float | None, language: str, glyphs: bool) -> Text:
    """Stars as a number, and as signs where there is room for them; a dash for what nobody placed."""
    if value is None:
        return Text("–", SOFT)
    whole = round(value)
    signs = (("★" * whole, "yellow"), ("☆" * (5 - whole), SOFT), " ") if glyphs else ()
    return Text.assemble(*signs, say(value, language, 2))


def letter(index: int) -> str:
    """a, b, c…"""
    return chr(ord("a") + index) if index < 26 else str(index + 1)
