"""What a decoder looks like: its shape, and the few choices in which the families differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from anatomia.base.errors import UserError


@dataclass(frozen=True)
class DecoderConfig:
    """Shape and options of a decoder. A family (`model.families`) is a choice of these; the defaults are Qwen3's.

    Attributes:
        context: the largest number of positions the model is meant for.
        hidden: width of the feed-forward. gated: whether it multiplies two projections (SwiGLU) or has one.
        norm: RMSNorm, or LayerNorm with a bias.
        positions: turned into queries and keys, added to the embedding, or a bias on the scores, less far away.
        rope_scaling: `rope_type` and its numbers as config.json has them, sorted pairs; empty for plain rotary.
        parallel: attention and feed-forward read the same stream and are added to it together. norms: how many norms a
            block has; 1 (parallel only) lets both read the same normalised stream.
        scaled: divide the scores by √head_size. scaled_by_layer: and by the layer's number, from 1.
        sliding_window: every layer attends to at most this many positions back (the own one included); None to all.
        layer_windows: one window per layer, None for all positions, where layers differ; else empty.
        begin, end, padding: token ids; `end` may be several (chat models often stop at more than one).
        dtype: the number format of the files this model was read from.
        carried: what its config.json says beyond that, kept to be written again (dropout, initialisation, …).
    """

    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    hidden: int
    context: int
    rope_theta: float = 10000.0
    norm_eps: float = 1e-6
    tied: bool = True
    qk_norm: bool = True
    qkv_bias: bool = False
    output_bias: bool = False
    sliding_window: int | None = None
    begin: int | None = None
    end: tuple[int, ...] = ()
    padding: int | None = None
    family: str = "qwen3"
    norm: Literal["rms", "layer"] = "rms"
    positions: Literal["rotary", "learned", "alibi"] = "rotary"
    rope_scaling: tuple[tuple[str, Any], ...] = ()
    activation: str = "silu"
    gated: bool = True
    feed_bias: bool = False
    parallel: bool = False
    norms: int = 2
    scaled: bool = True
    scaled_by_layer: bool = False
    layer_windows: tuple[int | None, ...] = ()
    dtype: str = "float32"
    carried: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads:
            raise UserError(f"model.heads = {self.heads} is not a multiple of model.kv_heads = {self.kv_heads}")
        if self.head_size % 2 and self.positions == "rotary":
            raise UserError(f"model.head_size = {self.head_size} must be even (rotary embeddings turn pairs)")

    def score_scale(self, layer: int) -> float:
        """What the scores of a layer, counted from 0, are multiplied with."""
        scale = self.head_size**-0.5 if self.scaled else 1.0
        return scale / (layer + 1) if self.scaled_by_layer else scale

    def parameters(self) -> int:
        """The number of parameters, a tied embedding counted once."""
        joint = self.head_size * (self.heads + 2 * self.kv_heads)
        attention = self.width * (joint + self.head_size * self.heads)
        attention += joint * self.qkv_bias + self.width * self.output_bias + 2 * self.head_size * self.qk_norm
        inner = self.hidden * (2 if self.gated else 1)
        feed = self.width * (inner + self.hidden) + (inner + self.width) * self.feed_bias
        norm = self.width * (2 if self.norm == "layer" else 1)
        return (
            self.vocabulary * self.width * (1 if self.tied else 2)
            + (self.context * self.width if self.positions == "learned" else 0)
            + self.layers * (attention + feed + self.norms * norm)
            + norm
        )

    def flops_per_token(self, context: int | None = None, frozen: bool = False) -> int:
        """Multiplications and additions of a training step per token of a row of `context` tokens (None: the model's).

        6 per weight that is multiplied with, forward and backward together (4 if it is frozen), and 12 per layer,
        number of a head and position looked at (Chowdhery et al. 2022, PaLM, appendix B); those are half the row for
        causality, and fewer behind a window. What a program computes beyond that (padding, hidden scores) does not
        count.
        """
        weights = self.parameters() - (0 if self.tied else self.vocabulary * self.width)
        if self.positions == "learned":
            weights -= self.context * self.width  # looked up, not multiplied
        length = self.context if context is None else context
        windows = [
            min(window or length, length) for window in self.layer_windows or [self.sliding_window] * self.layers
        ]
        seen = sum(window - window * window / (2 * length) for window in windows)
        return (4 if frozen else 6) * weights + round(12 * self.heads * self.head_size * seen)
