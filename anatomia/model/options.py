"""Options that config.json spells with several keys at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anatomia.base.errors import UserError
from anatomia.model.config import DecoderConfig
from anatomia.model.positions import read_scaling, write_scaling
from anatomia.model.values import shown, whole

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Several:
    """Keys that are read and written together.

    Attributes:
        read: (the file's record, the fields found so far, the file's name) to further fields.
        write: a configuration to a part of the record.
    """

    keys: tuple[str, ...]
    read: Callable[[Record, Mapping[str, Any], str], dict[str, Any]]
    write: Callable[[DecoderConfig], dict[str, Any]]


def read_rope(record: Record, fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    """How fast the rotary embeddings turn."""
    theta, scaling = read_scaling(record, fields["context"], where)
    return {"rope_theta": theta, "rope_scaling": scaling}


def read_windows(record: Record, fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Qwen's sliding windows: in the layers that `layer_types` names, or else from `max_window_layers` on."""
    window = record.get("sliding_window", 4096) if record.get("use_sliding_window") else None
    if window is None:
        return {}
    window = whole(window, "sliding_window", where)
    kinds, layers = record.get("layer_types"), fields["layers"]
    if kinds is None:
        first = record.get("max_window_layers", 28)
        if isinstance(first, bool) or not isinstance(first, int):
            raise UserError(f"{where}: max_window_layers = {shown(first)} is no number of a layer")
        kinds = ["sliding_attention" if layer >= first else "full_attention" for layer in range(layers)]
    windows = {"sliding_attention": window, "full_attention": None}
    if not isinstance(kinds, list) or len(kinds) != layers or any(kind not in list(windows) for kind in kinds):
        raise UserError(f"{where}: layer_types = {shown(kinds)} are not {layers} of {', '.join(windows)}")
    found = tuple(windows[kind] for kind in kinds)
    return {"sliding_window": found[0]} if len(set(found)) == 1 else {"layer_windows": found}


def write_windows(config: DecoderConfig) -> dict[str, Any]:
    """What `read_windows` read; nothing where there are no windows."""
    windows = config.layer_windows or (config.sliding_window,) * config.layers
    found = [window for window in windows if window is not None]
    if not found:
        return {}
    kinds = ["full_attention" if window is None else "sliding_attention" for window in windows]
    first = kinds.index("sliding_attention")
    return {"use_sliding_window": True, "sliding_window": found[0], "max_window_layers": first, "layer_types": kinds}


def read_falcon(record: Record, fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Falcon's blocks: one after the other (RW), parallel behind one norm (7B) or behind two (40B)."""
    new, parallel = bool(record.get("new_decoder_architecture", False)), bool(record.get("parallel_attn", True))
    norms, heads = record.get("num_ln_in_parallel_attn"), fields["heads"]
    norms = (2 if new else 1) if norms is None else norms
    if new:
        kv_heads = record.get("num_kv_heads")
        kv_heads = heads if kv_heads is None else whole(kv_heads, "num_kv_heads", where)
    else:
        kv_heads = 1 if record.get("multi_query", True) else heads
    if (new and not parallel) or norms not in ([1, 2] if new else [1]):
        raise UserError(
            f"{where}: new_decoder_architecture = {new} with parallel_attn = {parallel} and num_ln_in_parallel_attn = "
            f"{norms} is not supported; transformers cannot run it either"
        )
    return {
        "kv_heads": kv_heads,
        "parallel": parallel,
        "norms": norms if parallel else 2,
        "positions": "alibi" if record.get("alibi") else "rotary",
    }


def write_falcon(config: DecoderConfig) -> dict[str, Any]:
    """What `read_falcon` read, in the oldest of the layouts that say it."""
    new = config.norms == 2 if config.parallel else False
    new = new or config.kv_heads not in (1, config.heads)
    return {
        "new_decoder_architecture": new,
        "multi_query": config.kv_heads == 1 or new,
        "num_kv_heads": config.kv_heads if new else config.heads,
        "parallel_attn": config.parallel,
        "num_ln_in_parallel_attn": config.norms if new else None,
        "alibi": config.positions == "alibi",
    }


ROPE = Several(
    ("rope_theta", "rope_parameters", "rope_scaling", "partial_rotary_factor", "original_max_position_embeddings"),
    read_rope,
    write_scaling,
)
QWEN_WINDOWS = Several(
    ("use_sliding_window", "sliding_window", "max_window_layers", "layer_types"), read_windows, write_windows
)
FALCON_BLOCK = Several(
    (
        "new_decoder_architecture",
        "multi_query",
        "num_kv_heads",
        "parallel_attn",
        "num_ln_in_parallel_attn",
        "alibi",
    ),
    read_falcon,
    write_falcon,
)
