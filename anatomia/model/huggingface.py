"""Hugging Face's `config.json`, read into a `DecoderConfig` and written from one, as the family's table says."""

from collections.abc import Mapping
from typing import Any, get_type_hints

from anatomia.base.errors import UserError
from anatomia.model.activations import ACTIVATIONS
from anatomia.model.config import DecoderConfig
from anatomia.model.families import FAMILIES, NEEDED, Family, Key
from anatomia.model.options import Several
from anatomia.model.values import positive, shown, token, whole

# What belongs to one file, to one training or to one kind of head, and would be wrong in the next.
LEFT_BEHIND = {
    "model_type", "architectures", "auto_map", "torch_dtype", "dtype", "transformers_version", "_name_or_path",
    "num_labels", "id2label", "label2id", "problem_type",
}  # fmt: skip

DERIVED = ("kv_heads", "head_size", "hidden")  # may be null: `complete` knows what they are then


def from_huggingface(record: Mapping[str, Any], where: str = "config.json") -> DecoderConfig:
    """The configuration that a `config.json` describes; keys that it lacks are what transformers takes them for.

    Raises:
        UserError: the family or an option of it is not supported, or the file is not complete; the message names it.
    """
    name = record.get("model_type")
    if not isinstance(name, str) or name not in FAMILIES:
        raise UserError(f"{where}: model_type = {name!r} is not one of {', '.join(FAMILIES)}")
    family = FAMILIES[name]
    for key, values in {"quantization_config": (None,), **family.only}.items():
        if record.get(key, values[0]) not in values:
            raise UserError(f"{where}: {key} = {shown(record[key])} is not supported for {name}")
    fields = dict(family.fixed)
    for key, entry in family.record.items():
        if isinstance(entry, Key):
            value = read_value(record, key, entry, where)
            fields |= dict.fromkeys(entry.fields, value)
    for entry in family.record.values():
        if isinstance(entry, Several):
            fields |= entry.read(record, fields, where)
    complete(fields, where)
    known = LEFT_BEHIND | known_keys(family)
    carried = {key: value for key, value in record.items() if key not in known}
    try:
        return DecoderConfig(**fields, family=name, carried=carried)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


def to_huggingface(config: DecoderConfig, *, scalar: bool = False) -> dict[str, Any]:
    """The `config.json` of a decoder, or (`scalar`) of a sequence classifier with one label: a reward model."""
    family = FAMILIES[config.family]
    record: dict[str, Any] = {"model_type": config.family, "architectures": [family.classes[scalar]]}
    for key, entry in family.record.items():
        if isinstance(entry, Several):
            record |= entry.write(config)
        elif isinstance(entry, Key):
            value = getattr(config, entry.fields[0])
            record[key] = write_end(value) if key == "eos_token_id" else value
        else:
            record[key] = entry
    record |= {"dtype": config.dtype, **config.carried}
    if scalar:
        record |= {"num_labels": 1, "id2label": {"0": "reward"}, "label2id": {"reward": 0}}
    return record


def read_value(record: Mapping[str, Any], key: str, entry: Key, where: str) -> Any:
    """One key's value, of the kind that its field wants."""
    key = key if key in record or entry.also not in record else entry.also
    value = record.get(key, None if entry.default is NEEDED else entry.default)
    field = entry.fields[0]
    kind = get_type_hints(DecoderConfig)[field]
    if field == "end":
        ids = (token(one, key, where) for one in (value if isinstance(value, list) else [value]))
        return tuple(one for one in ids if one is not None)
    if field in ("begin", "padding"):
        return token(value, key, where)
    if field == "activation":
        if value not in list(ACTIVATIONS):
            raise UserError(f"{where}: {key} = {shown(value)} is not supported; known are {', '.join(ACTIVATIONS)}")
        return value
    if kind is bool:
        return bool(value)
    if value is None and (field == "sliding_window" or (field in DERIVED and entry.default is not NEEDED)):
        return None
    return positive(value, key, where) if kind is float else whole(value, key, where)


def complete(fields: dict[str, Any], where: str) -> None:
    """Fill in what follows from the rest: heads that share nothing, their size, the width of the feed-forward."""
    width, heads = fields["width"], fields["heads"]
    if fields.get("kv_heads") is None:
        fields["kv_heads"] = heads
    if fields.get("head_size") is None:
        if width % heads:
            raise UserError(f"{where}: a width of {width} is not a multiple of {heads} heads; the file is not complete")
        fields["head_size"] = width // heads
    if fields.get("hidden") is None:
        fields["hidden"] = 4 * width


def known_keys(family: Family) -> set[str]:
    """The keys of config.json that the fields of a configuration say."""
    found: set[str] = set()
    for key, entry in family.record.items():
        if isinstance(entry, Key):
            found |= {key, entry.also}
        elif isinstance(entry, Several):
            found |= set(entry.keys)
    return found


def write_end(end: tuple[int, ...]) -> int | list[int] | None:
    """End tokens as config.json has them: none, one, or a list."""
    return end[0] if len(end) == 1 else list(end) or None
