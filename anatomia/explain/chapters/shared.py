"""What a chapter is, and what several chapters need."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from anatomia.explain.diagnosis import diagnose
from anatomia.explain.gather import View
from anatomia.explain.texts import Both, number, percent, text


@dataclass(frozen=True)
class Chapter:
    """One stage's chapter.

    Attributes:
        name: the stage; also names the template `chapters/NAME.html`.
        flow: what went in and came out, as (number, label).
        parts: what the template shows, by part; a part that is missing is left out.
        findings: what went wrong in the stage's training.
    """

    name: str
    flow: list[tuple[Both, Both]]
    parts: dict[str, Any] = field(default_factory=dict)
    findings: list[Both] = field(default_factory=list)


Part = Callable[[View], Any]


def chapter(view: View, flow: list[tuple[Both | None, str]], **parts: Part) -> Chapter:
    """Build the parts, leaving out those whose specimens are missing or not in the expected form."""
    built = {}
    for name, make in parts.items():
        try:
            value = make(view)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            continue
        if value:
            built[name] = value
    shown = [(value, text(f"flow.{label}")) for value, label in flow if value is not None]
    return Chapter(view.name, shown, built, [found.text for found in diagnose(view.events, view.artifact.metrics)])


def known(value: float | None, show: Callable[[float], Both] = number) -> Both | None:
    """`value` shown, or None where it is unknown."""
    return None if value is None else show(value)


def two(value: float) -> Both:
    """A number with two places after the point."""
    return number(value, 2)


def last(points: list[tuple[float, float]]) -> float | None:
    """The y of the last point."""
    return points[-1][1] if points else None


def mean(points: list[tuple[float, float]]) -> float | None:
    """The mean of the y of these points."""
    return sum(y for _, y in points) / len(points) if points else None


def spread(rows: list[Any], most: int) -> list[Any]:
    """At most `most` of the rows, evenly spread, the last one always among them."""
    step = max(1, -(-len(rows) // most))
    return rows[::-1][::step][::-1]


def bars(candidates: list[dict[str, Any]], chosen: str, most: int = 6) -> dict[str, Any]:
    """Candidates as rows, widths in percent, and the probability left to all other tokens."""
    rows = candidates[:most]
    left = max(0.0, 1 - sum(row["probability"] for row in rows))
    return {
        "rows": [
            {
                "token": row["token"],
                "width": 100 * row["probability"],
                "share": percent(row["probability"], 1),
                "chosen": row["token"] == chosen,
            }
            for row in rows
        ],
        "left": 100 * left,
        "rest": percent(left, 1),
    }


def ranged(
    colour: str, name: str, figure: dict[str, float], least: float, most: float, show: Callable[[float], Both]
) -> dict[str, Any]:
    """A figure with its interval on an axis from `least` to `most`: places in percent."""

    def place(x: float) -> float:
        return 100 * (min(max(x, least), most) - least) / (most - least)

    return {
        "colour": colour,
        "name": name,
        "left": place(figure["low"]),
        "width": place(figure["high"]) - place(figure["low"]),
        "at": place(figure["value"]),
        "zero": place(0.0) if least < 0 else None,
        "value": show(figure["value"]),
        "interval": text("reward.interval", low=show(figure["low"]), high=show(figure["high"])),
    }


def stars(value: float | None) -> dict[str, Any]:
    """A number of stars and how much of five stars to fill, in percent; what was not ranked gets a dash."""
    if value is None or math.isnan(value):
        return {"value": "–", "fill": 0.0}
    return {"value": number(value, 1), "fill": round(max(0.0, min(5.0, value)) * 20, 1)}
