"""An artifact is a directory that a stage made, complete and checkable, or it does not exist.

A stage builds in a *workspace* beside the artifact's final place (`.NAME.building`), where what it needs to resume may
lie under `.resume/`. Publishing removes `.resume/`, hashes every file, writes `artifact.json`, syncs and renames.
"""

import os
import platform
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from anatomia import __version__
from anatomia.base.errors import UserError
from anatomia.base.files import digest, read_json, sha256, sync_directory, write_json

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
        raise UserError(f"{record} cannot be read ({error}); delete {path} and run again") from error


def workspace(final: Path, fingerprint: str) -> Path:
    """The directory in which the artifact `final` is being built, kept over kills, emptied if `fingerprint` changed."""
    work = final.with_name(f".{final.name}.building")
    mark = work / RESUME / "fingerprint.json"
    if work.exists() and not (mark.is_file() and read_json(mark) == fingerprint):
        shutil.rmtree(work)
    if not work.exists():
        (work / RESUME).mkdir(parents=True)
        write_json(mark, fingerprint)
    return work


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
    import torch

    shutil.rmtree(work / RESUME, ignore_errors=True)
    names = sorted(str(p.relative_to(work)) for p in work.rglob("*") if p.is_file() and p.name != RECORD)
    artifact = Artifact(
        path=final,
        kind=kind,
        fingerprint=fingerprint,
        settings=settings,
        parents=parents,
        files={name: sha256(work / name) for name in names},
        metrics=metrics,
        seconds=round(seconds, 3),
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        versions={"anatomia": __version__, "python": platform.python_version(), "torch": torch.__version__},
    )
    record = asdict(artifact)
    del record["path"]
    for name in names:
        with open(work / name, "rb") as handle:
            os.fsync(handle.fileno())
    write_json(work / RECORD, record)
    for directory in [p for p in work.rglob("*") if p.is_dir()]:
        sync_directory(directory)
    swap(work, final)
    return artifact


def swap(work: Path, final: Path) -> None:
    """Rename a complete workspace into place. Killed in between, `work` is still complete and is swapped on return."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        os.rename(final, old)
    os.rename(work, final)
    sync_directory(final.parent)
    shutil.rmtree(old, ignore_errors=True)
