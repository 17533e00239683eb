"""Which stages are stale, and running them: a killed run goes on where it was, an unchanged one does nothing."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from anatomia.base import machine as machines
from anatomia.base.artifact import (
    LEDGER,
    RECORD,
    RESUME,
    Artifact,
    discard,
    finish,
    is_complete,
    publish,
    read_artifact,
    workspace,
    workspace_of,
)
from anatomia.base.errors import UserError
from anatomia.base.events import FULL, Event, Ledger, Listener, read_events
from anatomia.base.files import digest, read_json, sha256, write_bytes, write_json
from anatomia.base.lock import LOCK, locked
from anatomia.base.machine import Machine
from anatomia.base.settings import Settings
from anatomia.base.stopwatch import Stopwatch
from anatomia.explain.diagnosis import diagnose
from anatomia.recipe import Recipe, meant, plain
from anatomia.stages.stage import Context, Stage
from anatomia.train import parallel

RECIPE = "recipe.toml"
MACHINE = "machine.json"
HASHES = ".hashes.json"
AGAIN = ".again.json"  # stages that --from still has to make again


@dataclass(frozen=True)
class Request:
    """What a run is asked for.

    Attributes:
        recipe, root: typed settings, and the directory that relative paths in them start from.
        out: the run's directory.
        until: the stage to stop after, or None for all.
        start_from: the stage from which on everything is made again, or None for what is stale.
    """

    recipe: Recipe
    root: Path
    out: Path
    until: str | None = None
    start_from: str | None = None


def run(
    request: Request,
    stages: Sequence[Stage],
    listeners: Sequence[Listener] = (),
    choose: Callable[[], Machine] = machines.recall,
    apply: Callable[[Machine], None] = machines.apply,
) -> dict[str, Artifact]:
    """Bring the run's directory up to date; the artifacts by stage name.

    Listeners get every event of every stage with `stage` added, and one of kind `stage` when a stage begins
    (`state` "begin"), is found fresh ("fresh") or is done ("done", with `metrics` and `seconds`).

    Raises:
        UserError: another process uses the directory, a stage cannot go on, the disk is full.
    """
    wanted = select(request, stages)
    try:
        _claim(request.out)
        with locked(request.out):
            made = _bring_up_to_date(request, wanted, _Announcer(listeners), choose, apply)
            parallel.lead(lambda: "")
            return made
    except OSError as error:
        if error.errno not in FULL:
            raise
        there = next(path for path in (request.out, *request.out.absolute().parents) if path.exists())
        free = shutil.disk_usage(there).free / 1e6
        raise UserError(
            f"the disk of {request.out} is full ({free:.0f} MB free); what is done is kept: free some space and give "
            "the same command again"
        ) from error


def follow(request: Request, stages: Sequence[Stage], apply: Callable[[Machine], None] = machines.apply) -> None:
    """Take part in the training of a run that another process leads by `run`; what this one writes is thrown away.

    Raises:
        PeerLost: a process of the run has ended.
    """
    known = {stage.name: stage for stage in stages}
    while name := parallel.lead(lambda: ""):
        stage = known[name]
        apply(Machine.from_json(read_json(request.out / MACHINE)))
        inputs = {parent: read_artifact(request.out / parent) for parent in stage.parents(request.recipe)}
        with TemporaryDirectory() as scratch, suppress(parallel.Released):
            job = _Job(stage, request, inputs, Ledger())
            stage.run(job.context(Path(scratch)))
        machines.release_memory()


def select(request: Request, stages: Sequence[Stage]) -> list[Stage]:
    """The stages that take part, in order, up to `until`.

    Raises:
        UserError: `until` or `start_from` names no stage of this run.
    """
    taking_part = [stage for stage in stages if stage.enabled(request.recipe)]
    names = [stage.name for stage in taking_part]
    for option, name in (("--until", request.until), ("--from", request.start_from)):
        if name is not None and name not in names:
            raise UserError(f"{option} {name}: no stage of this run{meant(name, names)}; there are: {', '.join(names)}")
    end = names.index(request.until) + 1 if request.until else len(names)
    if request.start_from and names.index(request.start_from) >= end:
        raise UserError(f"--from {request.start_from} comes after --until {request.until}; swap them")
    return taking_part[:end]


class FileHashes:
    """SHA-256 of outside files, remembered by size and time of change so that large ones are read once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.learnt = False
        try:
            self.known: dict[str, list[Any]] = read_json(path)
        except (OSError, ValueError):
            self.known = {}

    def __call__(self, path: Path) -> str:
        """The hash of a file's bytes."""
        about = path.stat()
        stamp = [about.st_size, about.st_mtime_ns, about.st_ino]
        entry = self.known.get(str(path.resolve()))
        if entry is None or entry[:3] != stamp:
            entry = [*stamp, sha256(path)]
            self.learnt = True
            self.known[str(path.resolve())] = entry
        return str(entry[3])

    def save(self) -> None:
        """Write what was learnt."""
        if self.learnt:
            write_json(self.path, self.known)
            self.learnt = False


