"""Reading a run's directory: which artifacts it holds, which are out of date, which model is its best."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from anatomia.base.artifact import RECORD, Artifact, read_artifact, workspace_of
from anatomia.base.errors import UserError
from anatomia.stages import ORDER

MODELS = ("align", "finetune", "pretrain")  # best first
State = Literal["done", "outdated", "unfinished", "absent"]


@dataclass(frozen=True)
class Standing:
    """How far one stage of a run is. `outdated`: a stage before it has been made again since."""

    stage: str
    state: State
    artifact: Artifact | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; every metric of the stage's artifact."""
        made = self.artifact
        return {
            "stage": self.stage,
            "state": self.state,
            "path": str(made.path) if made else None,
            "created": made.created if made else None,
            "seconds": made.seconds if made else None,
            "metrics": made.metrics if made else {},
        }


def standings(run: Path, stages: Iterable[str] = ORDER) -> list[Standing]:
    """How far each stage of the run is, in order.

    Raises:
        UserError: `run` is no run's directory.
    """
    if not is_run(run):
        raise UserError(
            f"{run} is no run (no recipe.toml in it); give the directory that anatomia run wrote, runs/NAME"
        )
    found: list[Standing] = []
    current: dict[str, str] = {}
    off = switched_off(run)
    for stage in stages:
        if stage in off:
            found.append(Standing(stage, "absent", None))
        elif (run / stage / RECORD).is_file():
            artifact = read_artifact(run / stage)
            fresh = all(current.get(name) == value for name, value in artifact.parents.items())
            if fresh:
                current[stage] = artifact.hash
            found.append(Standing(stage, "done" if fresh else "outdated", artifact))
        else:
            found.append(Standing(stage, "unfinished" if workspace_of(run / stage).exists() else "absent", None))
    return found


def switched_off(run: Path) -> set[str]:
    """The stages that the run's recipe leaves out, though an earlier recipe may have made them."""
    path = run / "recipe.toml"
    try:
        recipe = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{path} is damaged ({error}); give this run's anatomia run again, which writes it anew"
        ) from error
    return {name for name, section in recipe.items() if isinstance(section, dict) and section.get("enabled") is False}


def is_run(path: Path) -> bool:
    """Whether `anatomia run` wrote this directory."""
    return (path / "recipe.toml").is_file()


def model_directory(path: Path) -> Path:
    """The model that `path` stands for: itself, or the best one of a run.

    Raises:
        UserError: there is no model.
    """
    if (path / "config.json").is_file() or (path / "adapter_config.json").is_file():
        return path
    if not path.exists():
        raise UserError(f"{path} does not exist; give a run's directory or a model's (with config.json)")
    if is_run(path):
        done = {standing.stage for standing in standings(path) if standing.state == "done"}
        for stage in MODELS:
            if stage in done:
                return path / stage
        raise UserError(f"{path} has no finished model yet; give its anatomia run again")
    raise UserError(f"{path} holds no model (no config.json) and no run (no recipe.toml); give one of those")


def tokenizer_path(path: Path) -> Path:
    """The tokenizer that `path` stands for: itself, or that of a run's best model, or that of its tokenizer stage.

    Raises:
        UserError: there is none.
    """
    if path.is_file() or (path / "tokenizer.json").is_file():
        return path
    if is_run(path) and (path / "tokenizer" / RECORD).is_file():
        done = {standing.stage for standing in standings(path) if standing.state == "done"}
        return path / next((stage for stage in MODELS if stage in done), "tokenizer")
    raise UserError(f"{path} holds no tokenizer (no tokenizer.json) and is no run with one; give one of those")


def report_page(run: Path) -> Path | None:
    """The run's report, if it has one."""
    pages = sorted((run / "report").glob("*.html"))
    return pages[0] if pages else None
