"""The ledger on a disk without room: nothing is lost, no line is cut short."""

import os
from pathlib import Path
from typing import Any

import pytest

from anatomia.base import events
from anatomia.base.events import Ledger, read_events


class Disk:
    """Stands in for the ledger's file: takes `room` more bytes, then is full, as a real one with half a line."""

    room = 0

    def __init__(self, path: Path) -> None:
        self.handle = open(path, "ab", buffering=0)  # noqa: SIM115

    def __enter__(self) -> "Disk":
        return self

    def __exit__(self, *error: object) -> None:
        self.handle.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.handle, name)

    def write(self, data: bytes) -> int:
        if Disk.room == 0:
            raise OSError(28, os.strerror(28))
        count = self.handle.write(data[: Disk.room])
        Disk.room -= count
        return count


def test_what_a_full_disk_refuses_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "open", lambda path, *how, **more: Disk(path), raising=False)
    ledger, heard = Ledger(tmp_path / "events.jsonl"), []
    ledger.listeners = (heard.append,)
    for step, room in enumerate((1000, 0, 17, 90, 1000), start=1):
        Disk.room = room
        ledger.event("step", step=step, loss=1.0)
        lines = (tmp_path / "events.jsonl").read_bytes()
        assert lines.endswith(b"\n")
        assert len(read_events(tmp_path / "events.jsonl")) == (5 if step == 5 else 1)
    assert [event["step"] for event in heard] == [1, 2, 3, 4, 5]
    Disk.room = 17
    ledger.event("step", step=6)
    with pytest.raises(OSError, match="No space"):
        ledger.flush()
    Disk.room = 1000
    ledger.flush()
    assert [event["step"] for event in read_events(tmp_path / "events.jsonl")] == [1, 2, 3, 4, 5, 6]
