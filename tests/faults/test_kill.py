"""`kill -9` at any moment: the run is begun again until it ends, and its bytes are those of a run never killed."""

import gc
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faults.counting import STAGES, go

from anatomia.base import artifact

HERE = Path(__file__).parent
RAW = {"second": {"steps": 60}, "third": {"steps": 60}}


def files(out: Path) -> dict[str, bytes]:
    """What the artifacts hold, but for what has clock times in it."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for stage in STAGES
        for path in (out / stage.name).rglob("*")
        if path.is_file() and path.name not in ("artifact.json", "events.jsonl")
    }


def steps(out: Path, stage: str) -> list[tuple[int, float]]:
    """The steps in a ledger."""
    events = [json.loads(line) for line in (out / stage / "events.jsonl").read_text().splitlines()]
    return [(event["step"], event["loss"]) for event in events if event["kind"] == "step"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    go(out, RAW)
    return out


def same(out: Path, whole: Path) -> None:
    assert files(out) == files(whole)
    assert [steps(out, name) for name in ("second", "third")] == [steps(whole, name) for name in ("second", "third")]
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in whole.iterdir())
    for stage in STAGES:
        artifact.read_artifact(out / stage.name).verify()


def test_killed_by_the_system_at_random_moments(tmp_path: Path, whole: Path) -> None:
    chance, kills, run = random.Random(1), 0, 0
    while kills < 24:
        out = tmp_path / f"run-{run}"
        command = [sys.executable, str(HERE / "counting.py"), str(out), json.dumps(RAW)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            heard = [process.stdout.readline() for _ in range(chance.randrange(1, 50))]
            process.kill()
        kills += 1
        if heard[-1] == b"":  # it ended before it was killed
            same(out, whole)
            run += 1
    go(out, RAW)
    same(out, whole)


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class Axe:
    """Raises `Killed` before the given operation on files (opening, renaming, removing, making) is done."""

    OPERATIONS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"})

    def __init__(self) -> None:
        self.left: int | None = None
        sys.addaudithook(self._hook)  # such a hook cannot be taken off again: it only counts while `left` is set

    def _hook(self, operation: str, arguments: Any) -> None:
        if self.left is not None and operation in self.OPERATIONS:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Killed

    def attempt(self, operations: int, out: Path, raw: dict[str, Any]) -> bool:
        """Whether a run ended before it was killed."""
        self.left = operations
        try:
            go(out, raw)
        except Killed:
            return False
        finally:
            self.left = None
        return True


@pytest.fixture(scope="module")
def axe() -> Axe:
    return Axe()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No waiting for the disk, since these kills end an attempt, not the computer; and what other tests have brought
    into memory is not searched for garbage after each stage."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("quick")
def test_killed_once_before_every_operation_on_files(tmp_path: Path, axe: Axe) -> None:
    """An old run is brought up to date, killed at one place, and goes on: at each place there is."""
    old, raw = tmp_path / "old", {"first": {"factor": 5}, "second": {"steps": 4}, "third": {"steps": 4}}
    whole = tmp_path / "whole"
    go(old, {"second": {"steps": 3}})
    go(whole, raw)
    operations, done = 0, False
    while not done:
        out = tmp_path / f"killed-{operations}"
        shutil.copytree(old, out)
        done = axe.attempt(operations, out, raw)
        go(out, raw)
        same(out, whole)
        shutil.rmtree(out)
        operations += 1
    assert operations > 100


@pytest.mark.usefixtures("quick")
def test_killed_again_and_again(tmp_path: Path, axe: Axe, whole: Path) -> None:
    """Each attempt gets a little further than the one before."""
    out, operations = tmp_path / "run", 0
    while not axe.attempt(operations, out, RAW):
        operations += 1
    same(out, whole)
    assert operations > 20