class _Announcer:
    """Tells the listeners what happens in which stage."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self.listeners = tuple(listeners)

    def stage(self, name: str, state: str, **values: Any) -> None:
        """A stage began, was found fresh or is done."""
        for listener in self.listeners:
            listener({"stage": name, "time": time.time(), "kind": "stage", "state": state, **values})

    def ledger(self, name: str, path: Path | None = None) -> Ledger:
        """A ledger for one stage, of which the listeners hear too."""
        return Ledger(path, [_with_stage(listener, name) for listener in self.listeners])


def _with_stage(listener: Listener, name: str) -> Listener:
    def tell(event: Event) -> None:
        listener({"stage": name, **event})

    return tell


def _claim(out: Path) -> None:
    """Make the run's directory, unless it is something else already."""
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; give a directory")
    if out.is_dir() and not (out / LOCK).exists() and any(out.iterdir()):
        raise UserError(f"--out {out} is not empty and holds no run; give a new or empty directory")
    out.mkdir(parents=True, exist_ok=True)


def _bring_up_to_date(
    request: Request,
    wanted: Sequence[Stage],
    announce: _Announcer,
    choose: Callable[[], Machine],
    apply: Callable[[Machine], None],
) -> dict[str, Artifact]:
    for leftover in request.out.glob(".*.old"):
        shutil.rmtree(leftover)
    start = f"# Every setting of this run. Relative paths start from {request.root.resolve()}\n\n"
    write_bytes(request.out / RECIPE, (start + request.recipe.to_toml()).encode())
    machine = _settle_machine(request.out, choose, announce.ledger(""))
    hashes = FileHashes(request.out / HASHES)
    again = _Again(request, wanted)
    made: dict[str, Artifact] = {}
    for stage in wanted:
        ledger = announce.ledger(stage.name, workspace_of(request.out / stage.name) / LEDGER)
        job = _Job(stage, request, {name: made[name] for name in stage.parents(request.recipe)}, ledger)
        fingerprint = job.fingerprint(machine, hashes)
        artifact = None if stage.name in again else job.fresh(fingerprint, announce.ledger(stage.name))
        state = "fresh"
        if artifact is None:
            announce.stage(stage.name, "begin")
            apply(machine)
            artifact, state = job.make(fingerprint), "done"
        again.done(stage.name)
        announce.stage(stage.name, state, metrics=artifact.metrics, seconds=artifact.seconds)
        made[stage.name] = artifact
    return made


