"""Adapters in `peft`'s layout, in and out: adapter_config.json and adapter_model.safetensors."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_safetensors
from torch import Tensor

from anatomia.base.errors import UserError
from anatomia.base.files import write_bytes, write_json
from anatomia.model.adapters import (
    NAME,
    Adapter,
    AdapterConfig,
    Kind,
    bias_places,
    linear_places,
    low_rank,
    matrices,
    modules,
    put_on,
    rescaled,
)
from anatomia.model.adapters_layers import Biased, Bottleneck, Factor, Gain, LowRank, Narrow, Rescaled
from anatomia.model.decoder import Decoder
from anatomia.model.families import FAMILIES
from anatomia.model.weights import Weights, read_record

DIRECTORY, CONFIG, WEIGHTS = "adapter", "adapter_config.json", "adapter_model.safetensors"
BESIDE = ".."  # the base of an adapter that the weights beside it have not taken up
PREFIX = "base_model.model."  # before the names of all layers
SCORE, SCORING = "score", "SEQ_CLS"  # the head of a reward model, and what `peft` calls the task of one
VIRTUAL = "prompt_embeddings"
TYPES: dict[str, str] = {
    "lora": "LORA", "dora": "LORA", "rslora": "LORA", "ia3": "IA3", "prompt": "PROMPT_TUNING",
    "prefix": "PREFIX_TUNING", "bottleneck": "BOTTLENECK", "pfeiffer": "BOTTLENECK", "bitfit": "BITFIT",
}  # fmt: skip
"""`peft` knows the first four; the others are ours."""
SPECIAL = {
    "lora_bias", "use_qalora", "layer_replication", "target_parameters", "trainable_token_indices",
    "alora_invocation_tokens", "use_bdlora", "arrow_config", "kasa_config", "velora_config", "prefix_projection",
    "monteclora_config", "ensure_weight_tying",
}  # fmt: skip
"""Keys of adapter_config.json that must be empty or false."""


def save_adapter(
    directory: Path, decoder: Decoder, name: str = NAME, base: str = BESIDE, score: Tensor | None = None
) -> None:
    """Write an adapter of a decoder.

    Args:
        base: the directory of the model that it was made for, relative to `directory`.
        score: [1, width] the head of a reward model, which then belongs to the adapter.
    """
    adapter = decoder.adapters[name]
    assert isinstance(adapter, Adapter)
    config, kind = adapter.config, adapter.config.kind
    record: dict[str, Any] = {"peft_type": TYPES[kind], "task_type": "CAUSAL_LM", "base_model_name_or_path": base}
    tensors: dict[str, Tensor] = {}
    if adapter.virtual is not None:
        tensors[VIRTUAL] = adapter.virtual
        record |= _virtual_record(decoder, config)
    else:
        for number in range(len(decoder.blocks)):
            tensors |= _block_tensors(decoder, adapter, number)
        if isinstance(adapter.last, Biased):
            tensors[_last_name(decoder)] = adapter.last.biases["norm"]
        record |= _layers_record(decoder, adapter, tensors)
    if score is not None:
        tensors[f"{PREFIX}{SCORE}.weight"] = score
        record |= {"task_type": SCORING, "modules_to_save": [SCORE]}
    directory.mkdir(parents=True, exist_ok=True)
    plain = {key: tensor.detach().float().cpu().contiguous() for key, tensor in tensors.items()}
    write_bytes(directory / WEIGHTS, to_safetensors(plain, metadata={"format": "pt"}))
    write_json(directory / CONFIG, record | {"inference_mode": True})


def load_adapter(directory: Path, decoder: Decoder, name: str = NAME, score: Tensor | None = None) -> Adapter:
    """Put the adapter in `directory`, from here or from `peft`, on the decoder it was made for; it is in force then.

    Args:
        score: [1, width] where the head of a reward model is read into, which must then be there.

    Raises:
        UserError: there is none, or it is of a kind or has an option that is not supported, or it does not fit.
    """
    path = directory / CONFIG
    if not path.is_file() or not (directory / WEIGHTS).is_file():
        raise UserError(f"{directory} holds no adapter ({CONFIG} and {WEIGHTS}); give a directory that has them")
    record, tensors = read_record(path), dict(Weights(directory, [directory / WEIGHTS]))
    kind, init = record.get("peft_type"), record.get("init_lora_weights", True)
    if kind not in TYPES.values():
        known = ", ".join(sorted(set(TYPES.values())))
        raise UserError(f"{path}: peft_type = {kind!r} is not one of {known}")
    odd = sorted(key for key in SPECIAL if record.get(key)) + (["bias"] if record.get("bias", "none") != "none" else [])
    odd += ["modules_to_save"] if set(record.get("modules_to_save") or ()) - {SCORE, "classifier"} else []
    odd += ["init_lora_weights"] if isinstance(init, str) and init not in ("gaussian", "eva", "orthogonal") else []
    if odd:
        raise UserError(f"{path}: {odd[0]} = {record[odd[0]]!r} is not supported; merge the adapter with peft first")
    head = tensors.pop(f"{PREFIX}{SCORE}.weight", None)
    if score is None and head is not None:
        raise UserError(
            f"{directory} is a reward model's adapter (it has {SCORE}.weight) and cannot write; give another"
        )
    if score is not None and head is None:
        raise UserError(f"{directory} is not a reward model's adapter (no {SCORE}.weight); give one that is")
    if score is not None and head is not None:
        _fits(directory, SCORE, head, tuple(score.shape))
        score.data.copy_(head)
    readers = {"LORA": _read_low_rank, "IA3": _read_rescaled, "BITFIT": _read_biased, "BOTTLENECK": _read_bottleneck}
    adapter = readers.get(str(kind), _read_virtual)(decoder, record, tensors, directory)
    if tensors:
        raise UserError(f"{directory}: there is no place for {min(tensors)} in this model; the adapter is another's")
    return put_on(decoder, adapter, name)


def load_beside(directory: Path, decoder: Decoder) -> None:
    """Put on the adapter that lies in a model's directory, if its weights have not taken it up."""
    path = directory / DIRECTORY / CONFIG
    if path.is_file() and read_record(path).get("base_model_name_or_path") == BESIDE:
        load_adapter(directory / DIRECTORY, decoder)


