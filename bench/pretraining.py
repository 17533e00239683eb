"""Pretraining speed of the default model beside the same model in transformers, in one run on the same cores.

    python -m bench.pretraining [--threads N] [--steps N]

Each line is a process of its own: ours and the peer's, with and without the settings of the C library that
`anatomia run` begins with (the peer gets them too). Both train in bfloat16 on a machine that is faster at it: ours with
bfloat16 weights and fp32 masters, the peer under autocast. Prints tokens per second (median step) and the ratio.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from anatomia.cli import LEVERS

SHAPE = {"vocabulary": 4096, "width": 256, "layers": 4, "heads": 4, "hidden": 704, "context": 256}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--one", choices=("anatomia", "transformers"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.threads, arguments.steps, arguments.rows)))
        return
    rates: dict[tuple[str, bool], float] = {}
    for levers in (False, True):
        for who in ("transformers", "anatomia"):
            environment = {**os.environ, **(LEVERS if levers else {})}
            options = [f"--{key}={getattr(arguments, key)}" for key in ("threads", "steps", "rows")]
            command = [sys.executable, "-m", "bench.pretraining", "--one", who, *options]
            made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            rates[who, levers] = json.loads(made.stdout.splitlines()[-1])
            with_ = "with" if levers else "without"
            print(f"{who:13} {with_:8} levers  {rates[who, levers]:9,.0f} tokens/s", flush=True)
    for levers in (False, True):
        ratio = rates["anatomia", levers] / rates["transformers", levers]
        print(f"anatomia over transformers, {'with' if levers else 'without'} levers: {ratio:.2f} x")


def measure(who: str, threads: int, steps: int, rows: int) -> float:
    """Tokens per second of the median step, after three steps of warm-up."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    step = ours(rows) if who == "anatomia" else peer(rows)
    seconds = []
    for _ in range(steps + 3):
        begun = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begun)
    return rows * SHAPE["context"] / statistics.median(seconds[3:])


def ours(rows: int) -> Callable[[], None]:
    """A training step as the loop does it, AdamW, documents of 100 tokens packed."""
    import torch

    from anatomia.model.config import DecoderConfig
    from anatomia.model.decoder import Decoder
    from anatomia.objectives.next_token import batch_loss
    from anatomia.tokens.batches import Batch
    from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings

    model = Decoder(DecoderConfig(**SHAPE, kv_heads=SHAPE["heads"], head_size=SHAPE["width"] // SHAPE["heads"]))
    model.initialize(torch.Generator().manual_seed(0))
    optimizer = FlatOptimizer(model, OptimizerSettings(), torch.bfloat16)
    length = SHAPE["context"]
    ids = torch.randint(6, SHAPE["vocabulary"], (rows, length + 1))
    places = torch.arange(length).expand(rows, length)
    weights = torch.full((rows, length), 1 / (rows * length))
    batch = Batch(ids[:, :-1].contiguous(), ids[:, 1:].contiguous(), weights, places % 100, places // 100)

    def step() -> None:
        batch_loss(model, batch, batch.weights).backward()
        optimizer.accumulate()
        optimizer.step(1e-3, optimizer.norm())

    return step


def peer(rows: int) -> Callable[[], None]:
    """The same shape in transformers: Qwen3ForCausalLM, SDPA, bfloat16 autocast, fused AdamW."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=SHAPE["vocabulary"],
        hidden_size=SHAPE["width"],
        num_hidden_layers=SHAPE["layers"],
        num_attention_heads=SHAPE["heads"],
        num_key_value_heads=SHAPE["heads"],
        head_dim=SHAPE["width"] // SHAPE["heads"],
        intermediate_size=SHAPE["hidden"],
        max_position_embeddings=SHAPE["context"],
        tie_word_embeddings=True,
        use_cache=False,
    )
    model = Qwen3ForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    ids = torch.randint(6, SHAPE["vocabulary"], (rows, SHAPE["context"]))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


if __name__ == "__main__":
    main()
