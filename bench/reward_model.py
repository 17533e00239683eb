"""How long a reward model takes to learn from the same rankings, four ways, and how well it then ranks other answers.

    python bench/reward_model.py RUN [--seeds 3] [--epochs 2] [--batch 16] [--rate 3e-4] [--out FILE]

RUN is a finished run up to its ranking (`anatomia run --until rank`). Every way begins from its policy and learns from
one annotator's ranking of each prompt, in as many steps with as many prompts' worth of rankings each, through the same
training loop in the same number format:

    listwise   Plackett-Luce over all K answers: K answers read, what they begin with alike read once (the default)
    pairwise   Bradley-Terry over all their pairs, read in the same way: only the loss differs
    alone      listwise, each answer read by itself: what sharing the prompt saves
    pairs      the field's way (as TRL's RewardTrainer): each of the K (K - 1) / 2 pairs is an example of its own, two
               answers read for each, pairs of all prompts shuffled; but in packed rows, without the field's padding

Seconds are of training alone, by the loop's clock, and processor seconds those of all threads, which a busy computer
changes less; each is the median over seeds, and so is its ratio to listwise within a seed. Tau is Kendall's tau-b with
every held-out ranking of every annotator, mean over seeds, by one and the same measure (the stage's reward card).
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from anatomia.base.artifact import read_artifact  # noqa: E402
from anatomia.base.events import Ledger  # noqa: E402
from anatomia.base.files import write_json  # noqa: E402
from anatomia.base.machine import recall  # noqa: E402
from anatomia.model.scalar import ScalarModel  # noqa: E402
from anatomia.objectives.judged import UNPLACED, Judged  # noqa: E402
from anatomia.objectives.preference import Preference  # noqa: E402
from anatomia.stages.models import loop_settings, open_model  # noqa: E402
from anatomia.stages.reward import RewardSettings, score_items  # noqa: E402
from anatomia.stages.reward_card import card  # noqa: E402
from anatomia.stages.reward_data import load_cases  # noqa: E402
from anatomia.train.loop import train  # noqa: E402

WAYS = ("listwise", "pairwise", "alone", "pairs")


class Alone(ScalarModel):
    """Reads each answer by itself."""

    def at_ends(self, ids: Tensor, real: Tensor) -> Tensor:
        """ids: padded on the right, as the objective pads them."""
        return self.at_last(ids, real.sum(1))


@dataclass(frozen=True)
class Task:
    """What is learnt from and judged on: a run, its prompts, and how."""

    policy: Path
    learnt: Sequence[Judged]
    held_out: Sequence[Judged]
    settings: RewardSettings

    @property
    def steps(self) -> int:
        """Updates, the same for every way."""
        return max(1, round(self.settings.epochs * len(self.learnt) / self.settings.batch))


def read(run: Path, settings: RewardSettings) -> Task:
    """The first ranking of each prompt of a run, and all held-out ones."""
    policy = run / ("finetune" if (run / "finetune").is_dir() else "pretrain")
    decoder, vocabulary = open_model(read_artifact(policy))
    cases, _ = load_cases(read_artifact(run / "rank"), vocabulary, decoder.config.context)
    learnt = [
        Judged(case.item.sequences, case.item.places[:1], case.item.prompt)
        for case in cases["train"]
        if pairs_of(case.item)
    ]
    return Task(policy, learnt, [case.item for case in cases["held_out"]], settings)


def pairs_of(item: Judged) -> list[Judged]:
    """Each pair of the first ranking as an example of its own, the better first."""
    places = item.places[0]
    return [
        Judged((item.sequences[better], item.sequences[worse]), ((0, 1),), item.prompt)
        for better, first in enumerate(places)
        for worse, second in enumerate(places)
        if UNPLACED not in (first, second) and first < second
    ]


def learn(task: Task, way: str, seed: int) -> dict[str, float]:
    """Train one reward model and judge it."""
    decoder, _ = open_model(read_artifact(task.policy))
    model = (Alone if way in ("alone", "pairs") else ScalarModel)(decoder)
    items = [pair for item in task.learnt for pair in pairs_of(item)] if way == "pairs" else task.learnt
    batch = round(task.settings.batch * len(items) / len(task.learnt))
    objective = Preference(items, batch, 0, "listwise" if way in ("listwise", "alone") else "pairwise", seed)
    before = time.process_time()
    with tempfile.TemporaryDirectory() as directory:
        trained = train(model, objective, loop_settings(task.settings, task.steps), Ledger(), Path(directory))
    spent = time.process_time() - before
    found = card(task.held_out, score_items(model, task.held_out))["agreement"]["model"]
    return {
        "seconds": trained["train_seconds"],
        "processor": spent,
        "tokens": trained["tokens"],
        "tau": found["tau"]["value"],
        "accuracy": found["accuracy"]["value"],
    }


def summary(found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Per way the figures over seeds."""
    base = found["listwise"]
    return {
        way: {
            **{kind: statistics.median(row[kind] for row in rows) for kind in ("seconds", "processor")},
            **{
                f"{kind}_ratio": statistics.median(row[kind] / one[kind] for row, one in zip(rows, base, strict=True))
                for kind in ("seconds", "processor")
            },
            "tokens_read": rows[0]["tokens"],
            "tau": statistics.mean(row["tau"] for row in rows),
            "accuracy": statistics.mean(row["accuracy"] for row in rows),
            "taus": [row["tau"] for row in rows],
        }
        for way, rows in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(recall().threads)
    settings = RewardSettings(epochs=options.epochs, batch=options.batch, learning_rate=options.rate)
    task = read(options.run, settings)
    count = sum(len(pairs_of(item)) for item in task.learnt)
    print(
        f"{len(task.learnt)} prompts with a ranking each ({count} pairs), {len(task.held_out)} held out; "
        f"{task.steps} steps in {recall().dtype}, {torch.get_num_threads()} threads",
        flush=True,
    )
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for seed in range(1, options.seeds + 1):
        for way in WAYS:
            found[way].append(learn(task, way, seed))
            print(f"seed {seed} {way:9}", found[way][-1], flush=True)
    table = summary(found)
    print(
        f"\n{'':9} {'seconds':>8} {'ratio':>6} {'processor':>10} {'ratio':>6} {'tokens':>11} {'tau':>6} {'accuracy':>9}"
    )
    for way, row in table.items():
        times = (
            f"{row['seconds']:8.1f} {row['seconds_ratio']:6.2f} {row['processor']:10.1f} {row['processor_ratio']:6.2f}"
        )
        print(f"{way:9} {times} {row['tokens_read']:11,.0f} {row['tau']:6.3f} {row['accuracy']:9.1%}")
    if options.out:
        write_json(options.out, {"ways": table, "seeds": found})


if __name__ == "__main__":
    main()
