"""The decoder: token ids in, hidden states or logits out. It knows nothing of training, devices or parallelism."""

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anatomia.base.compiled import any_length, fuse
from anatomia.base.errors import UserError
from anatomia.model.activations import ACTIVATIONS
from anatomia.model.adapters_layers import Change
from anatomia.model.attention import HIDDEN, attention, causal_mask, reach_mask
from anatomia.model.attention_native import reach_attention, supports
from anatomia.model.config import DecoderConfig
from anatomia.model.positions import Turn, alibi, rotary, turn

if TYPE_CHECKING:
    from anatomia.model.adapters import Adapter

Slot = tuple[Tensor, Tensor, int]
Before = tuple[Tensor, Tensor]


@dataclass
class Cache:
    """Keys and values of the positions already seen: one pair of [B, kv_heads, room, head_size] tensors per layer.

    Attributes:
        positions: [B, room] where the keys stand, for the families whose scores depend on it (ALiBi).
        before: each layer's keys and values of an adapter's virtual tokens, which stand before all others.
    """

    keys: list[Tensor]
    values: list[Tensor]
    length: int = 0
    positions: Tensor | None = None
    before: "Sequence[Before] | None" = None

    def slot(self, layer: int) -> "Slot":
        """A layer's keys and values, and how many positions of them are taken."""
        return self.keys[layer], self.values[layer], self.length

    def keep(self, rows: Tensor) -> None:
        """Keep only the given rows of the batch."""
        self.keys = [key[rows] for key in self.keys]
        self.values = [value[rows] for value in self.values]
        self.positions = None if self.positions is None else self.positions[rows]


