"""Generation speed beside transformers and litgpt, in one run on the same cores, taking turns.

    python -m bench.generation [--threads N] [--sizes S M] [--batches 1 16 64] [--rounds N] [--compiled] [--litgpt DIR]

Every contestant continues the same random prompts of 64 tokens by 256 greedy ones; a figure is new tokens over the time
of the whole call, prompts read included, median over the rounds. Peers run in fp32 and bf16; with --compiled also with
`torch.compile` (and transformers with its static cache), which takes minutes to warm up. litgpt takes part where it can
be imported, from DIR if given. Ours writes, in fp32, the tokens that transformers writes; how many of them agree is
printed. Ratios are to the best peer of the line, once for our fp32 and once for the better of our two.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from anatomia.base import machine as machines
from anatomia.generate.engine import generate
from anatomia.generate.sampling import Sampling
from anatomia.model.checkpoint import save_model
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder

SIZES = {
    "S": {"vocabulary": 4096, "width": 256, "layers": 4, "heads": 4, "hidden": 704},
    "M": {"vocabulary": 8192, "width": 512, "layers": 8, "heads": 8, "hidden": 1408},
}
CONTEXT, PROMPT, NEW = 512, 64, 256
FORMATS = {"fp32": torch.float32, "bf16": torch.bfloat16}

Contestant = Callable[[], list[list[int]]]  # continues the prompts; the new tokens of each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--litgpt", help="a directory that holds litgpt")
    arguments = parser.parse_args()
    if arguments.litgpt:
        sys.path.append(arguments.litgpt)
    torch.set_num_threads(arguments.threads)
    print(f"{arguments.threads} threads, decoding {machines.recall().decoding}, medians of {arguments.rounds} rounds")
    for size in arguments.sizes:
        for batch in arguments.batches:
            compete(size, batch, arguments.rounds, arguments.compiled)


def compete(size: str, batch: int, rounds: int, compiled: bool) -> None:
    """One size and batch: everybody in turn, `rounds` times after one to warm up."""
    shape = SIZES[size]
    model = Decoder(shape_of(shape)).requires_grad_(False).eval()
    model.initialize(torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    prompts = torch.randint(3, shape["vocabulary"], (batch, PROMPT), generator=generator)
    contestants: dict[str, Contestant] = {f"anatomia {name}": ours(model, prompts, name) for name in FORMATS}
    with tempfile.TemporaryDirectory() as directory:
        save_model(Path(directory), model)
        for name in FORMATS:
            for way in ("", " compiled") if compiled else ("",):
                contestants[f"transformers {name}{way}"] = transformers(directory, prompts, name, bool(way))
    with suppress(ImportError):
        for name in FORMATS:
            for way in ("", " compiled") if compiled else ("",):
                contestants[f"litgpt {name}{way}"] = litgpt(shape, prompts, name, bool(way))
    written = {who: run() for who, run in contestants.items()}
    pairs = zip(written["anatomia fp32"], written["transformers fp32"], strict=True)
    alike = sum(mine == theirs for mine, theirs in pairs)
    seconds: dict[str, list[float]] = {who: [] for who in contestants}
    for _ in range(rounds):
        for who, run in contestants.items():
            begun = time.perf_counter()
            run()
            seconds[who].append(time.perf_counter() - begun)
    rates = {who: batch * NEW / statistics.median(times) for who, times in seconds.items()}
    print(f"{size}, batch {batch}: {alike} of {batch} texts are token for token those of transformers in fp32")
    for who, rate in rates.items():
        print(f"  {who:28} {rate:9,.0f} tokens/s", flush=True)
    peers = max(rate for who, rate in rates.items() if not who.startswith("anatomia"))
    best = max(rates["anatomia fp32"], rates["anatomia bf16"])
    print(f"  over the best peer: fp32 {rates['anatomia fp32'] / peers:.2f} x, best {best / peers:.2f} x", flush=True)


def shape_of(shape: dict[str, int]) -> DecoderConfig:
    """A model of Llama's kind, no tied embedding, no end token."""
    size = shape["width"] // shape["heads"]
    return DecoderConfig(
        **shape, kv_heads=shape["heads"], head_size=size, context=CONTEXT, tied=False, qk_norm=False, family="llama"
    )


def ours(model: Decoder, prompts: torch.Tensor, name: str) -> Contestant:
    """`generate`, as every stage and command calls it."""
    copy = Decoder(model.config)
    copy.load_state_dict(model.state_dict())
    copy = copy.to(FORMATS[name]).requires_grad_(False).eval()
    rows, seeds = prompts.tolist(), [0] * len(prompts)
    sampling = Sampling(0.0, max_new=NEW)
    return lambda: [completion.ids for completion in generate(copy, rows, seeds, sampling)]


def transformers(directory: str, prompts: torch.Tensor, name: str, compiled: bool) -> Contestant:
    """The same weights in transformers; compiled with its static cache."""
    from transformers import AutoModelForCausalLM, CompileConfig

    model = AutoModelForCausalLM.from_pretrained(directory, dtype=FORMATS[name]).eval()
    options: dict[str, Any] = {"do_sample": False, "max_new_tokens": NEW, "pad_token_id": 0}
    if compiled:
        settings = CompileConfig(mode="default", fullgraph=False)
        settings._compile_all_devices = True
        options |= {"cache_implementation": "static", "compile_config": settings}
    mask = torch.ones_like(prompts)
    return lambda: model.generate(prompts, attention_mask=mask, **options)[:, PROMPT:].tolist()


def litgpt(shape: dict[str, int], prompts: torch.Tensor, name: str, compiled: bool) -> Contestant:
    """The same shape in litgpt, with weights of its own; its own loops for one prompt and for several."""
    from litgpt import GPT, Config
    from litgpt.generate import base

    config = Config(
        name=name, block_size=CONTEXT, vocab_size=shape["vocabulary"], padded_vocab_size=shape["vocabulary"],
        n_layer=shape["layers"], n_head=shape["heads"], n_embd=shape["width"], n_query_groups=shape["heads"],
        rotary_percentage=1.0, parallel_residual=False, bias=False, norm_class_name="RMSNorm",
        mlp_class_name="LLaMAMLP", intermediate_size=shape["hidden"],
    )  # fmt: skip
    model = GPT(config).to(FORMATS[name]).eval()
    model.max_seq_length = PROMPT + NEW
    model.set_kv_cache(batch_size=len(prompts), dtype=FORMATS[name])
    if compiled:
        model = torch.compile(model)

    def run() -> list[list[int]]:
        if len(prompts) == 1:
            found = base.generate(model, prompts[0], PROMPT + NEW, temperature=0.0, include_prompt=False)
            return [found.tolist()]
        steps = base.batched_generate_fn(
            model, prompts, PROMPT + NEW, sample_args={"temperature": 0.0}, include_prompt=False, include_eos=False
        )
        rows = list(steps)
        return [[int(step[row]) for step in rows] for row in range(len(prompts))]

    return run


if __name__ == "__main__":
    main()
