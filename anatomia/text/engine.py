"""Work spread over processes, with results in the order of the tasks, whatever the number of processes."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing.connection import wait
from typing import TypeVar

from anatomia.base.errors import UserError
from anatomia.base.machine import usable_cores

Task = TypeVar("Task")
Result = TypeVar("Result")

SMALL = 2  # tasks; so few are done here, since starting a process takes longer


def map_ordered(
    function: Callable[[Task], Result], tasks: Iterable[Task], processes: int | None = None
) -> Iterator[Result]:
    """`function` of each task, in the order of the tasks.

    Processes are started afresh ("spawn"), since a fork copies the locks of torch's threads in whatever state they are.
    Few tasks wait at a time, so that neither tasks nor results fill the memory.

    Args:
        function: a module-level function (it is sent by name); its result must not depend on other tasks.
        tasks: picklable; read as they are needed.
        processes: as many as there are usable cores if None; 1 means here.

    Raises:
        UserError: a worker was killed, most likely for want of memory.
    """
    tasks = iter(tasks)
    head = list(islice(tasks, SMALL + 1))
    processes = processes or usable_cores()
    if processes == 1 or len(head) <= SMALL:
        yield from map(function, chain(head, tasks))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_prepare) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for task in chain(head, tasks):
                with _interrupts_wait():
                    waiting.append(pool.submit(function, task))
                if len(waiting) >= 2 * processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise UserError(
                "a worker process was killed, most likely for want of memory; close other programs and run again"
            ) from error
        finally:
            if waiting:  # given up half-way, by Ctrl-C or an error: nobody wants what is still being made
                for future in waiting:
                    future.cancel()
                for worker in context.active_children():
                    worker.kill()


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Hold Ctrl-C back for a moment. A worker started meanwhile never hears it: a terminal sends it to parent and
    workers alike, and the parent, which stops them, is the one to say something."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare() -> None:
    """In a worker: one thread each, and no life after the parent's death (a killed parent cannot tell its workers)."""
    os.environ["RAYON_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be held back
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
