"""Line charts and calibration plots as data for the report's templates: paths in a 100 × 100 box, ticks in percent.

The box is stretched to the page's width while labels stay HTML, so the same chart is legible on a laptop and a phone.
"""

import itertools
import json
import math
from dataclasses import dataclass
from typing import Any

from anatomia.explain.texts import Both, number, text

POINTS = 240  # more than a phone has pixels for; keeps the page small


@dataclass(frozen=True)
class Series:
    """One line: its name, its colour's CSS class and its (x, y) points in the order of x."""

    name: Both
    colour: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """What the template needs to draw a chart.

    Attributes:
        lines: per series its name, colour and SVG path in the 100 × 100 box (y grows downwards).
        x_ticks, y_ticks: (place in percent from the left or the bottom, label).
        data: the same series as JSON for reading values under the pointer.
    """

    lines: list[dict[str, Any]]
    x_ticks: list[tuple[float, Both]]
    y_ticks: list[tuple[float, Both]]
    x_name: Both
    data: str


def line_chart(series: list[Series], x_name: Both | None = None, floor: float | None = None) -> Chart | None:
    """A chart of the series that have at least two finite points; None if none has.

    `floor` is a value the y axis must reach down to (0 for a KL, say).
    """
    series = [Series(s.name, s.colour, thin([p for p in s.points if all(map(math.isfinite, p))])) for s in series]
    series = [s for s in series if len(s.points) >= 2]
    if not series:
        return None
    xs = [x for s in series for x, _ in s.points]
    ys = [y for s in series for _, y in s.points] + ([] if floor is None else [floor])
    x_low, x_high = min(xs), max(xs)
    x_high = x_high if x_high > x_low else x_low + 1
    y_ticks = ticks(min(ys), max(ys), 4)
    y_low, y_high = y_ticks[0], y_ticks[-1]

    def place(x: float, y: float) -> str:
        return f"{100 * (x - x_low) / (x_high - x_low):.2f} {100 - 100 * (y - y_low) / (y_high - y_low):.2f}"

    lines = [
        {"name": s.name, "colour": s.colour, "path": "M" + "L".join(place(x, y) for x, y in s.points)} for s in series
    ]
    digits = decimals(y_ticks)
    x_shown = [x for x in ticks(x_low, x_high, 4) if x_low <= x <= x_high]
    x_digits = decimals(x_shown)
    data = {
        "x": [x_low, x_high],
        "y": [y_low, y_high],
        "series": [
            {"colour": s.colour, "points": [[round(x, 2), float(f"{y:.4g}")] for x, y in s.points]} for s in series
        ],
    }
    return Chart(
        lines=lines,
        x_ticks=[(100 * (x - x_low) / (x_high - x_low), number(x, x_digits)) for x in x_shown],
        y_ticks=[(100 * (y - y_low) / (y_high - y_low), number(y, digits)) for y in y_ticks],
        x_name=x_name or text("chart.step"),
        data=json.dumps(data, separators=(",", ":")),
    )


def ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` steps of 1, 2 or 5 times a power of ten that reach from at or below `low` to at or above `high`."""
    if high - low <= 1e-9 * max(1.0, abs(low), abs(high)):  # flat, but for rounding
        high = low + 0.1 * max(1.0, abs(low))
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def decimals(shown: list[float]) -> int:
    """How many digits after the point tell ticks apart."""
    return max(0, -math.floor(math.log10(shown[1] - shown[0]) + 1e-9)) if len(shown) > 1 else 0


def thin(points: list[tuple[float, float]], limit: int = POINTS) -> list[tuple[float, float]]:
    """At most `limit` points: the means of neighbours, the first and the last point as they are."""
    if len(points) <= limit:
        return points
    inner, buckets = points[1:-1], limit - 2
    edges = [round(i * len(inner) / buckets) for i in range(buckets + 1)]
    means = [
        (math.fsum(x for x, _ in part) / len(part), math.fsum(y for _, y in part) / len(part))
        for part in (inner[a:b] for a, b in itertools.pairwise(edges))
        if part
    ]
    return [points[0], *means, points[-1]]


def bubbles(calibration: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Calibration points with x, y in percent and a radius whose area goes with the count."""
    points = [point for point in calibration if point["count"] > 0]
    if not points:
        return None
    most = max(point["count"] for point in points)
    return [
        {
            "x": 100 * point["predicted"],
            "y": 100 * point["observed"],
            "radius": 1.0 + 2.2 * math.sqrt(point["count"] / most),
            "count": number(point["count"]),
        }
        for point in points
    ]
