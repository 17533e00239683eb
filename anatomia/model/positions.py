"""Where a token stands: rotary angles with their scalings, and ALiBi's biases."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from anatomia.base.errors import UserError
from anatomia.model.config import DecoderConfig
from anatomia.model.values import positive, shown

# What each kind of rotary embedding must be told; "default" is plain.
SCALINGS: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "dynamic": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
    "yarn": ("factor", "original_max_position_embeddings"),
}

OPTIONAL = ("attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim")

Turn = tuple[Tensor, Tensor]


def rotary(config: DecoderConfig, positions: Tensor, dtype: torch.dtype) -> Turn:
    """Cosines and signed sines, each [B or 1, 1, T, head_size] (Su et al. 2021, RoFormer, section 3.2.2).

    Args:
        positions: [B, T] or [T].
    """
    size = config.head_size
    exponents = torch.arange(0, size, 2, device=positions.device, dtype=torch.float32) / size
    periods, gain = config.rope_theta**exponents, 1.0
    frequencies = 1.0 / periods
    if config.rope_scaling:
        frequencies, gain = scale(periods, config, dict(config.rope_scaling))
    angles = positions.float()[..., None] * frequencies
    if angles.dim() == 2:
        angles = angles[None]
    cosine, sine = angles.cos()[:, None], angles.sin()[:, None]
    if gain != 1.0:
        cosine, sine = cosine * gain, sine * gain
    return torch.cat([cosine, cosine], -1).to(dtype), torch.cat([-sine, sine], -1).to(dtype)


def turn(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotate the pairs (i, i + size/2) of the last dimension by their position's angle."""
    return x * cosine + torch.cat(x.chunk(2, -1)[::-1], -1) * sine


def scale(periods: Tensor, config: DecoderConfig, scaling: Mapping[str, Any]) -> tuple[Tensor, float]:
    """The frequencies of a model stretched to a longer context, and what its rotations are multiplied with.

    "linear" slows all of them down (Chen et al. 2023, position interpolation); "llama3" only those that turn less than
    `high_freq_factor` times within the original context, the slowest of them wholly; "yarn" does the like in the
    number of the pair and sharpens the scores (Peng et al. 2023, YaRN, section 3). "dynamic" changes nothing up to the
    model's context, past which this decoder does not go.

    Args:
        periods: [head_size/2] the plain ones, whose inverses are the frequencies.
    """
    factor, kind = scaling["factor"], scaling["rope_type"]
    frequencies = 1.0 / periods
    if kind == "linear":
        return frequencies / factor, 1.0
    if kind == "llama3":
        turns = scaling["original_max_position_embeddings"] / (2 * math.pi / frequencies)
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        kept = ((turns - low) / (high - low)).clamp(0, 1)
        return (1 - kept) * frequencies / factor + kept * frequencies, 1.0
    if kind == "yarn":
        first, last = (
            pair_of(config, scaling, scaling.get(name) or turns)
            for name, turns in (("beta_fast", 32), ("beta_slow", 1))
        )
        if scaling.get("truncate", True):
            first, last = math.floor(first), math.ceil(last)
        first, last = max(first, 0), min(last, config.head_size - 1)
        pairs = torch.arange(len(frequencies), device=frequencies.device, dtype=torch.float32)
        slowed = ((pairs - first) / ((last - first) or 0.001)).clamp(0, 1)
        return 1.0 / (factor * periods) * slowed + frequencies * (1 - slowed), yarn_gain(scaling)
    return frequencies, 1.0


def pair_of(config: DecoderConfig, scaling: Mapping[str, Any], turns: float) -> float:
    """The (fractional) number of the pair that turns so many times within the original context (YaRN, section 3.2)."""
    length = scaling["original_max_position_embeddings"] / (turns * 2 * math.pi)
    return config.head_size * math.log(length) / (2 * math.log(config.rope_theta))


def yarn_gain(scaling: Mapping[str, Any]) -> float:
    """What YaRN multiplies the rotations with: the square root of its inverse temperature (section 3.4)."""
    given = scaling.get("attention_factor")
    if given is not None:
        return float(given)

    def of(weight: float) -> float:
        return 0.1 * weight * math.log(scaling["factor"]) + 1.0 if scaling["factor"] > 1 else 1.0

    one, other = scaling.get("mscale"), scaling.get("mscale_all_dim")
    return of(one) / of(other) if one and other else of(1.0)


def read_scaling(record: Mapping[str, Any], context: int, where: str) -> tuple[float, tuple[tuple[str, Any], ...]]:
    """rope_theta and the scaling that a config.json asks for, under transformers' old or new keys.

    Raises:
        UserError: the kind is not known, or a number of it is missing.
    """
    rope = record.get("rope_scaling") or record.get("rope_parameters") or {}
    if not isinstance(rope, Mapping):
        raise UserError(f"{where}: rope_scaling = {shown(rope)} is no JSON object; the file is not complete")
    theta = float(positive(rope.get("rope_theta", record.get("rope_theta", 10000.0)), "rope_theta", where))
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in list(SCALINGS):
        raise UserError(f"{where}: rope_type = {shown(kind)} is not supported; known are {', '.join(SCALINGS)}")
    if rope.get("partial_rotary_factor", record.get("partial_rotary_factor")) not in (None, 1, 1.0):
        raise UserError(f"{where}: partial_rotary_factor is not supported; only rotary embeddings of whole heads are")
    if kind == "default":
        return theta, ()
    values = {key: value for key, value in rope.items() if key not in ("rope_theta", "type")} | {"rope_type": kind}
    if "original_max_position_embeddings" in SCALINGS[kind]:
        outside = record.get("original_max_position_embeddings")
        if outside is not None:
            values["original_max_position_embeddings"] = outside
        values.setdefault("original_max_position_embeddings", context)
    if kind == "yarn" and values.get("factor") is None:
        original = positive(values["original_max_position_embeddings"], "original_max_position_embeddings", where)
        values["factor"] = context / original
    optional = [key for key in OPTIONAL if values.get(key) is not None]
    for key in (*SCALINGS[kind], *optional):
        positive(values.get(key), f"{kind}'s {key}", where)
    return theta, tuple(sorted(values.items()))


def write_scaling(config: DecoderConfig) -> dict[str, Any]:
    """What `read_scaling` read, under the keys of transformers 5 and, for a scaling, of those before it too."""
    values = dict(config.rope_scaling) or {"rope_type": "default"}
    record: dict[str, Any] = {
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": values["rope_type"], "rope_theta": config.rope_theta} | values,
    }
    return record | ({"rope_scaling": values} if config.rope_scaling else {})


def alibi(config: DecoderConfig, positions: Tensor, dtype: torch.dtype) -> Tensor:
    """[B or 1, heads, S] what is added to the scores of keys at `positions` [B or 1, S]: a slope per head times the
    position (Press et al. 2022, ALiBi, section 3; a softmax does not see that it is not the distance).

    Slopes, positions and their product are rounded to bfloat16 as Falcon was trained with them, then divided by
    √head_size as its scores are.
    """
    whole = 2 ** math.floor(math.log2(config.heads))
    slopes = [2.0 ** (-8 * number / whole) for number in range(1, whole + 1)]
    slopes += [2.0 ** (-4 * number / whole) for number in range(1, 2 * (config.heads - whole) + 1, 2)]
    steep = torch.tensor(slopes, device=positions.device).bfloat16()
    bias = steep[None, :, None] * positions[:, None, :].to(torch.bfloat16)
    return bias.to(dtype) / math.sqrt(config.head_size)
