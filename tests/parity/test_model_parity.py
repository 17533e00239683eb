"""Model directories against transformers: theirs load here, ours load there, and the numbers are the same."""

from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import decoder, scalar, scramble, tokens
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
    Qwen3ForSequenceClassification,
)

from anatomia.generate.engine import generate
from anatomia.generate.sampling import Sampling
from anatomia.model.checkpoint import load_model, load_scalar, save_model
from anatomia.stages.models import save
from anatomia.tokens.vocabulary import train_vocabulary

SHAPE: dict[str, Any] = {
    "vocab_size": 53, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40,
    "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip

THEIRS: dict[str, PretrainedConfig] = {
    "qwen3": Qwen3Config(**SHAPE, num_key_value_heads=2, head_dim=10, rope_theta=1e6, tie_word_embeddings=True),
    "qwen3-untied-bias": Qwen3Config(**SHAPE, num_key_value_heads=1, head_dim=8, attention_bias=True),
    "qwen2": Qwen2Config(**SHAPE, num_key_value_heads=2, tie_word_embeddings=True, rms_norm_eps=1e-3),
    "qwen2-untied": Qwen2Config(**SHAPE, num_key_value_heads=4),
    "llama": LlamaConfig(**SHAPE, num_key_value_heads=2, head_dim=4, tie_word_embeddings=False),
    "llama-tied-bias": LlamaConfig(**SHAPE, attention_bias=True, tie_word_embeddings=True, rope_theta=500000.0),
    "mistral-window": MistralConfig(**SHAPE, num_key_value_heads=2, sliding_window=5),
    "mistral": MistralConfig(**SHAPE, num_key_value_heads=2, head_dim=12, sliding_window=None),
}


@pytest.fixture(params=THEIRS)
def theirs(request: pytest.FixtureRequest) -> Any:
    """One of transformers' models with random weights, gains and biases."""
    model = AutoModelForCausalLM.from_config(THEIRS[request.param])
    scramble(model, 1)
    return model.eval()


def logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found = model(ids)
    return found if isinstance(found, torch.Tensor) else found.logits


def close(ours: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal to 1e-5 of the logits' size."""
    assert expected.std() > 0.5
    assert (ours - expected).abs().max() < 1e-5 * max(1.0, float(expected.abs().max()))


def tensors(directory: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for path in directory.glob("*.safetensors"):
        found |= load_file(path)
    return found


def test_theirs_load_here_and_come_back_byte_for_byte(theirs: Any, tmp_path: Path) -> None:
    ids = tokens(3, 20, high=53)
    expected = logits(theirs, ids)
    theirs.save_pretrained(tmp_path / "whole")
    theirs.save_pretrained(tmp_path / "sharded", max_shard_size="8KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 2
    for name in ("whole", "sharded"):
        ours = load_model(tmp_path / name)
        close(logits(ours, ids), expected)
        save_model(tmp_path / f"{name}-again", ours)
        before, after = tensors(tmp_path / name), tensors(tmp_path / f"{name}-again")
        assert before.keys() == after.keys()
        assert all(before[key].numpy().tobytes() == after[key].numpy().tobytes() for key in before)
        again = AutoModelForCausalLM.from_pretrained(tmp_path / f"{name}-again")
        assert torch.equal(logits(again, ids), expected)


def test_our_config_says_what_theirs_said(theirs: Any, tmp_path: Path) -> None:
    """Everything in their config that changes a number stands unchanged in ours."""
    theirs.save_pretrained(tmp_path / "theirs")
    save_model(tmp_path / "ours", load_model(tmp_path / "theirs"))
    before, after = (AutoConfig.from_pretrained(tmp_path / name).to_dict() for name in ("theirs", "ours"))
    ignored = {"initializer_range", "_name_or_path", "transformers_version", "dtype", "head_dim"}
    assert {key: after.get(key) for key in before.keys() - ignored} == {k: before[k] for k in before.keys() - ignored}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tied": False, "qkv_bias": True, "output_bias": True},
        {"family": "qwen2", "qk_norm": False, "qkv_bias": True, "end": (2, 5)},
        {"family": "llama", "qk_norm": False, "tied": False, "end": ()},
        {"family": "mistral", "qk_norm": False, "sliding_window": 4},
    ],
)
def test_ours_load_there(changes: dict[str, Any], tmp_path: Path) -> None:
    model = decoder(**changes)
    save_model(tmp_path, model)
    found, report = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    close(logits(model, tokens(2, 30)), logits(found, tokens(2, 30)))
    end = model.config.end
    assert found.generation_config.eos_token_id == (list(end) or None)
    assert load_model(tmp_path).config == model.config


@pytest.mark.parametrize("tied", [True, False])
def test_reward_models_load_there(tied: bool, tmp_path: Path) -> None:
    """Right padding, several lengths: their pooling finds the same last tokens."""
    model = scalar(tied=tied)
    save_model(tmp_path, model)
    found, report = AutoModelForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    ids, lengths = tokens(4, 17), torch.tensor([17, 3, 11, 1])
    padded = ids.masked_fill(torch.arange(17)[None] >= lengths[:, None], 0)
    expected = logits(found, padded).squeeze(1)
    with torch.no_grad():
        close(model.at_last(padded, lengths), expected)
        close(load_scalar(tmp_path).at_last(padded, lengths), expected)


@pytest.mark.parametrize("tied", [True, False])
def test_their_reward_models_load_here(tied: bool, tmp_path: Path) -> None:
    config = Qwen3Config(**SHAPE, num_key_value_heads=2, head_dim=10, num_labels=1, tie_word_embeddings=tied)
    model = Qwen3ForSequenceClassification(config).eval()
    scramble(model, 2)
    model.save_pretrained(tmp_path)
    ids = tokens(3, 12, high=53)
    with torch.no_grad():
        close(load_scalar(tmp_path).at_last(ids, torch.full((3,), 12)), logits(model, ids).squeeze(1))


def test_bfloat16_directories_load_as_the_same_numbers(tmp_path: Path) -> None:
    """What most published models are: half-precision files."""
    model = AutoModelForCausalLM.from_config(THEIRS["llama"])
    scramble(model, 3)
    model.to(torch.bfloat16).save_pretrained(tmp_path)
    ids = tokens(2, 9, high=53)
    again = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    close(logits(load_model(tmp_path), ids), logits(again, ids))


def test_a_directory_is_whole(tmp_path: Path) -> None:
    """Model, tokenizer, template and stop tokens of one directory, through nothing but the Auto classes."""
    text = ["Rzeka płynie przez miasto. The river runs through the town."] * 20
    vocabulary = train_vocabulary(text, 320)
    ours = decoder(
        vocabulary=vocabulary.size, begin=vocabulary.begin, end=(vocabulary.end,), padding=vocabulary.padding
    )
    save(tmp_path, ours, vocabulary)
    tokenizer, theirs = AutoTokenizer.from_pretrained(tmp_path), AutoModelForCausalLM.from_pretrained(tmp_path)
    messages = [{"role": "user", "content": "Dokąd płynie rzeka?"}]
    inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    found = theirs.generate(**inputs, max_new_tokens=20, do_sample=False)
    prompt = inputs["input_ids"][0].tolist()
    (mine,) = generate(ours, [prompt], [0], Sampling(temperature=0.0, max_new=20))
    assert mine.ids == found[0, len(prompt) :].tolist()
