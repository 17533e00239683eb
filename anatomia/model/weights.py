"""Files of weights: safetensors in one piece or many, and pickles only where somebody asked for them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor

from anatomia.base.errors import UserError
from anatomia.base.files import read_json, write_bytes, write_json

WHOLE, PICKLED = "model.safetensors", "pytorch_model.bin"
PERMISSION = "ANATOMIA_READ_PICKLE"
SHARD = 4 * 2**30  # bytes
# Number formats as safetensors and torch call them; masks and counters in old files (None) are no weights.
FORMATS: dict[str, str | None] = {
    "BF16": "bfloat16", "torch.bfloat16": "bfloat16", "F16": "float16", "torch.float16": "float16",
    "BOOL": None, "U8": None, "I64": None, "torch.bool": None, "torch.uint8": None, "torch.int64": None,
}  # fmt: skip


class Weights(Mapping[str, Tensor]):
    """The tensors of a model directory by name. Safetensors are read when they are asked for, one by one.

    Args:
        files: those to read, where it is not the model's.

    Raises:
        UserError: there are none, a file is damaged, or there are only pickled ones and nobody allowed to read them.
    """

    def __init__(self, directory: Path, files: Sequence[Path] | None = None) -> None:
        self.directory = directory
        self._tensors: dict[str, Tensor] = {}
        self._files: dict[str, Any] = {}
        for path in weight_files(directory) if files is None else files:
            if not path.is_file():
                raise UserError(f"{directory} holds no {path.name}")
            try:
                if path.suffix == ".bin":
                    self._tensors |= torch.load(path, map_location="cpu", weights_only=True)
                else:
                    file = safe_open(path, framework="pt")
                    self._files |= dict.fromkeys(file.keys(), file)
            except Exception as error:  # safetensors and pickle raise their own types for damaged files
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise UserError(f"{path} cannot be read ({reason}); it is damaged or cut short") from error

    def __getitem__(self, name: str) -> Tensor:
        if name in self._tensors:
            return self._tensors[name]
        found: Tensor = self._files[name].get_tensor(name)
        return found

    def __iter__(self) -> Iterator[str]:
        yield from self._tensors
        yield from self._files

    def dtype(self) -> str:
        """The narrowest of the number formats we write that holds all of the weights."""
        formats = {FORMATS.get(str(tensor.dtype), "float32") for tensor in self._tensors.values()}
        formats |= {FORMATS.get(file.get_slice(name).get_dtype(), "float32") for name, file in self._files.items()}
        found = [name for name in formats if name is not None]
        return found[0] if len(found) == 1 else "float32"

    def __len__(self) -> int:
        return len(self._tensors) + len(self._files)


def weight_files(directory: Path) -> list[Path]:
    """The files that hold a directory's weights."""
    for whole in (WHOLE, PICKLED):
        index = directory / f"{whole}.index.json"
        if not index.is_file() and not (directory / whole).is_file():
            continue
        if whole == PICKLED:
            ask(directory)
        if not index.is_file():
            return [directory / whole]
        places = read_record(index).get("weight_map")
        names = set(map(str, places.values())) if isinstance(places, dict) else set()
        if not names or any(Path(name).name != name for name in names):
            raise UserError(f"{index} names no files beside it; it is damaged")
        return sorted(directory / name for name in names)
    if any(directory.glob("*.bin")):
        ask(directory)
        raise UserError(f"{directory} holds .bin files, but no {PICKLED}; convert them to safetensors")
    raise UserError(f"{directory} holds no {WHOLE}")


def ask(directory: Path) -> None:
    """Refuse to read pickles unless the user has said that they may be read."""
    if os.environ.get(PERMISSION) != "1":
        raise UserError(
            f"{directory} holds only pickled .bin weights, which can run code when read; convert them to safetensors, "
            f"or set {PERMISSION}=1 if you trust where they come from"
        )


def write_weights(directory: Path, tensors: Mapping[str, Tensor], shard_bytes: int = SHARD) -> None:
    """Write tensors as one safetensors file, or as several with an index where they are more than `shard_bytes`; what
    weights the directory held before goes away last."""
    shards: list[dict[str, Tensor]] = [{}]
    room = shard_bytes
    for name, tensor in tensors.items():
        if tensor.nbytes > room and shards[-1]:
            shards.append({})
            room = shard_bytes
        shards[-1][name] = tensor
        room -= tensor.nbytes
    count, index = len(shards), directory / f"{WHOLE}.index.json"
    names = [f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)] if count > 1 else [WHOLE]
    for name, shard in zip(names, shards, strict=True):
        write_bytes(directory / name, to_safetensors(shard, metadata={"format": "pt"}))
    if count > 1:
        places = {tensor: name for name, shard in zip(names, shards, strict=True) for tensor in shard}
        total = sum(tensor.nbytes for tensor in tensors.values())
        write_json(index, {"metadata": {"total_size": total}, "weight_map": places})
    else:
        index.unlink(missing_ok=True)
    for old in (directory / WHOLE, *directory.glob("model-*-of-*.safetensors")):
        if old.name not in names:
            old.unlink(missing_ok=True)


def read_record(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; `UserError` if it holds none."""
    try:
        record = read_json(path)
    except ValueError as error:
        raise UserError(f"{path} cannot be read ({error.__cause__ or error}); it is damaged or cut short") from error
    if not isinstance(record, dict):
        raise UserError(f"{path} holds no JSON object; it is no configuration")
    return record
