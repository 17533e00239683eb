"""Kills runs with SIGKILL at random moments of every stage, lets them go on, and compares what comes out.

    python -m bench.faults.kill --kills 40 --seed 1 --out /tmp/kills
    python -m bench.faults.kill --kills 6 --out /tmp/kills world.documents=2500 pretrain.steps=200
    python -m bench.faults.kill --kills 40 --out /tmp/kills --compiled
    python -m bench.faults.kill --kills 40 --out SMALL_DISK/kills --fill

A very small `anatomia run world` is first left alone; its stages' durations say when to kill. Further runs of the same
settings are then killed, each process group as a whole, given again, and killed again, some ten times in each run. When
a run ends undisturbed at last, each file of each artifact must be the one of the run left alone. What has clock times
in it (`artifact.json`, `events.jsonl`, the report) is compared without them.

With --compiled, trainings are compiled however short they are, so that kills hit the compiling too. With --fill, the
disk that OUT is on is full for a moment before every third kill; it must be a small one (a tmpfs of its own).
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anatomia.base.artifact import RECORD, RESUME, workspace_of
from anatomia.stages import ORDER
from bench.faults.compare import differences

ROOT = Path(__file__).resolve().parents[2]
START = "(start)"  # before the first stage: imports, the lock, what is fresh
MOMENTS = (START, *ORDER)
COMPILED = "import anatomia.stages.models as models, anatomia.cli as cli; models.FUSING_PAYS = 0.0; cli.main()"
SMALL = 8 << 30  # bytes of a disk that may be filled up
TINY = (
    "world.documents=2100",  # three batches, so that processes of their own make them
    "tokenizer.size=1024",
    *("model.layers=2", "model.width=64", "model.heads=2", "model.context=128"),
    *("pretrain.steps=80", "pretrain.batch=4", "pretrain.validate_every=20"),
    *("finetune.world_dialogues=300", "finetune.batch=4", "finetune.validate_every=10"),
    *("sample.count=32", "sample.max_new=16"),
    *("reward.batch=4", "reward.epochs=6"),
    *("align.count=40", "align.rollouts=10", "align.batch=8", "align.max_new=16"),
    *("evaluate.count=16", "evaluate.max_new=16"),
)


@dataclass
class Tally:
    """What was done and found.

    Attributes:
        kills: by the stage at work. kept: of those, how many left checkpoints, parts or a finished workspace to go on
            from. attempts: processes started in runs that were killed.
        different: names of files that differ from those of the run left alone, by stage.
        full: how often the disk was full for a moment. stopped: how often a run ended itself then, with an error.
    """

    full: int = 0
    stopped: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    different: dict[str, list[str]] = field(default_factory=dict)


class Attempt:
    """One process that brings a run up to date, and what it says it is doing."""

    def __init__(self, out: Path, overrides: Sequence[str], compiled: bool = False) -> None:
        program = ("-c", COMPILED) if compiled else ("-m", "anatomia")
        options = [word for override in overrides for word in ("--set", override)]
        environment = {
            "OMP_NUM_THREADS": "2",  # numerics with several threads; workers for the corpus
            "OMP_WAIT_POLICY": "passive",  # threads that wait for others leave the cores to other programs
            "ANATOMIA_CHECKPOINT_SECONDS": "0.1",
            "COLUMNS": "200",
        }
        self.born = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, *program, "run", "world", "--out", str(out), *options],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        self.stage = START
        self.begun = {START: 0.0}  # moment -> clock
        self.said: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            name = line.removesuffix(" ...\n")
            if name in ORDER:
                self.begun[name] = self.clock()
                self.stage = name

    def clock(self) -> float:
        """Seconds for which its main thread has computed: on a busy computer still a measure of how far it is."""
        try:
            return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError):
            return time.monotonic() - self.born

    def wait(self, limit: float) -> dict[str, float]:
        """Let it end by itself; how long each moment took, by its clock. Exits if it failed."""
        end, last = time.monotonic() + limit, 0.0
        while self.process.poll() is None and time.monotonic() < end:
            last = self.clock()
            time.sleep(0.02)
        self.end()
        if self.process.returncode:
            sys.exit(f"the run ended with code {self.process.returncode}:\n{''.join(self.said[-30:])}")
        ends = [*list(self.begun.values())[1:], last]
        return {name: max(0.0, stop - start) for (name, start), stop in zip(self.begun.items(), ends, strict=True)}

    def reach(self, moment: str, delay: float, limit: float) -> bool:
        """Wait until `delay` seconds, by its clock, after the moment has come; whether it still runs then.

        If the last kill came when the moment was over already, any moment is as good.
        """
        end = time.monotonic() + limit
        while self.process.poll() is None and time.monotonic() < end:
            since = self.begun.get(moment)
            if since is None and MOMENTS.index(self.stage) > MOMENTS.index(moment):
                since = self.begun[self.stage]
            if since is not None and self.clock() >= since + delay:
                break
            time.sleep(0.002)
        return self.process.poll() is None

    def kill_in(self, moment: str, delay: float, limit: float) -> bool:
        """Kill the whole group then; whether it still ran."""
        running = self.reach(moment, delay, limit)
        self.end()
        return running

    def fill(self, disk: Path, seconds: float) -> bool:
        """Let the disk be full for so long; whether the process ended itself."""
        with open(disk / "filler", "wb") as filler:
            free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
            with contextlib.suppress(OSError):
                os.posix_fallocate(filler.fileno(), 0, max(free, 1))
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        (disk / "filler").unlink()
        return self.process.poll() is not None

    def end(self) -> None:
        """Kill what is left of the group, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join()


