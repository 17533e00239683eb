"""TensorBoard and W&B show what the ledger holds: every step once, whatever happened, and nothing depends on them."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faults.counting import go

from anatomia.base.artifact import read_artifact
from anatomia.base.errors import UserError
from anatomia.base.events import Event, Ledger, read_events
from anatomia.base.tensorboard import Records
from anatomia.base.trackers import LogSettings, trackers
from anatomia.sentences import sentence

BOTH = {"tensorboard": True, "wandb": "mine"}


class Cloud:
    """Stands in for W&B's package, and for what it would have received: points and summaries by the id of its run.

    What was handed over right before a kill does not arrive (`lost`), and nothing that has arrived is taken back.
    """

    def __init__(self) -> None:
        self.begun: list[dict[str, Any]] = []
        self.points: dict[str, list[tuple[int, dict[str, Any]]]] = {}
        self.summaries: dict[str, dict[str, Any]] = {}
        self.lost = 0

    def Settings(self, **values: Any) -> dict[str, Any]:
        return values

    def login(self) -> None:
        pass

    def init(self, **values: Any) -> Any:
        self.begun.append(values)
        points = self.points.setdefault(values["id"], [])
        points[:] = points[: len(points) - self.lost]
        summary = self.summaries.setdefault(values["id"], {})
        offline = os.environ.get("WANDB_MODE") == "offline"
        assert values["resume"] == (None if offline else "allow")
        if offline:
            points.clear()
            kept = Path(values["dir"]) / "wandb" / f"offline-run-{len(self.begun)}-{values['id']}"
            kept.mkdir()

        def log(figures: dict[str, Any], step: int, commit: bool) -> None:
            assert commit
            assert not points or step > points[-1][0]
            points.append((step, figures))

        next_step = points[-1][0] + 1 if points else 0
        return SimpleNamespace(log=log, summary=summary, finish=lambda: None, step=next_step)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    made = Cloud()
    monkeypatch.setitem(sys.modules, "wandb", made)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    return made


def curve(directory: Path, tag: str) -> list[tuple[int, float]]:
    """What TensorBoard itself reads of a curve, nothing sorted out."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(directory), {"scalars": 0, "tensors": 0}, purge_orphaned_data=False)
    found.Reload()
    if tag in found.Tags()["tensors"]:
        return [(event.step, event.tensor_proto.string_val[0].decode()) for event in found.Tensors(tag)]
    return [(event.step, event.value) for event in found.Scalars(tag)]


def watched(out: Path, raw: dict[str, Any] | None = None, stop: Callable[[Event], None] | None = None) -> Any:
    """Run the small stages with trackers."""
    with trackers(LogSettings(**BOTH), out, {"name": "small"}, pytest.fail) as found:
        return go(out, {"log": BOTH, **(raw or {})}, listeners=(*found, *([stop] if stop else [])))


def stopper(stage: str, step: int) -> Callable[[Event], None]:
    def stop(event: Event) -> None:
        if event["stage"] == stage and event.get("step") == step:
            raise KeyboardInterrupt

    return stop


def losses(out: Path, stage: str) -> list[tuple[int, float]]:
    """The ledger's curve, in TensorBoard's 32 bits."""
    events = [event for event in read_events(out / stage / "events.jsonl") if event["kind"] == "step"]
    return [(event["step"], pytest.approx(event["loss"], rel=1e-6)) for event in events]


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_every_step_stands_there_once_after_kills(
    tmp_path: Path, cloud: Cloud, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)
    cloud.lost = 5
    out = tmp_path / "run"
    for step in (8, 7, 23):
        with pytest.raises(KeyboardInterrupt):
            watched(out, stop=stopper("second", step))
    assert len(curve(out / "tensorboard" / "second", "loss")) == 23, "what there is can be watched on the way"
    watched(out)
    for stage in ("second", "third"):
        assert [step for step, _ in losses(out, stage)] == list(range(1, 41))
        assert curve(out / "tensorboard" / stage, "loss") == losses(out, stage)
        (page,) = {begun["id"] for begun in cloud.begun if begun["job_type"] == stage}
        assert [(step, figures["loss"]) for step, figures in cloud.points[page]] == losses(out, stage)
        result = read_artifact(out / stage).metrics["loss"]
        assert curve(out / "tensorboard" / stage, "result/loss") == [(40, pytest.approx(result, rel=1e-6))]
        assert cloud.summaries[page] == {"result/loss": result}
        assert len(list((out / "wandb").glob(f"offline-run-*-{page}"))) == (mode == "offline")
    assert curve(out / "tensorboard" / "first", "result/parts") == [(0, 5)]


