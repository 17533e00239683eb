"""Every family and option against transformers, on random models: files, logits, gradients and greedy generation."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import scramble, tokens
from safetensors.torch import load_file
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    FalconConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from anatomia.base.errors import UserError
from anatomia.generate.engine import generate
from anatomia.generate.sampling import Sampling
from anatomia.model.attention import document_mask
from anatomia.model.checkpoint import load_config, load_model, load_scalar, save_model
from anatomia.model.decoder import Decoder
from anatomia.model.huggingface import from_huggingface
from anatomia.model.names import places
from anatomia.model.scalar import ScalarModel

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
    """One of transformers' models with random weights, gains and biases, ready to be compared."""
    config = KINDS[name].__class__(**KINDS[name].to_dict() | changes)
    model = AutoModelForCausalLM.from_config(config).eval()
    scramble(model, 1)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if key.split(".")[-2].startswith("ln_") and key.endswith("weight"):
                weight += 1
    return model


@pytest.fixture(params=KINDS)
def theirs(request: pytest.FixtureRequest) -> Any:
    return build(request.param)


def logits(model: Any, ids: Tensor, **more: Any) -> Tensor:
    with torch.no_grad():
        found = model(ids, **more)
    return found if isinstance(found, Tensor) else found.logits


def close(ours: Tensor, expected: Tensor) -> None:
    """Equal to 1e-5 of the largest number, or of 1."""
    assert ours.shape == expected.shape
    assert (ours - expected).abs().max() < 1e-5 * max(1.0, float(expected.abs().max()))


def stored(directory: Path) -> dict[str, Tensor]:
    """All tensors in a directory's files."""
    found: dict[str, Tensor] = {}
    for path in directory.glob("*.safetensors"):
        found |= load_file(path)
    return found


def gradients(decoder: Decoder) -> dict[str, Tensor]:
    """Our gradients under their names and in their arrangement."""
    found = {}
    for place in places(decoder):
        found |= zip(place.names, replace(place, parameter=place.parameter.grad).read(), strict=True)
    return found


def same_gradients(theirs: Any, ours: Decoder, ids: Tensor) -> None:
    """One training step's: the mean cross-entropy of the next tokens."""
    targets = ids[:, 1:].flatten()
    torch.nn.functional.cross_entropy(theirs(ids[:, :-1]).logits.flatten(0, 1), targets).backward()
    torch.nn.functional.cross_entropy(ours(ids[:, :-1]).flatten(0, 1), targets).backward()
    mine = gradients(ours)
    compared = 0
    for name, weight in theirs.named_parameters():
        close(mine[name], weight.grad)
        compared += int(weight.grad.abs().max() > 1e-4)
    assert compared > 0.9 * len(mine)


def test_files_logits_and_gradients(theirs: Any, tmp_path: Path) -> None:
    ids = tokens(3, 40, high=61)
    expected = logits(theirs, ids)
    assert expected.std() > 0.5
    theirs.save_pretrained(tmp_path / "theirs", max_shard_size="12KB")
    assert len(list((tmp_path / "theirs").glob("*.safetensors"))) > 1
    ours = load_model(tmp_path / "theirs")
    close(logits(ours, ids), expected)
    save_model(tmp_path / "ours", ours)
    before, after = stored(tmp_path / "theirs"), stored(tmp_path / "ours")
    assert before.keys() == after.keys()
    assert all(before[key].numpy().tobytes() == after[key].numpy().tobytes() for key in before)
    again, report = AutoModelForCausalLM.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert torch.equal(logits(again, ids), expected)
    assert load_model(tmp_path / "ours").config == ours.config
    assert ours.config.parameters() == sum(weight.numel() for weight in ours.parameters())
    same_gradients(theirs, ours, ids)


