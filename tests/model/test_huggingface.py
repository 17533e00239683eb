"""config.json in and out: what is wrong with one is said by name, and nothing that a file said is lost."""

import json
from typing import Any

import pytest
from model.tiny import PLAIN

from anatomia.base.errors import UserError
from anatomia.model.families import FAMILIES, NEEDED, Key
from anatomia.model.huggingface import from_huggingface, to_huggingface

SIZES = {"vocabulary": 40, "width": 16, "layers": 2, "heads": 4, "hidden": 24, "kv_heads": 2, "head_size": 8}
NONSENSE: list[Any] = [None, "x", "4", -1, 0, 1.5, 3, True, False, [], ["x"], {}, {"type": "yarn"}, {"rope_type": 7}]


def smallest(family: str) -> dict[str, Any]:
    """A config.json with what a family cannot do without, and sizes that fit each other."""
    record: dict[str, Any] = {"model_type": family}
    for key, entry in FAMILIES[family].record.items():
        if isinstance(entry, Key) and (entry.default is NEEDED or entry.fields[0] in SIZES):
            record[key] = SIZES[entry.fields[0]]
    return record


def spoken(family: str) -> list[str]:
    """Every key of config.json that means something in a family."""
    found = ["model_type", "quantization_config", *FAMILIES[family].only]
    for key, entry in FAMILIES[family].record.items():
        if isinstance(entry, Key):
            found += [key, *([entry.also] if entry.also else [])]
        elif hasattr(entry, "keys"):
            found += entry.keys
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_no_value_of_any_key_is_more_than_an_error_in_one_line(family: str) -> None:
    """Whatever stands there is understood or refused; nothing else escapes."""
    from_huggingface(smallest(family))
    refused: list[str] = []
    for key in spoken(family):
        for value in NONSENSE:
            for more in ({}, {"use_sliding_window": True}, {"new_decoder_architecture": True}):
                try:
                    from_huggingface({**smallest(family), **more, key: value}, "here.json")
                except UserError as error:
                    refused.append(str(error))
    assert len(refused) > 100
    assert all(error.startswith("here.json: ") and "\n" not in error for error in refused)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_was_read_is_written_and_read_again(family: str) -> None:
    said = {"attention_dropout": 0.25, "initializer_range": 0.5, "own_note": ["kept", 1]}
    left_behind = {"auto_map": {"AutoModel": "code.py"}, "transformers_version": "4.1", "torch_dtype": "bfloat16"}
    config = from_huggingface({**smallest(family), **said, **left_behind})
    record = json.loads(json.dumps(to_huggingface(config)))
    assert {key: record.get(key) for key in said} == said
    assert not left_behind.keys() & record.keys()
    assert from_huggingface(record) == config
    reward = to_huggingface(config, scalar=True)
    assert reward["architectures"][0].endswith("ForSequenceClassification")
    assert from_huggingface(reward) == config


def test_the_families_that_are_known_are_named() -> None:
    with pytest.raises(UserError, match="'bloom' is not one of qwen3, qwen2, llama, mistral, falcon, gpt2"):
        from_huggingface({"model_type": "bloom"})


def test_options_of_a_known_family_that_are_not_supported_are_named() -> None:
    for family, changes, words in (
        ("gpt2", {"add_cross_attention": True}, "add_cross_attention = True is not supported for gpt2"),
        ("gpt2", {"activation_function": "mish"}, "activation_function = 'mish'"),
        ("falcon", {"new_decoder_architecture": True, "parallel_attn": False}, "parallel_attn = False"),
        ("falcon", {"num_ln_in_parallel_attn": 2}, "num_ln_in_parallel_attn = 2"),
        ("llama", {"quantization_config": {"bits": 4}}, "quantization_config"),
        ("llama", {"num_key_value_heads": 3}, "4.*3"),
        ("llama", {"head_dim": 7}, "7 must be even"),
        ("qwen2", {"rope_scaling": {"type": "longrope"}}, "'longrope'"),
    ):
        with pytest.raises(UserError, match=words):
            from_huggingface({**smallest(family), **changes})


def test_the_default_is_written_as_ever() -> None:
    """A run made by an earlier version goes on without making its models again."""
    record = to_huggingface(PLAIN)
    assert list(record)[:12] == [
        "model_type", "architectures", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "intermediate_size", "max_position_embeddings", "rope_theta",
        "rope_parameters",
    ]  # fmt: skip
    assert record["rope_parameters"] == {"rope_type": "default", "rope_theta": 10000.0}
    assert not {"use_sliding_window", "sliding_window", "rope_scaling"} & record.keys()
