"""Our side: the objectives and the loop, put together as the stages do.

    python -m bench.posttraining.ours WORK TASK [OPTION ...] --seconds N --threads N

Options: `fused` trains through compiled programs, as stages do where a training is long enough for it.
"""

import copy
import dataclasses
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from anatomia.base import machine
from anatomia.base.events import Ledger
from anatomia.generate.sampling import Sampling
from anatomia.model.checkpoint import load_model, load_scalar
from anatomia.objectives.algorithms import AlignmentSettings
from anatomia.objectives.alignment import ActorCritic, Alignment
from anatomia.objectives.direct import Direct
from anatomia.objectives.judged import Judged
from anatomia.objectives.next_token import NextToken
from anatomia.objectives.preference import Preference
from anatomia.objectives.scoring import RewardModel
from anatomia.stages.align import AlignSettings
from anatomia.stages.finetune import FinetuneSettings
from anatomia.stages.models import TrainingSettings, loop_settings
from anatomia.stages.reward import RewardSettings
from anatomia.tokens.batches import Packed
from anatomia.tokens.shards import Shard
from anatomia.train.loop import train
from bench.posttraining import options
from bench.posttraining.clock import Clock, Done

Training = tuple[nn.Module, Any]
Make = Callable[[Path, dict[str, Any], Sequence[str]], Training]
Measure = Callable[[Any], float]


def main() -> None:
    """Train until the clock has seen enough, and print what it saw."""
    asked = options.parse()
    machine.apply(dataclasses.replace(machine.recall(), threads=asked.threads))
    data = json.loads((asked.work / "data.json").read_text())
    clock = Clock(asked.seconds, options.WARMUP.get(asked.task, options.USUAL_WARMUP), asked.processor)
    make, measured = TASKS[asked.task]
    begun = clock.now()
    model, objective = make(asked.work, data, asked.options)
    if isinstance(objective, Direct):
        clock.beforehand = (clock.now() - begun) / len(objective.items)
    loop = loop_settings(TrainingSettings(learning_rate=1e-4), steps=1_000_000)
    with tempfile.TemporaryDirectory() as directory:
        resume, ledger = Path(directory) / "resume", Ledger(Path(directory) / "events.jsonl")
        try:
            train(model, Timed(objective, clock, measured), loop, ledger, resume)
        except Done:
            print(json.dumps(clock.result()))


class Timed:
    """An objective whose steps are timed.

    Args:
        measured: the work in one piece; None where a rollout, however many updates it has, is one step of the clock.
    """

    def __init__(self, objective: Any, clock: Clock, measured: Measure | None) -> None:
        self.objective, self.clock, self.measured, self.done = objective, clock, measured, 0
        self.every = objective.settings.updates if isinstance(objective, Alignment) else 1

    def micro_batches(self, model: nn.Module, step: int) -> Sequence[Any]:
        pieces: Sequence[Any] = self.objective.micro_batches(model, step)
        self.clock.add(sum(map(self.measured, pieces)) if self.measured else 1 / self.every)
        return pieces

    def loss(self, model: nn.Module, micro: Any) -> tuple[Tensor, dict[str, Tensor | float]]:
        found: tuple[Tensor, dict[str, Tensor | float]] = self.objective.loss(model, micro)
        return found

    def after(self, model: nn.Module, step: int) -> dict[str, float]:
        sums: dict[str, float] = self.objective.after(model, step)
        if (step + 1) % self.every == 0:
            self.clock.step()
        return sums

    def state(self) -> dict[str, Any]:
        return dict(self.objective.state())

    def load(self, state: dict[str, Any]) -> None:
        self.objective.load(state)


