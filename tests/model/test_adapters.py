"""Adapters on small decoders: several on one base, switched on and off, packed rows, files of ours, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from model.test_fused import batch, gradients
from model.tiny import decoder, scalar, tokens

from anatomia.base.compiled import can_compile, can_fuse
from anatomia.base.errors import UserError
from anatomia.generate import native
from anatomia.generate.eager import EagerBatch
from anatomia.generate.engine import generate
from anatomia.generate.sampling import Sampling
from anatomia.model.adapters import KINDS, Adapter, AdapterConfig, Kind, attach, merge, train_only
from anatomia.model.adapters_files import load_adapter, save_adapter
from anatomia.model.attention import document_mask
from anatomia.model.checkpoint import load_model, load_scalar, save_model
from anatomia.model.decoder import Decoder
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.cross_entropy import CHUNK

IDS = tokens(2, 12, seed=4)
FAMILIES: dict[str, dict[str, Any]] = {
    "qwen3": {},
    "windows": {"sliding_window": 5},
    "layer windows": {"layer_windows": (4, None)},
    "gpt2": {
        "family": "gpt2", "norm": "layer", "positions": "learned", "qk_norm": False, "qkv_bias": True,
        "output_bias": True, "feed_bias": True, "gated": False, "activation": "gelu_new", "kv_heads": 4, "head_size": 4,
    },
    "falcon": {
        "family": "falcon", "norm": "layer", "positions": "alibi", "qk_norm": False, "gated": False, "parallel": True,
        "norms": 1, "kv_heads": 1, "head_size": 4, "activation": "gelu", "feed_bias": False,
    },
}  # fmt: skip
every = pytest.mark.parametrize("kind", KINDS)
families = pytest.mark.parametrize("family", FAMILIES)


def adapted(model: Decoder, kind: Kind, name: str = "default", seed: int = 1) -> Adapter:
    """An adapter far from its beginnings."""
    generator = torch.Generator().manual_seed(seed)
    adapter = attach(model, AdapterConfig(kind, 4, 8.0, 5), generator, name)
    with torch.no_grad():
        for weight in adapter.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=generator)
    return adapter


@torch.no_grad()
def said(model: Decoder, ids: torch.Tensor = IDS) -> torch.Tensor:
    return model(ids)


@every
def test_switched_off_the_decoder_is_itself_to_the_bit(kind: Kind) -> None:
    model = decoder()
    plain = said(model)
    adapted(model, kind)
    changed = said(model)
    assert (changed - plain).abs().max() > 0.01
    with model.using(None):
        assert torch.equal(said(model), plain)
    assert torch.equal(said(model.under(None)), plain)
    assert torch.equal(said(model), changed)


def test_one_base_in_many_roles() -> None:
    """A policy, its reference and a reward model: every weight of the base is there once, and all see it change."""
    model = decoder()
    plain = said(model)
    policy = adapted(model, "lora", "policy")
    judge = adapted(model, "ia3", "judge", seed=2)
    roles = {name: model.under(name) for name in ("policy", "judge", None)}
    assert len({said(role).sum().item() for role in roles.values()}) == 3
    assert torch.equal(said(roles[None]), plain)
    reward = ScalarModel(roles["judge"])
    both = torch.nn.ModuleDict({"policy": roles["policy"], "reward": reward})
    train_only(both, policy, judge)
    own = sum(weight.numel() for adapter in (policy, judge) for weight in adapter.parameters())
    assert sum(weight.numel() for weight in both.parameters()) == model.config.parameters() + own + model.config.width
    roles["policy"](IDS).square().mean().backward()
    assert all(weight.grad is not None for weight in policy.parameters())
    assert all(weight.grad is None for weight in judge.parameters())
    with torch.no_grad():
        model.embedding.mul_(2.0)
    assert not torch.equal(said(roles[None]), plain)


@families
@every
def test_documents_in_a_row_do_not_know_of_each_other(family: str, kind: Kind) -> None:
    """Each has the adapter, virtual tokens too, as if it stood alone."""
    model = decoder(**FAMILIES[family])
    adapted(model, kind)
    lengths = [5, 6, 4]
    ids = tokens(1, 15, seed=6)
    documents = torch.repeat_interleave(torch.arange(3), torch.tensor(lengths))[None]
    positions = torch.cat([torch.arange(length) for length in lengths])[None]
    mask = document_mask(documents, torch.float32, model.config.sliding_window)
    with torch.no_grad():
        packed = model(ids, positions, mask)
    start = 0
    for length in lengths:
        alone = said(model, ids[:, start : start + length])
        assert (packed[:, start : start + length] - alone).abs().max() < 1e-5
        start += length


@families
@every
def test_token_for_token_and_in_batches_of_different_lengths(family: str, kind: Kind) -> None:
    """Greedy answers are what the largest logits of whole texts say."""
    model = decoder(**FAMILIES[family]).requires_grad_(False)
    adapted(model, kind)
    prompts = [tokens(length, seed=length).tolist() for length in (3, 7, 7)]
    found = generate(model, prompts, [0] * 3, Sampling(temperature=0.0, max_new=6))
    for prompt, completion in zip(prompts, found, strict=True):
        text = list(prompt)
        for token in completion.ids:
            assert said(model, torch.tensor([text]))[0, -1].argmax() == token
            text.append(token)


@families
@every
def test_saved_beside_the_weights_and_read_again(family: str, kind: Kind, tmp_path: Path) -> None:
    """The directory is still the base to others; here it is the adapted model, as a reward model too."""
    model = decoder(**FAMILIES[family])
    plain = said(model)
    adapted(model, kind)
    save_model(tmp_path / "model", model)
    again = load_model(tmp_path / "model")
    assert (said(again) - said(model)).abs().max() < 1e-5
    assert again.config == model.config
    assert torch.equal(said(again.under(None)), plain)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config.get("max_position_embeddings", config.get("n_positions")) == 64
    reward = ScalarModel(model)
    with torch.no_grad():
        reward.score.normal_(generator=torch.Generator().manual_seed(3))
        save_model(tmp_path / "reward", reward)
        assert (load_scalar(tmp_path / "reward")(IDS) - reward(IDS)).abs().max() < 1e-5


@families
@pytest.mark.parametrize("kind", [kind for kind in KINDS if AdapterConfig(kind).mergeable])
def test_merged_it_says_the_same_and_stays_a_model_of_its_family(family: str, kind: Kind, tmp_path: Path) -> None:
    model = decoder(**FAMILIES[family])
    adapted(model, kind)
    before = said(model)
    merge(model)
    assert model.adapted is None
    assert not list(model.adapters)
    assert (said(model) - before).abs().max() < 1e-5 * max(1.0, float(before.abs().max()))
    save_model(tmp_path, model)
    assert torch.equal(said(load_model(tmp_path)), said(model))
    assert not (tmp_path / "adapter").exists()


def test_what_cannot_be_merged_says_so() -> None:
    model = decoder()
    adapted(model, "prefix")
    with pytest.raises(ValueError, match="cannot be merged"):
        merge(model)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["lora", "rslora", "dora", "ia3", "bitfit", "bottleneck", "pfeiffer"])
def test_it_begins_as_nothing_in_any_number_format(kind: Kind, dtype: torch.dtype) -> None:
    model = decoder().to(dtype)
    plain = said(model)
    attach(model, AdapterConfig(kind, 4), torch.Generator().manual_seed(1))
    assert torch.equal(said(model), plain)


def test_virtual_tokens_take_room() -> None:
    model = decoder()
    attach(model, AdapterConfig("prompt", tokens=10), torch.Generator())
    assert model.config.context == 54
    for kind in ("prompt", "prefix"):
        with pytest.raises(UserError, match="60 virtual tokens leave no room in the model's context of 64"):
            attach(decoder(), AdapterConfig(kind, tokens=60), torch.Generator())


def test_biases_where_the_family_has_none() -> None:
    with pytest.raises(UserError, match="the family mistral has none"):
        attach(decoder(family="mistral", qk_norm=False), AdapterConfig("bitfit"), torch.Generator())


def test_memory_is_not_needed_to_know_how_much_there_will_be() -> None:
    """On torch's "meta" device, as the check before a run does it."""
    for kind in KINDS:
        real = attach(decoder(), AdapterConfig(kind, 4), torch.Generator())
        with torch.device("meta"):
            model = Decoder(decoder().config)
            told = attach(model, AdapterConfig(kind, 4), torch.Generator())
        assert [weight.shape for weight in told.parameters()] == [weight.shape for weight in real.parameters()]
        assert all(weight.is_meta for weight in told.parameters())


