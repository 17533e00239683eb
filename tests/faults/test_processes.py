"""A run in several processes: one is killed and the others go on by themselves; what they make is what one would."""

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from anatomia.base.artifact import read_artifact
from anatomia.base.events import read_events

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    "world.documents=300", "tokenizer.size=600", "model.layers=2", "model.width=32", "model.heads=2",
    "model.context=96", "pretrain.steps=60", "pretrain.batch=4", "pretrain.validate_every=10",
)  # fmt: skip


def start(out: Path, *options: str) -> "subprocess.Popen[str]":
    """A run as far as the base model."""
    overrides = [word for setting in TINY for word in ("--set", setting)]
    environment = {"OMP_NUM_THREADS": "1", "ANATOMIA_CHECKPOINT_SECONDS": "0", "COLUMNS": "200"}
    return subprocess.Popen(
        [sys.executable, "-m", "anatomia", "--language", "en", "run", "world", "--out", str(out), "--until", "pretrain",
         *options, *overrides],
        cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def steps(out: Path) -> list[tuple[int, int, float]]:
    """Number, tokens and loss of each step."""
    events = read_events(out / "pretrain" / "events.jsonl")
    return [(event["step"], event["tokens"], event["loss"]) for event in events if event["kind"] == "step"]


def children(pid: int) -> dict[int, int]:
    """The processes that `--processes` started, by their rank."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        words = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        ranks = [int(word.removeprefix(b"RANK=")) for word in words if word.startswith(b"RANK=")]
        found |= dict.fromkeys(ranks, int(child))
    return found


@pytest.mark.skipif(not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(("count", "rank"), [(2, 1), pytest.param(3, 0, marks=pytest.mark.slow)])
def test_a_process_is_killed_and_the_others_go_on(tmp_path: Path, count: int, rank: int) -> None:
    killed = False
    said = []
    with start(tmp_path / "together", "--processes", str(count)) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if line.startswith("  step 20") and not killed:
                started = children(process.pid)
                assert sorted(started) == list(range(count))
                os.kill(started[rank], signal.SIGKILL)
                killed = True
    assert process.returncode == 0, "".join(said)
    note = "A process of this run was killed; those that are left go on from the last checkpoint"
    assert said.count(f"{note}: {count - 1}.\n") == 1
    assert not any("Traceback" in line or "error" in line for line in said)
    with start(tmp_path / "alone") as process:
        process.communicate()
    assert process.returncode == 0
    found, meant = (steps(tmp_path / name) for name in ("together", "alone"))
    assert [step[:2] for step in found] == [step[:2] for step in meant]
    assert len(found) == 60
    assert all(math.isclose(one[2], other[2], rel_tol=0.02) for one, other in zip(found, meant, strict=True))
    read_artifact(tmp_path / "together" / "pretrain").verify()


def test_a_mistake_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with start(tmp_path / "file", "--processes", "2") as process:
        said, _ = process.communicate()
    assert process.returncode == 2
    assert said == f"error: --out {tmp_path / 'file'} is a file; give a directory\n"
