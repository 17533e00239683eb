"""One self-contained page that walks a reader through a run, in Polish and English."""

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from anatomia.base.artifact import Artifact
from anatomia.base.files import write_bytes
from anatomia.explain.chapters import CHAPTERS, opening
from anatomia.explain.gather import Run, View, gather
from anatomia.explain.texts import Both, duration, has, number, percent, text


def write_report(run: Path | Mapping[str, Artifact], out: Path) -> None:
    """Write the report of a run, given as its directory or as its artifacts by stage name, to the file `out`.

    The page makes no request of any kind. Stages and specimens that are missing are left out.

    Raises:
        UserError: the run has no finished stage.
    """
    write_bytes(out, render(gather(run)).encode("utf-8"))


def render(run: Run) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=PackageLoader("anatomia.explain", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(t=text, n=number, percent=percent, duration=duration, has=has)
    environment.filters["special"] = special
    environment.filters["visible"] = visible
    chapters = [make(run.stages[name]) for name, make in CHAPTERS.items() if name in run.stages]
    script = asset("report.js")
    return environment.get_template("report.html").render(
        run=run,
        simulated=simulated(run),
        chapters=chapters,
        opening=opening(run.stages.get("evaluate")),
        figures={view.name: flat(view.artifact.metrics) for view in run.stages.values() if view.artifact.metrics},
        lineage=[record(view, run) for view in run.stages.values()],
        style=Markup(asset("report.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def simulated(run: Run) -> bool:
    """Whether programs that stand in for people ranked in this run."""
    rank = run.stages.get("rank")
    if rank is None:
        return False
    names = [a.get("name", "") for r in rank.specimens.get("rankings", []) for a in r.get("annotators", [])]
    return bool(rank.metric("rankings_by.simulated")) or any(name.startswith("simulated:") for name in names)


def asset(name: str) -> str:
    """A stylesheet or script that goes into the page as it is."""
    return files("anatomia.explain").joinpath("templates", name).read_text(encoding="utf-8")


def special(piece: str) -> str:
    """The name inside a special token (`<|end|>` -> "end"), or "" for an ordinary piece."""
    return piece[2:-2] if len(piece) > 4 and piece.startswith("<|") and piece.endswith("|>") else ""


def visible(piece: str) -> str:
    """A piece with its line ends, and a space that stands alone, made visible."""
    return "␣" * len(piece) if piece and not piece.strip(" ") else piece.replace("\n", "↵").replace("\t", "⇥")


def flat(metrics: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Both | str]]:
    """Metrics as (name, shown value); nested ones get dotted names."""
    rows: list[tuple[str, Both | str]] = []
    for key, value in metrics.items():
        if isinstance(value, dict):
            rows += flat(value, f"{prefix}{key}.")
        else:
            rows.append((prefix + key, shown(value)))
    return rows


def shown(value: Any) -> Both | str:
    """A metric's value for people: numbers by the language's rules, lists of numbers as ranges."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    if isinstance(value, list) and value and all(isinstance(v, int | float) for v in value):
        parts = [number(v) for v in value]
        return Both(Markup(" … ").join(p.pl for p in parts), Markup(" … ").join(p.en for p in parts))
    if value is None or value == []:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def record(view: View, run: Run) -> dict[str, Any]:
    """What the lineage says of one stage."""
    artifact = view.artifact
    known = {other.artifact.hash: name for name, other in run.stages.items()}
    return {
        "name": view.name,
        "artifact": artifact,
        "hash": artifact.hash,
        "parents": [(known.get(value, name), value) for name, value in artifact.parents.items()],
        "settings": json.dumps(artifact.settings, ensure_ascii=False, indent=2, default=str),
    }
