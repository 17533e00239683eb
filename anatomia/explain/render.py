"""`explain.show`'s dictionaries painted for a terminal, with labels in Polish or English.

Where there are no colours (a pipe, a file, NO_COLOR), signs say the same: │ between tokens, ║ between documents, ⟦ ⟧
round what a colour would set off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, groupby
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.rule import Rule
from rich.style import Style
from rich.table import Table
from rich.text import Text

from anatomia.explain.texts import number, plain

TINTS = ("#f6d9a8", "#c5def2", "#cfe6c4", "#ecd0e3", "#dcd7f5")
INK = "#1c1e23"
CARRIES = Style(color=INK, bgcolor="#9cc0e8")
CHOSEN = Style(bold=True, reverse=True)
SOFT = Style(dim=True)
EMPTY = "░░"


def render_tokens(shown: dict[str, Any], language: str = "en") -> RenderableType:
    """Each text in colours, its ids beneath, and how many tokens it takes."""
    parts: list[RenderableType] = []
    for entry in shown["texts"]:
        parts.append(painted([token["text"] for token in entry["tokens"]]))
        parts.append(Text(" ".join(str(token["id"]) for token in entry["tokens"]), SOFT))
        count = max(len(entry["tokens"]), 1)
        sizes = [
            (plain("show.tokens", language), say(len(entry["tokens"]), language)),
            (plain("show.characters", language), say(entry["characters"], language)),
            (plain("show.bytes", language), say(entry["bytes"], language)),
            (plain("show.bytes_per_token", language), say(entry["bytes"] / count, language, 2)),
        ]
        parts += [Text("  ".join(f"{name}: {value}" for name, value in sizes), SOFT), Text()]
    return Group(*parts[:-1])


def render_windows(shown: dict[str, Any], language: str = "en") -> RenderableType:
    """One row per place: the context, the token that comes next, and what the model expected there."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(plain("show.context", language), justify="right", ratio=2, overflow="fold")
    table.add_column(plain("show.next", language), no_wrap=True)
    guessed = any(prediction["candidates"] for prediction in shown["predictions"])
    if guessed:
        table.add_column(plain("show.candidates", language), ratio=3, overflow="fold")
    for prediction in shown["predictions"]:
        context = Text(visible("".join(shown["tokens"][: prediction["context"]])[-60:]), SOFT)
        row: list[RenderableType] = [context, Text(visible(prediction["next"]), CHOSEN)]
        if guessed:
            row.append(odds(prediction["candidates"], prediction["next"], language))
        table.add_row(*row)
    return table


def render_padding(shown: dict[str, Any], language: str = "en") -> RenderableType:
    """The batch filled up with padding, and the same texts packed."""
    parts: list[RenderableType] = [Rule(heading("show.padded", empty_share(shown["rows"]), language), align="left")]
    for row in shown["rows"]:
        line = Text()
        for tint, token, padding in zip(cycle(TINTS), row["tokens"], row["padding"], strict=False):
            line.append(EMPTY if padding else visible(token), SOFT if padding else Style(color=INK, bgcolor=tint))
        parts.append(Shown(line, cells([*zip(row["tokens"], [-int(cell) for cell in row["padding"]], strict=True)])))
    empty = [{"padding": [document < 0 for document in row["documents"]]} for row in shown["packed"]]
    parts.append(Rule(heading("show.packed", empty_share(empty), language), align="left"))
    for row in shown["packed"]:
        line = Text()
        for token, document in zip(row["tokens"], row["documents"], strict=True):
            style = SOFT if document < 0 else Style(color=INK, bgcolor=TINTS[document % len(TINTS)])
            line.append(EMPTY if document < 0 else visible(token), style)
        parts.append(Shown(line, cells([*zip(row["tokens"], row["documents"], strict=True)])))
    return Group(*parts, Text(plain("show.rows", language), SOFT))


