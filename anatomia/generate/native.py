"""Decoding with a small compiled kernel (`native.cpp`): one call per step, no padding, the same bits in any batch."""

import ctypes
import math
import time
from collections.abc import Sequence
from dataclasses import MISSING, fields
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from anatomia.generate.logits import kernel
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Block, Decoder
from anatomia.model.positions import rotary

PANEL, LANES = 64, 16  # as in native.cpp
KEPT = 1 << 26  # bytes of keys and values that are kept from one batch to the next
WORTH_SHARING = 1e9  # tokens times parameters, some 10 ms of one thread: a prompt that takes less is read by one
KNOWN = {
    *("vocabulary", "width", "layers", "heads", "kv_heads", "head_size", "hidden", "context", "rope_theta", "norm_eps"),
    *("tied", "qk_norm", "qkv_bias", "output_bias", "sliding_window", "begin", "end", "padding", "family"),
    *("rope_scaling", "dtype", "carried"),
}
"""What of a configuration the kernel understands; all else must be as Llama has it."""


def _structure(name: str, **kinds: str) -> type[ctypes.Structure]:
    types = {"int": ctypes.c_int64, "double": ctypes.c_double, "pointer": ctypes.c_void_p}
    members = [(key, types[kind]) for kind, keys in kinds.items() for key in keys.split()]
    return type(name, (ctypes.Structure,), {"_fields_": members})


_Layer = _structure(
    "Layer",
    pointer="qkv output gate_up down attention_norm feed_norm q_norm k_norm qkv_bias output_bias",
)
_Model = _structure(
    "Model",
    int="layers width heads kv_heads size hidden vocabulary window bf16 pairs",
    double="epsilon",
    pointer="embedding head norm cosine sine layer",
)
_Cache = _structure("Cache", int="slots blocks", pointer="keys values")


def supports(model: Decoder) -> bool:
    """Whether the kernel can stand in for this model: on a CPU, in a format and with options that it knows, and with
    all of its weights there: where several processes share them out, hooks fetch a block when it computes, and not
    every adapter can be written into them."""
    weight = model.embedding
    if model.adapter is not None and not model.adapter.config.plain:
        return False
    if any(block._forward_pre_hooks for block in model.blocks):
        return False
    if weight.device.type != "cpu" or weight.dtype not in (torch.float32, torch.bfloat16):
        return False
    others = [field for field in fields(DecoderConfig) if field.name not in KNOWN]
    return all(f.default is not MISSING and getattr(model.config, f.name) == f.default for f in others)


class Packed:
    """A decoder's weights, an adapter merged, as the kernel reads them. It keeps what they were when it was made."""

    def __init__(self, model: Decoder) -> None:
        config = self.config = model.config
        self.dtype = model.embedding.dtype
        even = config.width % 2 == config.hidden % 2 == config.heads * config.head_size % 2 == 0
        self.pairs = even and self.dtype == torch.bfloat16 and bool(kernel().has_pairs())
        self._kept: list[Tensor] = []
        with torch.no_grad():
            cosine, sine = (part[0, 0] for part in rotary(config, torch.arange(config.context), torch.float32))
            half = config.head_size // 2
            self._layers = (_Layer * config.layers)(*(self._layer(model, number) for number in range(config.layers)))
            self.record = _Model(
                config.layers, config.width, config.heads, config.kv_heads, config.head_size, config.hidden,
                config.vocabulary, config.sliding_window or 0, self.dtype == torch.bfloat16, self.pairs,
                config.norm_eps,
                self._keep(model.embedding), self._keep(panels(model.output, self.pairs)), self._plain(model.norm),
                self._keep(cosine[:, half:]), self._keep(sine[:, half:]), ctypes.addressof(self._layers),
            )  # fmt: skip

    def _layer(self, model: Decoder, number: int) -> ctypes.Structure:
        block = model.blocks[number]
        assert isinstance(block, Block)
        change = None if model.adapter is None else model.adapter.change(number)
        (qkv, qkv_bias), (output, output_bias), (gate_up, _), (down, _) = (
            (weight, bias) if change is None else change.merged(name, weight, bias)
            for name in ("qkv", "output", "gate_up", "down")
            for weight, bias in [(getattr(block, name), getattr(block, f"{name}_bias"))]
        )
        both = torch.stack([panels(part, self.pairs) for part in gate_up.chunk(2)], 1)
        qkv, output, down = (panels(matrix, self.pairs) for matrix in (qkv, output, down))
        gains = [block.attention_norm, block.feed_norm, block.q_norm, block.k_norm, qkv_bias, output_bias]
        return _Layer(*map(self._keep, (qkv, output, both, down)), *map(self._plain, gains))

    def _keep(self, tensor: Tensor) -> int:
        self._kept.append(tensor.detach().contiguous())
        return self._kept[-1].data_ptr()

    def _plain(self, vector: Tensor | None) -> int | None:
        """A vector in fp32, with zeros up to a whole panel."""
        return None if vector is None else self._keep(F.pad(vector.float(), (0, -len(vector) % PANEL)))


