"""Every family and option against transformers, on random models: files, logits, gradients and greedy generation."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import tokens
from parity.kinds import KINDS, LLAMA3, build, close, gradients, logits
from safetensors.torch import load_file
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
)

from anatomia.base import machine as machines
from anatomia.base.compiled import can_compile
from anatomia.base.errors import UserError
from anatomia.base.machine import Machine
from anatomia.generate.engine import generate
from anatomia.generate.native import supports
from anatomia.generate.sampling import Sampling
from anatomia.model.attention import document_mask
from anatomia.model.checkpoint import load_config, load_model, load_scalar, save_model
from anatomia.model.decoder import Decoder
from anatomia.model.huggingface import from_huggingface
from anatomia.model.scalar import ScalarModel


@pytest.fixture(params=KINDS)
def theirs(request: pytest.FixtureRequest) -> Any:
    return build(request.param)


def stored(directory: Path) -> dict[str, Tensor]:
    """All tensors in a directory's files."""
    found: dict[str, Tensor] = {}
    for path in directory.glob("*.safetensors"):
        found |= load_file(path)
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


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_comes_back_byte_for_byte(theirs: Any, dtype: torch.dtype, tmp_path: Path) -> None:
    """As most published models are: the numbers of the file while it computes in 32 bits, and its bytes afterwards."""
    theirs.to(dtype).save_pretrained(tmp_path / "theirs")
    ours, ids = load_model(tmp_path / "theirs"), tokens(2, 9, high=61)
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "theirs", dtype=torch.float32)
    close(logits(ours, ids), logits(again, ids))
    save_model(tmp_path / "ours", ours)
    before, after = stored(tmp_path / "theirs"), stored(tmp_path / "ours")
    assert before.keys() == after.keys()
    for key, tensor in before.items():
        assert after[key].dtype == tensor.dtype == dtype
        assert torch.equal(after[key].view(torch.int16), tensor.view(torch.int16))


def test_configurations_say_the_same(theirs: Any, tmp_path: Path) -> None:
    """What stands in their config.json stands in ours, as transformers reads it; but for widths they leave open."""
    theirs.config.save_pretrained(tmp_path / "theirs")
    theirs.save_pretrained(tmp_path / "theirs")
    save_model(tmp_path / "ours", load_model(tmp_path / "theirs"))
    before, after = (AutoConfig.from_pretrained(tmp_path / name).to_dict() for name in ("theirs", "ours"))
    derived = {"head_dim", "n_inner", "max_window_layers", "num_ln_in_parallel_attn", "_name_or_path", "dtype"}
    assert {key: after.get(key) for key in before.keys() - derived} == {k: before[k] for k in before.keys() - derived}


def test_greedy_generation_token_for_token(theirs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prompts of several lengths, padded on the left there, until the length or an end token, which some meet; with
    torch's operations, and with the compiled kernel where it knows the family."""
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
    for decoding in ("eager", "native") if can_compile() and supports(ours) else ("eager",):
        chosen = Machine("test", 1, 0, 1.0, 1.0, "", "0", "cpu", "float32", 1, decoding)
        monkeypatch.setattr(machines, "_applied", chosen)
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


ALIKE = {
    "qwen3-gelu", "qwen3-untied-biased", "llama2-biased", "llama-yarn-attention", "llama-yarn-untruncated",
    "falcon-7b-biased-untied", "falcon-40b-biased", "falcon-alibi-7b", "falcon-sequential", "falcon-heads",
    "falcon-linear", "gpt2-untied",
}  # fmt: skip
"""The kinds that another one stands for where only the length matters."""


@pytest.mark.parametrize("context", [2048, 4096])
@pytest.mark.parametrize("name", sorted(KINDS.keys() - ALIKE))
def test_long_contexts(name: str, context: int, tmp_path: Path) -> None:
    """A whole context of a narrow layer, and of one with and one without a window where they differ: logits, a training
    step's gradients, and at the longer one the last tokens of greedy generation."""
    small = "n_positions" if name.startswith("gpt2") else "max_position_embeddings"
    layers = "n_layer" if name.startswith("gpt2") else "num_hidden_layers"
    theirs = build(name, **{small: context, layers: 2 if name == "qwen3-windows-above" else 1, "layer_types": None})
    theirs.save_pretrained(tmp_path)
    ours, ids = load_model(tmp_path), tokens(1, context, high=61)
    close(logits(ours, ids), logits(theirs, ids))
    same_gradients(theirs, ours, ids)
    if context == 2048:
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
