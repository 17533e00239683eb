"""Adapters: what each kind costs and brings, and LoRA's speed beside `peft` with transformers.

    python -m bench.adapters speed [--threads N] [--steps N] [--rounds N]
    python -m bench.adapters kinds --base DIR [--threads N] [--steps N] [--learn N]
    python -m bench.adapters room

Every figure comes from a process of its own. `speed` fine-tunes a Llama of 110 million parameters (12 layers of 768,
untied, context 512, 4 rows a step) by LoRA of rank 16 on all matrices of the blocks; peft is tried in bfloat16 by
autocast and with bfloat16 weights, compiled or not, its adapters in 32 bits as it has them. Figures are tokens over the
median step after warm-up, the median over rounds in which contestants take turns; memory is what the process came to
hold beyond its imports.

`kinds` has two parts: trained numbers, memory and speed on that model; and the loss on held-out answers after --learn
steps on dialogues of the made-up world, starting from the model in --base (a run's `pretrain`), the same data for all,
at the learning rates that `anatomia` takes.

`room` measures nothing: it counts trained numbers, and the bytes of weights, gradients and moments in training with
bfloat16 weights, as `anatomia` does before a run; of the model above and of the shape of Llama 3 with 8 billion.
"""

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from anatomia.cli import LEVERS
from bench.pretraining import SIZES, Step, configuration, peer

RANK, ALPHA = 16, 32.0
OURS = ("anatomia eager", "anatomia")
PEERS = ("peft shipped", "peft bf16", "peft bf16 compiled", "peft bf16-weights", "peft bf16-weights compiled")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["speed", "kinds", "room"])
    parser.add_argument("--base", type=Path, help="the model that learns in the second part of `kinds`")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--steps", type=int, default=10, help="to time")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--learn", type=int, default=300, help="steps of learning")
    parser.add_argument("--size", choices=SIZES, default="L")
    parser.add_argument("--kinds", nargs="+", help="these alone")
    parser.add_argument("--rate", type=float, help="another learning rate")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        who, task = asked.one.rsplit(" ", 1)
        print(json.dumps(learn(who, asked) if task == "learn" else measure(who, asked)))
    elif asked.part == "speed":
        speed(asked)
    elif asked.part == "room":
        room()
    else:
        kinds(asked)


def speed(asked: argparse.Namespace) -> None:
    """LoRA, everybody in turn."""
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(asked.rounds):
        for who in (*PEERS, *(f"{ours} lora" for ours in OURS)):
            found.setdefault(who, []).append(alone(who, "time", asked))
    print(f"LoRA of rank {RANK} on {SIZES[asked.size]}, {asked.threads} threads, {asked.steps} steps")
    rates = {who: statistics.median(one["rate"] for one in many) for who, many in found.items()}
    for who, rate in rates.items():
        memory = statistics.median(one["memory"] for one in found[who])
        first = found[who][0]["first_step"]
        print(f"  {who:28} {rate:8,.0f} tokens/s  {memory:7,.0f} MB  first step {first:5.1f} s", flush=True)
    best = max(rates[who] for who in PEERS)
    for ours in OURS:
        print(f"  {ours}: {rates[f'{ours} lora'] / best:.2f} x the best peer", flush=True)


def kinds(asked: argparse.Namespace) -> None:
    """A line per kind."""
    from anatomia.model.adapters import KINDS

    print("| adapter | trained numbers | memory | tokens/s | loss on held-out answers |\n|---|---|---|---|---|")
    for kind in asked.kinds or ("none", *KINDS):
        cost = alone(f"anatomia eager {kind}", "time", asked)
        line = f"| {kind} | {cost['trained']:,.0f} | {cost['memory']:,.0f} MB | {cost['rate']:,.0f} |"
        if asked.base is not None:
            found = alone(kind, "learn", asked)
            line += f" {found['after']:.3f} (before: {found['before']:.3f}) |"
        print(line, flush=True)


