"""What is made again and what is not, and what stands in the way of a run."""

import errno
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faults.counting import MACHINE, SECTIONS, STAGES, go

from anatomia.base.artifact import read_artifact, workspace_of
from anatomia.base.errors import UserError
from anatomia.base.files import read_json, sha256
from anatomia.pipeline import Request, run
from anatomia.recipe import build
from anatomia.runs import standings
from anatomia.stages.stage import Context

ALL_FRESH = [("first", "fresh"), ("second", "fresh"), ("third", "fresh")]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("raz", encoding="utf-8")
    return tmp_path / "run"


def test_nothing_changed_nothing_made(out: Path) -> None:
    assert go(out) == [("first", "done"), ("second", "done"), ("third", "done")]
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.json") if "artifact" in path.name}
    assert go(out) == ALL_FRESH
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


@pytest.mark.parametrize(
    ("change", "states"),
    [
        ({"third": {"steps": 7}}, ["fresh", "fresh", "done"]),
        ({"second": {"steps": 7}}, ["fresh", "done", "done"]),
        ({"first": {"factor": 4}}, ["done", "done", "fresh"]),  # second counts files only: same bytes, third is fresh
        ({"first": {"texts": ["a.txt"]}}, ["done", "done", "fresh"]),
        ({"seed": 5}, ["done", "done", "done"]),
        ({"name": "other"}, ["fresh", "fresh", "fresh"]),
    ],
)
def test_a_change_makes_what_depends_on_it_and_no_more(out: Path, change: dict[str, Any], states: list[str]) -> None:
    go(out)
    assert [state for _, state in go(out, change)] == states


def test_a_setting_put_back_is_made_again_once(out: Path) -> None:
    go(out)
    first = sha256(out / "third" / "weights" / "layer-0.json")
    go(out, {"third": {"steps": 7}})
    assert sha256(out / "third" / "weights" / "layer-0.json") != first
    go(out)
    assert sha256(out / "third" / "weights" / "layer-0.json") == first


def test_bytes_of_outside_files_count(out: Path) -> None:
    raw = {"first": {"texts": ["a.txt"]}}
    go(out, raw)
    (out.parent / "a.txt").write_text("dwa", encoding="utf-8")
    assert go(out, raw)[0] == ("first", "done")
    assert go(out, raw) == ALL_FRESH


def test_bytes_of_the_run_s_own_files_count_where_they_exist(out: Path) -> None:
    stages = (STAGES[0], replace(STAGES[1], run_files=("people.sqlite",)), STAGES[2])
    go(out, stages=stages)
    assert go(out, stages=stages) == ALL_FRESH
    (out / "people.sqlite").write_bytes(b"a > b")
    assert go(out, stages=stages) == [("first", "fresh"), ("second", "done"), ("third", "fresh")]
    assert go(out, stages=stages) == ALL_FRESH


def test_a_new_version_of_a_stage_is_stale(out: Path) -> None:
    go(out)
    newer = (STAGES[0], replace(STAGES[1], version=2), STAGES[2])
    assert go(out, stages=newer) == [("first", "fresh"), ("second", "done"), ("third", "fresh")]


def test_until_and_from(out: Path) -> None:
    assert go(out, until="second") == [("first", "done"), ("second", "done")]
    assert go(out) == [("first", "fresh"), ("second", "fresh"), ("third", "done")]
    assert go(out, start_from="second") == [("first", "fresh"), ("second", "done"), ("third", "done")]
    assert go(out) == ALL_FRESH


def test_a_killed_from_goes_on_instead_of_starting_over(out: Path) -> None:
    go(out)

    def stop(event: dict[str, Any]) -> None:
        if event["stage"] == "third" and event.get("step") == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(out, start_from="second", listeners=(stop,))
    assert go(out, start_from="second") == [("first", "fresh"), ("second", "fresh"), ("third", "done")]
    assert go(out) == ALL_FRESH


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"until": "secnd"}, "--until secnd: no stage of this run (did you mean second?)"),
        ({"start_from": "nil"}, "--from nil: no stage of this run; there are: first, second, third"),
        ({"start_from": "third", "until": "first"}, "--from third comes after --until first"),
    ],
)
def test_unknown_stages_are_named_and_nothing_is_written(out: Path, asked: dict[str, str], words: str) -> None:
    with pytest.raises(UserError) as caught:
        go(out, **asked)
    assert words in str(caught.value)
    assert not out.exists()