def main() -> None:
    """Exit code 0 if all files were equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", help="section.key=value, over those of the tiny run")
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--per-run", type=int, default=14, help="kills of one run before it may end")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60, help="begin no new attempt after so long")
    parser.add_argument("--out", type=Path, required=True, help="a directory; what is in it is removed")
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--fill", action="store_true")
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    if options.fill and os.statvfs(options.out).f_blocks * os.statvfs(options.out).f_frsize > SMALL:
        parser.error(f"--fill wants {options.out} on a disk of less than {SMALL >> 30} GB, such as a tmpfs of its own")
    overrides = [*TINY, *options.settings]
    end = time.monotonic() + 60 * options.minutes
    whole = options.out / "left-alone"
    begun = time.monotonic()
    seconds = Attempt(whole, overrides, options.compiled).wait(60 * options.minutes)
    say(f"left alone: {time.monotonic() - begun:.0f} s")
    tally, chance = Tally(), random.Random(options.seed)
    number = 0
    while sum(tally.kills.values()) < options.kills and time.monotonic() < end:
        number += 1
        wanted = min(options.per_run, options.kills - sum(tally.kills.values()))
        killed = options.out / f"killed-{number}"
        chosen = moments(wanted, list(seconds), tally, chance)
        kill_again_and_again(killed, overrides, chosen, seconds, tally, chance, end, options)
        Attempt(killed, overrides, options.compiled).wait(60 * options.minutes)
        for stage, names in differences(whole, killed).items():
            tally.different.setdefault(stage, []).extend(f"{killed.name}/{name}" for name in names)
        if not tally.different:
            shutil.rmtree(killed)
    print(table(tally))
    if tally.different:
        raise SystemExit(1)


def moments(count: int, made: Sequence[str], tally: Tally, chance: random.Random) -> list[str]:
    """In which of the stages that are made to kill one run, in order: all of them if there are enough kills, else those
    killed least."""
    chosen = []
    planned = Counter(tally.kills)
    for _ in range(count):
        least = min(planned[name] for name in made)
        name = chance.choice([name for name in made if planned[name] == least])
        planned[name] += 1
        chosen.append(name)
    return sorted(chosen, key=MOMENTS.index)


def kill_again_and_again(
    out: Path,
    overrides: Sequence[str],
    moments: Sequence[str],
    seconds: dict[str, float],
    tally: Tally,
    chance: random.Random,
    end: float,
    options: argparse.Namespace,
) -> None:
    """Kill the run once for each of the moments, or until it has ended."""
    for number, moment in enumerate(moments):
        if time.monotonic() > end:
            return
        attempt = Attempt(out, overrides, options.compiled)
        tally.attempts += 1
        delay = chance.uniform(0, seconds[moment] + 0.02)
        if options.fill and number % 3 == 0 and attempt.reach(moment, delay * chance.random(), end - time.monotonic()):
            tally.full += 1
            if attempt.fill(out.parent, chance.uniform(0.05, 1.0)):
                attempt.end()
                tally.stopped += 1
                say(f"{out.name}: ended itself in {attempt.stage} on a full disk: {attempt.said[-1].strip()}")
                continue
        if not attempt.kill_in(moment, delay, end - time.monotonic()):
            return
        kept = leftovers(out, attempt.stage)
        tally.kills[attempt.stage] += 1
        tally.kept[attempt.stage] += bool(kept)
        say(f"{out.name}: killed in {attempt.stage} after {delay:.2f} s; kept: {kept or 'nothing of that stage'}")


def leftovers(out: Path, stage: str) -> str:
    """What a killed stage left to go on from, in words."""
    work = workspace_of(out / stage)
    if (work / RECORD).is_file():
        return "a finished workspace"
    checkpoints = sorted((work / RESUME).glob("*.checkpoint"))
    if checkpoints:
        return checkpoints[-1].stem
    parts = len(list((work / RESUME / "parts").glob("*.json")))
    return f"{parts} parts" if parts else ""


def table(tally: Tally) -> str:
    """Stage, kills, how many left something to go on from, and whether all files were equal in the end."""
    lines = [f"{'stage':10} {'kills':>5} {'went on':>7}  equal"]
    for name in MOMENTS:
        equal = "" if name == START else f"no: {', '.join(tally.different[name])}" if name in tally.different else "yes"
        lines.append(f"{name:10} {tally.kills[name]:5} {tally.kept[name]:7}  {equal}".rstrip())
    kills, equal = sum(tally.kills.values()), "no" if tally.different else "yes"
    lines.append(f"{'all':10} {kills:5} {sum(tally.kept.values()):7}  {equal}")
    if tally.full:
        lines.append(f"disk full for a moment: {tally.full} times; {tally.stopped} times the run ended itself then")
    return "\n".join(lines)


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
