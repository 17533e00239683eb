"""Adapters: a few new numbers beside a model whose own stay as they are (survey: Lialin et al. 2023, Scaling Down to
Scale Up). They are put on a decoder by name, one of them or none is in force, and most can be merged into the weights.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anatomia.base.errors import UserError
from anatomia.model.adapters_layers import (
    Biased,
    Bottleneck,
    Change,
    Factor,
    Gain,
    LowRank,
    Narrow,
    Rescaled,
)
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Before, Block, Decoder
from anatomia.model.families import FAMILIES
from anatomia.model.names import Place, place

Kind = Literal["lora", "dora", "rslora", "bottleneck", "pfeiffer", "ia3", "prompt", "prefix", "bitfit"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NAME = "default"  # of an adapter, where there is only one
MATRICES = ("qkv", "output", "gate_up", "up", "down")
NORMS = ("attention_norm", "feed_norm")


@dataclass(frozen=True)
class AdapterConfig:
    """What kind of adapter, and how large.

    Attributes:
        rank: of LoRA's matrices, and the width of a bottleneck.
        alpha: LoRA's update is multiplied by alpha / rank, rsLoRA's by alpha / √rank (Kalajdzievski 2023, theorem 3.2).
        tokens: virtual tokens of a prompt or prefix.
    """

    kind: Kind
    rank: int = 16
    alpha: float = 32.0
    tokens: int = 20

    @property
    def scale(self) -> float:
        """What B A is multiplied with."""
        return self.alpha / (math.sqrt(self.rank) if self.kind == "rslora" else self.rank)

    @property
    def mergeable(self) -> bool:
        """Whether the weights can take it up, so that nothing remains beside them."""
        return self.kind == "bitfit" or self.plain

    @property
    def plain(self) -> bool:
        """Whether a merged model has no more weights than before."""
        return self.kind in ("lora", "dora", "rslora", "ia3")


class Adapter(nn.Module):
    """An adapter of one decoder.

    Attributes:
        layers: its part of each block; empty where it has none. last: of the norm after the blocks.
        virtual: what stands before all tokens: the embeddings [tokens, width] of a prompt, or of a prefix its keys and
            values [tokens, layers · 2 · kv_heads · head_size].
    """

    def __init__(self, config: AdapterConfig, layers: Iterable[Change] = (), virtual: Tensor | None = None) -> None:
        super().__init__()
        self.config = config
        self.layers, self.last = nn.ModuleList(layers), Change()
        self.virtual = None if virtual is None else nn.Parameter(virtual)

    @property
    def tokens(self) -> int:
        """How many virtual tokens stand before all others."""
        return 0 if self.virtual is None else len(self.virtual)

    def change(self, layer: int) -> Change | None:
        """Its part of a block."""
        return self.layers[layer] if len(self.layers) else None  # type: ignore[return-value]

    def before(self, decoder: Decoder) -> Sequence[Before]:
        """The keys and values of the virtual tokens, one pair of [1, kv_heads, tokens, head_size] per layer."""
        assert self.virtual is not None
        if self.config.kind == "prompt":
            return keys_and_values(decoder, self.virtual[None])
        config = decoder.config
        states = self.virtual.view(self.tokens, config.layers, 2, config.kv_heads, config.head_size)
        parts = states.permute(1, 2, 3, 0, 4).unsqueeze(2)
        return [(parts[layer, 0], parts[layer, 1]) for layer in range(config.layers)]


def attach(decoder: Decoder, config: AdapterConfig, generator: torch.Generator, name: str = NAME) -> Adapter:
    """Put a new adapter on a decoder, in force from now on. All but prompt and prefix change nothing as they begin.

    LoRA is put on every matrix of the blocks (Dettmers et al. 2023, QLoRA, section 4: that is what makes it as good as
    full fine-tuning); A begins as in `peft`, B as zero.

    Args:
        generator: draws what does not begin as zero.

    Raises:
        UserError: it does not fit the model.
    """
    make = _MAKERS[config.kind]
    return put_on(decoder, make(decoder, config, generator), name)


def put_on(decoder: Decoder, adapter: Adapter, name: str = NAME) -> Adapter:
    """Put an adapter on a decoder, in force from now on. Virtual tokens take their place in the decoder's context.

    Raises:
        UserError: virtual tokens leave no room for others.
    """
    context = decoder.config.context
    if adapter.tokens:
        if context - adapter.tokens < 8:
            raise UserError(
                f"{adapter.tokens} virtual tokens leave no room in the model's context of {context}; take fewer"
            )
        decoder.config = replace(decoder.config, context=context - adapter.tokens)
    decoder.adapters[name] = adapter.to(decoder.embedding.device)
    decoder.adapted = name
    return adapter


def train_only(model: nn.Module, *adapters: Adapter) -> None:
    """Let nothing but these adapters of a model learn."""
    model.requires_grad_(False)
    for adapter in adapters:
        adapter.requires_grad_(True)


@torch.no_grad()
def merge(decoder: Decoder, name: str = NAME) -> None:
    """Let the weights take up an adapter, which goes away. Biases that a family knows, but the model lacked, come into
    being.

    Raises:
        ValueError: it is of a kind that cannot be merged.
    """
    adapter = decoder.adapters[name]
    if not isinstance(adapter, Adapter) or not adapter.config.mergeable:
        raise ValueError(f"the adapter {name!r} cannot be merged")
    for number, block in enumerate(decoder.blocks):
        change = adapter.change(number)
        assert change is not None
        for matrix in matrices(block):
            weight, bias = change.merged(matrix, getattr(block, matrix), getattr(block, f"{matrix}_bias"))
            getattr(block, matrix).copy_(weight)
            _take(block, f"{matrix}_bias", bias)
        for norm in NORMS:
            if getattr(block, norm) is not None:
                _take(block, f"{norm}_bias", change.bias(norm, getattr(block, f"{norm}_bias")))
    _take(decoder, "norm_bias", adapter.last.bias("norm", decoder.norm_bias))
    first = decoder.blocks[0]
    decoder.config = replace(
        decoder.config,
        qkv_bias=first.qkv_bias is not None,
        output_bias=first.output_bias is not None,
        feed_bias=first.down_bias is not None,
    )
    for block in decoder.blocks:
        assert isinstance(block, Block)
        block.config = decoder.config
    del decoder.adapters[name]
    decoder.adapted = None


def _take(module: nn.Module, name: str, value: Tensor | None) -> None:
    own = getattr(module, name)
    if own is not None and value is not None:
        own.copy_(value)
    elif value is not None:
        setattr(module, name, nn.Parameter(value.clone()))


def matrices(block: nn.Module) -> list[str]:
    """The names of a block's matrices."""
    return [name for name in MATRICES if hasattr(block, name)]


