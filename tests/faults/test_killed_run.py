"""Runs of the real stages that are killed, interrupted, damaged or short of disk: nothing is lost, nothing differs."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults import small_world

from anatomia import pipeline
from anatomia.base import artifact, machine
from anatomia.base.errors import UserError
from anatomia.base.events import read_events
from anatomia.recipe import build, section_classes
from anatomia.stages import modules, stages
from anatomia.train import saver

ROOT = Path(__file__).resolve().parents[2]
MADE = ("corpus", "tokenizer", "pretrain")


def bench(out: Path, *options: str) -> str:
    """What `bench.faults.kill` finds."""
    command = [sys.executable, "-m", "bench.faults.kill", "--out", str(out), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_killed_through_the_command_line(tmp_path: Path) -> None:
    less = ("world.documents=300", "pretrain.steps=40", "align.rollouts=5", "reward.epochs=3")
    table = bench(tmp_path / "runs", "--kills", "6", "--seed", "2", *less)
    assert re.search(r"^all +6 +\d+  yes$", table, re.MULTILINE), table


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_forty_times(tmp_path: Path) -> None:
    table = bench(tmp_path / "runs", "--kills", "40", "--seed", "3")
    assert re.search(r"^all +40 +\d+  yes$", table, re.MULTILINE), table
    hit = [line.split()[0] for line in table.splitlines()[1:-1] if int(line.split()[1])]
    assert len(hit) == 11  # every stage, and what is before the first


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.fixture(autouse=True)
def _machine_of_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A checkpoint after each step; and other tests shall not find the small world's machine applied."""
    import torch
    from torch.utils import deterministic

    monkeypatch.setenv("ANATOMIA_CHECKPOINT_SECONDS", "0")
    monkeypatch.setattr(machine, "_applied", None)
    threads, filled = torch.get_num_threads(), deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)
    torch.use_deterministic_algorithms(False)
    deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def go(out: Path, listen: Callable[[dict[str, Any]], None] = lambda event: None) -> None:
    """The small world as far as the base model, in this process."""
    recipe = build(small_world.RAW, section_classes(modules()))
    request = pipeline.Request(recipe, out.parent, out, until="pretrain")
    pipeline.run(request, stages(), [listen], choose=lambda: small_world.MACHINE)


def at_step(number: int) -> Callable[[dict[str, Any]], None]:
    """Kills at a step of training."""

    def listen(event: dict[str, Any]) -> None:
        if event["kind"] == "step" and event["step"] == number:
            raise Killed

    return listen


def files(out: Path) -> dict[str, bytes]:
    """Everything the stages made, by name, but for what has clock times in it."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for stage in MADE
        for path in (out / stage).rglob("*")
        if path.is_file() and path.name not in ("artifact.json", "events.jsonl")
    }


def steps(out: Path) -> list[tuple[int, float]]:
    return [(e["step"], e["loss"]) for e in read_events(out / "pretrain" / "events.jsonl") if e["kind"] == "step"]


def same(out: Path, whole: Path) -> None:
    assert files(out) == files(whole)
    assert steps(out) == steps(whole)
    assert not list(out.glob(".*.building")) + list(out.glob(".*.old"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    os.environ["ANATOMIA_CHECKPOINT_SECONDS"] = "0"
    go(out)
    return out


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run killed at step 20 of 30 of the base model."""
    out = tmp_path_factory.mktemp("stopped") / "run"
    os.environ["ANATOMIA_CHECKPOINT_SECONDS"] = "0"
    with pytest.raises(Killed):
        go(out, at_step(20))
    return out


def cut_short(path: Path, left: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * left)])


def newest_checkpoint_cut_short(work: Path) -> int:
    cut_short(max((work / ".resume").glob("*.checkpoint")), 0.6)
    return 18


def every_checkpoint_empty(work: Path) -> int:
    for path in (work / ".resume").glob("*.checkpoint"):
        cut_short(path, 0)
    return 0


