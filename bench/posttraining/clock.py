"""Timing and memory of one contestant. Knows nothing of Anatomia, so that a peer's own Python can run it."""

import resource
import statistics
import time


class Done(Exception):
    """Enough was measured."""


class Clock:
    """Speed of steps of unequal work: the median over steps of work per second, the first ones left out.

    Attributes:
        beforehand: seconds that went into each unit of work before the steps.

    Args:
        seconds: to measure for. warmup: steps left out. processor: count the processor's seconds, of all
            threads: rough, but of some use where other programs want the same cores, with one thread.
    """

    def __init__(self, seconds: float, warmup: int, processor: bool) -> None:
        self.seconds, self.warmup = seconds, warmup
        self.now = time.process_time if processor else time.perf_counter
        self.before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.work, self.steps, self.beforehand = 0.0, 0, 0.0
        self.rates: list[float] = []
        self.times: list[float] = []
        self.begun = self.last = self.now()

    def add(self, work: float) -> None:
        """Some of the step's work."""
        self.work += work

    def step(self) -> None:
        """A step is over.

        Raises:
            Done: it was the last one to measure, and at least three were.
        """
        now = self.now()
        self.steps += 1
        if self.steps > self.warmup:
            self.times.append(now - self.last)
            self.rates.append(self.work / (now - self.last))
        else:
            self.begun = now
        self.work, self.last = 0.0, now
        if len(self.rates) >= 3 and now - self.begun > self.seconds:
            raise Done

    def result(self) -> dict[str, float]:
        """Work per second, seconds a step, and memory in MB beyond what the imports took."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "rate": 1 / (1 / statistics.median(self.rates) + self.beforehand),
            "step": statistics.median(self.times),
            "memory": (peak - self.before) / 1e3,
            "peak": peak / 1e3,
        }