def render_generation(shown: dict[str, Any], language: str = "en") -> RenderableType:
    """The prompt, a row per step with its candidates, and the whole answer."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("", justify="right", style=SOFT)
    table.add_column(plain("show.chosen", language), no_wrap=True)
    table.add_column(plain("show.candidates", language), overflow="fold")
    for place, step in enumerate(shown["steps"], 1):
        chosen = Text(visible(step["token"]), CHOSEN)
        table.add_row(str(place), chosen, odds(step["candidates"], step["token"], language))
    answer = painted([step["token"] for step in shown["steps"]])
    end = plain("verdict.finished" if shown["finished"] else "verdict.cut", language)
    return Group(Text(shown["prompt"], Style(italic=True)), Text(), table, Text(), answer, Text(f"({end})", SOFT))


def render_dialogue(shown: dict[str, Any], language: str = "en") -> RenderableType:
    """Who says what, the template's text, and its tokens with those that carry loss highlighted."""
    read_only = plain("finetune.read_only", language)
    turns = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for message in shown["messages"]:
        turns.add_row(Text(message["role"], SOFT), Text(message["content"]))
    masked, marked = Text(), Text()
    for weight, part in groupby(zip(shown["tokens"], shown["weights"], strict=True), lambda cell: cell[1]):
        said = "".join(visible(token) for token, _ in part)
        masked.append(said, CARRIES if weight else SOFT)
        marked.append(set_off(said) if weight else said)
    legend = Shown(
        Text.assemble((f" {plain('finetune.carries', language)} ", CARRIES), ("  " + read_only, SOFT)),
        Text(f"{set_off(plain('finetune.carries', language))}  {read_only}"),
    )
    return Group(
        turns,
        Rule(plain("show.template", language), align="left"),
        Text(shown["rendered"]),
        Rule(plain("finetune.mask", language), align="left"),
        Shown(masked, marked),
        Text(plain("show.prompt_only", language), SOFT) if shown["prompt"] else legend,
    )


@dataclass(frozen=True)
class Shown:
    """One thing in colours, and with signs instead where there are none."""

    coloured: Text
    plain: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._for(console)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._for(console))

    def _for(self, console: Console) -> Text:
        return self.plain if console.color_system is None or console.no_color else self.coloured


def painted(pieces: Sequence[str]) -> Shown:
    """Tokens side by side, each in its colour."""
    line = Text()
    for tint, piece in zip(cycle(TINTS), pieces, strict=False):
        line.append(visible(piece), Style(color=INK, bgcolor=tint))
    return Shown(line, Text("│".join(map(visible, pieces))))


def cells(row: Sequence[tuple[str, int]]) -> Text:
    """A row of a batch without colours, of tokens and the documents they are of; those of document −1 are empty."""
    parts = []
    for document, tokens in groupby(row, lambda cell: cell[1]):
        empty = document < 0
        parts.append(("" if empty else "│").join(EMPTY if empty else visible(token) for token, _ in tokens))
    return Text("║".join(parts))


def set_off(text: str) -> str:
    """Words without colours that a colour would set off."""
    return f"⟦{text}⟧"


def visible(piece: str) -> str:
    """A piece with line ends and tabs, and a space that stands alone, made visible."""
    if piece and not piece.strip(" "):
        return "␣" * len(piece)
    return piece.replace("\n", "↵").replace("\r", "␍").replace("\t", "⇥")


def odds(candidates: Sequence[dict[str, Any]], right: str, language: str) -> Shown:
    """Candidates with their probabilities in one line, the one that came set off."""
    line, signs = Text(), Text()
    for candidate in candidates:
        here, token = candidate["token"] == right, visible(candidate["token"])
        chance = f" {say(100 * candidate['probability'], language, 1)}%   "
        line.append(token, CHOSEN if here else Style()).append(chance, Style() if here else SOFT)
        signs.append((set_off(token) if here else token) + chance)
    return Shown(line, signs)


def empty_share(rows: Sequence[dict[str, Any]]) -> float:
    """The share of cells that are padding."""
    cells = [cell for row in rows for cell in row["padding"]]
    return sum(cells) / max(len(cells), 1)


def heading(key: str, share: float, language: str) -> str:
    """A heading with the share of empty cells in it."""
    return f"{plain(key, language)} – {plain('show.empty', language)}: {say(100 * share, language, 0)}%"


def say(value: float, language: str, digits: int | None = None) -> str:
    """A number as the language writes it."""
    shown = number(value, digits)
    return str(shown.pl if language == "pl" else shown.en)