def room() -> None:
    """A line per kind and model."""
    from dataclasses import replace

    import torch

    from anatomia.model.adapters import KINDS, AdapterConfig, attach, train_only
    from anatomia.model.decoder import Decoder
    from anatomia.train.room import Load

    small = configuration(SIZES["L"])
    large = replace(
        small, vocabulary=128256, width=4096, layers=32, heads=32, kv_heads=8, head_size=128, hidden=14336, context=8192
    )
    for config in (small, large):
        print(f"| {config.parameters() / 1e6:,.0f} M | trained numbers | memory | checkpoint |\n|---|---|---|---|")
        for kind in ("none", *KINDS):
            with torch.device("meta"):
                model = Decoder(config)
                if kind != "none":
                    train_only(model, attach(model, AdapterConfig(kind, RANK, ALPHA), torch.Generator()))  # type: ignore[arg-type]
            load = Load.of(model, False, torch.bfloat16)
            print(f"| {kind} | {load.total:,} | {load.whole(1) / 1e9:.2f} GB | {load.kept / 1e6:,.1f} MB |", flush=True)


def alone(who: str, task: str, asked: argparse.Namespace) -> dict[str, float]:
    """A contestant's figures, from a process of its own."""
    environment = dict(os.environ) if "shipped" in who else {**os.environ, **LEVERS}
    options = ["--threads", str(asked.threads), "--steps", str(asked.steps), "--learn", str(asked.learn)]
    options += ["--base", str(asked.base)] if asked.base else []
    options += ["--rate", str(asked.rate)] if asked.rate else []
    command = [sys.executable, "-m", "bench.adapters", asked.part, "--one", f"{who} {task}", *options]
    made = subprocess.run([*command, "--size", asked.size], env=environment, capture_output=True, text=True)
    if made.returncode:
        raise SystemExit(f"{who} failed:\n{made.stderr}")
    found: dict[str, float] = json.loads(made.stdout.splitlines()[-1])
    return found


def measure(who: str, asked: argparse.Namespace) -> dict[str, float]:
    """Tokens a second by the median step after four of warm-up, seconds of the first, MB, and trained numbers."""
    import torch

    prepare(who, asked.threads)
    name, *options = who.split()
    contestant, module = {
        "anatomia": (ours, "anatomia.stages.finetune"), "peft": (theirs, "transformers.models.llama.modeling_llama"),
    }[name]  # fmt: skip
    importlib.import_module(module)
    importlib.import_module("anatomia.model.decoder" if name == "anatomia" else "peft")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shape = SIZES[asked.size]
    step, trained = contestant(shape, options)
    seconds = []
    for _ in range(asked.steps + 4):
        begun = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begun)
    assert torch.get_num_threads() == asked.threads
    return {
        "rate": shape["rows"] * shape["context"] / statistics.median(seconds[4:]),
        "first_step": seconds[0],
        "memory": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3,
        "trained": trained,
    }


