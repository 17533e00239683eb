"""Model directories: always Hugging Face's layout, in and out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from anatomia.base.errors import UserError
from anatomia.base.files import read_json, write_bytes, write_json
from anatomia.model.config import DecoderConfig, from_huggingface, to_huggingface
from anatomia.model.decoder import Decoder
from anatomia.model.scalar import ScalarModel


def save_model(directory: Path, model: Decoder | ScalarModel, generation: dict[str, Any] | None = None) -> None:
    """Write `config.json`, `model.safetensors` (fp32) and, for a decoder, `generation_config.json`.

    The tokenizer's files are the vocabulary's to write (`Vocabulary.save`).
    """
    directory.mkdir(parents=True, exist_ok=True)
    decoder = model.decoder if isinstance(model, ScalarModel) else model
    tensors = dict(to_names(decoder))
    if isinstance(model, ScalarModel):
        tensors.pop("lm_head.weight", None)
        tensors["score.weight"] = model.score
    weights = {name: tensor.detach().float().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(directory / "model.safetensors", to_safetensors(weights, metadata={"format": "pt"}))
    write_json(directory / "config.json", to_huggingface(decoder.config, scalar=isinstance(model, ScalarModel)))
    if isinstance(model, Decoder):
        config = model.config
        end = list(config.end) or None
        record = {"bos_token_id": config.begin, "eos_token_id": end, "pad_token_id": config.padding}
        write_json(directory / "generation_config.json", record | (generation or {}))


def load_config(directory: Path) -> DecoderConfig:
    """The configuration of the model in `directory`, with the stop tokens of `generation_config.json`."""
    path = directory / "config.json"
    if not path.is_file():
        raise UserError(f"{directory} holds no model (no config.json); give a model directory or a run")
    record = read_record(path)
    generation = directory / "generation_config.json"
    if generation.is_file():
        end = read_record(generation).get("eos_token_id")
        record = record | ({"eos_token_id": end} if end else {})
    return from_huggingface(record, str(path))


def read_record(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; `UserError` if it holds none."""
    try:
        record = read_json(path)
    except ValueError as error:
        raise UserError(f"{path} cannot be read ({error}); it is damaged or cut short") from error
    if not isinstance(record, dict):
        raise UserError(f"{path} holds no JSON object; it is no configuration")
    return record


def load_model(directory: Path) -> Decoder:
    """The decoder in `directory`, in fp32.

    Raises:
        UserError: there is none, its files are damaged or do not fit each other, or it is of a kind not supported.
    """
    decoder, tensors = Decoder(load_config(directory)), read_weights(directory)
    if decoder.head is not None and "lm_head.weight" not in tensors and "score.weight" in tensors:
        raise UserError(f"{directory} is a reward model (no lm_head.weight) and cannot write; give a language model")
    fill(decoder, tensors, directory)
    return decoder


def load_scalar(directory: Path) -> ScalarModel:
    """The reward model in `directory`, in fp32: a decoder with one scalar output."""
    tensors = read_weights(directory)
    if "score.weight" not in tensors:
        raise UserError(f"{directory} is not a reward model (no score.weight); run the stage `reward` first")
    model = ScalarModel(Decoder(load_config(directory)))
    if model.decoder.head is not None:  # never used, and not in the files: any value, but a definite one
        tensors.setdefault("lm_head.weight", torch.zeros_like(model.decoder.head))
    score = tensors.pop("score.weight")
    if score.shape != model.score.shape:
        raise UserError(f"{directory}: score.weight is {list(score.shape)}; a reward model has one score per token")
    fill(model.decoder, tensors, directory)
    with torch.no_grad():
        model.score.copy_(score.float())
    return model


def read_weights(directory: Path) -> dict[str, Tensor]:
    """All tensors of a directory's safetensors files, sharded or not."""
    index = directory / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.is_file():
        names = sorted(set(read_record(index).get("weight_map", {}).values()))
    tensors: dict[str, Tensor] = {}
    for name in names:
        path = directory / name
        if not path.is_file():
            pickled = any(directory.glob("*.bin"))
            why = (
                "only pickled .bin weights, which can run code when read; convert them to safetensors"
                if pickled
                else ""
            )
            raise UserError(f"{directory} holds {why or f'no {name}'}")
        try:
            tensors |= load_file(path)
        except Exception as error:  # safetensors raises its own type for damaged files
            raise UserError(f"{path} cannot be read ({error}); it is damaged or cut short") from error
    return tensors


def fill(decoder: Decoder, tensors: dict[str, Tensor], directory: Path) -> None:
    """Copy tensors under Hugging Face's names into the decoder's fused weights.

    Raises:
        UserError: a weight is missing or has another shape, or there is one that this decoder has no place for, so that
            its numbers would not be those of the model that was saved.
    """
    known = {name.removeprefix("model.") for name, _ in to_names(decoder)} | {"lm_head.weight", "score.weight"}
    for name in sorted(tensors):
        if name.removeprefix("model.") not in known and not name.endswith("rotary_emb.inv_freq"):
            raise UserError(f"{directory}: there is no place for {name} in a model of config.json's kind")
    tensors = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
    with torch.no_grad():
        for name, target in to_names(decoder):
            key = name.removeprefix("model.")
            if key not in tensors:
                raise UserError(f"{directory}: the weights lack {name}")
            if tensors[key].shape != target.shape:
                found, wanted = list(tensors[key].shape), list(target.shape)
                raise UserError(f"{directory}: {name} is {found}, config.json asks for {wanted}")
            target.copy_(tensors[key].float())


def to_names(decoder: Decoder) -> Iterator[tuple[str, Tensor]]:
    """Hugging Face's name and a view of every weight; writing to a view writes to the decoder."""
    config = decoder.config
    q, kv = config.heads * config.head_size, config.kv_heads * config.head_size
    yield "model.embed_tokens.weight", decoder.embedding
    for number, block in enumerate(decoder.blocks):
        prefix = f"model.layers.{number}."
        yield prefix + "input_layernorm.weight", weight(block, "attention_norm")
        for part, tensor in zip("qkv", weight(block, "qkv").split([q, kv, kv]), strict=True):
            yield f"{prefix}self_attn.{part}_proj.weight", tensor
        if config.qkv_bias:
            for part, tensor in zip("qkv", weight(block, "qkv_bias").split([q, kv, kv]), strict=True):
                yield f"{prefix}self_attn.{part}_proj.bias", tensor
        if config.qk_norm:
            yield prefix + "self_attn.q_norm.weight", weight(block, "q_norm")
            yield prefix + "self_attn.k_norm.weight", weight(block, "k_norm")
        yield prefix + "self_attn.o_proj.weight", weight(block, "output")
        if config.output_bias:
            yield prefix + "self_attn.o_proj.bias", weight(block, "output_bias")
        yield prefix + "post_attention_layernorm.weight", weight(block, "feed_norm")
        gate, up = weight(block, "gate_up").split(config.hidden)
        yield prefix + "mlp.gate_proj.weight", gate
        yield prefix + "mlp.up_proj.weight", up
        yield prefix + "mlp.down_proj.weight", weight(block, "down")
    yield "model.norm.weight", decoder.norm
    if decoder.head is not None:
        yield "lm_head.weight", decoder.head


def weight(block: nn.Module, name: str) -> Tensor:
    """A block's parameter by name."""
    return block.get_parameter(name)
