"""`anatomia run --processes N`: the command itself, started N times, and again with those that are left."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from anatomia.base.errors import UserError
from anatomia.cli.options import messages

LAUNCHED = "ANATOMIA_LAUNCHED"
LOST = 75  # exit code of a process that ended because another one had


def launch(count: int) -> int:
    """Run this very command in `count` processes; the exit code.

    When one is killed (by the system when memory runs short, say), the others are ended too, and as many as are left
    begin again from the last checkpoint.
    """
    from anatomia.train import parallel

    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        processes = [_start(rank, count, port) for rank in range(count)]
        try:
            killed = _watch(processes)
        except KeyboardInterrupt:  # the terminal has sent it to all of them
            for process in processes:
                process.wait()
            return 130
        if not killed or killed == count:
            code = _code([process.returncode for process in processes])
            if code == LOST:
                print(f"{messages()('error')}: {messages().sentence(parallel.LOST)}", file=sys.stderr)
            return code
        count -= killed
        text = "A process of this run was killed; those that are left go on from the last checkpoint: {count}."
        print(messages()(text, count=count), file=sys.stderr, flush=True)


def launched() -> bool:
    """Whether this process was started by `launch`."""
    return LAUNCHED in os.environ


@contextmanager
def together() -> Iterator[None]:
    """While this process works with others, if it does. It ends quietly where the first process or `launch` will say
    why; and when the process that launched it does."""
    from anatomia.train import parallel

    if launched():
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        parallel.join()
        yield
        parallel.leave()
    except UserError as error:
        if parallel.rank() > 0 or (launched() and isinstance(error, parallel.PeerLost)):
            end(LOST)
        raise


def end(code: int) -> NoReturn:
    """End this process. One of several ends at once: where others are lost, torch's threads abort a process that takes
    itself down slowly, and an abort looks as if someone had killed it."""
    if os.environ.get("WORLD_SIZE", "1") != "1":
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code) from None


def _end_with_parent() -> None:
    os.read(0, 1)  # nobody ever writes there: this returns when the other end is gone
    os._exit(LOST)


def _start(rank: int, count: int, port: int) -> "subprocess.Popen[bytes]":
    ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, LAUNCHED: 1}
    environment = {**os.environ, **{name: str(value) for name, value in {**ranks, **meeting}.items()}}
    return subprocess.Popen([sys.executable, *sys.orig_argv[1:]], stdin=subprocess.PIPE, env=environment)


def _watch(processes: "list[subprocess.Popen[bytes]]") -> int:
    """Wait until all have ended, or one fails, and then end the others; how many were killed from outside."""
    while any(process.poll() is None for process in processes):
        if any(process.returncode not in (None, 0, LOST) for process in processes):
            break
        time.sleep(0.05)
    killed = sum((process.poll() or 0) < 0 for process in processes)
    for process in processes:
        process.kill()
        process.wait()
    return killed


def _code(codes: list[int]) -> int:
    """Of the process that failed by itself, if one did, else of the first."""
    failed = [code for code in codes if code > 0 and code != LOST]
    return failed[0] if failed else codes[0] if codes[0] >= 0 else 128 - codes[0]
