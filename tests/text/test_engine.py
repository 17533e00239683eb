import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from anatomia.base.errors import UserError
from anatomia.text.engine import map_ordered


def square(x: int) -> int:
    return x * x


def identity(x: int) -> int:
    return os.getpid()


def die(x: int) -> int:
    if x == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def fail(x: int) -> int:
    if x == 3:
        raise ValueError("three")
    return x


def test_results_come_in_order_whatever_the_processes():
    expected = [x * x for x in range(50)]
    for processes in (1, 2):
        assert list(map_ordered(square, iter(range(50)), processes)) == expected


def test_little_work_is_done_here():
    assert set(map_ordered(identity, [1, 2], 2)) == {os.getpid()}
    assert os.getpid() not in set(map_ordered(identity, range(4), 2))
    assert list(map_ordered(square, [], 2)) == []


def test_tasks_are_read_as_they_are_needed():
    read = []

    def tasks():
        for x in range(100):
            read.append(x)
            yield x

    results = map_ordered(square, tasks(), 2)
    next(results)
    assert len(read) < 10
    results.close()


def test_errors_of_a_worker_arrive():
    with pytest.raises(ValueError, match="three"):
        list(map_ordered(fail, range(10), 2))


def test_a_killed_worker_is_named():
    with pytest.raises(UserError, match="want of memory"):
        list(map_ordered(die, range(10), 2))


@pytest.mark.timeout(60)
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, time\nfrom anatomia.text.engine import map_ordered\n\n"
        "def work(x):\n    os.write(1, b'%d\\n' % os.getpid())\n    time.sleep(0.05)\n\n"
        "if __name__ == '__main__':\n    list(map_ordered(work, range(10_000), 2))\n",
        encoding="utf-8",
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    workers = {int(parent.stdout.readline()) for _ in range(4)}
    parent.kill()
    parent.wait()
    parent.stdout.read()  # ends when the last holder of the pipe is gone
    assert not any(alive(pid) for pid in workers)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
