"""What is wrong with a model directory is said in one line that names the thing, before anything is computed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import decoder, scalar
from safetensors.torch import load_file, save_file

from anatomia.base.errors import UserError
from anatomia.model.checkpoint import load_config, load_model, load_scalar, save_model


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    save_model(tmp_path, decoder(tied=False))
    return tmp_path


def change_config(directory: Path, **changes: Any) -> None:
    path = directory / "config.json"
    record = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in record.items() if value != "absent"}))


def change_weights(directory: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    path = directory / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


def refused(directory: Path, *words: str, load: Callable[[Path], Any] = load_model) -> None:
    with pytest.raises(UserError) as caught:
        load(directory)
    assert "\n" not in str(caught.value)
    for word in (str(directory), *words):
        assert word in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_weights_cut_short(directory: Path, share: float) -> None:
    path = directory / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    refused(directory, "model.safetensors", "damaged")


def test_weights_with_a_damaged_head(directory: Path) -> None:
    path = directory / "model.safetensors"
    path.write_bytes(b"\xff" * 64 + path.read_bytes()[64:])
    refused(directory, "model.safetensors", "damaged")


@pytest.mark.parametrize(
    "name",
    ["model.layers.1.self_attn.k_proj.weight", "model.norm.weight", "model.embed_tokens.weight", "lm_head.weight"],
)
def test_a_missing_weight(directory: Path, name: str) -> None:
    """The output matrix among them: left out, a model would speak with whatever lay in memory."""
    change_weights(directory, lambda tensors: tensors.pop(name))
    refused(directory, name)


def test_a_weight_of_another_shape(directory: Path) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    change_weights(directory, lambda tensors: tensors.update({name: tensors[name][:-1].clone()}))
    refused(directory, name, "[23, 16]", "[24, 16]")


def test_a_weight_without_a_place(directory: Path) -> None:
    """Such as the feed-forward biases that some Llamas have: without them every logit would be wrong."""
    name = "model.layers.0.mlp.up_proj.bias"
    change_weights(directory, lambda tensors: tensors.update({name: torch.ones(24)}))
    refused(directory, name)


def test_buffers_of_old_files_are_no_weights(directory: Path) -> None:
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    change_weights(directory, lambda tensors: tensors.update({name: torch.ones(3)}))
    load_model(directory)


def test_only_pickled_weights(directory: Path) -> None:
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")
    refused(directory, ".bin", "safetensors")


def test_no_weights_at_all(directory: Path) -> None:
    (directory / "model.safetensors").unlink()
    refused(directory, "no model.safetensors")


def test_a_missing_shard(directory: Path) -> None:
    index = {"weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(directory, "model-00001-of-00002.safetensors")


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "model.safetensors.index.json"])
def test_damaged_records(directory: Path, name: str) -> None:
    (directory / name).write_text('{"model_type": "qw')
    refused(directory, name, "damaged")
    (directory / name).write_text("[]")
    refused(directory, name)


def test_no_model_there(tmp_path: Path) -> None:
    refused(tmp_path, "config.json")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "gpt_neox"}, ["model_type = 'gpt_neox'", "qwen3", "llama"]),
        ({"rope_parameters": {"rope_type": "longrope", "factor": 4.0}}, ["rope_type = 'longrope'", "yarn"]),
        ({"rope_parameters": "absent", "rope_scaling": {"type": "linear"}}, ["linear's factor", "None"]),
        ({"rope_parameters": {"rope_type": "llama3", "factor": 8.0}}, ["llama3's low_freq_factor"]),
        ({"rope_scaling": {"type": "yarn", "factor": "4"}}, ["yarn's factor = '4'"]),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, ["partial_rotary_factor"]),
        ({"use_sliding_window": True, "layer_types": ["chunked_attention"] * 2}, ["layer_types", "chunked_attention"]),
        ({"use_sliding_window": True, "layer_types": ["full_attention"]}, ["layer_types", "2"]),
        ({"hidden_act": "xielu"}, ["hidden_act = 'xielu'", "silu"]),
        ({"quantization_config": {"quant_method": "gptq"}}, ["quantization_config", "gptq"]),
        ({"rms_norm_eps": None}, ["rms_norm_eps"]),
        ({"hidden_size": "absent"}, ["hidden_size"]),
        ({"num_attention_heads": "4"}, ["num_attention_heads"]),
        ({"num_attention_heads": 0}, ["num_attention_heads", "above 0"]),
        ({"num_hidden_layers": True}, ["num_hidden_layers"]),
        ({"head_dim": None, "num_attention_heads": 3}, ["16", "3 heads"]),
    ],
)
def test_models_of_another_kind(directory: Path, changes: dict[str, Any], words: list[str]) -> None:
    change_config(directory, **changes)
    refused(directory, "config.json", *words)


def test_old_and_new_spellings_of_rotary_settings(directory: Path) -> None:
    change_config(directory, rope_parameters="absent", rope_theta=12345.0, rope_scaling=None)
    assert load_config(directory).rope_theta == 12345.0
    change_config(directory, rope_theta="absent", rope_parameters={"rope_type": "default", "rope_theta": 54321.0})
    assert load_config(directory).rope_theta == 54321.0


def test_stop_tokens_of_the_generation_config_count(directory: Path) -> None:
    """Chat models often stop at more tokens than config.json names."""
    (directory / "generation_config.json").write_text('{"eos_token_id": [2, 7]}')
    assert load_config(directory).end == (2, 7)
    (directory / "generation_config.json").write_text("{}")
    assert load_config(directory).end == (2,)


def test_a_language_model_is_no_reward_model(directory: Path) -> None:
    refused(directory, "score.weight", load=load_scalar)


@pytest.mark.parametrize("tied", [True, False])
def test_a_reward_model_comes_back_the_same(tmp_path: Path, tied: bool) -> None:
    model = scalar(tied=tied)
    save_model(tmp_path, model)
    again = load_scalar(tmp_path)
    used = [(a, b) for (name, a), b in zip(model.named_parameters(), again.parameters()) if name != "decoder.head"]
    assert all(torch.equal(a, b) for a, b in used)
    assert all(bool(torch.isfinite(weight).all()) for weight in again.parameters())


def test_a_reward_model_cannot_write(tmp_path: Path) -> None:
    save_model(tmp_path, scalar(tied=False))
    refused(tmp_path, "reward model")


def test_a_classifier_of_several_labels_is_no_reward_model(tmp_path: Path) -> None:
    save_model(tmp_path, scalar())
    change_weights(tmp_path, lambda tensors: tensors.update({"score.weight": torch.ones(2, 16)}))
    refused(tmp_path, "score.weight", "[2, 16]", load=load_scalar)


def test_a_killed_save_leaves_the_old_weights(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (directory / "model.safetensors").read_bytes()

    def killed(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_model(directory, decoder(seed=1, tied=False))
    assert (directory / "model.safetensors").read_bytes() == before
