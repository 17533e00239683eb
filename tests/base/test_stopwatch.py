"""The time of a stage over its restarts, with clocks that the test sets."""

import os
from pathlib import Path

import pytest

from anatomia.base import stopwatch
from anatomia.base.stopwatch import Stopwatch


class Clock:
    """The clock of a computer; `boot` is where the count that only measures distances begins."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.boot = 0.0

    def time(self) -> float:
        return self.now

    def perf_counter(self) -> float:
        return self.now - self.boot

    def write(self, path: Path) -> None:
        path.write_text("x", encoding="utf-8")
        os.utime(path, (self.now, self.now))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(stopwatch, "time", made)
    return made


def test_the_time_of_processes_adds_up(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / ".resume" / "seconds.json"
    path.parent.mkdir()

    def begin() -> Stopwatch:
        watch = Stopwatch(path, tmp_path)
        for kept in (path, path.parent, tmp_path):
            os.utime(kept, (clock.now, clock.now))
        return watch

    stopped = begin()
    clock.now += 7
    stopped.stop()  # Ctrl-C
    clock.now += 1000
    clock.boot += 500
    begin()
    clock.now += 20
    clock.write(path.parent / "checkpoint")
    os.utime(path.parent, (clock.now, clock.now))
    clock.now += 5  # killed, and nothing knows of these
    clock.now += 1000
    last = begin()
    clock.now += 3
    assert last.seconds() == pytest.approx(30)


def test_a_clock_that_was_put_back_takes_nothing_away(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "seconds.json"
    clock.now += 1e10  # later than any file
    Stopwatch(path, tmp_path)
    clock.now -= 1e10
    assert Stopwatch(path, tmp_path).seconds() == 0
