"""Model directories: always Hugging Face's layout, in and out."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anatomia.base.errors import UserError
from anatomia.base.files import write_json
from anatomia.model.adapters_files import DIRECTORY, base_of, load_adapter, load_beside, save_adapter
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.model.families import FAMILIES
from anatomia.model.huggingface import from_huggingface, to_huggingface
from anatomia.model.names import places
from anatomia.model.scalar import ScalarModel
from anatomia.model.weights import SHARD, Weights, read_record, write_weights

HEAD, SCORE = "lm_head.weight", "score.weight"


def save_model(
    directory: Path,
    model: Decoder | ScalarModel,
    generation: dict[str, Any] | None = None,
    shard_bytes: int = SHARD,
) -> None:
    """Write `config.json`, the weights and, for a decoder, `generation_config.json`; an adapter in force, which the
    weights have not taken up, in the directory `adapter` beside them.

    The weights are written in the number format they were once read in if that loses nothing, and else in fp32. More
    than `shard_bytes` become several files. The tokenizer's files are the vocabulary's to write (`Vocabulary.save`).
    """
    directory.mkdir(parents=True, exist_ok=True)
    decoder = model.decoder if isinstance(model, ScalarModel) else model
    tensors = {
        name: tensor.float().cpu().contiguous()
        for place in places(decoder)
        for name, tensor in zip(place.names, place.read(), strict=True)
    }
    if isinstance(model, ScalarModel):
        tensors.pop(HEAD, None)
        tensors[SCORE] = model.score.detach().float().cpu().contiguous()
    config, tensors = lossless(decoder.config, tensors)
    if decoder.adapter is not None:
        save_adapter(directory / DIRECTORY, decoder, str(decoder.adapted))
        config = replace(config, context=config.context + decoder.adapter.tokens)
    write_weights(directory, tensors, shard_bytes)
    write_json(directory / "config.json", to_huggingface(config, scalar=isinstance(model, ScalarModel)))
    if isinstance(model, Decoder):
        end = list(config.end) or None
        record = {"bos_token_id": config.begin, "eos_token_id": end, "pad_token_id": config.padding}
        write_json(directory / "generation_config.json", record | (generation or {}))


def lossless(config: DecoderConfig, tensors: dict[str, Tensor]) -> tuple[DecoderConfig, dict[str, Tensor]]:
    """The tensors in the configuration's number format, or, where that would round any of them, in fp32."""
    dtype = getattr(torch, config.dtype)
    if dtype == torch.float32:
        return config, tensors
    smaller = {}
    for name, tensor in tensors.items():
        smaller[name] = tensor.to(dtype)
        if not torch.equal(smaller[name].float(), tensor):
            return replace(config, dtype="float32"), tensors
    return config, smaller


def load_config(directory: Path) -> DecoderConfig:
    """The configuration of the model in `directory`, with the stop tokens of `generation_config.json`; of an adapter,
    that of its base."""
    directory = base_of(directory)
    path = directory / "config.json"
    if not path.is_file():
        raise UserError(f"{directory} holds no model (no config.json); give a model directory or a run")
    record = read_record(path)
    generation = directory / "generation_config.json"
    if generation.is_file():
        end = read_record(generation).get("eos_token_id")
        record = record | ({"eos_token_id": end} if end else {})
    return from_huggingface(record, str(path))


def check_vocabulary(config: DecoderConfig, tokens: int, where: Path | str) -> None:
    """Whether a tokenizer's tokens can be the model's.

    Args:
        tokens: how many rows the tokenizer needs of an embedding (`Vocabulary.size`). where: the model's directory.

    Raises:
        UserError: the tokenizer has more tokens than the model, or not even those that begin and end the model's texts.
    """
    if tokens > config.vocabulary:
        raise UserError(f"{where}: the tokenizer has {tokens} tokens, the model only {config.vocabulary}")
    marks = {id_ for id_ in (config.begin, *config.end) if id_ is not None}
    strange = [id_ for id_ in sorted(marks) if tokens <= id_ < config.vocabulary]
    if strange:
        raise UserError(
            f"{where}: the model's texts begin or end with token {strange[0]}, but the tokenizer has only {tokens}; "
            "take the tokenizer that it was trained with"
        )


