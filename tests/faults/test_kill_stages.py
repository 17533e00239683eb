"""`kill -9` inside every real stage; the weights are those of a run never killed, bit for bit."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from anatomia.stages import ORDER

HERE = Path(__file__).parent
CLOCKED = ("artifact.json", "events.jsonl")  # have clock times in them
PAGES = ("report",)  # shows clock times


def start(out: Path) -> "subprocess.Popen[str]":
    """A process that brings the run up to date and says each event on a line."""
    command = [sys.executable, str(HERE / "small_world.py"), str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def files(out: Path) -> dict[str, bytes]:
    """Everything the stages made, by name."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for stage in ORDER
        for path in (out / stage).rglob("*")
        if path.is_file() and path.name not in CLOCKED and stage not in PAGES
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """A run never killed, and how many events each of its stages had."""
    out = tmp_path_factory.mktemp("whole") / "run"
    counts = dict.fromkeys(ORDER, 0)
    with start(out) as process:
        assert process.stdout is not None
        for line in process.stdout:
            counts[line.split()[0]] += 1
    assert process.returncode == 0
    return out, counts


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4))])
def test_killed_in_every_stage(seed: int, tmp_path: Path, whole: tuple[Path, dict[str, int]]) -> None:
    chance = random.Random(seed)
    out, (never_killed, counts) = tmp_path / "run", whole
    for stage in (stage for stage in ORDER if counts[stage]):
        fatal = chance.randrange(1, counts[stage])
        with start(out) as process:
            assert process.stdout is not None
            heard = 0
            for line in process.stdout:
                heard += line.split()[0] == stage
                if heard == fatal:
                    process.kill()
                    break
        assert heard == fatal
    with start(out) as process:
        process.communicate()
    assert process.returncode == 0
    assert files(out).keys() == files(never_killed).keys()
    different = [name for name, data in files(never_killed).items() if files(out)[name] != data]
    assert different == []