def base_of(directory: Path) -> Path:
    """The directory of the whole model: `directory` itself, or, where that holds nothing but an adapter, the model that
    it was made for, as its path is said from there or from the working directory.

    Raises:
        UserError: that model is not here.
    """
    path = directory / CONFIG
    if (directory / "config.json").is_file() or not path.is_file():
        return directory
    name = str(read_record(path).get("base_model_name_or_path"))
    for found in (directory / name, Path(name)):
        if (found / "config.json").is_file():
            return found
    raise UserError(
        f"{directory} holds an adapter for {name}, which is not here; let base_model_name_or_path in {CONFIG} be the "
        "path of that model"
    )


def relative(base: Path, directory: Path) -> str:
    """The path of a base model as an adapter in `directory` says it."""
    return Path(os.path.relpath(base, directory)).as_posix()


def _block_tensors(decoder: Decoder, adapter: Adapter, number: int) -> dict[str, Tensor]:
    """What an adapter has in one block, under the names of its files."""
    change, block = adapter.change(number), decoder.blocks[number]
    found: dict[str, Tensor] = {}
    for name, spot in linear_places(decoder, number).items():
        order = slice(None) if spot.order is None else spot.order
        if isinstance(change, LowRank):
            for factor in change.of(name):
                key = PREFIX + factor.module
                found[f"{key}.lora_A.weight"], found[f"{key}.lora_B.weight"] = factor.a, factor.b[order]
                if factor.magnitude is not None:
                    norms = torch.linalg.vector_norm(getattr(block, name)[factor.rows].float(), dim=1)
                    found[f"{key}.lora_magnitude_vector"] = (norms + factor.magnitude)[order]
        elif isinstance(change, Rescaled):
            for gain in change.of(change.outputs, name):
                found[f"{PREFIX}{gain.module}.ia3_l"] = (1 + gain.change)[order][:, None]
            for gain in change.of(change.inputs, name):
                found[f"{PREFIX}{gain.module}.ia3_l"] = (1 + gain.change)[None]
    prefix = f"{PREFIX}{FAMILIES[decoder.config.family].prefix}"
    if isinstance(change, Biased):
        for name, bias in change.biases.items():
            found[f"{prefix}blocks.{number}.{name}.bias"] = bias
    if isinstance(change, Bottleneck):
        for half, narrow in change.halves.items():
            found |= {f"{prefix}blocks.{number}.{half}.{key}": weight for key, weight in narrow.named_parameters()}
    return found


def _last_name(decoder: Decoder) -> str:
    return f"{PREFIX}{FAMILIES[decoder.config.family].prefix}norm.bias"