def written(tmp_path: Path, kind: Kind, **changes: Any) -> Path:
    """An adapter with changes to its record."""
    model = decoder()
    adapted(model, kind)
    save_adapter(tmp_path, model)
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("lora", {"peft_type": "VERA"}, "peft_type = 'VERA'"),
        ("lora", {"bias": "all"}, "bias = 'all'"),
        ("lora", {"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ("lora", {"init_lora_weights": "pissa"}, "init_lora_weights = 'pissa'"),
        ("dora", {"use_rslora": True}, "use_dora and use_rslora"),
        ("lora", {"use_dora": True}, "lora_magnitude_vector"),
        ("prefix", {"peft_type": "PROMPT_TUNING"}, "prompt_embeddings is [5, 48], this model asks for [5, 16]"),
        ("ia3", {"peft_type": "LORA"}, "there is no place for base_model.model.model.layers.0.mlp.down_proj.ia3_l"),
    ],
)
def test_an_adapter_that_would_not_be_what_it_was_is_refused(
    tmp_path: Path, kind: Kind, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError) as caught:
        load_adapter(written(tmp_path, kind, **changes), decoder())
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    directory = written(tmp_path, "lora")
    with pytest.raises(UserError, match="this model asks for"):
        load_adapter(directory, decoder(width=32))
    with pytest.raises(UserError, match="the adapter is another's"):
        load_adapter(directory, decoder(layers=1))
    with pytest.raises(UserError, match="holds no adapter"):
        load_adapter(tmp_path / "nothing", decoder())