def prepare(who: str, threads: int) -> None:
    """The process as `anatomia run` has it; peers are left alone."""
    import torch
    from torch.utils import deterministic

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if not who.startswith("peft"):
        torch.set_flush_denormal(True)
        torch.use_deterministic_algorithms(True)
        deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def ours(shape: dict[str, int], options: list[str]) -> tuple[Step, int]:
    """A training step as the loop does it, documents of 100 tokens packed; the kind of adapter comes last."""
    import torch

    from anatomia.model.adapters import AdapterConfig, attach, train_only
    from anatomia.model.decoder import Decoder
    from anatomia.objectives.next_token import batch_loss
    from anatomia.tokens.batches import Batch
    from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings

    *words, kind = options
    config = configuration(shape)
    model = Decoder(config)
    model.initialize(torch.Generator().manual_seed(0))
    model.fused = "eager" not in words
    if kind != "none":
        train_only(model, attach(model, AdapterConfig(kind, RANK, ALPHA), torch.Generator().manual_seed(0)))  # type: ignore[arg-type]
    optimizer = FlatOptimizer(model, OptimizerSettings(), torch.bfloat16)
    rows, length = shape["rows"], shape["context"]
    ids = torch.randint(6, shape["vocabulary"], (rows, length + 1))
    places = torch.arange(length).expand(rows, length)
    weights = torch.full((rows, length), 1 / (rows * length))
    batch = Batch(ids[:, :-1].contiguous(), ids[:, 1:].contiguous(), weights, places % 100, places // 100)

    def step() -> None:
        batch_loss(model, batch, batch.weights).backward()
        optimizer.accumulate()
        optimizer.step(1e-3, optimizer.norm())

    return step, optimizer.layout.total


def theirs(shape: dict[str, int], options: list[str]) -> tuple[Step, int]:
    """The same shape in transformers with peft's LoRA."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=shape["vocabulary"], hidden_size=shape["width"], num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"], num_key_value_heads=shape["heads"],
        intermediate_size=shape["hidden"], max_position_embeddings=shape["context"],
        tie_word_embeddings=False, use_cache=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    if "bf16-weights" in options:
        model = model.to(torch.bfloat16)
    wanted = LoraConfig(r=RANK, lora_alpha=int(ALPHA), target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(model, wanted)
    learnt = [weight for weight in model.parameters() if weight.requires_grad]
    ids = torch.randint(6, shape["vocabulary"], (shape["rows"], shape["context"]))
    run = torch.compile(model) if "compiled" in options else model
    step = peer(model, lambda: run(input_ids=ids, labels=ids).loss, "shipped" not in options)
    return step, sum(weight.numel() for weight in learnt)


def learn(kind: str, asked: argparse.Namespace) -> dict[str, float]:
    """Loss on held-out answers before and after fine-tuning on the world's demonstrations, 16 rows a step."""
    import torch

    from anatomia.base.events import Ledger
    from anatomia.generate.sampling import stream_seed
    from anatomia.model.adapters import AdapterConfig, attach, train_only
    from anatomia.model.checkpoint import load_model
    from anatomia.objectives.next_token import NextToken
    from anatomia.stages.dialogues import split_dialogues
    from anatomia.stages.finetune import RATES, FinetuneSettings, Watch, to_shard
    from anatomia.stages.models import with_template
    from anatomia.stages.stage import Context
    from anatomia.tokens.batches import Packed
    from anatomia.tokens.template import OURS as TEMPLATE
    from anatomia.tokens.vocabulary import Vocabulary
    from anatomia.train.loop import LoopSettings, train
    from anatomia.world.world import World

    prepare(kind, asked.threads)
    model = load_model(asked.base)
    vocabulary = with_template(Vocabulary.load(asked.base), TEMPLATE)
    if kind != "none":
        train_only(model, attach(model, AdapterConfig(kind, RANK, ALPHA), torch.Generator().manual_seed(0)))  # type: ignore[arg-type]
    train_set, held_out = split_dialogues(World(1).dialogues(stream_seed(1, "dialogues"), 20_000))
    length = model.config.context - 32  # the same rows for all, virtual tokens or not
    settings = FinetuneSettings()
    with tempfile.TemporaryDirectory() as directory:
        data = Packed(to_shard(train_set, vocabulary, length)[0], length, settings.batch, 1, vocabulary.padding or 0)
        context = Context({}, {}, Path(directory), Ledger(), 1, Path())
        watch = Watch(to_shard(held_out, vocabulary, length)[0], held_out, vocabulary, data, settings, context)
        with model.using(None):
            before = watch.held_out_loss(model)
        how = LoopSettings(
            asked.learn, asked.rate or RATES.get(kind, settings.learning_rate), 20, 0.5,
            dtype=torch.bfloat16, checkpoint_seconds=1e9,
        )  # fmt: skip
        done = train(
            model, NextToken(data, settings.micro_batch, lambda model, step: {}), how, Ledger(), Path(directory)
        )
        after = watch.held_out_loss(model)
    assert before is not None
    assert after is not None
    return {"before": before, "after": after, "tokens_per_second": done["tokens_per_second"]}


if __name__ == "__main__":
    main()
