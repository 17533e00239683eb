"""Adapters against peft: what either saves the other reads, with equal logits and equal gradients."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from model.tiny import tokens
from parity.kinds import build, close, logits

from anatomia.model.adapters import AdapterConfig, Kind, attach, merge, train_only
from anatomia.model.adapters_files import WEIGHTS, load_adapter, save_adapter
from anatomia.model.checkpoint import load_model
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.model.weights import Weights

peft = pytest.importorskip("peft")

MODELS = [
    "qwen3", "qwen2-windows-everywhere", "llama2-biased", "llama3", "mistral-window", "falcon-7b", "falcon-40b-biased",
    "falcon-rw", "gpt2", "gpt2-scores",
]  # fmt: skip
KINDS: list[Kind] = ["lora", "rslora", "dora", "ia3", "prompt", "prefix"]
TOKENS = 4

models = pytest.mark.parametrize("model", MODELS)
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def pair(model: str, tmp_path: Path) -> tuple[Any, Decoder]:
    theirs = build(model)
    theirs.save_pretrained(tmp_path / "base")
    return theirs, load_model(tmp_path / "base").eval()


def shaken(adapter: torch.nn.Module) -> None:
    """Far from its beginnings, so that every number shows."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for _, weight in sorted(adapter.named_parameters()):
            if weight.requires_grad:
                weight += 0.1 * torch.randn(weight.shape, generator=generator)


def settings(kind: Kind, config: DecoderConfig) -> Any:
    """The same adapter as peft's configuration. It does not know how many heads Falcon's keys have, so it is told."""
    family = config.family
    turned: dict[str, Any] = {"task_type": "CAUSAL_LM", "fan_in_fan_out": family == "gpt2"}
    if kind == "prompt":
        return peft.PromptTuningConfig(num_virtual_tokens=TOKENS, task_type="CAUSAL_LM")
    if kind == "prefix":
        heads = {"num_attention_heads": config.kv_heads, "token_dim": config.kv_heads * config.head_size}
        return peft.PrefixTuningConfig(
            num_virtual_tokens=TOKENS, task_type="CAUSAL_LM", **(heads if family == "falcon" else {})
        )
    if kind == "ia3":
        fed = {"gpt2": "mlp.c_proj", "falcon": "dense_4h_to_h"}.get(family, "down_proj")
        wide = {"gpt2": ["c_attn"], "falcon": ["query_key_value"]}.get(family, ["k_proj", "v_proj"])
        return peft.IA3Config(target_modules=[*wide, fed], feedforward_modules=[fed], **turned)
    return peft.LoraConfig(
        r=4, lora_alpha=6, target_modules="all-linear", use_dora=kind == "dora", use_rslora=kind == "rslora", **turned
    )


def answers(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """The logits of the tokens alone, virtual ones left out."""
    found = model(ids) if isinstance(model, Decoder) else model(input_ids=ids).logits
    return found[:, -ids.shape[1] :]


def loss(model: Any, ids: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(answers(model, ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


def as_written(decoder: Decoder, directory: Path) -> dict[str, torch.Tensor]:
    save_adapter(directory, decoder)
    return dict(Weights(directory, [directory / WEIGHTS]))


def gradients(decoder: Decoder, directory: Path) -> dict[str, torch.Tensor]:
    """Under the names of the files: what they would say of the gradients, less what they say of zeros."""
    found = []
    for factor in (1.0, 0.0):
        copied = copy.deepcopy(decoder)
        for mine, its in zip(decoder.adapters.parameters(), copied.adapters.parameters(), strict=True):
            assert mine.grad is not None
            its.data = mine.grad * factor
        found.append(as_written(copied, directory / str(factor)))
    return {key: found[0][key] - found[1][key] for key in found[0]}


@models
@kinds
def test_peft_reads_what_is_written_here(pair: tuple[Any, Decoder], kind: Kind, tmp_path: Path) -> None:
    """Equal logits, and equal ones once merged, here and there."""
    theirs, ours = pair
    ids = tokens(2, 17, high=61)
    plain = logits(ours, ids)
    adapter = attach(ours, AdapterConfig(kind, 4, 6.0, TOKENS), torch.Generator().manual_seed(1))
    if adapter.config.mergeable:
        assert torch.equal(logits(ours, ids), plain), "it begins as the model itself, to the bit"
    shaken(adapter)
    save_adapter(tmp_path / "adapter", ours)
    wrapped = peft.PeftModel.from_pretrained(theirs, tmp_path / "adapter").eval()
    mine = answers(ours, ids).detach()
    close(mine, answers(wrapped, ids).detach())
    assert (mine - plain).abs().max() > 0.05
    if adapter.config.mergeable:
        merge(ours)
        close(answers(ours, ids).detach(), mine)
        close(answers(wrapped.merge_and_unload(), ids).detach(), mine)


@models
@kinds
def test_what_peft_saves_is_read_and_learns_alike(pair: tuple[Any, Decoder], kind: Kind, tmp_path: Path) -> None:
    """The logits to 1e-5, and every gradient of a step to 3e-5 of its norm, which 32 bits leave."""
    theirs, ours = pair
    wrapped = peft.get_peft_model(theirs, settings(kind, ours.config)).eval()
    shaken(wrapped)
    wrapped.save_pretrained(tmp_path / "adapter")
    adapter = load_adapter(tmp_path / "adapter", ours)
    train_only(ours, adapter)
    ids = tokens(2, 17, high=61)
    close(answers(ours, ids).detach(), answers(wrapped, ids).detach())
    for model in (ours, wrapped):
        loss(model, ids).backward()
    mine = gradients(ours, tmp_path / "gradients")
    for weight in wrapped.parameters():
        weight.data = torch.zeros_like(weight) if weight.grad is None else weight.grad
    wrapped.save_pretrained(tmp_path / "theirs")
    expected = dict(Weights(tmp_path, [tmp_path / "theirs" / WEIGHTS]))
    assert mine.keys() == expected.keys()
    for key, gradient in expected.items():
        assert gradient.norm() > 0
        assert (mine[key] - gradient).norm() < 3e-5 * gradient.norm() + 1e-7, key
    assert all(weight.grad is None for name, weight in ours.named_parameters() if not name.startswith("adapters"))


def test_a_few_layers_with_ranks_of_their_own(tmp_path: Path) -> None:
    """Queries and values alone, one layer of them wider: peft's patterns, in and out again."""
    theirs = build("qwen3")
    theirs.save_pretrained(tmp_path / "base")
    patterns: dict[str, Any] = {"rank_pattern": {"layers.1.self_attn.q_proj": 7}, "alpha_pattern": {"v_proj": 3}}
    chosen = peft.LoraConfig(r=2, lora_alpha=5, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", **patterns)
    wrapped = peft.get_peft_model(theirs, chosen).eval()
    shaken(wrapped)
    wrapped.save_pretrained(tmp_path / "adapter")
    ours = load_model(tmp_path / "base").eval()
    load_adapter(tmp_path / "adapter", ours)
    ids = tokens(2, 17, high=61)
    close(answers(ours, ids).detach(), answers(wrapped, ids).detach())
    save_adapter(tmp_path / "again", ours)
    again = peft.PeftModel.from_pretrained(build("qwen3"), tmp_path / "again").eval()
    close(answers(again, ids).detach(), answers(wrapped, ids).detach())