def linear_places(decoder: Decoder, number: int) -> dict[str, Place]:
    """The places of a block's matrices in the files of its family."""
    family, block = FAMILIES[decoder.config.family], decoder.blocks[number]
    prefix = family.prefix + family.block.format(number)
    found = {}
    for name in matrices(block):
        (found[name],) = place(block, name, family.inner[name], prefix, decoder.config)
    return found


def modules(spot: Place) -> Iterator[tuple[str, slice]]:
    """What Hugging Face calls the layers that a matrix of ours consists of, and their rows."""
    start = 0
    for name, rows in zip(spot.names, spot.rows, strict=True):
        yield name.removesuffix(".weight"), slice(start, start + rows)
        start += rows


def keys_and_values(decoder: Decoder, embeddings: Tensor) -> list[Before]:
    """What each layer of the decoder itself makes of the embeddings [1, n, width] of the first n tokens."""
    with decoder.using(None):
        count = embeddings.shape[1]
        cache = decoder.cache(1, count)
        decoder.through(embeddings, torch.arange(count, device=embeddings.device), None, cache, None)
    return list(zip(cache.keys, cache.values, strict=True))


def low_rank(decoder: Decoder, config: AdapterConfig, factor: Callable[[str, slice, Tensor], Factor | None]) -> Adapter:
    """LoRA with the factors that `factor` gives for (module, rows, our matrix)."""
    layers = []
    for number, block in enumerate(decoder.blocks):
        found = {}
        for name, spot in linear_places(decoder, number).items():
            parts = [factor(module, rows, getattr(block, name)) for module, rows in modules(spot)]
            if kept := [part for part in parts if part is not None]:
                found[name] = kept
        layers.append(LowRank(found))
    return Adapter(config, layers)


def _low_rank(decoder: Decoder, config: AdapterConfig, generator: torch.Generator) -> Adapter:
    def factor(module: str, rows: slice, weight: Tensor) -> Factor:
        bound = weight.shape[1] ** -0.5
        a = _drawn((config.rank, weight.shape[1]), generator, weight).uniform_(-bound, bound, generator=generator)
        b = weight.new_zeros(rows.stop - rows.start, config.rank)
        magnitude = weight.new_zeros(len(b)) if config.kind == "dora" else None
        return Factor(module, rows, a.to(weight), b, config.scale, magnitude)

    return low_rank(decoder, config, factor)


def rescaled(
    decoder: Decoder, config: AdapterConfig, gain: Callable[[str, slice, Tensor], tuple[Gain, bool] | None]
) -> Adapter:
    """(IA)³ with the gains that `gain` gives for (module, rows, our matrix), and whether they are of arguments."""
    layers = []
    for number, block in enumerate(decoder.blocks):
        outputs: dict[str, list[Gain]] = {}
        inputs: dict[str, Gain] = {}
        for name, spot in linear_places(decoder, number).items():
            for module, rows in modules(spot):
                found = gain(module, rows, getattr(block, name))
                if found is not None and found[1]:
                    inputs[name] = found[0]
                elif found is not None:
                    outputs.setdefault(name, []).append(found[0])
        layers.append(Rescaled(outputs, inputs))
    return Adapter(config, layers)


