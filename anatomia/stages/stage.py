"""What a stage is: typed settings and input artifacts in, files in a workspace and metrics out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anatomia.base.artifact import RESUME, Artifact
from anatomia.base.events import Ledger
from anatomia.base.settings import Settings

Metrics = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """All that a stage may use. A stage writes only under `work`; what it needs to resume goes under `resume`.

    Attributes:
        settings: the stage's sections of the recipe, by section name.
        inputs: the artifacts of the stages it reads, by stage name.
        work: the workspace that becomes the artifact. It may hold files of a run that was killed.
        ledger: where metrics, samples and progress go.
        seed: the recipe's seed; streams are keyed by (seed, purpose, step).
        root: the directory that relative paths in the recipe start from.
    """

    settings: Mapping[str, Settings]
    inputs: Mapping[str, Artifact]
    work: Path
    ledger: Ledger
    seed: int
    root: Path

    @property
    def resume(self) -> Path:
        """Where checkpoints of unfinished work lie; removed when the artifact is published."""
        directory = self.work / RESUME
        directory.mkdir(exist_ok=True)
        return directory


@dataclass(frozen=True)
class Stage:
    """One stage of the way, as data. The pipeline decides whether it must run; `run` does the work.

    Attributes:
        name: also the artifact's kind and the directory's name in the run.
        version: raise it when the same settings and inputs would now give other files.
        sections: the recipe's sections it reads; only they count towards its fingerprint.
        parents: from the recipe, the names of the stages whose artifacts it reads.
        enabled: from the recipe, whether the stage takes part in this run.
        check: what can be said to be wrong before anything is written. Gets the recipe and the root for relative
            paths; raises `UserError`.
        reads: the outside files (not artifacts) the stage will read; their bytes count towards the fingerprint.
        run_files: files in the run's own directory, such as people's rankings, that it reads where they exist; their
            bytes count too.
        trains: from the recipe, whether it goes through the training loop, so that several processes share its work.
        run: does the work in `Context.work`, returns the metrics for `artifact.json`.
    """

    name: str
    version: int
    sections: tuple[str, ...]
    run: Callable[[Context], Metrics]
    parents: Callable[[Any], tuple[str, ...]] = lambda recipe: ()
    enabled: Callable[[Any], bool] = lambda recipe: True
    check: Callable[[Any, Path], None] = lambda recipe, root: None
    reads: Callable[[Any, Path], list[Path]] = lambda recipe, root: []
    run_files: tuple[str, ...] = ()
    trains: Callable[[Any], bool] = lambda recipe: False
