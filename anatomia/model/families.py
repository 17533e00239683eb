"""The model families as data: what their config.json calls our fields, and what their files call our weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anatomia.model.options import FALCON_BLOCK, QWEN_WINDOWS, ROPE, Several

Names = Mapping[str, str | tuple[str, ...]]
NEEDED = object()


@dataclass(frozen=True)
class Key:
    """A key of config.json that says what some fields of `DecoderConfig` are.

    Attributes:
        fields: they all get its value.
        default: what transformers takes where the file lacks the key; `NEEDED` where it must be there.
        also: another spelling of the key that transformers reads.
    """

    fields: tuple[str, ...]
    default: Any = NEEDED
    also: str = ""


@dataclass(frozen=True)
class Family:
    """One family.

    Attributes:
        classes: transformers' classes of the language model and of the reward model.
        record: config.json, in the order in which it is written: a `Key`, several keys that are read together, or a
            value that no field of ours says and that stands there unless the model's own file said otherwise.
        fixed: fields that are the same in the whole family.
        prefix: what stands before the names of all weights but the heads'.
        outer, inner: the weights of the decoder and of its blocks by our names; several names where ours are fused.
        block: what stands before the weights of a block, with its number.
        two_norms: the names of inner weights where a parallel block has two norms.
        only: keys of which only these values are supported.
        turned: matrices that lie transposed in the files.
        grouped: whether heads lie in groups, queries with their key and value, rather than all queries first.
        buffers: how names of tensors end that are no weights.
    """

    classes: tuple[str, str]
    record: Mapping[str, Key | Several | bool | int | float | str | None]
    fixed: Mapping[str, Any]
    prefix: str
    outer: Names
    block: str
    inner: Names
    two_norms: Names = field(default_factory=dict)
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    turned: frozenset[str] = frozenset()
    grouped: bool = False
    buffers: tuple[str, ...] = (".rotary_emb.inv_freq",)


def key(*fields: str, default: Any = NEEDED, also: str = "") -> Key:
    """A `Key`, in the short form the tables below need."""
    return Key(fields, default, also)


def llama_record(
    attention: Mapping[str, Any], kv_heads: int | None, head_size: int | None, context: int, stops: tuple[Any, Any]
) -> dict[str, Any]:
    """config.json of Llama and of what grew out of it.

    Args:
        attention: entries about attention that the families do not share.
        kv_heads, head_size, context, stops: what transformers takes where the file is silent.
    """
    return {
        "vocab_size": key("vocabulary"),
        "hidden_size": key("width"),
        "num_hidden_layers": key("layers"),
        "num_attention_heads": key("heads"),
        "num_key_value_heads": key("kv_heads", default=kv_heads),
        "head_dim": key("head_size", default=head_size),
        "intermediate_size": key("hidden"),
        "max_position_embeddings": key("context", default=context),
        "rope": ROPE,
        "rms_norm_eps": key("norm_eps", default=1e-6),
        "tie_word_embeddings": key("tied", default=False),
        **attention,
        "attention_dropout": 0.0,
        "hidden_act": key("activation", default="silu"),
        "initializer_range": 0.02,
        "bos_token_id": key("begin", default=stops[0]),
        "eos_token_id": key("end", default=stops[1]),
        "pad_token_id": key("padding", default=None),
        "use_cache": True,
    }


def llama(name: str, record: Mapping[str, Any], **fixed: Any) -> Family:
    """A family with Llama's blocks and Llama's names."""
    return Family(
        classes=(f"{name}ForCausalLM", f"{name}ForSequenceClassification"),
        record=record,
        fixed=fixed,
        prefix="model.",
        outer={"embedding": "embed_tokens.weight", "norm": "norm.weight", "head": "lm_head.weight"},
        block="layers.{}.",
        inner={
            "attention_norm": "input_layernorm.weight",
            "qkv": ("self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"),
            "qkv_bias": ("self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"),
            "q_norm": "self_attn.q_norm.weight",
            "k_norm": "self_attn.k_norm.weight",
            "output": "self_attn.o_proj.weight",
            "output_bias": "self_attn.o_proj.bias",
            "feed_norm": "post_attention_layernorm.weight",
            "gate_up": ("mlp.gate_proj.weight", "mlp.up_proj.weight"),
            "gate_up_bias": ("mlp.gate_proj.bias", "mlp.up_proj.bias"),
            "down": "mlp.down_proj.weight",
            "down_bias": "mlp.down_proj.bias",
        },
    )


BIASES = {"attention_bias": key("qkv_bias", "output_bias", default=False)}

FAMILIES: dict[str, Family] = {
    "qwen3": llama(
        "Qwen3",
        llama_record(BIASES | {"windows": QWEN_WINDOWS}, 32, 128, 32768, (None, None)),
        qk_norm=True,
    ),
    "qwen2": llama(
        "Qwen2",
        llama_record({"windows": QWEN_WINDOWS}, 32, None, 32768, (None, None)),
        qk_norm=False,
        qkv_bias=True,
    ),
    "llama": llama(
        "Llama",
        llama_record(BIASES | {"mlp_bias": key("feed_bias", default=False)}, None, None, 2048, (1, 2)),
        qk_norm=False,
    ),
    "mistral": llama(
        "Mistral",
        llama_record({"sliding_window": key("sliding_window", default=4096)}, 8, None, 131072, (1, 2)),
        qk_norm=False,
    ),
    "falcon": Family(
        classes=("FalconForCausalLM", "FalconForSequenceClassification"),
        record={
            "vocab_size": key("vocabulary"),
            "hidden_size": key("width", also="n_embed"),
            "num_hidden_layers": key("layers"),
            "num_attention_heads": key("heads"),
            "ffn_hidden_size": key("hidden", default=None),
            "max_position_embeddings": key("context", default=2048),
            "block": FALCON_BLOCK,
            "rope": ROPE,
            "bias": key("qkv_bias", "output_bias", "feed_bias", default=False),
            "activation": key("activation", default="gelu"),
            "layer_norm_epsilon": key("norm_eps", default=1e-5),
            "tie_word_embeddings": key("tied", default=True),
            "hidden_dropout": 0.0,
            "attention_dropout": 0.0,
            "initializer_range": 0.02,
            "bos_token_id": key("begin", default=11),
            "eos_token_id": key("end", default=11),
            "pad_token_id": key("padding", default=None),
            "use_cache": True,
        },
        fixed={"qk_norm": False, "norm": "layer", "gated": False},
        prefix="transformer.",
        outer={
            "embedding": "word_embeddings.weight",
            "norm": "ln_f.weight",
            "norm_bias": "ln_f.bias",
            "head": "lm_head.weight",
        },
        block="h.{}.",
        inner={
            "attention_norm": "input_layernorm.weight",
            "attention_norm_bias": "input_layernorm.bias",
            "qkv": "self_attention.query_key_value.weight",
            "qkv_bias": "self_attention.query_key_value.bias",
            "output": "self_attention.dense.weight",
            "output_bias": "self_attention.dense.bias",
            "feed_norm": "post_attention_layernorm.weight",
            "feed_norm_bias": "post_attention_layernorm.bias",
            "up": "mlp.dense_h_to_4h.weight",
            "up_bias": "mlp.dense_h_to_4h.bias",
            "down": "mlp.dense_4h_to_h.weight",
            "down_bias": "mlp.dense_4h_to_h.bias",
        },
        two_norms={
            "attention_norm": "ln_attn.weight",
            "attention_norm_bias": "ln_attn.bias",
            "feed_norm": "ln_mlp.weight",
            "feed_norm_bias": "ln_mlp.bias",
        },
        grouped=True,
    ),
    "gpt2": Family(
        classes=("GPT2LMHeadModel", "GPT2ForSequenceClassification"),
        record={
            "vocab_size": key("vocabulary"),
            "n_positions": key("context", default=1024, also="max_position_embeddings"),
            "n_embd": key("width", also="hidden_size"),
            "n_layer": key("layers", also="num_hidden_layers"),
            "n_head": key("heads", also="num_attention_heads"),
            "n_inner": key("hidden", default=None),
            "activation_function": key("activation", default="gelu_new"),
            "layer_norm_epsilon": key("norm_eps", default=1e-5),
            "scale_attn_weights": key("scaled", default=True),
            "scale_attn_by_inverse_layer_idx": key("scaled_by_layer", default=False),
            "reorder_and_upcast_attn": False,
            "tie_word_embeddings": key("tied", default=True),
            "resid_pdrop": 0.1,
            "embd_pdrop": 0.1,
            "attn_pdrop": 0.1,
            "initializer_range": 0.02,
            "bos_token_id": key("begin", default=50256),
            "eos_token_id": key("end", default=50256),
            "pad_token_id": key("padding", default=None),
            "use_cache": True,
        },
        fixed={
            "qk_norm": False,
            "norm": "layer",
            "gated": False,
            "positions": "learned",
            "qkv_bias": True,
            "output_bias": True,
            "feed_bias": True,
        },
        prefix="transformer.",
        outer={
            "embedding": "wte.weight",
            "position_embedding": "wpe.weight",
            "norm": "ln_f.weight",
            "norm_bias": "ln_f.bias",
            "head": "lm_head.weight",
        },
        block="h.{}.",
        inner={
            "attention_norm": "ln_1.weight",
            "attention_norm_bias": "ln_1.bias",
            "qkv": "attn.c_attn.weight",
            "qkv_bias": "attn.c_attn.bias",
            "output": "attn.c_proj.weight",
            "output_bias": "attn.c_proj.bias",
            "feed_norm": "ln_2.weight",
            "feed_norm_bias": "ln_2.bias",
            "up": "mlp.c_fc.weight",
            "up_bias": "mlp.c_fc.bias",
            "down": "mlp.c_proj.weight",
            "down_bias": "mlp.c_proj.bias",
        },
        only={"add_cross_attention": (False, None)},
        turned=frozenset({"qkv", "output", "up", "down"}),
        buffers=(".attn.bias", ".attn.masked_bias"),
    ),
}
