"""Saving beside training: what is saved is the moment it was asked for; how often; and when it cannot be."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from anatomia.base.events import Event, Ledger
from anatomia.train import saver as savers
from anatomia.train.checkpoint import load_checkpoint
from anatomia.train.saver import SHARE, Saver


def test_what_is_saved_is_the_moment_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training changes the tensors in place while the thread is still writing."""
    gate, save = threading.Event(), savers.save_checkpoint

    def slowly(*arguments: Any) -> None:
        gate.wait(60)
        save(*arguments)

    monkeypatch.setattr(savers, "save_checkpoint", slowly)
    weights, moments, plain = torch.zeros(1000), {0: {"exp": torch.ones(10)}}, {"step": 1}
    with Saver(tmp_path, 0, Ledger()) as saver:
        saver.save(1, {"weights": weights, "moments": moments, "plain": plain, "list": [1, (weights[:2],)]})
        weights += 1
        moments[0]["exp"] += 1
        plain["step"] = 2
        gate.set()
    step, state = load_checkpoint(tmp_path) or (0, {})
    assert step == 1
    assert torch.equal(state["weights"], torch.zeros(1000))
    assert torch.equal(state["moments"][0]["exp"], torch.ones(10))
    assert state["plain"] == {"step": 1}
    assert torch.equal(state["list"][1][0], torch.zeros(2))


def test_each_checkpoint_has_its_own_values(tmp_path: Path) -> None:
    """The memory of the copy is used again, also where shapes change in between, as a rollout's do."""
    with Saver(tmp_path, 0, Ledger()) as saver:
        for step in range(1, 6):
            saver.save(step, {"weights": torch.full((50,), float(step)), "rollout": torch.full((step,), float(step))})
    for name in ("step-000000005", "step-000000004"):
        step, state = load_checkpoint(tmp_path) or (0, {})
        assert torch.equal(state["weights"], torch.full((50,), float(step)))
        assert torch.equal(state["rollout"], torch.full((step,), float(step)))
        (tmp_path / f"{name}.checkpoint").unlink()


def test_the_interval_follows_the_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint that took three seconds in all is not written again before three hundred have passed."""
    now = [1000.0]
    monkeypatch.setattr(savers.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(savers.time, "thread_time", lambda: 2.0)
    monkeypatch.setattr(savers, "save_checkpoint", lambda *arguments: None)

    def copy(state: Any, old: Any) -> Any:
        now[0] += 1.0
        return state

    monkeypatch.setattr(savers, "copied", copy)
    with Saver(tmp_path, 20.0, Ledger()) as saver:
        assert not saver.due()
        now[0] += 20.5
        assert saver.due()
        saver.save(1, {})
        assert saver._thread is not None
        saver._thread.join()
        saver.settle()
        assert saver.spent == saver.cost == 3.0
        now[0] += 3.0 / SHARE - 1
        assert not saver.due()
        now[0] += 1.5
        assert saver.due()
        saver.seconds = 0
        saver.save(2, {})
        assert saver.due(), "after every step means after every step"


def test_never_two_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, writing = threading.Event(), []

    def slowly(directory: Path, step: int, *arguments: Any) -> None:
        writing.append(step)
        gate.wait(60)

    monkeypatch.setattr(savers, "save_checkpoint", slowly)
    with Saver(tmp_path, 1e-9, Ledger()) as saver:
        saver.save(1, {})
        assert not saver.due()
        gate.set()
        saver.save(2, {})
    assert writing == [1, 2]


def test_trouble_with_the_disk_is_told_and_tried_again(tmp_path: Path) -> None:
    notes: list[Event] = []
    place = tmp_path / "gone"
    with Saver(place, 0, Ledger(None, [notes.append])) as saver:
        for step in (1, 2, 3):
            if step == 3:
                place.mkdir()
            saver.save(step, {"weights": torch.zeros(3)})
    said = [note["text"] for note in notes]
    assert len(said) == 2
    assert said[0].startswith("a checkpoint could not be written (No such file or directory); training goes on")
    assert said[1] == "checkpoints can be written again"
    assert (load_checkpoint(place) or (0,))[0] == 3


def test_a_checkpoint_never_knows_of_a_step_that_the_ledger_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk has no room for the ledger's next line: no checkpoint is begun before it has."""
    ledger = Ledger(tmp_path / "events.jsonl")
    full = True

    def flush() -> None:
        if full:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(ledger, "flush", flush)
    with Saver(tmp_path, 0, ledger) as saver:
        saver.save(1, {})
        assert load_checkpoint(tmp_path) is None
        full = False
        saver.save(2, {})
    assert (load_checkpoint(tmp_path) or (0,))[0] == 2


def test_a_mistake_of_ours_is_not_taken_for_the_disk(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="pickle"), Saver(tmp_path, 0, Ledger()) as saver:
        saver.save(1, {"what": threading.Lock()})