class Decoder(nn.Module):
    """A pre-norm transformer decoder; what its blocks are made of stands in its configuration.

    Weights lie fused (`qkv`, `gate_up`): fewer and larger matrix products. `model.names` splits and joins them to and
    from the names of Hugging Face.

    Attributes:
        fused: whether passes that are learnt from go through blocks compiled for their shapes (`base.compiled.fuse`):
            faster, after seconds of compiling, and other bits.
        adapters: what changes the decoder without changing its weights (`model.adapters`), by name. adapted: the name
            of the one in force, None for the decoder itself.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.fused = False
        learned = config.positions == "learned"
        self.embedding = nn.Parameter(torch.empty(config.vocabulary, config.width))
        self.position_embedding = nn.Parameter(torch.empty(config.context, config.width)) if learned else None
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.Parameter(torch.ones(config.width))
        self.norm_bias = nn.Parameter(torch.zeros(config.width)) if config.norm == "layer" else None
        self.head = None if config.tied else nn.Parameter(torch.empty(config.vocabulary, config.width))
        self.adapters = nn.ModuleDict()
        self.adapted: str | None = None

    @property
    def output(self) -> Tensor:
        """The matrix that turns hidden states into logits, [vocabulary, width]."""
        return self.embedding if self.head is None else self.head

    @property
    def adapter(self) -> "Adapter | None":
        """The adapter in force."""
        return None if self.adapted is None else self.adapters[self.adapted]  # type: ignore[return-value]

    @contextmanager
    def using(self, name: str | None) -> Iterator[None]:
        """Within it, the adapter `name` is in force, or, for None, the decoder itself."""
        before, self.adapted = self.adapted, name
        try:
            yield
        finally:
            self.adapted = before

    def under(self, name: str | None) -> "Decoder":
        """The same decoder, every weight shared, with the adapter `name` in force, or none: one base in many roles."""
        found = copy.copy(self)
        found.adapted = name
        return found

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
        self,
        ids: Tensor,
        positions: Tensor | None = None,
        mask: Tensor | None = None,
        cache: Cache | None = None,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """Hidden states after the last norm.

        Args:
            ids: [B, T] token ids.
            positions: [B, T] or [T] where the tokens stand; default 0…T-1 after what the cache holds.
            mask: [B, T, S] additive mask (0 or very negative) over the S = cached + T positions; without a cache the
                int32 reach [B, T] of the keys (`attention.document_reach`) will do; default causal.
            cache: grows by T positions.
            wanted: int64 [N] the places, in rows laid end to end, each once, whose states are asked for. The last block
                computes of all others what these look at, and no more.

        Returns:
            [B, T, width] in the weights' dtype, or, of those that are wanted, [N, width].
        """
        if positions is None:
            start = 0 if cache is None else cache.length
            stop = start + ids.shape[1]
            if self.config.positions == "learned" and stop > self.config.context:
                limit = self.config.context
                raise UserError(f"{stop} tokens are more than the {limit} positions this model has learned")
            positions = torch.arange(start, stop, device=ids.device)
        adapter, before = self.adapter, None
        if adapter is not None and adapter.tokens:
            before = adapter.before(self) if cache is None or cache.before is None else cache.before
            positions = positions + adapter.tokens
            if cache is not None:
                cache.before = before
        x = self.through(F.embedding(ids, self.embedding), positions, mask, cache, before, wanted)
        return normalise(x, self.norm, self._last_bias(), self.config.norm_eps)

    def through(
        self,
        x: Tensor,
        positions: Tensor,
        mask: Tensor | None,
        cache: Cache | None,
        before: Sequence[Before] | None,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """Embeddings [B, T, width] through all blocks, as in `hidden`.

        Args:
            positions: those of virtual tokens counted in.
            before: each layer's keys and values [1, kv_heads, n, head_size] of n virtual tokens.
        """
        config, adapter = self.config, self.adapter
        stop = (0 if cache is None else cache.length) + x.shape[1]
        virtual = 0 if before is None else before[0][0].shape[2]
        dtype = self.embedding.dtype
        angles = rotary(config, positions, dtype) if config.positions == "rotary" else None
        bias = None
        if config.positions == "alibi":
            bias = alibi(config, self.key_positions(positions, cache, virtual), dtype)
        if self.position_embedding is not None:
            x = x + F.embedding(positions, self.position_embedding)
        if mask is not None and mask.dim() == 2 and (virtual or bias is not None or not self.reaches()):
            mask = reach_mask(mask, dtype)
        masks = self.masks(mask, x.shape[1], stop, positions, virtual)
        fused = self.fused and cache is None and torch.is_grad_enabled() and not self.blocks[0]._forward_pre_hooks
        run = fuse(Block.forward) if fused else Block.__call__
        if fused and wanted is not None:
            any_length(wanted)
        for layer, block in enumerate(self.blocks):
            slot = None if cache is None else cache.slot(layer)
            change = None if adapter is None else adapter.change(layer)
            first = None if before is None else before[layer]
            rest = wanted if layer == config.layers - 1 else None
            x = run(block, x, angles, masks[layer], bias, config.score_scale(layer), slot, change, first, rest)
        if cache is not None:
            cache.length = stop
        return x

    def reaches(self) -> bool:
        """Whether the kernel for reaches can compute this decoder's attention."""
        config = self.config
        return not any(config.layer_windows or ()) and supports(self.embedding, config.head_size)

    def _last_bias(self) -> Tensor | None:
        adapter = self.adapter
        return self.norm_bias if adapter is None else adapter.last.bias("norm", self.norm_bias)

    def forward(
        self, ids: Tensor, positions: Tensor | None = None, mask: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor:
        """Logits [B, T, vocabulary]; arguments as in `hidden`."""
        return F.linear(self.hidden(ids, positions, mask, cache), self.output)

    def cache(self, rows: int, room: int) -> Cache:
        """An empty cache for `rows` sequences of at most `room` positions."""
        shape = (rows, self.config.kv_heads, room, self.config.head_size)
        layers = range(self.config.layers)
        new = self.embedding.new_zeros
        positions = new(rows, room, dtype=torch.int64) if self.config.positions == "alibi" else None
        return Cache([new(shape) for _ in layers], [new(shape) for _ in layers], positions=positions)

    def masks(
        self, mask: Tensor | None, length: int, seen: int, positions: Tensor, virtual: int = 0
    ) -> list[Tensor | None]:
        """Each layer's mask: the one that was given, without what the layer's own window leaves behind.

        Args:
            positions, virtual: as in `through`; a mask that was given says nothing of virtual tokens.
        """
        windows = self.config.layer_windows or (None,) * self.config.layers
        masks: dict[int | None, Tensor | None] = {None: mask}
        for window in set(windows) - {None}:
            first = virtual if mask is None else 0
            narrow = causal_mask(length, seen + first, window, self.embedding.dtype, self.embedding.device)[None]
            masks[window] = narrow if mask is None else narrow + mask
        if mask is not None and virtual:
            rows = positions if positions.dim() == 2 else positions[None]
            for window, found in masks.items():
                assert found is not None
                masks[window] = with_virtual(found, rows, virtual, window or self.config.sliding_window)
        return [masks[window] for window in windows]

    def key_positions(self, positions: Tensor, cache: Cache | None, virtual: int = 0) -> Tensor:
        """[B or 1, S] the positions of all keys, virtual, cached and new, which are remembered."""
        positions = positions if positions.dim() == 2 else positions[None]
        if cache is not None and cache.positions is not None:
            stop = cache.length + positions.shape[1]
            cache.positions[:, cache.length : stop] = positions
            positions = cache.positions[:, :stop]
        if not virtual:
            return positions
        first = torch.arange(virtual, device=positions.device).expand(len(positions), -1)
        return torch.cat([first, positions], 1)


class Block(nn.Module):
    """One layer: attention and a feed-forward on the normalised stream, one after the other or side by side."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.activation = ACTIVATIONS[config.activation]
        width, size, hidden = config.width, config.head_size, config.hidden
        joint = (config.heads + 2 * config.kv_heads) * size
        centred = config.norm == "layer"
        self.attention_norm = nn.Parameter(torch.ones(width))
        self.attention_norm_bias = nn.Parameter(torch.zeros(width)) if centred else None
        self.qkv = nn.Parameter(torch.empty(joint, width))
        self.qkv_bias = nn.Parameter(torch.zeros(joint)) if config.qkv_bias else None
        self.q_norm = nn.Parameter(torch.ones(size)) if config.qk_norm else None
        self.k_norm = nn.Parameter(torch.ones(size)) if config.qk_norm else None
        self.output = nn.Parameter(torch.empty(width, config.heads * size))
        self.output_bias = nn.Parameter(torch.zeros(width)) if config.output_bias else None
        self.feed_norm = nn.Parameter(torch.ones(width)) if config.norms == 2 else None
        self.feed_norm_bias = nn.Parameter(torch.zeros(width)) if config.norms == 2 and centred else None
        if config.gated:
            self.gate_up = nn.Parameter(torch.empty(2 * hidden, width))
            self.gate_up_bias = nn.Parameter(torch.zeros(2 * hidden)) if config.feed_bias else None
        else:
            self.up = nn.Parameter(torch.empty(hidden, width))
            self.up_bias = nn.Parameter(torch.zeros(hidden)) if config.feed_bias else None
        self.down = nn.Parameter(torch.empty(width, hidden))
        self.down_bias = nn.Parameter(torch.zeros(width)) if config.feed_bias else None

    def forward(
        self,
        x: Tensor,
        angles: Turn | None,
        mask: Tensor | None,
        bias: Tensor | None,
        scale: float,
        slot: Slot | None,
        change: Change | None = None,
        before: Before | None = None,
        wanted: Tensor | None = None,
    ) -> Tensor:
        eps = self.config.norm_eps
        normal = normalise(x, self.attention_norm, self.bias("attention_norm", change), eps)
        attended = self.attend(normal, angles, mask, bias, scale, slot, change, before, wanted)
        if wanted is not None:
            x, normal = places(x, wanted), places(normal, wanted)
        if not self.config.parallel:
            x = x + attended
        if self.feed_norm is not None:
            normal = normalise(x, self.feed_norm, self.bias("feed_norm", change), eps)
        fed = self.feed(normal, change)
        return x + (fed + attended) if self.config.parallel else x + fed

    def bias(self, name: str, change: Change | None) -> Tensor | None:
        """The bias of a norm or matrix."""
        own: Tensor | None = getattr(self, f"{name}_bias")
        return own if change is None else change.bias(name, own)

    def linear(self, name: str, x: Tensor, change: Change | None) -> Tensor:
        """What a matrix and its bias make of `x`."""
        weight, bias = getattr(self, name), getattr(self, f"{name}_bias")
        return F.linear(x, weight, bias) if change is None else change.linear(name, x, weight, bias)

    def feed(self, x: Tensor, change: Change | None = None) -> Tensor:
        """The feed-forward over `x` [B, T, width]."""
        if self.config.gated:
            gate, up = self.linear("gate_up", x, change).chunk(2, -1)
            inner = self.activation(gate) * up
        else:
            inner = self.activation(self.linear("up", x, change))
        y = self.linear("down", inner, change)
        return y if change is None else change.fed(y)

    def attend(
        self,
        x: Tensor,
        angles: Turn | None,
        mask: Tensor | None,
        bias: Tensor | None,
        scale: float,
        slot: Slot | None,
        change: Change | None = None,
        before: Before | None = None,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """Grouped-query attention over `x` [B, T, width], what the cache's slot holds and what stands before it."""
        config = self.config
        rows, length, _ = x.shape
        size, heads, kv = config.head_size, config.heads, config.kv_heads
        reach = mask is not None and mask.dim() == 2
        joint = self.linear("qkv", x, change)
        parts = joint.view(rows, length, heads + 2 * kv, size).split((heads, kv, kv), 2)
        if self.q_norm is not None and self.k_norm is not None:
            q = F.rms_norm(parts[0], (size,), self.q_norm, config.norm_eps)
            k = F.rms_norm(parts[1], (size,), self.k_norm, config.norm_eps)
            parts = q, k, parts[2]
            joint = torch.cat(parts, 2).flatten(2) if reach else joint
        if reach:
            assert mask is not None
            y = reach_attention(joint, angles, mask, heads, kv, scale)
            return self.attended(y, change, wanted)
        q, k, v = (part.transpose(1, 2) for part in parts)
        if angles is not None:
            q, k = turn(q, *angles), turn(k, *angles)
        if slot is not None:
            keys, values, start = slot
            stop = start + length
            keys[:, :, start:stop] = k
            values[:, :, start:stop] = v
            k, v = keys[:, :, :stop], values[:, :, :stop]
        if before is not None:
            k, v = (torch.cat([first.expand(rows, -1, -1, -1), x], 2) for first, x in zip(before, (k, v), strict=True))
        y = attention(q, k, v, mask, config.sliding_window, scale, bias)
        return self.attended(y.transpose(1, 2).reshape(rows, length, heads * size), change, wanted)

    def attended(self, y: Tensor, change: Change | None, wanted: Tensor | None) -> Tensor:
        """What attention adds to the stream, from what its heads say [B, T, heads · size]."""
        y = self.linear("output", y if wanted is None else places(y, wanted), change)
        return y if change is None else change.attended(y)


@torch.library.custom_op("anatomia::places", mutates_args=())
def _places(x: Tensor, wanted: Tensor) -> Tensor:
    return x.index_select(0, wanted)


@torch.library.custom_op("anatomia::places_back", mutates_args=())
def _places_back(gradient: Tensor, wanted: Tensor, rows: int) -> Tensor:
    return gradient.new_zeros(rows, gradient.shape[1]).index_copy_(0, wanted, gradient)


@_places.register_fake
def _(x: Tensor, wanted: Tensor) -> Tensor:
    return x.new_empty(wanted.shape[0], x.shape[1])


@_places_back.register_fake
def _(gradient: Tensor, wanted: Tensor, rows: int) -> Tensor:
    return gradient.new_empty(rows, gradient.shape[1])


def _keep_places(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(inputs[1])
    ctx.rows = inputs[0].shape[0]


def _spread(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
    return _places_back(gradient, ctx.saved_tensors[0], ctx.rows), None


_places.register_autograd(_spread, setup_context=_keep_places)


def places(x: Tensor, wanted: Tensor) -> Tensor:
    """[N, width] of x [B, T, width], whose rows lie end to end, each at most once: gradients are put, not added."""
    found: Tensor = _places(x.flatten(0, 1), wanted)
    return found


def with_virtual(mask: Tensor, positions: Tensor, virtual: int, window: int | None) -> Tensor:
    """A mask [B, T, S] grown to [B, T, virtual + S]: everything sees the tokens that stand before it, up to a window.

    Args:
        positions: [B or 1, T] of the queries, virtual tokens counted in.
    """
    hidden = torch.zeros(*mask.shape[:2], virtual, dtype=mask.dtype, device=mask.device)
    if window is not None:
        far = positions[..., None] - torch.arange(virtual, device=mask.device) >= window
        hidden = hidden.masked_fill(far, HIDDEN)
    return torch.cat([hidden, mask], 2)


def normalise(x: Tensor, gain: Tensor, bias: Tensor | None, eps: float) -> Tensor:
    """LayerNorm where there is a bias (Ba et al. 2016), RMSNorm where there is none (Zhang & Sennrich 2019)."""
    if bias is None:
        return F.rms_norm(x, gain.shape, gain, eps)
    return F.layer_norm(x, gain.shape, gain, bias, eps)
