"""Reading a run for the report: whatever its stages left that can be shown, and nothing more."""

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anatomia.base.artifact import LEDGER, RECORD, Artifact, read_artifact
from anatomia.base.errors import UserError
from anatomia.base.events import Event, read_events
from anatomia.base.files import read_json

ORDER = ("corpus", "tokenizer", "pretrain", "finetune", "sample", "rank", "reward", "judge", "align", "evaluate")


@dataclass(frozen=True)
class View:
    """One stage as the report sees it. `specimens` and `events` are empty where the stage left none."""

    name: str
    artifact: Artifact
    specimens: dict[str, Any]
    events: list[Event] = field(repr=False)

    def series(self, kind: str, key: str) -> list[tuple[float, float]]:
        """(step, value) of the ledger's events of this kind that have the key."""
        return [
            (event["step"], event[key])
            for event in self.events
            if event.get("kind") == kind and "step" in event and isinstance(event.get(key), int | float)
        ]

    def metric(self, *keys: str) -> float | None:
        """The first of these metrics that is there and a number; dots in a name go deeper."""
        for key in keys:
            value: Any = self.artifact.metrics
            for name in key.split("."):
                value = value.get(name) if isinstance(value, dict) else None
            if isinstance(value, int | float) and not isinstance(value, bool):
                return value
        return None

    def json(self, name: str) -> Any:
        """One of the artifact's JSON files, or None."""
        path = self.artifact.file(name)
        return read_json(path) if path.is_file() else None


@dataclass(frozen=True)
class Run:
    """A run: its name and the stages it has, in the order of the way."""

    name: str
    stages: dict[str, View]

    @property
    def seconds(self) -> float:
        """The time that all stages took."""
        return sum(view.artifact.seconds for view in self.stages.values())


def gather(run: Path | Mapping[str, Artifact]) -> Run:
    """The run in a directory, or the run that these artifacts (by stage name) are of.

    Raises:
        UserError: there is no stage's artifact.
    """
    if isinstance(run, Path):
        artifacts = {name: read_artifact(run / name) for name in ORDER if (run / name / RECORD).is_file()}
        if not artifacts:
            raise UserError(f"{run} holds no finished stage to report on; give the directory of a run")
        home = run
    else:
        artifacts = dict(run)
        if not artifacts:
            raise UserError("there is no finished stage to report on; run at least the corpus first")
        home = next(iter(artifacts.values())).path.parent
    known = [name for name in ORDER if name in artifacts]
    return Run(name=run_name(home), stages={name: view(name, artifacts[name]) for name in known})


def view(name: str, artifact: Artifact) -> View:
    """What an artifact has to show."""
    path = artifact.file("specimens.json")
    specimens = read_json(path) if path.is_file() else {}
    return View(name, artifact, specimens if isinstance(specimens, dict) else {}, read_events(artifact.file(LEDGER)))


def run_name(home: Path) -> str:
    """The recipe's name, or the directory's."""
    recipe = home / "recipe.toml"
    if recipe.is_file():
        with suppress(ValueError):  # damaged: what the stages left can be shown all the same
            name = tomllib.loads(recipe.read_text(encoding="utf-8")).get("name")
            if isinstance(name, str) and name:
                return name
    return home.resolve().name
