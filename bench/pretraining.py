"""Pretraining speed and memory beside transformers and litgpt, in one run on the same cores.

    python -m bench.pretraining [--threads N] [--sizes S M L] [--steps N] [--rounds N] [--litgpt DIR]

Every contestant is a process of its own, so that its memory can be told and the settings of the C library that
`anatomia run` begins with can be given to it or not. All train one Llama (untied) on random tokens, the batch of a line
the same for all, with AdamW and clipping; `anatomia muon` is our own default. "Shipped" is fp32, eager, without those
settings; the best settings are tried in turn: bfloat16 (autocast; in litgpt also bfloat16 weights), compiled or not,
with the settings. litgpt takes part where it can be imported, from DIR if given. Figures are tokens over the median
step after warm-up, the median over the rounds, in which contestants take turns; the share of the limit is the model's
arithmetic (6 per weight and token, and attention) over the rate of bfloat16 matrix products measured beforehand.
Memory is what the process came to hold beyond what its imports take.
"""

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext

from anatomia.cli import LEVERS

SIZES = {
    "S": {"vocabulary": 4096, "width": 256, "layers": 4, "heads": 4, "hidden": 704, "context": 256, "rows": 16},
    "M": {"vocabulary": 8192, "width": 512, "layers": 8, "heads": 8, "hidden": 1408, "context": 512, "rows": 8},
    "L": {"vocabulary": 16384, "width": 768, "layers": 12, "heads": 12, "hidden": 2048, "context": 512, "rows": 4},
}
SHIPPED = ("transformers fp32 shipped", "litgpt fp32 shipped")
PEERS = (
    "transformers bf16", "transformers bf16 compiled", "litgpt bf16", "litgpt bf16 compiled", "litgpt bf16-true"
)  # fmt: skip
OURS = ("anatomia adamw eager", "anatomia adamw", "anatomia muon")
Step = Callable[[], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["S", "M"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--litgpt", help="a directory that holds litgpt")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.litgpt:
        sys.path.append(arguments.litgpt)
    if arguments.one:
        (size,) = arguments.sizes
        print(json.dumps(measure(arguments.one, SIZES[size], arguments.threads, arguments.steps)))
        return
    rate = products(arguments.threads)
    print(f"{arguments.threads} threads, {rate:.0f} Gflop/s of bfloat16 products, {arguments.steps} steps", flush=True)
    for size in arguments.sizes:
        compete(size, rate, arguments)


def compete(size: str, rate: float, arguments: argparse.Namespace) -> None:
    """One size: everybody in turn, round by round."""
    names = SHIPPED + PEERS + OURS
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(arguments.rounds):
        for who in names:
            if (one := run_alone(who, size, arguments)) is not None:
                found.setdefault(who, []).append(one)
    speeds = {who: statistics.median(one["tokens_per_second"] for one in many) for who, many in found.items()}
    flops = found[OURS[0]][0]["flops_per_token"]
    print(f"{size}: {flops / 1e6:.1f} Mflop a token")
    for who, speed in speeds.items():
        first, memory = (statistics.median(one[key] for one in found[who]) for key in ("first_step", "memory"))
        share = speed * flops / (rate * 1e9)
        line = f"  {who:28} {speed:9,.0f} tokens/s  {share:4.0%} of the limit  {memory / 1e3:7,.0f} MB"
        print(f"{line}  first step {first:5.1f} s", flush=True)
    for ours in OURS[1:]:
        ratios = [
            f"{speeds[ours] / max(speeds[who] for who in group if who in speeds):.2f} x {name}"
            for name, group in (("the best peer", PEERS), ("the best as shipped", SHIPPED))
        ]
        print(f"  {ours}: {', '.join(ratios)}", flush=True)
    memory = {who: statistics.median(one["memory"] for one in many) for who, many in found.items()}
    for mine, theirs in (
        ("anatomia adamw eager", "transformers bf16"),
        ("anatomia adamw", "transformers bf16 compiled"),
        ("anatomia muon", "transformers bf16 compiled"),
    ):
        print(f"  memory: {mine} over {theirs}: {memory[mine] / memory[theirs]:.2f} x", flush=True)


def run_alone(who: str, size: str, arguments: argparse.Namespace) -> dict[str, float] | None:
    """A contestant's figures, from a process of its own; None where its package is not here."""
    environment = dict(os.environ) if "shipped" in who else {**os.environ, **LEVERS}
    options = [f"--threads={arguments.threads}", f"--steps={arguments.steps}", "--sizes", size]
    options += ["--litgpt", arguments.litgpt] if arguments.litgpt else []
    command = [sys.executable, "-m", "bench.pretraining", "--one", who, *options]
    made = subprocess.run(command, env=environment, capture_output=True, text=True)
    if made.returncode:
        if "No module named" in made.stderr:
            return None
        raise SystemExit(f"{who} failed:\n{made.stderr}")
    found: dict[str, float] = json.loads(made.stdout.splitlines()[-1])
    return found


def products(threads: int) -> float:
    """1e9 operations a second of bfloat16 matrix products, measured as `anatomia doctor` does."""
    import torch

    from anatomia.base.machine import _rates

    torch.set_num_threads(threads)
    return _rates("cpu")[1]


def measure(who: str, shape: dict[str, int], threads: int, steps: int) -> dict[str, float]:
    """Speed of the median step after five of warm-up, seconds of the first step, and memory in kB."""
    import torch
    from torch.utils import deterministic

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    name, *options = who.split()
    if name == "anatomia":  # as `anatomia run` does
        torch.set_flush_denormal(True)
        torch.use_deterministic_algorithms(True)
        deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    contestant, module = {
        "anatomia": (ours, "anatomia.train.optimizer"),
        "transformers": (transformers, "transformers.models.llama.modeling_llama"),
        "litgpt": (litgpt, "litgpt.model"),
    }[name]
    importlib.import_module(module)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step = contestant(shape, options)
    seconds = []
    for _ in range(steps + 5):
        begun = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begun)
    return {
        "tokens_per_second": shape["rows"] * shape["context"] / statistics.median(seconds[5:]),
        "first_step": seconds[0],
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before,
        "flops_per_token": flops(shape),
    }


def flops(shape: dict[str, int]) -> int:
    """Arithmetic of training on one token, as `anatomia` counts it."""
    return configuration(shape).flops_per_token()


def configuration(shape: dict[str, int]):  # type: ignore[no-untyped-def]
    """A model of Llama's kind, untied."""
    from anatomia.model.config import DecoderConfig

    rest = {key: value for key, value in shape.items() if key != "rows"}
    size = shape["width"] // shape["heads"]
    return DecoderConfig(
        **rest, kv_heads=shape["heads"], head_size=size, tied=False, qk_norm=False, family="llama"  # type: ignore[arg-type]
    )  # fmt: skip


def ours(shape: dict[str, int], options: list[str]) -> Step:
    """A training step as the loop does it, documents of 100 tokens packed."""
    import torch

    from anatomia.model.decoder import Decoder
    from anatomia.objectives.next_token import PASS, batch_loss
    from anatomia.objectives.next_token import rows as rows_of
    from anatomia.tokens.batches import Batch
    from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings

    model = Decoder(configuration(shape))
    model.initialize(torch.Generator().manual_seed(0))
    model.fused = "eager" not in options
    optimizer = FlatOptimizer(model, OptimizerSettings(muon="muon" in options), torch.bfloat16)
    rows, length = shape["rows"], shape["context"]
    ids = torch.randint(6, shape["vocabulary"], (rows, length + 1))
    places = torch.arange(length).expand(rows, length)
    weights = torch.full((rows, length), 1 / (rows * length))
    batch = Batch(ids[:, :-1].contiguous(), ids[:, 1:].contiguous(), weights, places % 100, places // 100)
    count = max(1, PASS["cpu"] // length)
    pieces = [rows_of(batch, start, start + count) for start in range(0, rows, count)]

    def step() -> None:
        for piece in pieces:
            batch_loss(model, piece, piece.weights).backward()
            optimizer.accumulate()
        optimizer.step(1e-3, optimizer.norm())

    return step


def transformers(shape: dict[str, int], options: list[str]) -> Step:
    """The same shape in transformers: LlamaForCausalLM, SDPA."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=shape["vocabulary"], hidden_size=shape["width"], num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"], num_key_value_heads=shape["heads"],
        intermediate_size=shape["hidden"], max_position_embeddings=shape["context"],
        tie_word_embeddings=False, use_cache=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    ids = torch.randint(6, shape["vocabulary"], (shape["rows"], shape["context"]))
    run = torch.compile(model) if "compiled" in options else model
    return peer(model, lambda: run(ids, labels=ids).loss, "bf16" in options)


def litgpt(shape: dict[str, int], options: list[str]) -> Step:
    """The same shape in litgpt, with its chunked cross-entropy."""
    import torch
    from litgpt import GPT, Config
    from litgpt.utils import chunked_cross_entropy

    config = Config(
        name="bench", block_size=shape["context"], vocab_size=shape["vocabulary"],
        padded_vocab_size=shape["vocabulary"], n_layer=shape["layers"], n_head=shape["heads"], n_embd=shape["width"],
        n_query_groups=shape["heads"], rotary_percentage=1.0, parallel_residual=False, bias=False,
        norm_class_name="RMSNorm", mlp_class_name="LLaMAMLP", intermediate_size=shape["hidden"],
    )  # fmt: skip
    model = GPT(config)
    if "bf16-true" in options:
        model = model.to(torch.bfloat16)
    ids = torch.randint(6, shape["vocabulary"], (shape["rows"], shape["context"] + 1))
    run = torch.compile(model) if "compiled" in options else model
    return peer(model, lambda: chunked_cross_entropy(run(ids[:, :-1]), ids[:, 1:], chunk_size=0), "bf16" in options)


def peer(model, loss, autocast: bool) -> Step:  # type: ignore[no-untyped-def]
    """A plain training step: fused AdamW, gradients clipped to norm 1."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16) if autocast else nullcontext():
            found = loss()
        found.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


if __name__ == "__main__":
    main()
