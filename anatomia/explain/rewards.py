"""What `anatomia show reward` shows: the card of a reward model, for a terminal."""

from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.style import Style
from rich.table import Table
from rich.text import Text

from anatomia.base.errors import UserError
from anatomia.base.files import read_json
from anatomia.explain.render import SOFT, say
from anatomia.explain.texts import plain, text

CARD = "reward_card.json"
WHO = ("model", "others_together", "one_another")
PROBES = ("repeated", "halved", "empty", "wrong_prompt", "wrong_language")
MISTAKES = 3


def show_reward(run: Path) -> dict[str, Any]:
    """The card of a run's reward model (docs/stages/reward.md) with its worst `mistakes` and, where it is known, its
    accuracy on the rankings it learnt from, `train_accuracy`.

    Args:
        run: the run's directory, or that of the reward model itself.

    Raises:
        UserError: there is no card.
    """
    found = next((place for place in (run / "reward", run) if (place / CARD).is_file()), None)
    if found is None:
        raise UserError(
            f"{run} holds no card of a reward model (no reward/{CARD}); finish the run's stage reward, with rankings "
            "held out for it (rank.held_out_fraction)"
        )
    record, specimens = (
        read_json(found / name) if (found / name).is_file() else {} for name in ("artifact.json", "specimens.json")
    )
    known = {"train_accuracy": record.get("metrics", {}).get("train_accuracy")}
    return read_json(found / CARD) | known | {"mistakes": specimens.get("mistakes", [])[:MISTAKES]}


def render_reward(shown: dict[str, Any], language: str = "en") -> RenderableType:
    """It as a terminal shows it: what it is worth beside people, how sure it is, what fools it, and where it errs."""
    parts: list[RenderableType] = [heading("worth", language), agreement_table(shown["agreement"], language)]
    if shown["train_accuracy"] is not None:
        parts.append(Text(filled("reward.learnt", language, share=percent(shown["train_accuracy"], language)), SOFT))
    calibration = shown["calibration"]
    parts += [
        heading("calibration", language),
        Text(
            filled(
                "reward.sureness",
                language,
                error=percent(calibration["error"], language, 1),
                temperature=say(calibration["temperature"], language, 2),
                calibrated=percent(calibration["calibrated_error"], language, 1),
            )
        ),
    ]
    if shown.get("probes"):
        note = Text(plain("reward.probes_note", language), SOFT)
        parts += [heading("probes", language), note, probes_table(shown["probes"], language)]
    parts += [heading("length", language), *length_lines(shown["length"], language)]
    if shown.get("words"):
        parts += [heading("words", language), *words_lines(shown["words"], language)]
    if shown["mistakes"]:
        parts += [heading("mistakes", language), *mistakes_lines(shown["mistakes"], language)]
    return Group(*parts)


def heading(name: str, language: str) -> Rule:
    """A part's title."""
    return Rule(plain(f"reward.{name}", language), align="left")


def agreement_table(agreement: dict[str, Any], language: str) -> Table:
    """The model and people beside one another: accuracy and tau, each with its interval."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("", plain("chart.accuracy", language), "95%", "τ", "95%"):
        table.add_column(name, justify="left" if not name else "right")
    for who in WHO:
        if who in agreement:
            accuracy, tau = agreement[who]["accuracy"], agreement[who]["tau"]
            table.add_row(
                plain(f"reward.by_{who}", language),
                percent(accuracy["value"], language, 1) if accuracy else "–",
                interval(accuracy, language, 100),
                say(tau["value"], language, 2) if tau else "–",
                interval(tau, language, 1),
            )
    return table


def probes_table(probes: dict[str, Any], language: str) -> Table:
    """What spoilt copies of good answers get, those that may be no worse in red."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name in PROBES:
        if name in probes:
            change = probes[name]["change"]
            table.add_row(
                plain(f"reward.probe_{name}", language),
                Text(say(change["value"], language, 2), "red" if change["high"] > 0 else ""),
                interval(change, language, 1),
                Text(filled("reward.falls", language, share=percent(probes[name]["falls"], language)), SOFT),
            )
    return table


def length_lines(length: dict[str, Any], language: str) -> list[RenderableType]:
    """How far it is right where the longer answer is the better one, and where the shorter is."""
    lines: list[RenderableType] = []
    for name in ("longer", "shorter"):
        figure = length[f"accuracy_where_{name}_is_better"]
        if figure:
            lines.append(Text(f"{plain(f'reward.where_{name}', language)}: {percent(figure['value'], language)}"))
    mine, theirs = length["correlation"], length["people_correlation"]
    if mine and theirs:
        figures = {"model": say(mine["value"], language, 2), "people": say(theirs["value"], language, 2)}
        lines.append(Text(filled("reward.correlation", language, **figures), SOFT))
    return lines


def words_lines(words: list[dict[str, Any]], language: str) -> list[RenderableType]:
    """Words that it likes or dislikes more than people do."""
    return [
        Text.assemble(
            f"{row['word']}  ",
            (
                filled(
                    "reward.word",
                    language,
                    model=say(row["model"], language, 2),
                    people=say(row["people"], language, 2),
                ),
                SOFT,
            ),
        )
        for row in words
    ]


def mistakes_lines(mistakes: list[dict[str, Any]], language: str) -> list[RenderableType]:
    """Per prompt the answer that people preferred, and the one that the model did."""
    lines: list[RenderableType] = []
    for row in mistakes:
        count = row["agree"] + row["disagree"] + row["tied"]
        people = filled("reward.by_people", language, agree=str(row["agree"]), count=str(count))
        lines.append(Text(row["prompt"], Style(italic=True)))
        for side, who in (("better", people), ("worse", plain("reward.by_model", language))):
            value = filled("align.score", language, score=say(row[side]["reward"], language, 2))
            lines.append(Text.assemble((f"  {who}, {value}:  ", SOFT), row[side]["text"].strip()))
    return lines


def filled(key: str, language: str, **values: str) -> str:
    """A text in one language with its names filled in."""
    return str(getattr(text(key, **values), language).striptags())


def percent(share: float, language: str, digits: int = 0) -> str:
    """A share as a percentage."""
    return f"{say(100 * share, language, digits)}%"


def interval(figure: dict[str, float] | None, language: str, times: float) -> Text:
    """Between what it lies with a certainty of 95%."""
    if not figure:
        return Text("")
    ends = (say(times * figure[end], language, 0 if times == 100 else 2) for end in ("low", "high"))
    return Text(" – ".join(ends), SOFT)
