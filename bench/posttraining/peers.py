"""TRL's side: its trainers, fed with the same tokens. Needs no Anatomia, only TRL.

    python -m bench.posttraining.peers WORK TASK [OPTION ...] --seconds N --threads N

Options: `shipped` leaves everything as TRL has it; without it gradients are not checkpointed, which on a small model
only costs time. `packed`, `grouped` (batches of like length), `compiled`, `fp32`, `weights` (the models themselves in
bfloat16, beside autocast), `static` (a key-value cache of fixed size).
"""

import json
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    TrainerCallback,
)

from bench.posttraining import options
from bench.posttraining.clock import Clock, Done

PACKED = 4  # packed rows a forward pass: TRL flattens a batch into one row, whose attention costs its square
NEVER = 1_000_000


def main() -> None:
    """Train until the clock has seen enough, and print what it saw."""
    asked = options.parse()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    data = json.loads((asked.work / "data.json").read_text())
    task = TASKS[asked.task]
    trl_trainer(asked.task)
    clock = Clock(asked.seconds, options.WARMUP.get(asked.task, options.USUAL_WARMUP), asked.processor)
    with tempfile.TemporaryDirectory() as directory, redirect_stdout(sys.stderr):
        try:
            task(asked.work, data, set(asked.options), clock, directory)
        except Done:
            found = json.dumps(clock.result())
    print(found)


def trl_trainer(task: str) -> tuple[Any, Any]:
    """The trainer of a task and its settings, imported."""
    import trl

    if task == "ppo":
        from trl.experimental.ppo import PPOConfig, PPOTrainer

        return PPOTrainer, PPOConfig
    name = {"sft": "SFT", "pairs": "Reward", "rankings": "Reward", "dpo": "DPO", "grpo": "GRPO"}[task]
    return getattr(trl, f"{name}Trainer"), getattr(trl, f"{name}Config")


class Tick(TrainerCallback):
    """Tells the clock of every step's end."""

    def __init__(self, clock: Clock, work: float = 0.0) -> None:
        self.clock, self.work = clock, work

    def on_step_end(self, *arguments: Any, **values: Any) -> None:
        self.clock.add(self.work)
        self.clock.step()


def settings(words: set[str], directory: str, **more: Any) -> dict[str, Any]:
    """Arguments of any of TRL's settings."""
    usual: dict[str, Any] = {
        "output_dir": directory, "use_cpu": True, "report_to": "none", "save_strategy": "no", "disable_tqdm": True,
        "max_steps": NEVER, "logging_steps": NEVER,
    }  # fmt: skip
    if "shipped" not in words:
        usual |= {"gradient_checkpointing": False, "bf16": "fp32" not in words}
        usual |= {"torch_compile": True} if "compiled" in words else {}
        if "grouped" in words:  # by a column that TRL would drop
            usual |= {"train_sampling_strategy": "group_by_length", "remove_unused_columns": False}
    return usual | more


def model(path: Path, words: set[str], kind: Any = AutoModelForCausalLM) -> PreTrainedModel:
    """A model, in 32 bits unless its weights shall be in bfloat16."""
    more = {"num_labels": 1} if kind is AutoModelForSequenceClassification else {}
    return kind.from_pretrained(path, dtype=torch.bfloat16 if "weights" in words else torch.float32, **more)