def test_a_stage_made_again_is_another_curve(tmp_path: Path, cloud: Cloud) -> None:
    out = tmp_path / "run"
    watched(out)
    watched(out, {"third": {"steps": 7}})
    assert curve(out / "tensorboard" / "third", "loss") == losses(out, "third")
    assert len(losses(out, "third")) == 7
    first, second = [begun["id"] for begun in cloud.begun if begun["job_type"] == "third"]
    assert first != second
    assert [step for step, _ in cloud.points[second]] == list(range(1, 8))


def test_to_switch_them_on_makes_nothing_again_and_no_other_bytes(tmp_path: Path, cloud: Cloud) -> None:
    """Switched on late they show what was done before; given again they find that it is all there."""
    out = tmp_path / "run"
    plain = go(tmp_path / "plain")
    assert go(out, {"log": {"tensorboard": False}}) == plain
    fresh = [(stage, "fresh") for stage, _ in plain]
    assert watched(out) == fresh
    shown = sorted((out / "tensorboard").rglob("*"))
    for stage in ("second", "third"):
        assert curve(out / "tensorboard" / stage, "loss") == losses(out, stage)
    begun = len(cloud.begun)
    assert begun == 3
    assert watched(out) == fresh
    assert go(out) == fresh
    assert sorted((out / "tensorboard").rglob("*")) == shown
    assert len(cloud.begun) == begun
    watched(tmp_path / "watched")
    for stage, _ in plain:
        hashes = {read_artifact(tmp_path / name / stage).hash for name in ("plain", "run", "watched")}
        assert len(hashes) == 1


@pytest.fixture
def ledger(tmp_path: Path, cloud: Cloud) -> Iterator[Ledger]:
    """A training stage's, watched."""
    out = tmp_path / "run"
    out.mkdir()
    with trackers(LogSettings(**BOTH), out, {"name": "small"}, pytest.fail) as found:
        for tracker in found:
            tracker({"stage": "pretrain", "kind": "stage", "state": "begin"})
        tell = [lambda event, tracker=tracker: tracker({"stage": "pretrain", **event}) for tracker in found]
        yield Ledger(out / "events.jsonl", tell)


def test_going_back_to_an_earlier_step(ledger: Ledger, tmp_path: Path, cloud: Cloud) -> None:
    """As it went in the end in TensorBoard; in W&B, where nothing can be taken back, in a run of its own."""
    for step in range(1, 9):
        ledger.event("step", step=step, loss=float(step))
    ledger.rewind(5)
    for step in range(6, 11):
        ledger.event("step", step=step, loss=10.0 * step)
    wanted = [(step, float(step if step < 6 else 10 * step)) for step in range(1, 11)]
    assert curve(tmp_path / "run" / "tensorboard" / "pretrain", "loss") == wanted
    before, after = cloud.begun
    assert [step for step, _ in cloud.points[before["id"]]] == list(range(1, 9))
    assert [(step, figures["loss"]) for step, figures in cloud.points[after["id"]]] == wanted
    assert after["name"] == "small pretrain again"


