"""The decoder: token ids in, hidden states or logits out. It knows nothing of training, devices or parallelism."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anatomia.model.attention import attention
from anatomia.model.config import DecoderConfig


@dataclass
class Cache:
    """Keys and values of the positions already seen: one pair of [B, kv_heads, room, head_size] tensors per layer."""

    keys: list[Tensor]
    values: list[Tensor]
    length: int = 0

    def keep(self, rows: Tensor) -> None:
        """Keep only the given rows of the batch."""
        self.keys = [key[rows] for key in self.keys]
        self.values = [value[rows] for value in self.values]


class Decoder(nn.Module):
    """A pre-norm transformer decoder: RMSNorm, rotary positions, grouped-query attention, SwiGLU.

    Weights lie fused (`qkv`, `gate_up`): fewer and larger matrix products. `model.checkpoint` splits and joins them to
    and from the names of Hugging Face.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.empty(config.vocabulary, config.width))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.Parameter(torch.ones(config.width))
        self.head = None if config.tied else nn.Parameter(torch.empty(config.vocabulary, config.width))

    @property
    def output(self) -> Tensor:
        """The matrix that turns hidden states into logits, [vocabulary, width]."""
        return self.embedding if self.head is None else self.head

    def initialize(self, generator: torch.Generator) -> None:
        """Draw fresh weights: normal with deviation 0.02, and 0.02 / √(2·layers) where a block writes to the residual
        stream (Radford et al. 2019, section 2.3)."""
        residual = 0.02 / math.sqrt(2 * self.config.layers)
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if weight.dim() < 2:
                    weight.fill_(0.0 if name.endswith("bias") else 1.0)
                else:
                    deviation = residual if name.endswith(("output", "down")) else 0.02
                    weight.normal_(0.0, deviation, generator=generator)

    def hidden(
        self, ids: Tensor, positions: Tensor | None = None, mask: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor:
        """Hidden states after the last norm.

        Args:
            ids: [B, T] token ids.
            positions: [B, T] or [T] positions for the rotary embedding; default 0…T-1 after what the cache holds.
            mask: [B, T, S] additive mask (0 or very negative) over the S = cached + T positions; default causal.
            cache: grows by T positions.

        Returns:
            [B, T, width] in the weights' dtype.
        """
        start = 0 if cache is None else cache.length
        if positions is None:
            positions = torch.arange(start, start + ids.shape[1], device=ids.device)
        cosine, sine = self.rotary(positions)
        x = F.embedding(ids, self.embedding)
        for layer, block in enumerate(self.blocks):
            x = block(x, cosine, sine, mask, cache, layer)
        if cache is not None:
            cache.length += ids.shape[1]
        return F.rms_norm(x, (self.config.width,), self.norm, self.config.norm_eps)

    def forward(
        self, ids: Tensor, positions: Tensor | None = None, mask: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor:
        """Logits [B, T, vocabulary]; arguments as in `hidden`."""
        return F.linear(self.hidden(ids, positions, mask, cache), self.output)

    def cache(self, rows: int, room: int) -> Cache:
        """An empty cache for `rows` sequences of at most `room` positions."""
        shape = (rows, self.config.kv_heads, room, self.config.head_size)
        layers = range(self.config.layers)
        return Cache(
            [self.embedding.new_zeros(shape) for _ in layers], [self.embedding.new_zeros(shape) for _ in layers]
        )

    def rotary(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and signed sines, each [B or 1, 1, T, head_size] (Su et al. 2021, RoFormer, section 3.2.2)."""
        size = self.config.head_size
        exponents = torch.arange(0, size, 2, device=positions.device, dtype=torch.float32) / size
        angles = positions.float()[..., None] * (1.0 / self.config.rope_theta**exponents)
        if angles.dim() == 2:
            angles = angles[None]
        cosine, sine = angles.cos()[:, None], angles.sin()[:, None]
        dtype = self.embedding.dtype
        return torch.cat([cosine, cosine], -1).to(dtype), torch.cat([-sine, sine], -1).to(dtype)


class Block(nn.Module):
    """One layer: attention and a gated feed-forward, each on the normalised stream and added back to it."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        width, size = config.width, config.head_size
        joint = (config.heads + 2 * config.kv_heads) * size
        self.attention_norm = nn.Parameter(torch.ones(width))
        self.qkv = nn.Parameter(torch.empty(joint, width))
        self.qkv_bias = nn.Parameter(torch.zeros(joint)) if config.qkv_bias else None
        self.q_norm = nn.Parameter(torch.ones(size)) if config.qk_norm else None
        self.k_norm = nn.Parameter(torch.ones(size)) if config.qk_norm else None
        self.output = nn.Parameter(torch.empty(width, config.heads * size))
        self.output_bias = nn.Parameter(torch.zeros(width)) if config.output_bias else None
        self.feed_norm = nn.Parameter(torch.ones(width))
        self.gate_up = nn.Parameter(torch.empty(2 * config.hidden, width))
        self.down = nn.Parameter(torch.empty(width, config.hidden))

    def forward(
        self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor | None, cache: Cache | None, layer: int
    ) -> Tensor:
        config = self.config
        width, eps = (config.width,), config.norm_eps
        x = x + self.attend(F.rms_norm(x, width, self.attention_norm, eps), cosine, sine, mask, cache, layer)
        gate, up = F.linear(F.rms_norm(x, width, self.feed_norm, eps), self.gate_up).chunk(2, -1)
        return x + F.linear(F.silu(gate) * up, self.down)

    def attend(
        self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor | None, cache: Cache | None, layer: int
    ) -> Tensor:
        """Grouped-query attention over `x` [B, T, width] and what the cache holds."""
        config = self.config
        rows, length, _ = x.shape
        size, heads, kv = config.head_size, config.heads, config.kv_heads
        joint = F.linear(x, self.qkv, self.qkv_bias).view(rows, length, heads + 2 * kv, size).transpose(1, 2)
        q, k, v = joint[:, :heads], joint[:, heads : heads + kv], joint[:, heads + kv :]
        if self.q_norm is not None and self.k_norm is not None:
            q = F.rms_norm(q, (size,), self.q_norm, config.norm_eps)
            k = F.rms_norm(k, (size,), self.k_norm, config.norm_eps)
        q, k = turn(q, cosine, sine), turn(k, cosine, sine)
        if cache is not None:
            start, stop = cache.length, cache.length + length
            cache.keys[layer][:, :, start:stop] = k
            cache.values[layer][:, :, start:stop] = v
            k, v = cache.keys[layer][:, :, :stop], cache.values[layer][:, :, :stop]
        y = attention(q, k, v, mask, config.sliding_window)
        return F.linear(y.transpose(1, 2).reshape(rows, length, heads * size), self.output, self.output_bias)


def turn(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotate the pairs (i, i + size/2) of the last dimension by their position's angle."""
    return x * cosine + torch.roll(x, x.shape[-1] // 2, -1) * sine
