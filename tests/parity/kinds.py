"""Small random models of every family and option, as transformers builds them, and how ours are compared with them."""

from dataclasses import replace
from typing import Any

import torch
from model.tiny import scramble
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    FalconConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from anatomia.model.decoder import Decoder
from anatomia.model.names import places

IDS: dict[str, Any] = {"vocab_size": 61, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
SHAPE = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 40,
    "max_position_embeddings": 96, **IDS,
}  # fmt: skip
FALCON = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 96, **IDS}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 96, **IDS}
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "rope_theta": 500000.0,
    "original_max_position_embeddings": 24,
}  # fmt: skip
YARN = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 10000.0, "original_max_position_embeddings": 24}
WINDOWS = {"use_sliding_window": True, "sliding_window": 7}
NEW = {"new_decoder_architecture": True}

KINDS: dict[str, PretrainedConfig] = {
    "qwen3": Qwen3Config(**SHAPE, num_key_value_heads=2, head_dim=10, rope_theta=1e6, tie_word_embeddings=True),
    "qwen3-untied-biased": Qwen3Config(**SHAPE, num_key_value_heads=1, head_dim=8, attention_bias=True),
    "qwen3-gelu": Qwen3Config(**SHAPE, num_key_value_heads=4, head_dim=8, hidden_act="gelu"),
    "qwen3-windows-above": Qwen3Config(**SHAPE, num_key_value_heads=2, head_dim=8, max_window_layers=1, **WINDOWS),
    "qwen2": Qwen2Config(**SHAPE, num_key_value_heads=2, tie_word_embeddings=True, rms_norm_eps=1e-3),
    "qwen2-yarn": Qwen2Config(**SHAPE, num_key_value_heads=4, rope_parameters=YARN),
    "qwen2-windows-everywhere": Qwen2Config(**SHAPE, num_key_value_heads=2, max_window_layers=0, **WINDOWS),
    "llama2": LlamaConfig(**SHAPE, num_key_value_heads=4, rms_norm_eps=1e-5),
    "llama2-linear": LlamaConfig(**SHAPE, rope_parameters={"rope_type": "linear", "factor": 2.5}),
    "llama2-dynamic": LlamaConfig(**SHAPE, rope_parameters={"rope_type": "dynamic", "factor": 2.0}),
    "llama2-biased": LlamaConfig(**SHAPE, attention_bias=True, mlp_bias=True, tie_word_embeddings=True),
    "llama3": LlamaConfig(**SHAPE, num_key_value_heads=2, head_dim=12, rope_parameters=LLAMA3),
    "llama-yarn-attention": LlamaConfig(**SHAPE, rope_parameters=YARN | {"attention_factor": 1.3, "beta_fast": 8.0}),
    "llama-yarn-untruncated": LlamaConfig(
        **SHAPE, rope_parameters=YARN | {"truncate": False, "mscale": 0.7, "mscale_all_dim": 1.1}
    ),
    "mistral": MistralConfig(**SHAPE, num_key_value_heads=2, head_dim=12, sliding_window=None),
    "mistral-window": MistralConfig(**SHAPE, num_key_value_heads=2, sliding_window=5),
    "falcon-7b": FalconConfig(**FALCON),
    "falcon-7b-biased-untied": FalconConfig(**FALCON, bias=True, tie_word_embeddings=False, ffn_hidden_size=48),
    "falcon-40b": FalconConfig(**FALCON, **NEW, num_kv_heads=2),
    "falcon-40b-biased": FalconConfig(**FALCON, **NEW, num_kv_heads=4, bias=True, activation="relu"),
    "falcon-11b": FalconConfig(**FALCON, **NEW, num_kv_heads=2, num_ln_in_parallel_attn=1, rope_theta=5e5),
    "falcon-rw": FalconConfig(**FALCON, alibi=True, multi_query=False, parallel_attn=False, bias=True),
    "falcon-alibi-7b": FalconConfig(**FALCON | {"num_attention_heads": 8}, alibi=True),
    "falcon-sequential": FalconConfig(**FALCON, multi_query=True, parallel_attn=False, layer_norm_epsilon=1e-3),
    "falcon-heads": FalconConfig(**FALCON, multi_query=False),
    "falcon-linear": FalconConfig(**FALCON, rope_parameters={"rope_type": "linear", "factor": 4.0}),
    "gpt2": GPT2Config(**GPT2),
    "gpt2-untied": GPT2Config(**GPT2, tie_word_embeddings=False, n_inner=48, activation_function="gelu"),
    "gpt2-scores": GPT2Config(**GPT2, scale_attn_weights=False, scale_attn_by_inverse_layer_idx=True),
}


def build(name: str, **changes: Any) -> Any:
    """One of the kinds, with changes to its configuration, ready to be compared."""
    return randomised(KINDS[name].__class__(**KINDS[name].to_dict() | changes), 1)


def randomised(config: PretrainedConfig, seed: int, scale: float = 0.25) -> Any:
    """A model of transformers with random weights, gains and biases."""
    model = AutoModelForCausalLM.from_config(config).eval()
    scramble(model, seed, scale)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if key.split(".")[-2].startswith("ln_") and key.endswith("weight"):
                weight += 1
    return model


def logits(model: Any, ids: Tensor, **more: Any) -> Tensor:
    with torch.no_grad():
        found = model(ids, **more)
    return found if isinstance(found, Tensor) else found.logits


def close(ours: Tensor, expected: Tensor) -> None:
    """Equal to 1e-5 of the largest number, or of 1."""
    assert ours.shape == expected.shape
    assert (ours - expected).abs().max() < 1e-5 * max(1.0, float(expected.abs().max()))


def gradients(decoder: Decoder) -> dict[str, Tensor]:
    """Our gradients under their names and in their arrangement."""
    found = {}
    for place in places(decoder):
        found |= zip(place.names, replace(place, parameter=place.parameter.grad).read(), strict=True)
    return found