def _layers_record(decoder: Decoder, adapter: Adapter, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """adapter_config.json of an adapter that changes layers."""
    config = adapter.config
    turned = bool(FAMILIES[decoder.config.family].turned)
    if config.kind in ("bottleneck", "pfeiffer"):
        return {"kind": config.kind, "rank": config.rank}
    if config.kind == "bitfit":
        return {"kind": config.kind}
    names = {key.removeprefix(PREFIX).partition(".lora_")[0].removesuffix(".ia3_l") for key in tensors}
    shared = {"fan_in_fan_out": turned, "modules_to_save": None, "target_modules": _short(decoder, names)}
    if config.kind == "ia3":
        fed = {key.removeprefix(PREFIX).removesuffix(".ia3_l") for key, t in tensors.items() if t.shape[0] == 1}
        return {**shared, "feedforward_modules": _short(decoder, fed), "init_ia3_weights": True}
    scales = {}
    ranks = {}
    for number in range(len(decoder.blocks)):
        change = adapter.change(number)
        assert isinstance(change, LowRank)
        for part in (factor for name in matrices(decoder.blocks[number]) for factor in change.of(name)):
            rank = len(part.a)
            if rank != config.rank:
                ranks[part.module] = rank
            alpha = part.scale * (rank**0.5 if config.kind == "rslora" else rank)
            if abs(alpha - config.alpha) > 1e-9 * config.alpha:
                scales[part.module] = alpha
    return {
        **shared,
        "r": config.rank,
        "lora_alpha": int(config.alpha) if config.alpha == int(config.alpha) else config.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "use_dora": config.kind == "dora",
        "use_rslora": config.kind == "rslora",
        "init_lora_weights": True,
        "rank_pattern": ranks,
        "alpha_pattern": scales,
    }


def _short(decoder: Decoder, names: set[str]) -> list[str]:
    """Names of layers, by their last parts where those say the same."""
    known = {
        module
        for number in range(len(decoder.blocks))
        for spot in linear_places(decoder, number).values()
        for module, _ in modules(spot)
    }
    for parts in (1, 2):
        short = {".".join(name.split(".")[-parts:]) for name in names}
        if {name for name in known if any(f".{name}".endswith(f".{end}") for end in short)} == names:
            return sorted(short)
    return sorted(names)


def _virtual_record(decoder: Decoder, config: AdapterConfig) -> dict[str, Any]:
    shape = decoder.config
    record = {"num_virtual_tokens": config.tokens, "num_layers": shape.layers, "num_transformer_submodules": 1}
    if config.kind == "prompt":
        more = {"token_dim": shape.width, "num_attention_heads": shape.heads, "prompt_tuning_init": "RANDOM"}
        return record | more
    width = shape.kv_heads * shape.head_size
    more = {"token_dim": width, "num_attention_heads": shape.kv_heads, "encoder_hidden_size": width}
    return record | more | {"prefix_projection": False}


def _read_low_rank(decoder: Decoder, record: Mapping[str, Any], tensors: dict[str, Tensor], directory: Path) -> Adapter:
    rslora, dora = bool(record.get("use_rslora")), bool(record.get("use_dora"))
    if rslora and dora:
        raise UserError(f"{directory}: use_dora and use_rslora together are not supported; merge the adapter with peft")
    rank, alpha = int(record.get("r", 8)), float(record.get("lora_alpha", 8))
    orders = _orders(decoder)

    def factor(module: str, rows: slice, weight: Tensor) -> Factor | None:
        key = PREFIX + module
        a, b = tensors.pop(f"{key}.lora_A.weight", None), tensors.pop(f"{key}.lora_B.weight", None)
        if a is None or b is None:
            return None
        _fits(directory, key, a, (len(a), weight.shape[1]))
        _fits(directory, key, b, (rows.stop - rows.start, len(a)))
        own = float(_pattern(record.get("alpha_pattern"), module, alpha))
        magnitude = None
        if dora:
            found = tensors.pop(f"{key}.lora_magnitude_vector", None)
            if found is None:
                raise UserError(f"{directory}: the weights lack {key}.lora_magnitude_vector")
            magnitude = _ours(found.flatten(), orders.get(module))
            magnitude = magnitude.to(weight) - torch.linalg.vector_norm(weight.detach()[rows].float(), dim=1).to(weight)
        scale = own / (len(a) ** 0.5 if rslora else len(a))
        return Factor(module, rows, a.to(weight), _ours(b, orders.get(module)).to(weight), scale, magnitude)

    kind: Kind = "dora" if dora else "rslora" if rslora else "lora"
    return low_rank(decoder, AdapterConfig(kind, rank, alpha), factor)


def _read_rescaled(decoder: Decoder, record: Mapping[str, Any], tensors: dict[str, Tensor], directory: Path) -> Adapter:
    orders = _orders(decoder)

    def gain(module: str, rows: slice, weight: Tensor) -> tuple[Gain, bool] | None:
        found = tensors.pop(f"{PREFIX}{module}.ia3_l", None)
        if found is None:
            return None
        inputs = found.shape[0] == 1
        length = weight.shape[1] if inputs else rows.stop - rows.start
        _fits(directory, module, found, (1, length) if inputs else (length, 1))
        if inputs and rows.stop - rows.start < len(weight):
            raise UserError(f"{directory}: {module}.ia3_l rescales what several layers read; this is not supported")
        change = _ours(found.flatten(), None if inputs else orders.get(module)).to(weight) - 1
        return Gain(module, slice(0, length) if inputs else rows, change), inputs

    return rescaled(decoder, AdapterConfig("ia3"), gain)


def _read_virtual(decoder: Decoder, record: Mapping[str, Any], tensors: dict[str, Tensor], directory: Path) -> Adapter:
    kind: Kind = "prompt" if record["peft_type"] == "PROMPT_TUNING" else "prefix"
    found, shape = tensors.pop(VIRTUAL, None), decoder.config
    if found is None:
        raise UserError(f"{directory}: the weights lack {VIRTUAL}")
    width = shape.width if kind == "prompt" else 2 * shape.layers * shape.kv_heads * shape.head_size
    _fits(directory, VIRTUAL, found, (len(found), width))
    return Adapter(AdapterConfig(kind, tokens=len(found)), virtual=found.to(decoder.embedding))


def _read_biased(decoder: Decoder, record: Mapping[str, Any], tensors: dict[str, Tensor], directory: Path) -> Adapter:
    prefix, config = f"{PREFIX}{FAMILIES[decoder.config.family].prefix}", decoder.config
    layers = []
    for number, block in enumerate(decoder.blocks):
        biases = {}
        for name in bias_places(config):
            bias = tensors.pop(f"{prefix}blocks.{number}.{name}.bias", None)
            if bias is not None:
                _fits(directory, f"blocks.{number}.{name}.bias", bias, (len(getattr(block, name)),))
                biases[name] = bias.to(decoder.embedding)
        layers.append(Biased(biases))
    adapter = Adapter(AdapterConfig("bitfit"), layers)
    last = tensors.pop(_last_name(decoder), None)
    if last is not None:
        adapter.last = Biased({"norm": last.to(decoder.embedding)})
    return adapter


def _read_bottleneck(
    decoder: Decoder, record: Mapping[str, Any], tensors: dict[str, Tensor], directory: Path
) -> Adapter:
    prefix = f"{PREFIX}{FAMILIES[decoder.config.family].prefix}"
    kind, rank = record.get("kind"), int(record.get("rank", 0))
    layers = []
    for number in range(len(decoder.blocks)):
        halves = {}
        for half in ("attended", "fed") if kind == "bottleneck" else ("fed",):
            narrow = Narrow(
                decoder.embedding.new_zeros(rank, decoder.config.width),
                decoder.embedding.new_zeros(decoder.config.width, rank),
            )
            with torch.no_grad():
                for key, weight in narrow.named_parameters():
                    name = f"{prefix}blocks.{number}.{half}.{key}"
                    found = tensors.pop(name, None)
                    if found is None:
                        raise UserError(f"{directory}: the weights lack {name}")
                    _fits(directory, name, found, tuple(weight.shape))
                    weight.copy_(found)
            halves[half] = narrow
        layers.append(Bottleneck(halves))
    return Adapter(AdapterConfig("pfeiffer" if kind == "pfeiffer" else "bottleneck", rank), layers)


def _orders(decoder: Decoder) -> dict[str, Tensor]:
    """By layer, which row of ours each row of the file is, where they lie otherwise."""
    found = {}
    for number in range(len(decoder.blocks)):
        for spot in linear_places(decoder, number).values():
            if spot.order is not None:
                found[spot.names[0].removesuffix(".weight")] = spot.order
    return found


def _ours(theirs: Tensor, order: Tensor | None) -> Tensor:
    """Rows of a file in our order."""
    if order is None:
        return theirs
    ours = torch.empty_like(theirs)
    ours[order.to(theirs.device)] = theirs
    return ours


def _pattern(patterns: Mapping[str, Any] | None, module: str, default: float) -> Any:
    """The value that a pattern gives to a layer, as `peft` looks it up."""
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default


def _fits(directory: Path, name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape:
        raise UserError(f"{directory}: {name} is {list(tensor.shape)}, this model asks for {list(shape)}")