def load_model(directory: Path) -> Decoder:
    """The decoder in `directory`, in fp32, with the adapter that lies beside its weights in force, if there is one. A
    directory of an adapter alone stands for its base with the adapter.

    Raises:
        UserError: there is none, its files are damaged or do not fit each other, or it is of a kind not supported.
    """
    base = base_of(directory)
    config, weights = load_config(base), Weights(base)
    if SCORE in weights:
        raise UserError(f"{base} is a reward model (it has {SCORE}) and cannot write; give a language model")
    decoder = fill(config, weights, base)
    load_beside(base, decoder)
    if base != directory and base.resolve() != directory.resolve().parent:
        if decoder.adapter is not None:
            raise UserError(f"{directory} holds an adapter for {base}, which has one itself; merge that first")
        load_adapter(directory, decoder)
    return decoder


def load_scalar(directory: Path) -> ScalarModel:
    """The reward model in `directory`, in fp32: a decoder with one scalar output; adapters as in `load_model`."""
    base = base_of(directory)
    config, weights = load_config(base), Weights(base)
    if base != directory:
        model = ScalarModel(fill(config, weights, base, headless=SCORE in weights))
        load_adapter(directory, model.decoder, score=model.score)
        return model
    if SCORE not in weights:
        raise UserError(f"{directory} is not a reward model (no {SCORE}); run the stage `reward` first")
    score = weights[SCORE]
    if tuple(score.shape) != (1, config.width):
        raise UserError(f"{directory}: {SCORE} is {list(score.shape)}; a reward model has one score per token")
    model = ScalarModel(fill(config, weights, directory, headless=True))
    with torch.no_grad():
        model.score.copy_(score.float())
    load_beside(directory, model.decoder)
    return model


def fill(config: DecoderConfig, weights: Weights, directory: Path, headless: bool = False) -> Decoder:
    """A decoder with the weights of a directory.

    Args:
        headless: the output matrix is not in the files and never used; it becomes zeros.

    Raises:
        UserError: a weight is missing or has another shape, or there is one that this decoder has no place for, so that
            its numbers would not be those of the model that was saved.
    """
    family = FAMILIES[config.family]
    found = {name.removeprefix(family.prefix): name for name in weights}
    if config.tied and not headless and differ(weights, found, family.outer["embedding"]):
        config = replace(config, tied=False)  # as transformers does: the files hold two matrices, so there are two
    config = replace(config, dtype=weights.dtype())
    decoder = Decoder(config)
    layout = list(places(decoder))
    known = {HEAD, SCORE} | {name.removeprefix(family.prefix) for place in layout for name in place.names}
    for name in sorted(found.keys() - known):
        if not f".{name}".endswith(family.buffers):
            raise UserError(f"{directory}: there is no place for {found[name]} in a model of config.json's kind")
    for place in layout:
        if headless and place.names == (HEAD,):
            torch.nn.init.zeros_(place.parameter)
            continue
        tensors = []
        for name, wanted in zip(place.names, place.read(), strict=True):
            short = name.removeprefix(family.prefix)
            if short not in found:
                raise UserError(f"{directory}: the weights lack {name}")
            tensor = weights[found[short]]
            if tensor.shape != wanted.shape:
                shape, asked = list(tensor.shape), list(wanted.shape)
                raise UserError(f"{directory}: {found[short]} is {shape}, config.json asks for {asked}")
            tensors.append(tensor)
        place.write(tensors)
    return decoder


def differ(weights: Mapping[str, Tensor], found: Mapping[str, str], embedding: str | tuple[str, ...]) -> bool:
    """Whether the files hold an output matrix that is not the embedding."""
    return HEAD in found and embedding in found and not torch.equal(weights[HEAD], weights[found[str(embedding)]])