def newest_checkpoint_with_another_bit(work: Path) -> int:
    path = max((work / ".resume").glob("*.checkpoint"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return 18


def last_event_cut_short(work: Path) -> int:
    cut_short(work / "events.jsonl", 0.995)
    return 19


def half_written_files(work: Path) -> int:
    (work / ".resume" / "step-000000020.partial").write_bytes(b"half a check")
    (work / "model.safetensors.partial").write_bytes(b"half a mod")
    (work / "config.json").write_text('{"half": ')
    return 19


@pytest.mark.parametrize(
    "damage",
    [
        newest_checkpoint_cut_short,
        every_checkpoint_empty,
        newest_checkpoint_with_another_bit,
        last_event_cut_short,
        half_written_files,
    ],
)
def test_damaged_after_the_kill(damage: Callable[[Path], int], stopped: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(stopped, out)
    done = damage(out / ".pretrain.building")
    heard: list[int] = []
    go(out, lambda event: heard.append(event["step"]) if event["kind"] == "step" else None)
    assert heard[0] == done + 1  # from the newest checkpoint that is whole
    same(out, whole)


def test_killed_while_publishing_nothing_is_trained_again(
    stopped: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    shutil.copytree(stopped, out)

    def killed(*arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(artifact.os, "rename", killed)  # the record is written, the workspace not yet in its place
        with pytest.raises(Killed):
            go(out)
    assert not (out / "pretrain").exists()
    kinds: list[str] = []
    go(out, lambda event: kinds.append(event["kind"]))
    assert "step" not in kinds
    same(out, whole)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A disk whose size in kilobytes can be set again and again; what is on it stays."""
    place = tmp_path / "disk"
    place.mkdir()

    def size(kilobytes: int) -> Path:
        again = "remount," if os.path.ismount(place) else ""
        mount = ["mount", "-t", "tmpfs", "-o", f"{again}size={kilobytes}k", "tmpfs", str(place)]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("only root can mount a small disk")
        return place

    yield size
    if os.path.ismount(place):
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # shards may still be mapped


def test_disk_that_fills_up_again_and_again(disk: Callable[[int], Path], whole: Path) -> None:
    """Other stages stop and say why; training goes on without checkpoints."""
    kilobytes, stopped_in, said, unsaved = 100, set(), set(), set()
    stage = ""

    def listen(event: dict[str, Any]) -> None:
        nonlocal stage
        stage = event["stage"] or stage
        if event["kind"] == "note" and "a checkpoint could not be written (No space" in event["text"]:
            unsaved.add(stage)

    while True:
        out = disk(kilobytes) / "run"
        try:
            go(out, listen)
            break
        except UserError as error:
            said.add(re.sub(r"^the disk of .*run is full \(0 MB free\); what is done is kept.*", "full", str(error)))
            stopped_in.add(stage)
        kilobytes += 100
    assert said == {"full"}
    assert "corpus" in stopped_in
    assert unsaved == {"pretrain"}
    same(out, whole)


def test_full_disk_while_checkpoints_are_saved(
    stopped: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training goes on, says so once, and saves again as soon as there is room. What the system says is made up."""
    out = tmp_path / "run"
    shutil.copytree(stopped, out)
    tries, steps_saved, notes = 0, [], []
    save = saver.save_checkpoint

    def full_for_a_while(directory: Path, step: int, *arguments: Any) -> None:
        nonlocal tries
        tries += 1
        if tries in (1, 2, 4):
            raise OSError(28, "No space left on device")
        save(directory, step, *arguments)
        steps_saved.append(step)

    def listen(event: dict[str, Any]) -> None:
        if event["kind"] == "note":
            notes.append(event["text"])

    with monkeypatch.context() as patch:
        patch.setattr(saver, "save_checkpoint", full_for_a_while)
        go(out, listen)
    assert steps_saved == [22, *range(24, 30)]
    full, room = "a checkpoint could not be written (No space left on device)", "checkpoints can be written again"
    assert [note.partition(";")[0] for note in notes] == [full, room, full, room]
    same(out, whole)


def interrupted(out: Path, stage: str) -> str:
    """A run that gets Ctrl-C, as a terminal sends it, once a stage has begun; all that it says after that."""
    settings = ("world.documents=2001", "tokenizer.size=1024", "model.layers=2", "model.width=64", "model.heads=2")
    settings += ("model.context=128", "pretrain.steps=4000", "pretrain.batch=4")
    options = ["--until", "pretrain", *(word for setting in settings for word in ("--set", setting))]
    environment = {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
    with subprocess.Popen(
        [sys.executable, "-m", "anatomia", "--language", "en", "run", "--out", str(out), *options],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # in the background it is ignored
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(f"{stage} ..."):
                os.killpg(process.pid, signal.SIGINT)
                break
        said = process.stdout.read()
    assert process.returncode == 130
    return said


def test_interrupted_says_one_line_and_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    for stage in ("corpus", "pretrain"):
        said = [line for line in interrupted(out, stage).splitlines() if line.strip()]
        assert said == ["Stopped. The same command goes on from here."]
    assert (out / "tokenizer" / "artifact.json").is_file()
