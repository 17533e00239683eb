"""An artifact is a directory that a stage made, complete and checkable, or it does not exist.

A stage builds in a *workspace* beside the artifact's final place (`.NAME.building`), where what it needs to resume may
lie under `.resume/`. Publishing hashes and syncs every file, then writes `artifact.json`: from that moment the
workspace is complete, and all that is left to do (dropping `.resume/`, the renames) can be killed anywhere and done
again by `finish`.
"""

import os
import platform
import shutil
import time
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from anatomia import __version__
from anatomia.base.errors import UserError
from anatomia.base.files import PARTIAL, digest, read_json, sha256, sync_directory, write_json

RECORD = "artifact.json"
RESUME = ".resume"
LEDGER = "events.jsonl"  # has clock times in it, so it never counts towards what an artifact *is*


@dataclass(frozen=True)
class Artifact:
    """What `artifact.json` says of the directory `path`.

    `fingerprint` identifies what the artifact was made from (kind, code version, settings, inputs); `hash` what came
    out. Stages downstream depend on `hash`: an artifact made again with the same bytes leaves them fresh.
    """

    path: Path
    kind: str
    fingerprint: str
    settings: dict[str, Any]
    parents: dict[str, str]
    files: dict[str, str]
    metrics: dict[str, Any]
    seconds: float
    created: str
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """SHA-256 over the kind and every file but the ledger."""
        return digest([self.kind, {name: value for name, value in self.files.items() if name != LEDGER}])

    def file(self, name: str) -> Path:
        """The path of one of the artifact's files."""
        return self.path / name

    def verify(self) -> None:
        """Raise `UserError` if a file is missing or its bytes are not those that were written."""
        for name, expected in self.files.items():
            path = self.path / name
            if not path.is_file() or sha256(path) != expected:
                raise UserError(f"{path} is missing or damaged; delete {self.path} and run again")


def read_artifact(path: Path) -> Artifact:
    """The artifact in `path`.

    Raises:
        UserError: there is none, or its record cannot be read.
    """
    record = path / RECORD
    if not record.is_file():
        raise UserError(f"{path} holds no artifact (no {RECORD}); give the directory of a run's stage")
    try:
        return Artifact(path=path, **read_json(record))
    except (ValueError, TypeError) as error:
        raise UserError(f"{record} cannot be read ({error.__cause__ or error}); delete {path} and run again") from error


def workspace_of(final: Path) -> Path:
    """Where the artifact `final` is built."""
    return final.with_name(f".{final.name}.building")


def workspace(final: Path, fingerprint: str) -> Path:
    """The directory in which the artifact `final` is being built, kept over kills, emptied if `fingerprint` changed."""
    work = workspace_of(final)
    mark = work / RESUME / "fingerprint.json"
    if work.exists() and not (mark.is_file() and read_json(mark) == fingerprint):
        discard(work)
    if not work.exists():
        (work / RESUME).mkdir(parents=True)
        write_json(mark, fingerprint)
    return work


def discard(directory: Path) -> None:
    """Remove a directory so that a kill half-way never leaves part of it under its own name."""
    doomed = directory.with_name(f".{directory.name.strip('.')}.old")
    shutil.rmtree(doomed, ignore_errors=True)
    if directory.exists():
        os.rename(directory, doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def publish(
    work: Path,
    final: Path,
    *,
    kind: str,
    fingerprint: str,
    settings: dict[str, Any],
    parents: dict[str, str],
    metrics: dict[str, Any],
    seconds: float,
) -> Artifact:
    """Turn the finished workspace `work` into the artifact `final`, atomically, replacing an older one."""
    files = {}
    for path in sorted(path for path in work.rglob("*") if path.is_file()):
        name = path.relative_to(work).as_posix()
        if name == RECORD or name.startswith(RESUME + "/"):
            continue
        if name.endswith(PARTIAL):
            path.unlink()
            continue
        with open(path, "rb") as handle:
            os.fsync(handle.fileno())
        files[name] = sha256(path)
    for directory in [path for path in work.rglob("*") if path.is_dir()]:
        sync_directory(directory)
    artifact = Artifact(
        path=final,
        kind=kind,
        fingerprint=fingerprint,
        settings=settings,
        parents=parents,
        files=files,
        metrics=metrics,
        seconds=round(seconds, 3),
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        versions={"anatomia": __version__, "python": platform.python_version(), "torch": metadata.version("torch")},
    )
    record = asdict(artifact)
    del record["path"]
    write_json(work / RECORD, record)
    return finish(work, final)


def is_complete(work: Path, fingerprint: str) -> bool:
    """Whether `work` is a workspace that was finished for `fingerprint` and only lacks its renames."""
    return (work / RECORD).is_file() and read_artifact(work).fingerprint == fingerprint


def finish(work: Path, final: Path) -> Artifact:
    """Put a complete workspace in its place. Killed anywhere in here, doing it again ends the same."""
    shutil.rmtree(work / RESUME, ignore_errors=True)
    discard(final)
    os.rename(work, final)
    sync_directory(final.parent)
    return read_artifact(final)
