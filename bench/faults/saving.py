"""What saving checkpoints takes from training, by the saver's own account.

    python -m bench.faults.saving --seconds 120
    python -m bench.faults.saving --seconds 600 --layers 12 --width 768

A decoder trains on random tokens through the training loop. What a checkpoint costs is the time that training stands
still for the copy, and the processor time of the thread that hashes and writes it: all of that is taken from training
when no core is idle, and less when one is.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anatomia.base.events import Event, Ledger
from anatomia.base.machine import recall
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.objectives.next_token import NextToken
from anatomia.tokens.batches import Packed
from anatomia.tokens.shards import Shard
from anatomia.train import loop, saver


class Enough(Exception):
    """The time is over."""


class Watched(saver.Saver):
    """Remembers what each checkpoint cost."""

    made: list[tuple[float, float]] = []  # seconds stood still, seconds in all

    def save(self, *arguments: Any) -> None:
        begun = time.perf_counter()
        super().save(*arguments)
        self.still = time.perf_counter() - begun

    def settle(self) -> None:
        before = self.spent
        super().settle()
        if self.spent > before:
            self.made.append((self.still, self.spent - before))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    hidden, heads = -(-options.width * 8 // 3 // 64) * 64, options.width // 64
    model = Decoder(DecoderConfig(4096, options.width, options.layers, heads, heads, 64, hidden, 256, end=(2,)))
    model.initialize(torch.Generator().manual_seed(0))
    tokens = np.random.default_rng(0).integers(3, 4096, 1_000_000)
    data = Packed(Shard(tokens, np.arange(0, len(tokens) + 1, 250)), 256, options.rows, 0, 0)
    settings = loop.LoopSettings(10**6, 1e-3, 10, 0.5, dtype=getattr(torch, recall().dtype))
    begun, steps = time.perf_counter(), 0

    def listen(event: Event) -> None:
        nonlocal steps
        steps += event["kind"] == "step"
        if time.perf_counter() - begun > options.seconds:
            raise Enough

    loop.Saver = Watched  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as place:
        try:
            loop.train(
                model, NextToken(data, options.rows, lambda *_: {}), settings, Ledger(None, [listen]), Path(place)
            )
        except Enough:
            sizes = [path.stat().st_size for path in Path(place).glob("*.checkpoint")]
    took = time.perf_counter() - begun
    still, spent = (sum(column) for column in zip(*Watched.made, strict=True)) if Watched.made else (0.0, 0.0)
    print(f"{model.config.parameters() / 1e6:.1f} M parameters, {steps} steps in {took:.0f} s, {settings.dtype}")
    print(f"{len(Watched.made)} checkpoints of {max(sizes, default=0) / 1e6:.0f} MB")
    print(f"training stood still for {still:.2f} s, {still / took:.2%} of its time")
    print(f"with the writing thread's time {spent:.2f} s, {spent / took:.2%}")


if __name__ == "__main__":
    main()