@dataclass(frozen=True)
class _Job:
    """One stage of one run."""

    stage: Stage
    request: Request
    inputs: dict[str, Artifact]
    ledger: Ledger

    @property
    def final(self) -> Path:
        return self.request.out / self.stage.name

    @property
    def settings(self) -> dict[str, Settings]:
        return {name: getattr(self.request.recipe, name) for name in self.stage.sections}

    @property
    def parents(self) -> dict[str, str]:
        return {name: artifact.hash for name, artifact in self.inputs.items()}

    def fingerprint(self, machine: Machine, hashes: FileHashes) -> str:
        """Of everything that decides what the stage will make."""
        root = self.request.root
        files = {os.path.relpath(path, root): hashes(path) for path in self.stage.reads(self.request.recipe, root)}
        own = [self.request.out / name for name in self.stage.run_files]
        files |= {path.name: hashes(path) for path in own if path.is_file()}
        hashes.save()
        return digest(
            {
                "kind": self.stage.name,
                "version": self.stage.version,
                "settings": self.plain_settings(),
                "seed": self.request.recipe.seed,
                "parents": self.parents,
                "files": files,
                "machine": machine.numerics(),
            }
        )

    def context(self, work: Path) -> Context:
        """What the stage gets to work with."""
        return Context(self.settings, self.inputs, work, self.ledger, self.request.recipe.seed, self.request.root)

    def plain_settings(self) -> dict[str, Any]:
        return {name: plain(value) for name, value in self.settings.items()}

    def fresh(self, fingerprint: str, notes: Ledger) -> Artifact | None:
        """The stage's artifact if it was made from just this and no file of it is damaged."""
        if not (self.final / RECORD).is_file():
            return None
        try:
            artifact = read_artifact(self.final)
            if artifact.fingerprint != fingerprint:
                return None
            artifact.verify()
        except UserError as error:
            notes.note(f"{str(error).partition(';')[0]}; it is made again")
            return None
        discard(workspace_of(self.final))  # of settings that were tried in between
        return artifact

    def make(self, fingerprint: str) -> Artifact:
        """Run the stage in its workspace, or go on with what a killed run left there, and publish what it made."""
        if is_complete(workspace_of(self.final), fingerprint):  # killed between the last byte and the renames
            return finish(workspace_of(self.final), self.final)
        work = workspace(self.final, fingerprint)
        watch = Stopwatch(work / RESUME / "seconds.json", work)
        self.ledger.begin()
        if self.stage.trains(self.request.recipe):
            parallel.lead(lambda: self.stage.name)
        try:
            metrics = self.stage.run(self.context(work))
        except (KeyboardInterrupt, UserError):
            watch.stop()
            raise
        for finding in diagnose(read_events(work / LEDGER), metrics):
            english, polish = finding.said()
            self.ledger.note(english, polish=polish)
        self.ledger.flush()
        machines.release_memory()
        return publish(
            work,
            self.final,
            kind=self.stage.name,
            fingerprint=fingerprint,
            settings=self.plain_settings(),
            parents=self.parents,
            metrics=metrics,
            seconds=watch.seconds(),
        )


def _settle_machine(out: Path, choose: Callable[[], Machine], ledger: Ledger) -> Machine:
    """The machine as this run began with it; chosen now if it begins now."""
    path = out / MACHINE
    if not path.exists():
        write_json(path, choose().to_json())
    try:
        machine = Machine.from_json(read_json(path))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} cannot be read ({error.__cause__ or error}); delete it to choose again") from error
    cores = machines.usable_cores()
    if cores < machine.threads and machine.device == "cpu":
        ledger.note(
            f"this run keeps the threads it began with ({machine.threads}), so that its results stay the same; "
            f"this computer has fewer cores ({cores}), so it will be slower"
        )
    return machine


class _Again:
    """The stages that `--from` still has to make again, on disk: killed, it goes on when the command is given again."""

    def __init__(self, request: Request, wanted: Sequence[Stage]) -> None:
        self.path = request.out / AGAIN
        state = read_json(self.path) if self.path.exists() else {"from": None, "left": []}
        self.start: str | None = state["from"]
        self.left: list[str] = state["left"]
        if request.start_from is not None and not (self.left and self.start == request.start_from):
            names = [stage.name for stage in wanted]
            self.start, self.left = request.start_from, names[names.index(request.start_from) :]
            for name in self.left:
                discard(workspace_of(request.out / name))
            self._save()

    def __contains__(self, name: str) -> bool:
        return name in self.left

    def done(self, name: str) -> None:
        """The stage has been made."""
        if name in self.left:
            self.left.remove(name)
            self._save()

    def _save(self) -> None:
        write_json(self.path, {"from": self.start, "left": self.left})
