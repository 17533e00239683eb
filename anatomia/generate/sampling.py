"""From logits to a token: truncation, temperature, and random numbers that belong to the sequence, not to the batch."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anatomia.base.errors import UserError


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    Attributes:
        temperature: divides the logits; 0 always takes the most probable token (greedy).
        top_k: keep only the k most probable tokens; 0 keeps all.
        top_p: keep the most probable tokens that together reach this mass (Holtzman et al. 2020, section 3.1).
        max_new: stop after so many tokens where no end token came.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    max_new: int = 64

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise UserError(f"temperature = {self.temperature} is negative; use 0 for greedy or a positive number")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top_p = {self.top_p} is not in (0, 1]")
        if self.top_k < 0 or self.max_new < 1:
            raise UserError(f"top_k = {self.top_k}, max_new = {self.max_new}: want top_k ≥ 0 and max_new ≥ 1")


def choose(logits: Tensor, sampling: Sampling, uniforms: np.ndarray) -> tuple[Tensor, Tensor]:
    """Draw one token per row.

    Args:
        logits: [N, V] fp32.
        uniforms: [N] numbers in [0, 1), one per row.

    Returns:
        ids [N], and their log-probabilities [N] under the model's plain distribution (temperature 1, no truncation).
    """
    plain = torch.log_softmax(logits, -1)
    if sampling.temperature == 0:
        ids = logits.argmax(-1)
    else:
        cumulative = probabilities(logits, sampling).double().cumsum(-1)
        thresholds = torch.from_numpy(uniforms).to(logits.device) * cumulative[:, -1]
        ids = (
            torch.searchsorted(cumulative, thresholds[:, None], right=True).squeeze(1).clamp_(max=logits.shape[-1] - 1)
        )
    return ids, plain.gather(1, ids[:, None]).squeeze(1)


def probabilities(logits: Tensor, sampling: Sampling) -> Tensor:
    """[N, V] the distribution that is drawn from: temperature first, then top-k, then top-p, renormalised."""
    chances = torch.softmax(logits / sampling.temperature, -1)
    if sampling.top_k and sampling.top_k < chances.shape[-1]:
        smallest = chances.topk(sampling.top_k, -1).values[:, -1:]
        chances = chances.masked_fill(chances < smallest, 0.0)
    if sampling.top_p < 1:
        ordered, order = chances.sort(-1, descending=True)
        ordered = ordered / ordered.sum(-1, keepdim=True)
        before = ordered.cumsum(-1) - ordered
        chances = chances.scatter(1, order, ordered.masked_fill(before >= sampling.top_p, 0.0))
    return chances / chances.sum(-1, keepdim=True)


def uniform(seeds: np.ndarray, position: int) -> np.ndarray:
    """One number in [0, 1) per seed for a position.

    A pure function, so a sequence draws the same numbers whatever batch it is in: SplitMix64 (Steele, Lea & Flood 2014,
    figure 16) over (seed, position).

    Args:
        seeds: [N] uint64.
    """
    with np.errstate(over="ignore"):
        z = seeds.astype(np.uint64) * np.uint64(0xD1342543DE82EF95) + np.uint64(position + 1) * np.uint64(
            0x9E3779B97F4A7C15
        )
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)) * 2:
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def stream_seed(*parts: int | str) -> int:
    """A 63-bit seed for one named stream, from the run's seed and whatever names the stream: (seed, "sample", 7)."""
    from hashlib import blake2b

    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") >> 1
