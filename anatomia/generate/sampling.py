"""From logits to a token: penalty, temperature, truncation, and random numbers that belong to the sequence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anatomia.base.errors import UserError
from anatomia.generate import logits as kernel


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn. What is listed here is applied in this order, as transformers does.

    Attributes:
        repetition_penalty: logits of tokens that occurred, prompt included, are divided by it where positive and
            multiplied where negative (Keskar et al. 2019, CTRL, section 4.1); 1 changes nothing.
        temperature: divides the logits; 0 always takes the most probable token (greedy).
        top_k: keep only the k most probable tokens; 0 keeps all.
        top_p: keep the most probable tokens that together reach this mass (Holtzman et al. 2020, section 3.1).
        min_p: keep tokens at least so probable, as a share of the most probable one (Nguyen et al. 2024).
        stop: a text ends where one of these strings begins (they need a vocabulary to be seen in).
        max_new: stop after so many tokens where nothing else ended the text.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    max_new: int = 64
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.temperature >= 0:
            raise UserError(f"temperature = {self.temperature} is negative; use 0 for greedy or a positive number")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top_p = {self.top_p} is not in (0, 1]")
        if not 0 <= self.min_p <= 1:
            raise UserError(f"min_p = {self.min_p} is not in [0, 1]; 0 keeps all tokens")
        if not 0 < self.repetition_penalty < float("inf"):
            raise UserError(f"repetition_penalty = {self.repetition_penalty} is not positive; 1 changes nothing")
        if self.top_k < 0:
            raise UserError(f"top_k = {self.top_k} is negative; 0 keeps all tokens")
        if self.max_new < 1:
            raise UserError(f"max_new = {self.max_new} is too few; an answer has at least 1 token")
        if "" in self.stop:
            raise UserError("stop holds an empty string, which would end every text at once; leave it out")

    @property
    def plain(self) -> bool:
        """Whether tokens are drawn from the model's own distribution."""
        cuts = self.top_k or self.top_p < 1 or self.min_p > 0
        return self.temperature == 1 and self.repetition_penalty == 1 and not cuts


def choose(
    logits: Tensor, sampling: Sampling, uniforms: np.ndarray | None, seen: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw one token per row.

    Args:
        logits: [N, V] fp32.
        uniforms: [N] numbers in [0, 1), one per row; needed unless greedy.
        seen: bool [N, V] the tokens that occurred; needed where there is a repetition penalty.

    Returns:
        ids [N]; their log-probabilities [N] under the model's plain distribution; and those under the distribution
        that they were drawn from (0 where greedy: nothing else could come).
    """
    if sampling.plain and kernel.supports(logits):
        assert uniforms is not None, "drawing needs random numbers"
        ids, own = kernel.draw(logits, uniforms)
        return ids, own, own
    plain = torch.log_softmax(logits, -1)
    if sampling.repetition_penalty != 1:
        assert seen is not None, "a repetition penalty needs to know what occurred"
        logits = penalize(logits, seen, sampling.repetition_penalty)
    if sampling.temperature == 0:
        ids = logits.argmax(-1)
        drawn = torch.zeros_like(plain[:, 0])
        return ids, plain.gather(1, ids[:, None]).squeeze(1), drawn
    assert uniforms is not None, "drawing needs random numbers"
    chances = probabilities(logits, sampling)
    cumulative = chances.double().cumsum(-1)
    thresholds = torch.from_numpy(uniforms).to(logits.device) * cumulative[:, -1]
    ids = torch.searchsorted(cumulative, thresholds[:, None], right=True).clamp_(max=logits.shape[-1] - 1)
    own = plain.gather(1, ids).squeeze(1)
    return ids.squeeze(1), own, own if sampling.plain else chances.gather(1, ids).squeeze(1).log()


def penalize(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """The logits [N, V] with those of the tokens `seen` (bool [N, V]) made smaller: l / penalty, or l · penalty where
    l is negative."""
    return torch.where(seen, torch.where(logits < 0, logits * penalty, logits / penalty), logits)


def occurred(prompts: Sequence[Sequence[int]], vocabulary: int, device: torch.device) -> Tensor:
    """Bool [N, V]: which tokens each prompt holds."""
    seen = torch.zeros(len(prompts), vocabulary, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        seen[row, torch.tensor(prompt)] = True
    return seen.to(device)


def probabilities(logits: Tensor, sampling: Sampling) -> Tensor:
    """[N, V] the distribution that is drawn from, given the (penalised) logits: temperature, then the cuts,
    renormalised."""
    chances = torch.softmax(logits / sampling.temperature, -1)
    if sampling.top_k and sampling.top_k < chances.shape[-1]:
        smallest = chances.topk(sampling.top_k, -1).values[:, -1:]
        chances = chances.masked_fill(chances < smallest, 0.0)
    if sampling.top_p < 1:
        ordered, order = chances.sort(-1, descending=True)
        ordered = ordered / ordered.sum(-1, keepdim=True)
        before = ordered.cumsum(-1) - ordered
        chances = chances.scatter(1, order, ordered.masked_fill(before >= sampling.top_p, 0.0))
    if sampling.min_p > 0:
        chances = chances.masked_fill(chances < sampling.min_p * chances.amax(-1, keepdim=True), 0.0)
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
