"""What a decoder looks like, and how Hugging Face's `config.json` says the same."""

from dataclasses import dataclass
from typing import Any

from anatomia.base.errors import UserError


@dataclass(frozen=True)
class DecoderConfig:
    """Shape and options of a decoder of the Llama kind (Llama, Mistral, Qwen2, Qwen3 are choices of these fields).

    Attributes:
        context: the largest number of positions the model is meant for.
        sliding_window: attend to at most this many positions back (the own one included); None attends to all.
        begin, end, padding: token ids; `end` may be several (chat models often stop at more than one).
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

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads:
            raise UserError(f"model.heads = {self.heads} is not a multiple of model.kv_heads = {self.kv_heads}")
        if self.head_size % 2:
            raise UserError(f"model.head_size = {self.head_size} must be even (rotary embeddings turn pairs)")

    def parameters(self) -> int:
        """The number of parameters, a tied embedding counted once."""
        attention = self.width * self.head_size * (2 * self.heads + 2 * self.kv_heads)
        if self.qkv_bias:
            attention += self.head_size * (self.heads + 2 * self.kv_heads)
        if self.output_bias:
            attention += self.width
        norms = 2 * self.width + (2 * self.head_size if self.qk_norm else 0)
        embeddings = self.vocabulary * self.width * (1 if self.tied else 2)
        return embeddings + self.width + self.layers * (attention + 3 * self.width * self.hidden + norms)

    def flops_per_token(self, context: int | None = None) -> int:
        """Multiplications and additions of a training step per token: 6 per weight, plus causal attention
        (Chowdhery et al. 2022, PaLM, appendix B, halved for causality)."""
        weights = self.parameters() - (0 if self.tied else self.vocabulary * self.width)
        length = self.context if context is None else context
        return 6 * weights + 6 * self.layers * self.heads * self.head_size * length


# What each family fixes that its config.json does not say.
FAMILIES: dict[str, dict[str, Any]] = {
    "qwen3": {"class": "Qwen3", "qk_norm": True, "qkv_bias": False},
    "qwen2": {"class": "Qwen2", "qk_norm": False, "qkv_bias": True},
    "llama": {"class": "Llama", "qk_norm": False, "qkv_bias": False},
    "mistral": {"class": "Mistral", "qk_norm": False, "qkv_bias": False},
}

NEEDED = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")


def from_huggingface(record: dict[str, Any], where: str = "config.json") -> DecoderConfig:
    """The configuration that a `config.json` describes.

    Raises:
        UserError: the family or an option of it is not supported; the message names it.
    """
    family = record.get("model_type")
    if family not in FAMILIES:
        raise UserError(f"{where}: model_type = {family!r} is not one of {', '.join(FAMILIES)}")
    fixed = FAMILIES[family]
    rope = record.get("rope_parameters") or record.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise UserError(f"{where}: rope_type = {kind!r} is not supported yet; only plain rotary embeddings are")
    if record.get("hidden_act", "silu") != "silu":
        raise UserError(f"{where}: hidden_act = {record['hidden_act']!r} is not supported; only 'silu' is")
    for key in NEEDED:
        if not isinstance(record.get(key), int):
            raise UserError(f"{where}: {key} = {record.get(key)!r} is not a whole number; the file is not complete")
    heads = record["num_attention_heads"]
    bias = bool(record.get("attention_bias", False))
    window = record.get("sliding_window") if family == "mistral" or record.get("use_sliding_window") else None
    if window is not None and family in ("qwen2", "qwen3"):
        raise UserError(f"{where}: use_sliding_window = true is not supported for {family}; set it to false")
    end = record.get("eos_token_id")
    return DecoderConfig(
        vocabulary=record["vocab_size"],
        width=record["hidden_size"],
        layers=record["num_hidden_layers"],
        heads=heads,
        kv_heads=record.get("num_key_value_heads") or heads,
        head_size=record.get("head_dim") or record["hidden_size"] // heads,
        hidden=record["intermediate_size"],
        context=record.get("max_position_embeddings", 2048),
        rope_theta=float(rope.get("rope_theta", record.get("rope_theta", 10000.0))),
        norm_eps=record.get("rms_norm_eps", 1e-6),
        tied=bool(record.get("tie_word_embeddings", False)),
        qk_norm=fixed["qk_norm"],
        qkv_bias=fixed["qkv_bias"] or bias,
        output_bias=bias and family != "qwen2",
        sliding_window=window,
        begin=record.get("bos_token_id"),
        end=tuple(end) if isinstance(end, list) else () if end is None else (end,),
        padding=record.get("pad_token_id"),
        family=family,
    )


def to_huggingface(config: DecoderConfig, *, scalar: bool = False) -> dict[str, Any]:
    """The `config.json` of a decoder, or (`scalar`) of a sequence classifier with one label: a reward model."""
    record: dict[str, Any] = {
        "model_type": config.family,
        "architectures": [
            FAMILIES[config.family]["class"] + ("ForSequenceClassification" if scalar else "ForCausalLM")
        ],
        "vocab_size": config.vocabulary,
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size,
        "intermediate_size": config.hidden,
        "max_position_embeddings": config.context,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "rms_norm_eps": config.norm_eps,
        "tie_word_embeddings": config.tied,
        "attention_bias": config.qkv_bias and config.family != "qwen2",
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "bos_token_id": config.begin,
        "eos_token_id": config.end[0] if len(config.end) == 1 else list(config.end) or None,
        "pad_token_id": config.padding,
        "use_cache": True,
        "dtype": "float32",
    }
    if config.family == "mistral":
        record["sliding_window"] = config.sliding_window
    if scalar:
        record |= {"num_labels": 1, "id2label": {"0": "reward"}, "label2id": {"reward": 0}}
    return record