def _rescaled(decoder: Decoder, config: AdapterConfig, generator: torch.Generator) -> Adapter:
    """Where queries, keys and values are one layer to Hugging Face, queries are rescaled too, as in `peft`."""
    inner = FAMILIES[decoder.config.family].inner
    qkv, down = inner["qkv"], inner["down"]
    scaled = tuple(name.removesuffix(".weight") for name in ([qkv] if isinstance(qkv, str) else qkv[1:]))
    fed = str(down).removesuffix(".weight")

    def gain(module: str, rows: slice, weight: Tensor) -> tuple[Gain, bool] | None:
        if module.endswith(scaled):
            return Gain(module, rows, weight.new_zeros(rows.stop - rows.start)), False
        if module.endswith(fed):
            return Gain(module, slice(0, weight.shape[1]), weight.new_zeros(weight.shape[1])), True
        return None

    return rescaled(decoder, config, gain)


def _biased(decoder: Decoder, config: AdapterConfig, generator: torch.Generator) -> Adapter:
    places = bias_places(decoder.config)
    if not places:
        raise UserError(
            f'adapter = "bitfit" learns biases, and the family {decoder.config.family} has none; take "lora"'
        )
    layers = [
        Biased({name: decoder.embedding.new_zeros(length) for name, length in _lengths(block, places)})
        for block in decoder.blocks
    ]
    adapter = Adapter(config, layers)
    if decoder.norm_bias is not None:
        adapter.last = Biased({"norm": torch.zeros_like(decoder.norm_bias)})
    return adapter


def _lengths(block: nn.Module, places: Sequence[str]) -> Iterator[tuple[str, int]]:
    for name in places:
        weight = getattr(block, name, None)
        if weight is not None:
            yield name, len(weight)


def bias_places(config: DecoderConfig) -> list[str]:
    """The matrices and norms of a block that have a bias, or that the family's files have a place for one of."""
    family = FAMILIES[config.family]
    known = {field for entry in family.record.values() for field in getattr(entry, "fields", ())}
    known |= {name for name, value in family.fixed.items() if value is True}
    found = ["qkv"] if "qkv_bias" in known else []
    found += ["output"] if "output_bias" in known else []
    found += ["gate_up", "up", "down"] if "feed_bias" in known else []
    return found + (list(NORMS) if config.norm == "layer" else [])


def _bottleneck(decoder: Decoder, config: AdapterConfig, generator: torch.Generator) -> Adapter:
    """After both halves of a block (Houlsby et al. 2019), or after the feed-forward alone (Pfeiffer et al. 2021)."""
    halves = ("attended", "fed") if config.kind == "bottleneck" else ("fed",)
    width = decoder.config.width

    def narrow() -> Narrow:
        down = _drawn((config.rank, width), generator, decoder.embedding)
        down = down.normal_(0.0, width**-0.5, generator=generator).to(decoder.embedding)
        return Narrow(down, decoder.embedding.new_zeros(width, config.rank))

    return Adapter(config, [Bottleneck({half: narrow() for half in halves}) for _ in decoder.blocks])


@torch.no_grad()
def _virtual(decoder: Decoder, config: AdapterConfig, generator: torch.Generator) -> Adapter:
    """A prompt begins as the embeddings of tokens drawn from the vocabulary (Lester et al. 2021, section 3.2), a prefix
    as what the model makes of such a prompt (Li & Liang 2021, section 7.4: real activations)."""
    ids = torch.randint(decoder.config.vocabulary, (config.tokens,), generator=generator, device=generator.device)
    start = F.embedding(ids.to(decoder.embedding.device), decoder.embedding)
    if config.kind == "prompt":
        return Adapter(config, virtual=start.detach().clone())
    if config.tokens > decoder.config.context:
        raise UserError(
            f"{config.tokens} virtual tokens leave no room in the model's context of {decoder.config.context}; "
            "take fewer"
        )
    pairs = keys_and_values(decoder, start[None])
    states = torch.stack([torch.stack([k[0], v[0]]) for k, v in pairs])  # [layers, 2, kv_heads, tokens, head_size]
    return Adapter(config, virtual=states.permute(3, 0, 1, 2, 4).flatten(1).contiguous())


def _drawn(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    """Room for numbers that `generator` draws; of a model without memory ("meta"), as little of it."""
    return torch.empty(shape, device="meta" if like.is_meta else generator.device)


_MAKERS: dict[str, Callable[[Decoder, AdapterConfig, torch.Generator], Adapter]] = {
    **dict.fromkeys(("lora", "dora", "rslora"), _low_rank),
    **dict.fromkeys(("bottleneck", "pfeiffer"), _bottleneck),
    **dict.fromkeys(("prompt", "prefix"), _virtual),
    "ia3": _rescaled,
    "bitfit": _biased,
}