def sft(work: Path, data: dict[str, Any], words: set[str], clock: Clock, directory: str) -> None:
    """Dialogues, about as many tokens an update as we take; a position is counted where it is predicted."""
    trainer, config = trl_trainer("sft")
    rows = [
        {
            "input_ids": ids,
            "length": len(ids),
            "labels": [i if loss else -100 for i, loss in zip(ids, weights, strict=True)],
        }
        for ids, weights in data["dialogues"]
    ]
    context = 256
    mean = sum(len(row["input_ids"]) for row in rows) / len(rows)
    more: dict[str, Any] = {"max_length": context}
    if "packed" in words:
        more |= {"packing": True, "per_device_train_batch_size": PACKED}
        more |= {"gradient_accumulation_steps": options.ROWS // PACKED}
    elif "shipped" not in words:
        more["per_device_train_batch_size"] = max(8, round(options.ROWS * context / mean / 8) * 8)

    class Counting(trainer):  # type: ignore[misc, valid-type]
        def training_step(self, model: Any, inputs: Any, *rest: Any, **others: Any) -> Any:
            if "attention_mask" in inputs:
                clock.add(int(inputs["attention_mask"].sum()) - len(inputs["input_ids"]))
            else:
                clock.add(int((inputs["position_ids"] > 0).sum()))
            return super().training_step(model, inputs, *rest, **others)

    arguments = config(**settings(words, directory, **more))
    Counting(
        model(work / "policy", words), arguments, train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(work / "policy"), callbacks=[Tick(clock)],
    ).train()  # fmt: skip


def reward(work: Path, pairs: list[dict[str, Any]], words: set[str], clock: Clock, directory: str, each: int) -> None:
    """A reward model from pairs, of which `each` make one ranking."""
    trainer, config = trl_trainer("pairs")
    batch = {} if "shipped" in words else {"per_device_train_batch_size": options.PAIRS}
    kind = AutoModelForSequenceClassification
    arguments = config(**settings(words, directory, **batch))
    trainer(
        model(work / "reward", words, kind), arguments, train_dataset=Dataset.from_list(pairs),
        processing_class=AutoTokenizer.from_pretrained(work / "reward"),
        callbacks=[Tick(clock, arguments.per_device_train_batch_size / each)],
    ).train()  # fmt: skip


def compared(one: dict[str, Any]) -> list[dict[str, Any]]:
    """All pairs of a ranking."""
    placed = sorted(zip(one["places"], one["sequences"], strict=True))
    return [
        {"chosen_ids": better, "rejected_ids": worse, "length": max(len(better), len(worse))}
        for number, (_, better) in enumerate(placed)
        for _, worse in placed[number + 1 :]
    ]


def pairs(work: Path, data: dict[str, Any], words: set[str], clock: Clock, directory: str) -> None:
    """A reward model from pairs."""
    reward(work, [pair for one in data["pairs"] for pair in compared(one)], words, clock, directory, 1)


def rankings(work: Path, data: dict[str, Any], words: set[str], clock: Clock, directory: str) -> None:
    """A reward model from all pairs of rankings."""
    many = [compared(one) for one in data["rankings"]]
    reward(work, [pair for one in many for pair in one], words, clock, directory, len(many[0]))


def dpo(work: Path, data: dict[str, Any], words: set[str], clock: Clock, directory: str) -> None:
    """A policy from pairs, against a reference."""
    trainer, config = trl_trainer("dpo")
    rows = []
    for one in data["pairs"]:
        (pair,), prompt = compared(one), one["prompt"]
        rows.append(
            {
                "prompt_ids": pair["chosen_ids"][:prompt],
                "chosen_ids": pair["chosen_ids"][prompt:],
                "rejected_ids": pair["rejected_ids"][prompt:],
                "length": pair["length"],
            }
        )
    batch = {} if "shipped" in words else {"per_device_train_batch_size": options.PAIRS}
    arguments = config(**settings(words, directory, **batch))

    class Tokenized(trainer):  # type: ignore[misc, valid-type]
        def _prepare_dataset(self, dataset: Any, *rest: Any, **others: Any) -> Any:
            return dataset

    Tokenized(
        model(work / "policy", words), model(work / "policy", words), arguments, train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(work / "policy"),
        callbacks=[Tick(clock, arguments.per_device_train_batch_size)],
    ).train()  # fmt: skip


def grpo(work: Path, data: dict[str, Any], words: set[str], clock: Clock, directory: str) -> None:
    """Groups of completions, one update each."""
    trainer, config = trl_trainer("grpo")
    more = {
        "per_device_train_batch_size": options.EPISODES, "num_generations": options.GROUP, "beta": options.KL,
        "max_completion_length": options.NEW, "temperature": 1.0, "loss_type": "grpo",
    }  # fmt: skip
    more |= {"cache_implementation": "static"} if "static" in words else {}
    tokenizer = AutoTokenizer.from_pretrained(work / "policy")
    rows = [{"prompt": messages} for messages, _ in data["prompts"]]
    trainer(
        model(work / "policy", words), model(work / "reward", words, AutoModelForSequenceClassification),
        config(**settings(words, directory, **more)), Dataset.from_list(rows), processing_class=tokenizer,
        reward_processing_classes=AutoTokenizer.from_pretrained(work / "reward"), callbacks=[Tick(clock, 1.0)],
    ).train()  # fmt: skip


def ppo(work: Path, data: dict[str, Any], words: set[str], clock: Clock, directory: str) -> None:
    """Rollouts with a critic, two passes of two updates."""
    trainer, config = trl_trainer("ppo")
    tokenizer = AutoTokenizer.from_pretrained(work / "policy", padding_side="left")
    more = {
        "per_device_train_batch_size": options.EPISODES, "num_mini_batches": options.MINIBATCHES,
        "num_ppo_epochs": options.EPOCHS, "total_episodes": NEVER, "response_length": options.NEW, "temperature": 1.0,
        "kl_coef": options.KL, "stop_token": "eos", "num_sample_generations": 0,
    }  # fmt: skip
    arguments = settings(words, directory, **more)
    del arguments["max_steps"]
    rows = Dataset.from_list([{"input_ids": ids} for _, ids in data["prompts"]])
    kind = AutoModelForSequenceClassification
    judge, critic = (model(work / "reward", words, kind) for _ in range(2))
    trainer(
        config(**arguments), tokenizer, model(work / "policy", words), model(work / "policy", words), judge, rows,
        critic, eval_dataset=rows.select(range(8)), callbacks=[Tick(clock, 1.0)],
    ).train()  # fmt: skip


Task = Callable[[Path, dict[str, Any], set[str], Clock, str], None]
TASKS: dict[str, Task] = {
    "sft": sft, "pairs": pairs, "rankings": rankings, "dpo": dpo, "grpo": grpo, "ppo": ppo,
}  # fmt: skip

if __name__ == "__main__":
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    main()