def panels(matrix: Tensor, pairs: bool) -> Tensor:
    """[N, K] → [⌈N / 64⌉, K, 64], or in pairs [⌈N / 64⌉, K / 2, 64, 2]; missing rows zero."""
    whole = F.pad(matrix, (0, 0, 0, -len(matrix) % PANEL))
    if pairs:
        return whole.view(-1, PANEL, matrix.shape[1] // 2, 2).transpose(1, 2).contiguous()
    return whole.view(-1, PANEL, matrix.shape[1]).transpose(1, 2).contiguous()


_packed: WeakKeyDictionary[Decoder, tuple[tuple[str | None, list[tuple[int, int]]], Packed]] = WeakKeyDictionary()


def packed(model: Decoder) -> Packed:
    """The packed weights; remembered where no parameter can be trained, made anew where one can."""
    if any(weight.requires_grad for weight in model.parameters()):
        return Packed(model)
    state = model.adapted, [(weight.data_ptr(), weight._version) for weight in model.parameters()]
    if model not in _packed or _packed[model][0] != state:
        _packed[model] = state, Packed(model)
    return _packed[model][1]


class Pace:
    """Chooses between all threads and one, for each step, by how long steps took, and tries the other now and then.

    Where other programs want the same cores, threads wait for each other's turns and one alone is many times faster.
    The clock may decide here because the bits do not depend on the number of threads.
    """

    EVERY = 128  # steps from one trial to the next
    WEIGHT = 0.25  # of the newest step in the average

    def __init__(self, threads: int) -> None:
        self.threads, self.steps, self.now, self.begun = threads, 0, threads, 0.0
        self.seconds: dict[int, float] = {}

    def choose(self) -> int:
        """The number of threads for the step that begins now."""
        missing = [threads for threads in (self.threads, 1) if threads not in self.seconds]
        best = min(self.seconds, key=self.seconds.__getitem__, default=self.threads)
        self.now = missing[0] if missing else best
        if not missing and self.steps % self.EVERY == 0 and self.threads > 1:
            self.now = self.threads + 1 - best  # the other one; what it took long ago says nothing
            del self.seconds[self.now]
        self.begun = time.perf_counter()
        return self.now

    def took(self) -> None:
        """The step is over."""
        took = time.perf_counter() - self.begun
        before = self.seconds.get(self.now, took)
        self.seconds[self.now] = before + (took - before) * self.WEIGHT
        self.steps += 1


_spare: list[Tensor] = []


def take(size: int) -> Tensor:
    """Memory of at least `size` bytes, with anything in it: what a batch gave back where that is enough. New memory has
    to be cleared by the system, which takes longer than reading short prompts."""
    with torch.inference_mode(False):
        return _spare.pop() if _spare and len(_spare[-1]) >= size else torch.empty(size, dtype=torch.uint8)


def give_back(memory: Tensor) -> None:
    """Let the next batch have it, if there is not too much of it to keep."""
    _spare[:] = [memory] if len(memory) <= KEPT else []


class NativeBatch:
    """Sequences that are continued together, each at its own position. Equal prompts are read once.

    Args:
        room: how many tokens will be added to a prompt, at most.
    """

    def __init__(self, model: Decoder, prompts: Sequence[Sequence[int]], room: int) -> None:
        self.weights, config = packed(model), model.config
        self.pace = Pace(torch.get_num_threads())
        places: dict[tuple[int, ...], int] = {}
        copies = [places.setdefault(tuple(prompt), len(places)) for prompt in prompts]
        longest = max(len(prompt) for prompt in places)
        blocks = -(-min(longest + room, config.context) // PANEL)
        self._make_cache(len(prompts), blocks)
        tokens = torch.tensor([token for prompt in places for token in prompt])
        if not 0 <= int(tokens.min()) <= int(tokens.max()) < config.vocabulary:
            raise IndexError(f"a prompt holds an id outside the vocabulary of {config.vocabulary} tokens")
        positions = torch.cat([torch.arange(len(prompt)) for prompt in places])
        slots = torch.cat([torch.full((len(prompt),), slot) for prompt, slot in places.items()])
        ends = torch.tensor([len(prompt) for prompt in places]).cumsum(0) - 1
        wanted = torch.full_like(tokens, -1)
        wanted[ends] = 0
        threads = self.pace.threads if len(tokens) * config.parameters() > WORTH_SHARING else 1
        logits = self._run(tokens, positions, slots, wanted, len(places), threads)
        rows = torch.tensor(copies)
        if len(places) < len(prompts):
            used = -(-longest // PANEL)
            # Nobody copies from a place after his own: from the last on, what is read is not yet written.
            for row in reversed(range(len(prompts))):
                if copies[row] != row:
                    self.keys[:, row, :used] = self.keys[:, copies[row], :used]
                    self.values[:, row, :, :longest] = self.values[:, copies[row], :, :longest]
            logits = logits[rows]
        self.slots, self.next = torch.arange(len(prompts)), positions[ends][rows] + 1
        self.all_wanted = torch.zeros(len(prompts), dtype=torch.int64)
        self.logits = logits

    def step(self, tokens: Tensor, kept: Tensor | None) -> Tensor:
        """The logits [n, V] fp32 after one more token each.

        Args:
            tokens: [n] of the rows that go on. kept: [n] which rows of the batch so far those are; None for all.
        """
        if kept is not None:
            self.slots, self.next = self.slots[kept], self.next[kept]
        threads = self.pace.choose()
        logits = self._run(tokens.contiguous(), self.next, self.slots, self.all_wanted, len(tokens), threads)
        self.pace.took()
        self.next += 1
        return logits

    def __del__(self) -> None:
        if hasattr(self, "memory"):
            give_back(self.memory)

    def _make_cache(self, slots: int, blocks: int) -> None:
        config, dtype = self.weights.config, self.weights.dtype
        size = config.head_size + -config.head_size % LANES
        keys = config.layers, slots, blocks, config.kv_heads, config.head_size, PANEL
        values = config.layers, slots, config.kv_heads, blocks * PANEL, size
        self.memory = take(dtype.itemsize * (math.prod(keys) + math.prod(values)))
        both = self.memory[: len(self.memory) // dtype.itemsize * dtype.itemsize].view(dtype)
        self.keys = both[: math.prod(keys)].view(keys)
        self.values = both[math.prod(keys) :][: math.prod(values)].view(values)
        self.cache = _Cache(slots, blocks, self.keys.data_ptr(), self.values.data_ptr())
        self.scratch = torch.empty(0)

    def _run(self, tokens: Tensor, positions: Tensor, slots: Tensor, wanted: Tensor, outputs: int, most: int) -> Tensor:
        record, cache_, count = ctypes.byref(self.weights.record), ctypes.byref(self.cache), ctypes.c_int64(len(tokens))
        blocks, threads = ctypes.c_int64(self.cache.blocks), ctypes.c_int64(most)
        need = kernel().scratch_size(record, count, blocks, threads)
        if need > len(self.scratch):
            self.scratch = torch.empty(need)
        logits = torch.empty(outputs, self.weights.config.vocabulary)
        pointers = (tensor.data_ptr() for tensor in (tokens, positions, slots, wanted, logits, self.scratch))
        kernel().run(record, cache_, count, *map(ctypes.c_void_p, pointers), threads)
        return logits