def test_configurations_say_the_same(theirs: Any, tmp_path: Path) -> None:
    """What stands in their config.json stands in ours, as transformers reads it; but for widths they leave open."""
    theirs.config.save_pretrained(tmp_path / "theirs")
    theirs.save_pretrained(tmp_path / "theirs")
    save_model(tmp_path / "ours", load_model(tmp_path / "theirs"))
    before, after = (AutoConfig.from_pretrained(tmp_path / name).to_dict() for name in ("theirs", "ours"))
    derived = {"head_dim", "n_inner", "max_window_layers", "num_ln_in_parallel_attn", "_name_or_path", "dtype"}
    assert {key: after.get(key) for key in before.keys() - derived} == {k: before[k] for k in before.keys() - derived}


def test_greedy_generation_token_for_token(theirs: Any, tmp_path: Path) -> None:
    """Prompts of several lengths, padded on the left there, until the length or an end token, which some meet."""
    theirs.save_pretrained(tmp_path)
    ours = load_model(tmp_path)
    prompts = [tokens(length, seed=length, high=61).tolist() for length in (3, 12, 7, 12, 1)]
    ids = torch.tensor([[0] * (12 - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (12 - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    endless = generate(ours, prompts, [0] * 5, Sampling(0.0, max_new=30))
    end = endless[2].ids[4]
    ours.config = replace(ours.config, end=(end,))
    theirs.generation_config.eos_token_id = end
    found = theirs.generate(ids, attention_mask=mask, max_new_tokens=30, do_sample=False)[:, 12:].tolist()
    mine = generate(ours, prompts, [0] * 5, Sampling(0.0, max_new=30))
    for completion, row in zip(mine, found, strict=True):
        assert completion.ids == row[: len(completion.ids)]
        assert completion.finished == (completion.ids[-1] == end)
        assert not any(row[len(completion.ids) :])
        assert completion.finished or len(completion.ids) == 30
    assert len({len(completion.ids) for completion in mine}) > 1


def test_packed_documents_are_as_if_alone(theirs: Any, tmp_path: Path) -> None:
    """Positions that begin anew and a mask between documents, in every family."""
    theirs.save_pretrained(tmp_path)
    ours, ids = load_model(tmp_path), tokens(1, 40, high=61)
    documents = torch.tensor([[0] * 13 + [1] * 22 + [2] * 5])
    positions = torch.cat([torch.arange(13), torch.arange(22), torch.arange(5)])[None]
    mask = document_mask(documents, torch.float32, ours.config.sliding_window)
    packed = logits(ours, ids, positions=positions, mask=mask)[0]
    for start, stop in ((0, 13), (13, 35), (35, 40)):
        close(packed[start:stop], logits(theirs, ids[:, start:stop])[0])


def test_reward_models_load_there_and_come_back(theirs: Any, tmp_path: Path) -> None:
    """Right padding, several lengths: their pooling finds the same last tokens."""
    theirs.save_pretrained(tmp_path / "language")
    model = ScalarModel(load_model(tmp_path / "language")).eval()
    torch.nn.init.normal_(model.score, generator=torch.Generator().manual_seed(0))
    save_model(tmp_path / "reward", model)
    found, report = AutoModelForSequenceClassification.from_pretrained(tmp_path / "reward", output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    ids, lengths = tokens(4, 17, high=61), torch.tensor([17, 3, 11, 1])
    padded = ids.masked_fill(torch.arange(17)[None] >= lengths[:, None], 0)
    expected = logits(found, padded).squeeze(1)
    with torch.no_grad():
        close(model.at_last(padded, lengths), expected)
        close(load_scalar(tmp_path / "reward").at_last(padded, lengths), expected)
    found.save_pretrained(tmp_path / "theirs")
    assert torch.equal(load_scalar(tmp_path / "theirs").score, model.score)


LONG = ["qwen3", "qwen2-yarn", "llama2", "llama3", "mistral-window", "falcon-7b", "falcon-40b", "falcon-rw", "gpt2"]


@pytest.mark.parametrize("context", [2048, 4096])
@pytest.mark.parametrize("name", LONG)
def test_long_contexts(name: str, context: int, tmp_path: Path) -> None:
    """A whole context of one narrow layer, in logits, and in gradients or the last tokens of greedy generation."""
    small = "n_positions" if name == "gpt2" else "max_position_embeddings"
    layers = "n_layer" if name == "gpt2" else "num_hidden_layers"
    theirs = build(name, **{small: context, layers: 1, "layer_types": None})
    theirs.save_pretrained(tmp_path)
    ours, ids = load_model(tmp_path), tokens(1, context, high=61)
    close(logits(ours, ids), logits(theirs, ids))
    if context == 2048:
        same_gradients(theirs, ours, ids)
        return
    theirs.generation_config.eos_token_id = None
    prompt = ids[:, :-8]
    found = theirs.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=8, do_sample=False)
    ours.config = replace(ours.config, end=())
    (mine,) = generate(ours, prompt.tolist(), [0], Sampling(0.0, max_new=20))
    assert mine.ids == found[0, -8:].tolist()


WHOLE = {"qwen3", "qwen2", "llama2", "llama3", "mistral-window", "falcon-40b", "falcon-rw", "gpt2"}


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_what_a_file_does_not_say_is_what_transformers_takes_it_for(name: str, tmp_path: Path) -> None:
    """Each key left out in turn is refused by name, or read as if transformers had filled it in."""
    record = json.loads(KINDS[name].to_json_string(use_diff=False))
    refused = set()
    for left_out in (None, *record):
        partial = {key: value for key, value in record.items() if key != left_out}
        (tmp_path / "config.json").write_text(json.dumps(partial))
        try:
            config = from_huggingface(partial)
        except UserError as error:
            refused |= {left_out} if str(left_out) in str(error) else set()
            continue
        assert config == from_huggingface(AutoConfig.from_pretrained(tmp_path).to_dict()), f"without {left_out}"
    sizes = {"vocab_size", "hidden_size", "n_embd", "num_hidden_layers", "n_layer", "num_attention_heads", "n_head"}
    assert refused <= sizes | {"model_type", "intermediate_size"}
    assert refused >= {"vocab_size", "model_type"}


OLD_YARN = {"type": "yarn", "factor": 4.0}
SPELLINGS: list[tuple[str, dict[str, Any]]] = [
    ("llama2", {"rope_theta": 5e5, "rope_scaling": None}),
    ("llama2", {"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2.0}}),
    ("llama2", {"rope_theta": 5e5, "rope_scaling": LLAMA3}),
    ("llama2", {"rope_scaling": {"type": "dynamic", "factor": 2}}),
    ("qwen2", {"rope_theta": 1e6, "rope_scaling": OLD_YARN}),
    ("qwen2", {"rope_theta": 1e6, "rope_scaling": OLD_YARN | {"original_max_position_embeddings": 24}}),
    ("qwen2", {"rope_scaling": {"type": "yarn", "factor": None, "original_max_position_embeddings": 32}}),
    ("qwen2", {"num_key_value_heads": None}),
    ("mistral-window", {"sliding_window": None, "eos_token_id": [2, 7]}),
    ("falcon-7b", {"hidden_size": "absent", "n_embed": 32, "rope_theta": 2e4}),
    ("falcon-40b", {"num_ln_in_parallel_attn": None, "parallel_attn": True, "num_kv_heads": None}),
    ("gpt2", {"n_embd": "absent", "hidden_size": 32, "n_layer": "absent", "num_hidden_layers": 3}),
    ("gpt2", {"n_inner": 50, "eos_token_id": None}),
]


@pytest.mark.parametrize(("name", "changes"), SPELLINGS)
def test_old_and_other_spellings(name: str, changes: dict[str, Any], tmp_path: Path) -> None:
    record = json.loads(KINDS[name].to_json_string(use_diff=False)) | changes
    absent = {key for key, value in record.items() if value == "absent"} | {"rope_parameters"}
    record = {key: value for key, value in record.items() if key not in absent}
    (tmp_path / "config.json").write_text(json.dumps(record))
    ours, theirs = load_config(tmp_path), AutoConfig.from_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_config(theirs).eval()
    model.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(record))
    ids = tokens(2, 30, high=61)
    close(logits(load_model(tmp_path), ids), logits(model, ids))
    assert ours == from_huggingface(theirs.to_dict())