def test_what_is_shown_of_a_step(ledger: Ledger, tmp_path: Path, cloud: Cloud) -> None:
    ledger.event("step", step=1, loss=2.0)
    ledger.event("validation", step=2, loss=1.5, bits_per_byte=0.75)
    ledger.event("sample", step=2, prompt="Raz", text="dwa trzy")
    ledger.event("sample", step=2, prompt="Jeden", text="dwa")
    ledger.note("a checkpoint could not be written")
    ledger.event("skipped", step=2, loss="nan", gradient_norm="inf")
    ledger.progress(2, 9, "steps", loss=7.0)
    ledger.event("step", step=2, loss=1.0, tokens=30)
    place = tmp_path / "run" / "tensorboard" / "pretrain"
    assert curve(place, "loss") == [(1, 2.0), (2, 1.0)]
    assert curve(place, "validation/bits_per_byte") == [(2, 0.75)]
    assert curve(place, "samples") == [(2, "Raz → dwa trzy"), (2, "Jeden → dwa")]
    assert curve(place, "notes") == [(2, "a checkpoint could not be written")]
    (points,) = cloud.points.values()
    both = {"validation/loss": 1.5, "validation/bits_per_byte": 0.75, "samples": "Raz → dwa trzy\nJeden → dwa"}
    assert points == [(1, {"loss": 2.0}), (2, {**both, "loss": 1.0, "tokens": 30})]


def test_a_tracker_that_fails_ends_nothing(tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full for TensorBoard: the user is told once, all else goes on, and the next start catches up."""
    out, notes, add = tmp_path / "run", list[Event](), Records.add

    def refuse(page: Records, event: Event) -> None:
        if event.get("step", 0) == 12:
            raise OSError(28, "No space left on device")
        add(page, event)

    monkeypatch.setattr(Records, "add", refuse)
    with trackers(LogSettings(**BOTH), out, {"name": "small"}, notes.append) as found:
        go(out, listeners=tuple(found))
    (note,) = notes
    assert note["text"].startswith("log.tensorboard shows nothing more ([Errno 28] No space left")
    assert sentence(note["text"]).endswith("przebieg idzie dalej bez tego")
    assert {begun["job_type"] for begun in cloud.begun} == {"first", "second", "third"}
    assert len(curve(out / "tensorboard" / "second", "loss")) == 11
    monkeypatch.setattr(Records, "add", add)
    watched(out)
    for stage in ("second", "third"):
        assert curve(out / "tensorboard" / stage, "loss") == losses(out, stage)


@pytest.mark.parametrize(("key", "value"), [("tensorboard", True), ("wandb", "mine")])
def test_a_missing_package_is_said_before_anything_begins(
    key: str, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == key]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, key, None)
    said = json.dumps(value)
    with (
        pytest.raises(UserError, match=f"log.{key} = {said} needs the package {key}.*pip install {key}"),
        trackers(LogSettings(**{key: value}), tmp_path / "run", {}, pytest.fail),
    ):
        pass
    assert not (tmp_path / "run").exists()


def test_a_directory_that_w_and_b_left_is_not_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wandb").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    with (
        pytest.raises(UserError, match="needs the package wandb"),
        trackers(LogSettings(wandb="mine"), tmp_path / "run", {}, pytest.fail),
    ):
        pass
    sys.modules.pop("wandb", None)


def test_nobody_logged_in_is_said_and_offline_needs_nobody(
    tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise RuntimeError("No API key configured.")

    monkeypatch.setattr(cloud, "login", refuse)
    with (
        pytest.raises(UserError, match=r"lets nobody in \(No API key configured\.\); log in with wandb login"),
        trackers(LogSettings(wandb="mine"), tmp_path / "run", {}, pytest.fail),
    ):
        pass
    monkeypatch.setenv("WANDB_MODE", "offline")
    with trackers(LogSettings(wandb="mine"), tmp_path / "run", {}, pytest.fail) as found:
        assert len(found) == 1


def test_without_being_asked_nothing_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with trackers(LogSettings(), tmp_path / "run", {}, pytest.fail) as found:
        assert found == []