@pytest.mark.parametrize("damage", ["cut", "gone", "record"])
def test_damage_is_noticed_and_mended(out: Path, damage: str) -> None:
    go(out)
    whole = sha256(out / "second" / "weights" / "layer-2.json")
    notes: list[str] = []
    if damage == "cut":
        (out / "second" / "weights" / "layer-2.json").write_bytes(b"[2")
    elif damage == "gone":
        (out / "second" / "weights" / "layer-2.json").unlink()
    else:
        (out / "second" / "artifact.json").write_text("{", encoding="utf-8")
    states = go(out, listeners=(lambda event: notes.append(event.get("text", "")),))
    assert states == [("first", "fresh"), ("second", "done"), ("third", "fresh")]
    assert any("second" in note and "made again" in note for note in notes)
    assert sha256(out / "second" / "weights" / "layer-2.json") == whole


def test_a_failed_stage_leaves_the_old_artifact_and_the_others(out: Path) -> None:
    go(out)
    old = read_artifact(out / "second").hash

    def fail(context: Context) -> dict[str, Any]:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        go(out, {"second": {"steps": 3}}, stages=(STAGES[0], replace(STAGES[1], run=fail), STAGES[2]))
    assert read_artifact(out / "second").hash == old
    assert go(out) == ALL_FRESH
    assert not workspace_of(out / "second").exists()


def test_a_full_disk_is_said_and_what_is_done_is_kept(out: Path) -> None:
    def fill(event: dict[str, Any]) -> None:
        if event["stage"] == "third" and event.get("step") == 20:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError, match=r"the disk of .* is full .* free some space and give the same command again"):
        go(out, listeners=(fill,))
    steps: list[int] = []
    states = go(out, listeners=(lambda event: steps.append(event.get("step", 99)),))
    assert states == [("first", "fresh"), ("second", "fresh"), ("third", "done")]
    assert min(steps) == 19  # from the checkpoint of step 18


def test_the_time_of_a_stage_counts_over_its_interruptions(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now = 1e6
        time = perf_counter = lambda self: self.now

    clock = Clock()
    monkeypatch.setattr("anatomia.base.stopwatch.time", clock)

    def tick(event: dict[str, Any]) -> None:
        if event["stage"] == "third" and event["kind"] == "step":
            clock.now += 1
            if event["step"] == 20 and clock.now < 1e6 + 21:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(out, listeners=(tick,))
    clock.now += 3600
    go(out, listeners=(tick,))
    assert read_artifact(out / "third").seconds == 20 + 22  # steps 1 to 20, then 19 to 40


def test_one_process_in_a_directory(out: Path) -> None:
    go(out)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from anatomia.base.lock import locked\n"
            "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()",
            str(out),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(UserError, match="in use by another anatomia"):
        go(out)
    holder.kill()
    holder.communicate()
    assert go(out) == ALL_FRESH


def test_a_directory_with_something_else_in_it_is_left_alone(out: Path) -> None:
    out.mkdir()
    (out / "thesis.doc").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="not empty and holds no run"):
        go(out)
    assert [path.name for path in out.iterdir()] == ["thesis.doc"]
    with pytest.raises(UserError, match="is a file"):
        go(out / "thesis.doc")


def test_the_machine_is_chosen_once_per_run(out: Path) -> None:
    go(out)
    other = replace(MACHINE, dtype="bfloat16", threads=64)
    applied, notes = [], []

    def listen(event: dict[str, Any]) -> None:
        notes.append(event.get("text", ""))

    request = Request(build({"seed": 2}, SECTIONS), out.parent, out)
    run(request, STAGES, [listen], choose=lambda: other, apply=applied.append)
    assert set(applied) == {MACHINE}

    elsewhere = Request(build({"seed": 2}, SECTIONS), out.parent, out.with_name("elsewhere"))
    run(elsewhere, STAGES, [listen], choose=lambda: other, apply=applied.append)
    assert applied[-1] == other
    assert any("threads it began with (64)" in note for note in notes)


def test_what_a_run_leaves_to_read(out: Path) -> None:
    go(out, {"second": {"steps": 12}})
    record = read_json(out / "second" / "artifact.json")
    assert record["settings"] == {"second": {"enabled": True, "steps": 12, "parity": False, "mode": "plain"}}
    assert record["parents"] == {"first": read_artifact(out / "first").hash}
    events = [json.loads(line) for line in (out / "second" / "events.jsonl").read_text().splitlines()]
    assert [event["step"] for event in events] == list(range(1, 13))
    assert "steps = 12" in (out / "recipe.toml").read_text()


def test_standings_say_what_is_out_of_date(out: Path) -> None:
    go(out)
    names = [stage.name for stage in STAGES]
    assert [standing.state for standing in standings(out, names)] == ["done", "done", "done"]
    go(out, {"second": {"steps": 5}}, until="second")
    assert [standing.state for standing in standings(out, names)] == ["done", "done", "outdated"]
    with pytest.raises(UserError, match="no run"):
        standings(out.parent)
