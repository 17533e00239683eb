"""Options drawn at random, in mixtures nobody thought of, against transformers: bytes, logits, gradients, tokens."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import tokens
from parity.kinds import FALCON, GPT2, LLAMA3, SHAPE, YARN, close, gradients, logits, randomised
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    FalconConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
)

from anatomia.generate.engine import generate
from anatomia.generate.sampling import Sampling
from anatomia.model.checkpoint import load_model, save_model

ROPES = [
    {"rope_type": "default", "rope_theta": 1e6},
    {"rope_type": "default", "rope_theta": 300.0},
    {"rope_type": "linear", "factor": 2.5, "rope_theta": 1e4},
    {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4},
    LLAMA3,
    LLAMA3 | {"low_freq_factor": 0.5, "high_freq_factor": 2.0, "factor": 3.0},
    YARN,
    YARN | {"mscale": 0.7, "mscale_all_dim": 1.1, "beta_slow": 2.0},
]
COMMON = {
    "num_attention_heads": [1, 3, 4, 6],
    "num_hidden_layers": [1, 2, 4],
    "hidden_size": [24, 48],
    "intermediate_size": [20, 56],
    "tie_word_embeddings": [True, False],
    "rope_parameters": ROPES,
    "rms_norm_eps": [1e-6, 1e-3],
    "hidden_act": ["silu", "gelu", "relu", "gelu_new"],
    "head_dim": [6, 8, 14],
}
# Not 1: with such a window transformers' own generation is another with its cache than without (5.23).
WINDOWS = {"use_sliding_window": [True, False], "sliding_window": [2, 3, 17, 200], "max_window_layers": [0, 1, 2, 9]}
LAYER_NORM = {"layer_norm_epsilon": [1e-5, 1e-2], "tie_word_embeddings": [True, False]}
OPTIONS: dict[str, tuple[type, dict[str, Any], dict[str, list[Any]]]] = {
    "qwen3": (Qwen3Config, SHAPE, COMMON | WINDOWS | {"attention_bias": [True, False]}),
    "qwen2": (Qwen2Config, SHAPE, {key: COMMON[key] for key in COMMON if key != "head_dim"} | WINDOWS),
    "llama": (LlamaConfig, SHAPE, COMMON | {"attention_bias": [True, False], "mlp_bias": [True, False]}),
    "mistral": (MistralConfig, SHAPE, COMMON | {"sliding_window": [None, 2, 4, 33]}),
    "falcon": (
        FalconConfig,
        FALCON,
        LAYER_NORM
        | {
            "num_attention_heads": [2, 4, 6],
            "hidden_size": [24, 48],
            "num_hidden_layers": [1, 3],
            "new_decoder_architecture": [True, False],
            "multi_query": [True, False],
            "parallel_attn": [True, False],
            "alibi": [True, False],
            "bias": [True, False],
            "ffn_hidden_size": [None, 40],
            "activation": ["gelu", "relu", "silu"],
            "num_ln_in_parallel_attn": [None, 1, 2],
            "rope_parameters": ROPES[:3],
        },
    ),
    "gpt2": (
        GPT2Config,
        GPT2,
        LAYER_NORM
        | {
            "n_head": [1, 3, 4],
            "n_embd": [24, 48],
            "n_layer": [1, 3],
            "n_inner": [None, 20],
            "activation_function": ["gelu_new", "gelu", "relu"],
            "scale_attn_weights": [True, False],
            "scale_attn_by_inverse_layer_idx": [True, False],
        },
    ),
}


def drawn(family: str, number: int) -> Any:
    """A configuration; the same number always gives the same."""
    chance = random.Random(f"{family} {number}")
    kind, shape, options = OPTIONS[family]
    chosen = shape | {key: chance.choice(values) for key, values in options.items()}
    heads = chosen.get("num_attention_heads", 1)
    if family in ("qwen3", "qwen2", "llama", "mistral"):
        chosen["num_key_value_heads"] = chance.choice([count for count in range(1, heads + 1) if heads % count == 0])
    if family == "falcon" and chosen["new_decoder_architecture"]:  # what transformers cannot run is left out
        chosen["num_kv_heads"] = chance.choice([count for count in range(1, heads + 1) if heads % count == 0])
        chosen["parallel_attn"] = True
    elif family == "falcon":
        chosen["num_ln_in_parallel_attn"] = None
    return kind(**chosen)


@pytest.mark.parametrize("family", OPTIONS)
@pytest.mark.parametrize("number", [*range(5), *(pytest.param(more, marks=pytest.mark.slow) for more in range(5, 60))])
def test_a_mixture_of_options(family: str, number: int, tmp_path: Path) -> None:
    config = drawn(family, number)
    theirs = randomised(config, number, 0.15)
    theirs.save_pretrained(tmp_path / "theirs")
    ours, ids = load_model(tmp_path / "theirs"), tokens(2, 40, seed=number, high=61)
    close(logits(ours, ids), logits(theirs, ids))
    save_model(tmp_path / "ours", ours)
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("theirs", "ours"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key].view(torch.int32), after[key].view(torch.int32)) for key in before)
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "ours")
    close(logits(again, ids), logits(theirs, ids))  # Falcon's layouts say some things in two ways
    for model in (theirs, ours):
        found = model(ids[:, :-1])
        flat = (found if isinstance(found, torch.Tensor) else found.logits).flatten(0, 1)
        torch.nn.functional.cross_entropy(flat, ids[:, 1:].flatten()).backward()
    mine = gradients(ours)
    for name, weight in theirs.named_parameters():
        close(mine[name], weight.grad)
    theirs.generation_config.eos_token_id = None
    ours.config = replace(ours.config, end=())
    prompt = ids[:, :12]
    written = theirs.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=25, do_sample=False)
    answers = generate(ours, prompt.tolist(), [0, 0], Sampling(0.0, max_new=25))
    assert [answer.ids for answer in answers] == written[:, 12:].tolist()
