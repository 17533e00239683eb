"""A run's events in Weights & Biases: one of its runs per stage, grouped by the name of ours.

What was once handed over stays there, so the last step that was is remembered beside it: a run that was killed hands
over no step twice. One that goes back to an earlier step, from which on others follow, gets a new run there.
"""

import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anatomia.base.errors import UserError
from anatomia.base.events import Event
from anatomia.base.trackers import Beginning, figures, offline, package, results, said

DIRECTORY = "wandb"
LENGTH = 256  # bytes of what is remembered: always as many, so that one write replaces them
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
    """Hands events to W&B's own package, which sends them, or keeps them where WANDB_MODE is `offline`.

    Raises:
        UserError: the package is missing, or nobody is logged in.
    """

    key = "wandb"

    def __init__(self, project: str, run: Path, config: Mapping[str, Any]) -> None:
        self.project, self.run, self.config = project, run, config
        self.module = package("wandb", self.key, json.dumps(project), "init")
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        if not offline():
            try:
                self.module.login()
            except Exception as error:
                raise UserError(
                    f"log.wandb = {json.dumps(project)}: W&B lets nobody in ({' '.join(str(error).split())}); log in "
                    "with wandb login, or keep the events here with WANDB_MODE=offline"
                ) from error

    def open(self, stage: str, beginning: Beginning) -> "Remote":
        """The stage's page: the one of before where it is gone on with."""
        (self.run / DIRECTORY).mkdir(parents=True, exist_ok=True)
        memory = Memory(self.run / DIRECTORY / f"{stage}.json", beginning)
        name = str(self.config.get("name", self.run.name))
        title = f"{name} {stage} again" if beginning == "turned" else f"{name} {stage}"
        made = self.module.init(
            project=self.project,
            dir=str(self.run),
            id=memory.id,
            name=title,
            group=name,
            job_type=stage,
            config=dict(self.config),
            resume="allow",
            settings=self.module.Settings(**QUIET),
        )
        return Remote(made, memory)

    def shows(self, stage: str, stamp: str) -> bool:
        """Whether all of the artifact known as `stamp` is there already."""
        path = self.run / DIRECTORY / f"{stage}.json"
        return path.is_file() and Memory(path, "resumed").stamp == stamp


class Memory:
    """Which page is a stage's, the last step that stands there, and the artifact that does so whole."""

    def __init__(self, path: Path, beginning: Beginning) -> None:
        record: dict[str, Any] = {}
        if beginning == "resumed" and path.is_file():
            record = json.loads(path.read_bytes() or b"{}")
        self.path = path
        self.id: str = record.get("id", uuid.uuid4().hex[:12])
        self.step: int = record.get("step", 0)
        self.stamp: str = record.get("stamp", "")

    def keep(self) -> None:
        """Remember: in one write, so that a kill leaves this or what stood there before."""
        record = json.dumps({"id": self.id, "step": self.step, "stamp": self.stamp}).encode()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            os.write(descriptor, record.ljust(LENGTH) + b"\n")
        finally:
            os.close(descriptor)


class Remote:
    """One stage's page. What belongs to a step is handed over together, with the event of the step itself, the last."""

    def __init__(self, run: Any, memory: Memory) -> None:
        self.run, self.memory = run, memory
        self.values: dict[str, Any] = {}

    def add(self, event: Event) -> None:
        """Take an event of a step; what has no step is not for curves."""
        step = event.get("step", 0)
        if step <= self.memory.step:
            return
        kind = event["kind"]
        self.values |= figures(event)
        if kind in ("sample", "note"):
            before = self.values.get(f"{kind}s")
            self.values[f"{kind}s"] = f"{before}\n{said(event)}" if before else said(event)
        elif kind == "step":
            values, self.values, self.memory.step = self.values, {}, step
            self.memory.keep()  # first, so that a kill in between costs a point and does not double one
            self.run.log(values, step=step, commit=True)

    def finish(self, metrics: Mapping[str, Any], stamp: str) -> None:
        """The metrics in the page's summary."""
        self.run.summary.update(results(metrics))
        self.memory.stamp = stamp
        self.memory.keep()

    def close(self) -> None:
        """Until W&B has everything."""
        self.run.finish()
