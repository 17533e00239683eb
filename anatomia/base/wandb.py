"""A run's events in Weights & Biases: one of its runs per stage, grouped by the name of ours.

What arrived there stays there. A run that was killed therefore goes on in the same place, after the last step that W&B
says it has; one that goes back to an earlier step, from which on others follow, gets a new place. Kept here for later
(WANDB_MODE=offline), a stage's files are written anew instead: W&B's package loses its last seconds in a kill.
"""

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anatomia.base.errors import UserError
from anatomia.base.events import Event
from anatomia.base.files import read_json, write_json
from anatomia.base.trackers import Beginning, figures, package, results, said

DIRECTORY = "wandb"
QUIET = {  # only what a page shows leaves this computer: no console, code, package list or figures of the machine
    "silent": True,
    "console": "off",
    "save_code": False,
    "disable_code": True,
    "disable_git": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_disable_machine_info": True,
    "x_save_requirements": False,
}


class Wandb:
    """Hands events to W&B's own package.

    Raises:
        UserError: the package is missing, or nobody is logged in.
    """

    key = "wandb"

    def __init__(self, project: str, run: Path, config: Mapping[str, Any]) -> None:
        self.project, self.run, self.config = project, run, config
        self.module = package("wandb", self.key, json.dumps(project), "init")
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        self.offline = os.environ.get("WANDB_MODE", "online") in ("offline", "dryrun", "disabled")
        if not self.offline:
            try:
                self.module.login()
            except Exception as error:
                raise UserError(
                    f"log.wandb = {json.dumps(project)}: W&B lets nobody in ({' '.join(str(error).split())}); log in "
                    "with wandb login, or keep the events here with WANDB_MODE=offline"
                ) from error

    def open(self, stage: str, beginning: Beginning) -> "Remote":
        """The stage's page: the one of before where it is gone on with."""
        place = self.run / DIRECTORY
        place.mkdir(parents=True, exist_ok=True)
        memory = place / f"{stage}.json"
        known = read_json(memory)["id"] if beginning == "resumed" and memory.is_file() else uuid.uuid4().hex[:12]
        if self.offline:
            for old in place.glob(f"offline-run-*-{known}"):
                shutil.rmtree(old)
        write_json(memory, {"id": known})
        name = str(self.config.get("name", self.run.name))
        made = self.module.init(
            project=self.project,
            dir=str(self.run),
            id=known,
            name=f"{name} {stage} again" if beginning == "turned" else f"{name} {stage}",
            group=name,
            job_type=stage,
            config=dict(self.config),
            resume=None if self.offline else "allow",
            settings=self.module.Settings(**QUIET),
        )
        return Remote(made, memory)

    def shows(self, stage: str, stamp: str) -> bool:
        """Whether all of the artifact known as `stamp` is there already."""
        memory = self.run / DIRECTORY / f"{stage}.json"
        return memory.is_file() and read_json(memory).get("stamp") == stamp


class Remote:
    """One stage's page. What belongs to a step is handed over together, with the event of the step itself, the last."""

    def __init__(self, run: Any, memory: Path) -> None:
        self.run, self.memory = run, memory
        self.next = int(run.step)  # the first that is not there yet
        self.values: dict[str, Any] = {}

    def add(self, event: Event) -> None:
        """Take an event of a step; what has no step is not for curves."""
        step, kind = event.get("step"), event["kind"]
        if step is None or step < self.next:
            return
        self.values |= figures(event)
        if kind in ("sample", "note"):
            before = self.values.get(f"{kind}s")
            self.values[f"{kind}s"] = f"{before}\n{said(event)}" if before else said(event)
        elif kind == "step":
            values, self.values = self.values, {}
            self.run.log(values, step=step, commit=True)

    def finish(self, metrics: Mapping[str, Any], stamp: str) -> None:
        """The metrics in the page's summary. Only what has arrived counts as there."""
        self.run.summary.update(results(metrics))
        self.close()
        write_json(self.memory, read_json(self.memory) | {"stamp": stamp})

    def close(self) -> None:
        """Wait until W&B has everything."""
        self.run.finish()
