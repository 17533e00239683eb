"""Two network namespaces stand in for two computers that see the same directory."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.test_processes import ROOT, TINY, steps

from anatomia.base.artifact import read_artifact


def ip(*words: str) -> bool:
    return subprocess.run(["ip", *words], capture_output=True).returncode == 0


@pytest.fixture
def hosts() -> Iterator[list[str]]:
    """Two namespaces with a cable between them: 10.231.0.1 and 10.231.0.2, on devices of the same names."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("only root can make network namespaces")
    names = [f"anatomia{os.getpid()}{end}" for end in "ab"]
    cable = [f"an{os.getpid()}{end}" for end in "ab"]
    try:
        made = all(ip("netns", "add", name) for name in names)
        made = made and ip("link", "add", cable[0], "type", "veth", "peer", "name", cable[1])
        for number, (name, end) in enumerate(zip(names, cable, strict=True), start=1):
            made = made and ip("link", "set", end, "netns", name, "name", "cable")
            made = made and ip("-n", name, "addr", "add", f"10.231.0.{number}/24", "dev", "cable")
            made = made and ip("-n", name, "link", "set", "cable", "up") and ip("-n", name, "link", "set", "lo", "up")
        if not made:
            pytest.skip("network namespaces cannot be made here")
        yield names
    finally:
        for name in names:
            ip("netns", "del", name)


def start(host: str, rank: int, out: Path) -> "subprocess.Popen[str]":
    """One of the two processes, as torchrun starts it."""
    meeting = {"RANK": rank, "LOCAL_RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 1, "OMP_NUM_THREADS": 1}
    where = {"MASTER_ADDR": "10.231.0.1", "MASTER_PORT": 29500, "GLOO_SOCKET_IFNAME": "cable"}
    overrides = [word for setting in TINY for word in ("--set", setting)]
    command = [sys.executable, "-m", "anatomia", "run", "world", "--out", str(out), "--until", "pretrain", *overrides]
    return subprocess.Popen(
        ["ip", "netns", "exec", host, *command], cwd=ROOT, text=True,
        env={**os.environ, **{name: str(value) for name, value in {**meeting, **where}.items()}},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.mark.slow
def test_two_hosts_train_one_model(hosts: list[str], tmp_path: Path) -> None:
    processes = [start(host, rank, tmp_path / "run") for rank, host in enumerate(hosts)]
    try:
        said = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], said
    found = steps(tmp_path / "run")
    assert [step[0] for step in found] == list(range(1, 61))
    assert found[-1][2] < found[0][2] - 0.5
    read_artifact(tmp_path / "run" / "pretrain").verify()