def test_a_reward_model_takes_one_too() -> None:
    model = scalar()
    plain = model(IDS)
    adapted(model.decoder, "lora")
    assert (model(IDS) - plain).abs().max() > 0.01


@pytest.mark.skipif(not can_compile(), reason="no C++ compiler here")
@pytest.mark.parametrize("kind", ["lora", "dora", "rslora", "ia3"])
def test_the_compiled_kernel_writes_with_it(kind: Kind) -> None:
    """Merged into what the kernel reads; switched off, it is gone there too."""
    model = decoder(qkv_bias=True, output_bias=True).requires_grad_(False)
    adapted(model, kind).requires_grad_(False)
    prompts = [tokens(length, seed=length).tolist() for length in (3, 9)]
    for name in ("default", None, "default"):
        with model.using(name), torch.inference_mode():
            assert native.supports(model)
            mine, other = native.NativeBatch(model, prompts, 5).logits, EagerBatch(model, prompts, 5).logits
            assert (mine - other).abs().max() < 1e-5 * max(1.0, float(other.abs().max()))
    attach(model, AdapterConfig("pfeiffer", 4), torch.Generator(), "other")
    assert not native.supports(model)


def test_a_directory_of_an_adapter_alone_stands_for_its_base_with_it(tmp_path: Path) -> None:
    """Found from where the adapter lies; a base that is not here is asked for by its name."""
    model = decoder()
    plain = said(model)
    save_model(tmp_path / "base", model)
    adapted(model, "dora")
    save_adapter(tmp_path / "adapters" / "one", model, base="../../base")
    again = load_model(tmp_path / "adapters" / "one")
    assert (said(again) - said(model)).abs().max() < 1e-5
    assert torch.equal(said(load_model(tmp_path / "base")), plain)
    save_model(tmp_path / "both", model)
    assert torch.equal(said(load_model(tmp_path / "both" / "adapter")), said(load_model(tmp_path / "both")))
    save_adapter(tmp_path / "two", model, base="somebody/model-7b")
    with pytest.raises(UserError, match="an adapter for somebody/model-7b, which is not here"):
        load_model(tmp_path / "two")
    save_adapter(tmp_path / "three", model, base="../both")
    with pytest.raises(UserError, match="which has one itself"):
        load_model(tmp_path / "three")


@pytest.mark.slow
@pytest.mark.skipif(not can_fuse("cpu"), reason="needs a C++ compiler and Python's headers")
@every
def test_compiled_blocks_have_the_gradients_of_those_that_are_not(kind: Kind) -> None:
    data = batch(CHUNK // 64 * 2, 64)
    model = decoder(context=96, scale=0.15)
    train_only(model, adapted(model, kind))
    loss, expected = gradients(model, data)
    model.fused = True
    found, fused = gradients(model, data)
    assert found == pytest.approx(loss, rel=1e-5)
    assert fused.keys() == expected.keys() == {name for name, _ in model.named_parameters() if "adapters" in name}
    for name, gradient in fused.items():
        assert (gradient - expected[name]).norm() <= 2e-5 * expected[name].norm() + 1e-8, name
