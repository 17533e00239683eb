"""Files of weights: in one piece or many, in the number format they came in, pickled only where that was allowed."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import decoder, tokens
from safetensors.torch import load_file, save_file

from anatomia.base.errors import UserError
from anatomia.model.checkpoint import load_model, save_model
from anatomia.model.decoder import Decoder
from anatomia.model.weights import PERMISSION, Weights

GPT2: dict[str, Any] = {
    "family": "gpt2", "norm": "layer", "positions": "learned", "qk_norm": False, "qkv_bias": True, "output_bias": True,
    "feed_bias": True, "gated": False, "activation": "gelu_new", "kv_heads": 4, "head_size": 4,
}  # fmt: skip


def same(one: Decoder, other: Decoder) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.glob("model*")}


def change(directory: Path, **tensors: torch.Tensor | None) -> None:
    """Put tensors into a model's file, or (None) take them out; "__" in a name stands for "."."""
    path = directory / "model.safetensors"
    found: dict[str, Any] = load_file(path) | {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    save_file({name: tensor for name, tensor in found.items() if tensor is not None}, path)


def pickled(directory: Path, model: Decoder, shards: int = 1) -> None:
    """The same model as transformers once wrote it."""
    save_model(directory, model)
    tensors = list(load_file(directory / "model.safetensors").items())
    (directory / "model.safetensors").unlink()
    if shards == 1:
        torch.save(dict(tensors), directory / "pytorch_model.bin")
        return
    files = [f"pytorch_model-{number:05}-of-{shards:05}.bin" for number in range(1, shards + 1)]
    for number, file in enumerate(files):
        torch.save(dict(tensors[number::shards]), directory / file)
    places = {name: files[number % shards] for number, (name, _) in enumerate(tensors)}
    (directory / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))


def test_large_models_become_shards_that_hold_the_same(tmp_path: Path) -> None:
    model = decoder(tied=False)
    save_model(tmp_path / "whole", model)
    save_model(tmp_path / "shards", model, shard_bytes=4096)
    index = json.loads((tmp_path / "shards" / "model.safetensors.index.json").read_text())
    whole, files = load_file(tmp_path / "whole" / "model.safetensors"), set(index["weight_map"].values())
    assert len(files) > 3
    assert names(tmp_path / "shards") == files | {"model.safetensors.index.json"}
    for name, file in index["weight_map"].items():
        assert torch.equal(load_file(tmp_path / "shards" / file)[name], whole[name])
    assert index["weight_map"].keys() == whole.keys()
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in whole.values())
    largest = max(tensor.nbytes for tensor in whole.values())
    sizes = [sum(t.nbytes for t in load_file(tmp_path / "shards" / file).values()) for file in files]
    assert max(sizes) <= max(4096, largest)
    assert same(load_model(tmp_path / "shards"), model)


def test_nothing_of_an_older_model_is_left(tmp_path: Path) -> None:
    """A reader would take what an old index names for the model."""
    one, other = decoder(seed=1), decoder(seed=2)
    save_model(tmp_path, one, shard_bytes=2048)
    save_model(tmp_path, other)
    assert names(tmp_path) == {"model.safetensors"}
    assert same(load_model(tmp_path), other)
    save_model(tmp_path, one, shard_bytes=2048)
    assert "model.safetensors" not in names(tmp_path)
    assert same(load_model(tmp_path), one)


def test_pickles_are_read_only_where_somebody_allowed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = decoder()
    for shards in (1, 3):
        pickled(tmp_path / str(shards), model, shards)
        for allowed in ("", "0", "yes"):
            monkeypatch.setenv(PERMISSION, allowed)
            with pytest.raises(UserError, match=rf"can run code.*safetensors.*{PERMISSION}=1"):
                load_model(tmp_path / str(shards))
        monkeypatch.setenv(PERMISSION, "1")
        assert same(load_model(tmp_path / str(shards)), model)


