"""Wall time to equal bits per byte: our default pretraining beside a Llama with AdamW in transformers.

    python -m bench.equal_loss RUN [--steps 400] [--seeds 1 2 3] [--rates 1e-3 2e-3 4e-3] [--ours 80 120 160 200]

RUN is a run of real texts that has come to its tokenizer (`anatomia run … --until tokenizer`). The peer trains for a
fixed number of steps of 16 rows of 256 tokens: bfloat16 autocast, compiled, fused AdamW, our warm-up/stable/decay
schedule, rows cut from the documents end to end and shuffled; its learning rate is the one of --rates that is best with
the first seed. Then we train on the same documents for each number of steps in --ours, each a whole schedule, until one
ends at the peer's bits per byte or below. Every model is weighed by one evaluator: all validation documents, each by
itself. Seconds are those of training steps, the first one's compiling included; every training is a process of its own,
with the settings of the C library that `anatomia run` begins with.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from anatomia.cli import LEVERS

SHAPE = {"width": 256, "layers": 4, "heads": 4, "hidden": 704, "context": 256}
ROWS, WARMUP, DECAY = 16, 20, 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--rates", nargs="+", type=float, default=[1e-3, 2e-3, 4e-3])
    parser.add_argument("--ours", nargs="+", type=int, default=[80, 120, 160, 200, 240, 280, 320, 360, 400])
    parser.add_argument("--one", choices=("anatomia", "transformers"), help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, default=0.0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        (seed,) = arguments.seeds
        work = {"anatomia": ours, "transformers": peer}[arguments.one]
        print(json.dumps(work(arguments.run, arguments.steps, seed, arguments.rate, arguments.threads)))
        return
    rate, ratios = 0.0, []
    for seed in arguments.seeds:
        tried = {}
        for one in [rate] if rate else arguments.rates:
            tried[one] = train_alone("transformers", arguments, arguments.steps, seed, one)
        rate = min(tried, key=lambda one: tried[one]["bits_per_byte"])
        goal = tried[rate]
        for steps in arguments.ours:
            found = train_alone("anatomia", arguments, steps, seed, 0.0)
            if found["bits_per_byte"] <= goal["bits_per_byte"]:
                ratios.append(goal["seconds"] / found["seconds"])
                print(f"seed {seed}: {ratios[-1]:.2f} x, in {steps} steps instead of {arguments.steps}", flush=True)
                break
        else:
            raise SystemExit(f"seed {seed}: not reached in {arguments.ours[-1]} steps; give more to --ours")
    listed, mean = ", ".join(f"{ratio:.2f}" for ratio in ratios), sum(ratios) / len(ratios)
    print(f"over {len(ratios)} seeds: {listed}; mean {mean:.2f} x")


def train_alone(who: str, arguments: argparse.Namespace, steps: int, seed: int, rate: float) -> dict[str, float]:
    """What a training in a process of its own took and reached."""
    options = [f"--threads={arguments.threads}", f"--steps={steps}", "--seeds", str(seed), f"--rate={rate}"]
    command = [sys.executable, "-m", "bench.equal_loss", str(arguments.run), "--one", who, *options]
    made = subprocess.run(command, env={**os.environ, **LEVERS}, capture_output=True, text=True)
    if made.returncode:
        raise SystemExit(f"{who} failed:\n{made.stderr}")
    found: dict[str, float] = json.loads(made.stdout.splitlines()[-1])
    told = f"  {who:12} seed {seed}, {steps} steps" + (f", rate {rate:g}" if rate else "")
    print(f"{told}: {found['bits_per_byte']:.4f} bits per byte in {found['seconds']:.1f} s", flush=True)
    return found


def prepare(threads: int) -> None:
    """torch as `anatomia run` sets it."""
    from dataclasses import replace

    from anatomia.base import machine

    machine.apply(replace(machine.remembered(), threads=threads))


def bits_per_byte(model, run: Path) -> float:  # type: ignore[no-untyped-def]
    """Over all validation documents, each by itself; the loss of every token over the bytes of the text."""
    import torch

    from anatomia.base.artifact import read_artifact
    from anatomia.objectives.next_token import batch_loss
    from anatomia.tokens.batches import Packed
    from anatomia.tokens.shards import read_shard

    artifact = read_artifact(run / "tokenizer")
    data = Packed(read_shard(artifact.path, "validation"), SHAPE["context"], ROWS, 0, 0)
    with torch.no_grad():
        total = sum(float(batch_loss(model.eval(), batch, batch.weights)) for batch in data.once())
    return total / math.log(2) / artifact.metrics["validation_bytes"]


def ours(run: Path, steps: int, seed: int, rate: float, threads: int) -> dict[str, float]:
    """The default model by the default settings, through the training loop."""
    prepare(threads)
    import torch

    from anatomia.base.events import Ledger
    from anatomia.generate.sampling import stream_seed
    from anatomia.model.decoder import Decoder
    from anatomia.objectives.next_token import NextToken
    from anatomia.stages.models import loop_settings
    from anatomia.stages.pretrain import ModelSettings, PretrainSettings
    from anatomia.tokens.batches import Packed
    from anatomia.tokens.shards import read_shard
    from anatomia.tokens.vocabulary import Vocabulary
    from anatomia.train.loop import train

    vocabulary = Vocabulary.load(run / "tokenizer")
    settings = PretrainSettings(warmup=WARMUP, decay=DECAY)
    model = Decoder(ModelSettings(**SHAPE).decoder(vocabulary))
    model.initialize(torch.Generator().manual_seed(stream_seed(seed, "weights")))
    model.fused = True
    data = Packed(read_shard(run / "tokenizer", "train"), SHAPE["context"], ROWS, seed, vocabulary.padding or 0)
    objective = NextToken(data, settings.micro_batch, lambda model, step: {})
    with tempfile.TemporaryDirectory() as directory:
        begun = time.perf_counter()
        train(model, objective, loop_settings(settings, steps), Ledger(), Path(directory))
        seconds = time.perf_counter() - begun
    return {"seconds": seconds, "bits_per_byte": bits_per_byte(model, run)}


def peer(run: Path, steps: int, seed: int, rate: float, threads: int) -> dict[str, float]:
    """A Llama of the same shape in transformers, on rows of the same documents."""
    prepare(threads)
    import numpy as np
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from anatomia.model.checkpoint import load_model
    from anatomia.tokens.shards import read_shard
    from anatomia.tokens.vocabulary import Vocabulary
    from anatomia.train.optimizer import learning_rate

    torch.use_deterministic_algorithms(False)
    shard, length = read_shard(run / "tokenizer", "train"), SHAPE["context"]
    rows = torch.from_numpy(np.asarray(shard.tokens[: len(shard.tokens) // length * length]).astype(np.int64))
    rows = rows.view(-1, length)[torch.from_numpy(np.random.default_rng(seed).permutation(len(rows) // length))]
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=math.ceil(Vocabulary.load(run / "tokenizer").size / 8) * 8, hidden_size=SHAPE["width"],
        num_hidden_layers=SHAPE["layers"], num_attention_heads=SHAPE["heads"], num_key_value_heads=SHAPE["heads"],
        intermediate_size=SHAPE["hidden"], max_position_embeddings=length, tie_word_embeddings=True, use_cache=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    decayed = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=True)
    compiled = torch.compile(model)
    begun = time.perf_counter()
    for step in range(steps):
        ids = rows[torch.arange(step * ROWS, (step + 1) * ROWS) % len(rows)]
        with torch.autocast("cpu", torch.bfloat16):
            loss = compiled(ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, rate, WARMUP, DECAY)
        optimizer.step()
        optimizer.zero_grad()
    seconds = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as directory:
        model.save_pretrained(directory)
        return {"seconds": seconds, "bits_per_byte": bits_per_byte(load_model(Path(directory)), run)}


if __name__ == "__main__":
    main()
