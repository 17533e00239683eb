"""The one or two figures that say most about each stage. Which they are is data; absent ones are left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from anatomia.messages import Messages


@dataclass(frozen=True)
class Figure:
    """A metric worth a place in the summary: its name in `artifact.json` (dots go deeper), and how to say it."""

    metric: str
    label: str
    polish: str
    form: Literal["number", "share"] = "number"


HEADLINES: dict[str, tuple[Figure, ...]] = {}


def headline(stage: str, metrics: Mapping[str, Any], messages: Messages, most: int = 3) -> str:
    """What the stage achieved, in one line."""
    said: list[str] = []
    for figure in HEADLINES.get(stage, ()):
        value = _lookup(metrics, figure.metric)
        if isinstance(value, int | float) and len(said) < most:
            text = messages.share(value) if figure.form == "share" else messages.number(value)
            said.append(f"{figure.polish if messages.language == 'pl' else figure.label} {text}")
    return ", ".join(said)


def _lookup(metrics: Mapping[str, Any], name: str) -> Any:
    value: Any = metrics
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
