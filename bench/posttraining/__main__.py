"""Speed and memory of fine-tuning and learning from people beside TRL, in one run on the same cores.

    python -m bench.posttraining [--tasks sft pairs ...] [--data DIR] [--threads N] [--seconds N] [--rounds N]
        [--ppo PYTHON] [--completions K] [--processor]

Size S of `bench.pretraining`, weights drawn at random, texts of DIR (`data.FILES`) or of the made-up world; all get the
same tokens, tokenized before the clock runs. Every contestant is a process of its own with the settings of the C
library that `anatomia run` begins with, but for the peers as shipped; they take turns, round by round.

    sft       real tokens (predicted ones, no padding) a second
    pairs     pairs a second of a reward model, pairwise loss on both sides
    rankings  rankings of K completions a second: listwise ours, TRL's on all their pairs
    dpo       pairs a second
    grpo      rollouts a second: 16 prompts, 4 completions each of 64 tokens, scored by a reward model, one update
    ppo       rollouts a second: 64 prompts, 64 tokens each, a critic, two passes of two updates; PYTHON is that of an
              environment with the newest TRL that still has trl.experimental.ppo (1.12.0)

Random weights hardly ever write the end token, so all completions have their 64 tokens on both sides. `--processor`
counts the processor's seconds instead: rough, for looking at one side while other programs run, with one thread. The
table gives the median over the rounds of each contestant's median step; the last line holds all of it as JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from anatomia.cli import LEVERS
from bench.posttraining import data

CONTESTANTS = {
    "sft": (["", "fused"], ["shipped", "grouped", "grouped compiled", "packed", "packed compiled"]),
    "pairs": ([""], ["shipped", "", "grouped", "compiled"]),
    "rankings": ([""], ["grouped", "compiled"]),
    "grpo": ([""], ["shipped", "", "weights"]),
    "ppo": ([""], ["shipped", "", "weights"]),
    "dpo": ([""], ["shipped", "", "grouped", "compiled"]),
}
UNITS = {"sft": "tokens/s", "pairs": "pairs/s", "rankings": "rankings/s", "dpo": "pairs/s"}
PATIENCE = 600  # seconds for one contestant, compiling included
Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--ppo", help="a Python with TRL 1.12.0")
    parser.add_argument("--completions", type=int, default=4)
    parser.add_argument("--processor", action="store_true")
    arguments = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        sizes = data.prepare(Path(directory), arguments.data, arguments.completions)
        print(
            f"{arguments.threads} threads, {arguments.seconds} s each, {arguments.rounds} rounds; {json.dumps(sizes)}"
        )
        for task in arguments.tasks:
            if task != "ppo" or arguments.ppo:
                found[task] = compete(task, Path(directory), arguments)
    print(json.dumps(found))


def compete(task: str, work: Path, arguments: argparse.Namespace) -> dict[str, Figures]:
    """Everybody in turn at one task; the medians over the rounds."""
    mine, theirs = CONTESTANTS[task]
    names = [f"anatomia {words}".strip() for words in mine] + [f"trl {words}".strip() for words in theirs]
    found: dict[str, list[Figures]] = {}
    for _ in range(arguments.rounds):
        for who in names:
            if (one := run_alone(who, task, work, arguments)) is not None:
                found.setdefault(who, []).append(one)
    middle = {who: {key: statistics.median(one[key] for one in many) for key in many[0]} for who, many in found.items()}
    print(f"{task}, {UNITS.get(task, 'rollouts/s')}:")
    for who, one in middle.items():
        line = f"  {who:28} {one['rate']:10,.2f}   step {one['step']:6.3f} s   {one['memory']:7,.0f} MB"
        print(f"{line} (with imports {one['peak']:,.0f})", flush=True)
    peers = [name for name in middle if name.split()[0] == "trl"]
    best = max((name for name in peers if "shipped" not in name), key=lambda name: middle[name]["rate"])
    least = min(peers, key=lambda name: middle[name]["memory"])
    for who in names[: len(mine)]:
        ratios = [f"{middle[who]['rate'] / middle[best]['rate']:.2f} x {best}"]
        ratios += [f"{middle[who]['rate'] / middle[name]['rate']:.2f} x {name}" for name in peers if "shipped" in name]
        ratios += [f"memory {middle[who]['memory'] / middle[name]['memory']:.2f} x {name}" for name in {best, least}]
        print(f"  {who}: {', '.join(ratios)}", flush=True)
    return middle


def run_alone(who: str, task: str, work: Path, arguments: argparse.Namespace) -> Figures | None:
    """A contestant's figures, from a process of its own; None, which is said, where a peer fails or takes too long."""
    name, *words = who.split()
    python = arguments.ppo if (name, task) == ("trl", "ppo") else sys.executable
    module = "bench.posttraining.ours" if name == "anatomia" else "bench.posttraining.peers"
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads), "PYTHONPATH": root}
    environment |= {} if "shipped" in words else LEVERS
    more = [f"--seconds={arguments.seconds}", f"--threads={arguments.threads}"]
    more += ["--processor"] if arguments.processor else []
    command = [python, "-m", module, str(work), task, *words, *more]
    try:
        made = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        trouble = made.stderr if made.returncode else ""
    except subprocess.TimeoutExpired:
        trouble = f"more than {PATIENCE} seconds"
    if trouble and name == "anatomia":
        raise SystemExit(f"{who} failed at {task}:\n{trouble}")
    if trouble:
        print(f"{who} is left out of {task}: {trouble.strip().splitlines()[-1]}", flush=True)
        return None
    found: Figures = json.loads(made.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