class Harm:
    """What a hostile pickle does when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_pickles_run_no_code_even_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PERMISSION, "1")
    pickled(tmp_path, decoder())
    torch.save({"model.norm.weight": Harm(tmp_path / "harmed")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"pytorch_model\.bin cannot be read"):
        load_model(tmp_path)
    assert not (tmp_path / "harmed").exists()


def test_safetensors_are_taken_where_both_are_there(tmp_path: Path) -> None:
    model = decoder()
    pickled(tmp_path, decoder(seed=5))
    save_model(tmp_path, model)
    assert same(load_model(tmp_path), model)


def test_an_index_that_points_elsewhere_is_damaged(tmp_path: Path) -> None:
    save_model(tmp_path, decoder())
    for places in ({"a": "../other/model.safetensors"}, {}, ["model.safetensors"]):
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
        with pytest.raises(UserError, match=r"index\.json.*damaged"):
            Weights(tmp_path)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("changes", [{}, GPT2, {"family": "llama", "qk_norm": False, "tied": False}])
def test_half_precision_comes_back_byte_for_byte(dtype: torch.dtype, changes: dict[str, Any], tmp_path: Path) -> None:
    """Most published models are half precision; untouched they stay so, trained they are kept in full."""
    save_model(tmp_path / "ours", decoder(**changes))
    path = tmp_path / "ours" / "model.safetensors"
    before = {name: tensor.to(dtype) for name, tensor in load_file(path).items()}
    save_file(before, path)
    model = load_model(tmp_path / "ours")
    assert all(weight.dtype == torch.float32 for weight in model.parameters())
    save_model(tmp_path / "again", model)
    after = load_file(tmp_path / "again" / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(after[name].dtype == dtype and torch.equal(after[name], before[name]) for name in before)
    assert json.loads((tmp_path / "again" / "config.json").read_text())["dtype"] == str(dtype).removeprefix("torch.")
    with torch.no_grad():
        model.norm[0] += 1e-6
    save_model(tmp_path / "trained", model)
    trained = load_model(tmp_path / "trained")
    assert same(trained, model)
    assert trained.config.dtype == "float32"


def test_weights_of_several_formats_lose_nothing(tmp_path: Path) -> None:
    """Norms in full precision among half-precision matrices."""
    save_model(tmp_path, decoder())
    change(tmp_path, model__embed_tokens__weight=decoder().embedding.detach().bfloat16())
    model = load_model(tmp_path)
    save_model(tmp_path / "again", model)
    assert same(load_model(tmp_path / "again"), model)


def test_an_output_matrix_beside_a_tied_embedding(tmp_path: Path) -> None:
    """The same numbers again are no second matrix; others are, whatever config.json says, as transformers has it."""
    model = decoder()
    save_model(tmp_path, model)
    change(tmp_path, lm_head__weight=model.embedding.detach().clone())
    assert load_model(tmp_path).config.tied
    change(tmp_path, lm_head__weight=2 * model.embedding.detach())
    found = load_model(tmp_path)
    assert not found.config.tied
    with torch.no_grad():
        assert torch.allclose(found(tokens(1, 9)), 2 * model(tokens(1, 9)), atol=1e-5)


def test_files_of_the_first_gpt2(tmp_path: Path) -> None:
    """They name weights without the model before them, and hold the causal mask as if it were one."""
    model = decoder(**GPT2)
    save_model(tmp_path, model)
    path = tmp_path / "model.safetensors"
    tensors = {name.removeprefix("transformer."): tensor for name, tensor in load_file(path).items()}
    tensors |= {f"h.{layer}.attn.bias": torch.ones(1, 1, 64, 64).tril() for layer in range(2)}
    tensors |= {f"h.{layer}.attn.masked_bias": torch.tensor(-1e4) for layer in range(2)}
    save_file(tensors, path)
    assert same(load_model(tmp_path), model)
    tensors["h.0.attn.c_attn.bias"] = tensors["h.0.attn.c_attn.bias"][:-1].clone()
    save_file(tensors, path)
    with pytest.raises(UserError, match=r"h\.0\.attn\.c_attn\.bias is \[47\], config\.json asks for \[48\]"):
        load_model(tmp_path)


def test_positions_that_were_never_learned() -> None:
    model = decoder(**GPT2)
    model(tokens(1, 64))
    with pytest.raises(UserError, match=r"65 tokens.*64 positions"):
        model(tokens(1, 65))