def sft(work: Path, data: dict[str, Any], words: Sequence[str]) -> Training:
    """Dialogues packed into rows, loss on the assistant's words, 16 rows a step."""
    model = load_model(work / "policy")
    model.fused = "fused" in words
    dialogues = data["dialogues"]
    tokens = np.concatenate([ids for ids, _ in dialogues]).astype(np.int64)
    weights = np.concatenate([loss for _, loss in dialogues]).astype(np.uint8)
    starts = np.cumsum([0] + [len(ids) for ids, _ in dialogues]).astype(np.int64)
    packed = Packed(Shard(tokens, starts, weights), model.config.context, options.ROWS, 0, model.config.padding or 0)
    return model, NextToken(packed, FinetuneSettings().micro_batch, lambda model, step: {})


def pairs(work: Path, data: dict[str, Any], words: Sequence[str]) -> Training:
    """Pairs, each with the pairwise loss."""
    return reward(work, data["pairs"], "pairwise")


def rankings(work: Path, data: dict[str, Any], words: Sequence[str]) -> Training:
    """Rankings of several completions, listwise."""
    return reward(work, data["rankings"], "listwise")


def reward(work: Path, ranked: list[dict[str, Any]], loss: Literal["pairwise", "listwise"]) -> Training:
    """A reward model from rankings; without the loss of matching, which peers do not have."""
    return load_scalar(work / "reward"), Preference(
        judged(ranked), options.PAIRS, RewardSettings().micro_batch, loss, 0
    )


def judged(ranked: list[dict[str, Any]]) -> list[Judged]:
    """Rankings as objectives take them."""
    return [Judged(tuple(map(tuple, one["sequences"])), (tuple(one["places"]),), one["prompt"]) for one in ranked]


def dpo(work: Path, data: dict[str, Any], words: Sequence[str]) -> Training:
    """A policy from pairs; what the reference says of them is asked beforehand, which counts as for one epoch."""
    policy, items = load_model(work / "policy"), judged(data["pairs"])
    reference = copy.deepcopy(policy).to(getattr(torch, machine.recall().dtype)).requires_grad_(False)
    return policy, Direct(items, "dpo", options.KL, options.PAIRS, AlignSettings().micro_batch, 0, reference)


def grpo(work: Path, data: dict[str, Any], words: Sequence[str]) -> Training:
    """Groups of completions, one update each."""
    return align(work, data, "grpo", options.GROUP, 1, 1)


def ppo(work: Path, data: dict[str, Any], words: Sequence[str]) -> Training:
    """One completion a prompt, a critic, two passes of two updates."""
    return align(work, data, "ppo", 1, options.EPOCHS, options.MINIBATCHES)


def align(work: Path, data: dict[str, Any], method: str, group: int, epochs: int, minibatches: int) -> Training:
    """A rollout of `options.EPISODES` completions and its updates."""
    policy, judge = load_model(work / "policy"), load_scalar(work / "reward")
    reference = copy.deepcopy(policy).to(getattr(torch, machine.recall().dtype)).requires_grad_(False)
    critic = copy.deepcopy(judge) if method == "ppo" else None
    settings = AlignmentSettings(
        method, options.EPISODES // group, group, epochs, minibatches, AlignSettings().micro_batch, options.KL,
        Sampling(1.0, max_new=options.NEW),
    )  # fmt: skip
    prompts = [ids for _, ids in data["prompts"]]
    judge = judge.to(getattr(torch, machine.recall().dtype)).requires_grad_(False)  # as the stage does
    scorer = RewardModel(judge, (0.0, 1.0))
    objective = Alignment(
        settings, prompts, reference, scorer, 0, lambda number, rollout, prompts: None, lambda number: False
    )
    return ActorCritic(policy, critic), objective


TASKS: dict[str, tuple[Make, Measure | None]] = {
    "sft": (sft, lambda piece: int((piece.batch.documents >= 0).sum())),
    "pairs": (pairs, lambda piece: len(piece.items)),
    "rankings": (rankings, lambda piece: len(piece.items)),
    "dpo": (dpo, lambda piece: len(piece.numbers)),
    "grpo": (grpo, None),
    "ppo": (ppo, None),
}

if __name__ == "__main__":
    main()
