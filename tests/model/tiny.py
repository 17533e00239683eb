"""Tiny models with weights far from their beginnings, so that a wrong gain, bias or position shows in the logits."""

from dataclasses import replace

import torch

from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.model.scalar import ScalarModel

PLAIN = DecoderConfig(
    vocabulary=40, width=16, layers=2, heads=4, kv_heads=2, head_size=6, hidden=24, context=64, begin=1, end=(2,),
    padding=0,
)  # fmt: skip


def decoder(seed: int = 0, scale: float = 0.25, **changes: object) -> Decoder:
    """A decoder with random weights, gains and biases."""
    model = Decoder(replace(PLAIN, **changes))  # type: ignore[arg-type]
    scramble(model, seed, scale)
    return model.eval()


def scalar(seed: int = 0, scale: float = 0.25, **changes: object) -> ScalarModel:
    """A decoder with a scalar output and random weights."""
    model = ScalarModel(decoder(seed, scale, **changes))
    scramble(model, seed, scale)
    return model.eval()


def scramble(model: torch.nn.Module, seed: int, scale: float = 0.25) -> None:
    """Random values for all parameters: gains about 1, the rest about 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            around = 1.0 if "norm" in name else 0.0
            weight.copy_(around + scale * torch.randn(weight.shape, generator=generator))


def tokens(*shape: int, seed: int = 0, low: int = 3, high: int = 40) -> torch.Tensor:
    """Random ids without special tokens."""
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed))
