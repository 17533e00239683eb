"""The decoder: packed rows, padding, caches and blocks of queries change nothing in what a document's tokens get."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from model.tiny import PLAIN, decoder, scalar, tokens

from anatomia.base.errors import UserError
from anatomia.model.attention import BLOCK, attention, causal_mask, document_mask, fused
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.model.huggingface import from_huggingface, to_huggingface
from anatomia.objectives.next_token import batch_loss
from anatomia.tokens.batches import Packed
from anatomia.tokens.shards import Shard

LENGTHS = (7, 1, 12, 4)
KINDS = [{}, {"sliding_window": 3, "family": "mistral"}, {"kv_heads": 4, "qk_norm": False, "tied": False}]


def row(lengths: tuple[int, ...], padding: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """ids, positions and documents of one packed row, with padding at its end."""
    parts = [tokens(length, seed=length) for length in lengths]
    ids = torch.cat([*parts, torch.zeros(padding, dtype=torch.int64)])[None]
    positions = torch.cat([*(torch.arange(length) for length in lengths), torch.zeros(padding, dtype=torch.int64)])
    numbers = [torch.full((length,), number) for number, length in enumerate(lengths)]
    return ids, positions[None], torch.cat([*numbers, torch.full((padding,), -1)])[None]


@pytest.mark.parametrize("changes", KINDS)
def test_packed_documents_are_as_if_alone(changes: dict[str, object]) -> None:
    """Values and all gradients, in double precision: no document sees another, nor the padding."""
    model = decoder(**changes).double()
    ids, positions, documents = row(LENGTHS, padding=5)
    mask = document_mask(documents, torch.float64, model.config.sliding_window)
    packed = model(ids, positions, mask)[0]
    direction = torch.randn(packed.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    real = documents[0] >= 0
    (packed[real] * direction[real]).sum().backward()
    together = [weight.grad.clone() for weight in model.parameters()]  # type: ignore[union-attr]
    model.zero_grad()
    borders = np.cumsum((0, *LENGTHS)).tolist()
    for start, stop in pairwise(borders):
        alone = model(ids[:, start:stop])[0]
        assert (alone - packed[start:stop]).abs().max() < 1e-12
        (alone * direction[start:stop]).sum().backward()
    for weight, gradient in zip(model.parameters(), together, strict=True):
        assert weight.grad is not None
        assert (weight.grad - gradient).abs().max() < 1e-11 * max(1.0, float(gradient.abs().max()))


def test_the_loss_of_packed_rows_is_the_sum_over_documents() -> None:
    """Through the same path as training: shard, packing, mask, weights."""
    model = decoder()
    documents = [tokens(length, seed=length).numpy() for length in (9, 17, 3, 30, 5, 2)]
    starts = np.cumsum([0, *map(len, documents)])
    data = Packed(Shard(np.concatenate(documents), starts), 32, 2, 0, 0)
    assert data.steps_per_epoch == 1
    batch = data.batch(0)
    assert batch.documents.max() > 0
    assert (batch.documents < 0).any()
    expected = torch.zeros(())
    for document in documents:
        ids = torch.from_numpy(document)[None]
        expected = expected + torch.nn.functional.cross_entropy(model(ids[:, :-1])[0], ids[0, 1:], reduction="sum")
    mine = batch_loss(model, batch, batch.weights)
    assert mine.item() == pytest.approx(expected.item(), rel=1e-6)
    gradient = torch.autograd.grad(mine, model.embedding)[0]
    assert torch.allclose(gradient, torch.autograd.grad(expected, model.embedding)[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("changes", KINDS)
def test_what_stands_right_of_a_token_changes_nothing(changes: dict[str, object]) -> None:
    model = decoder(**changes).double()
    ids = tokens(2, 20)
    longer = torch.cat([ids, tokens(2, 9, seed=9)], 1)
    assert (model(ids) - model(longer)[:, :20]).abs().max() < 1e-12
    padded = torch.cat([ids, torch.zeros(2, 9, dtype=torch.int64)], 1)
    assert (model(ids) - model(padded)[:, :20]).abs().max() < 1e-12


@pytest.mark.parametrize("changes", KINDS)
@pytest.mark.parametrize("cuts", [(20,), (1,) * 20, (5, 1, 1, 6, 7), (19, 1)])
def test_cached_decoding_equals_the_full_forward(changes: dict[str, object], cuts: tuple[int, ...]) -> None:
    model = decoder(**changes).double()
    ids = tokens(3, 20)
    cache = model.cache(3, 20)
    parts, start = [], 0
    with torch.no_grad():
        for length in cuts:
            parts.append(model(ids[:, start : start + length], cache=cache))
            start += length
        assert cache.length == 20
        assert (torch.cat(parts, 1) - model(ids)).abs().max() < 1e-12


def test_rows_can_leave_the_cache() -> None:
    model = decoder().double()
    ids = tokens(4, 10)
    with torch.no_grad():
        cache = model.cache(4, 10)
        model(ids[:, :6], cache=cache)
        cache.keep(torch.tensor([2, 0]))
        rest = model(ids[[2, 0], 6:], cache=cache)
        assert (rest - model(ids)[[2, 0], 6:]).abs().max() < 1e-12


@pytest.mark.parametrize("length", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 44])
@pytest.mark.parametrize(("heads", "kv"), [(4, 4), (4, 2), (3, 1)])
@pytest.mark.parametrize("seen", [0, 37])
def test_blocks_of_queries_are_plain_attention(length: int, heads: int, kv: int, seen: int) -> None:
    """Against torch's own, in value and gradient, with keys already in a cache or not."""
    generator = torch.Generator().manual_seed(0)

    def draw(count: int, positions: int) -> torch.Tensor:
        return torch.randn(2, count, positions, 6, generator=generator, dtype=torch.float64, requires_grad=True)

    q, k, v = draw(heads, length), draw(kv, length + seen), draw(kv, length + seen)
    visible = torch.ones(length, length + seen, dtype=torch.bool).tril(seen)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, visible, enable_gqa=True)
    mine = attention(q, k, v, None)
    assert (mine - expected).abs().max() < 1e-12
    direction = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    for a, b in zip(*(torch.autograd.grad(y, (q, k, v), direction) for y in (mine, expected)), strict=True):
        assert (a - b).abs().max() < 1e-11


@pytest.mark.parametrize("length", [1, BLOCK + 3])
@pytest.mark.parametrize("scale", [None, 0.7])
@pytest.mark.parametrize("rows", [1, 2])
def test_both_kinds_of_attention_agree(length: int, scale: float | None, rows: int) -> None:
    """Blocks on a CPU, torch's kernels on a GPU: with a bias per head and key or none, a mask or none, any scale."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    q, k, v = draw(2, 4, length, 6), draw(2, 2, length + 5, 6), draw(2, 2, length + 5, 6)
    bias = draw(rows, 4, length + 5)
    mask = causal_mask(length, length + 5, 9, torch.float64, q.device)[None]
    for hidden in (mask, mask.repeat(2, 1, 1), None if length == 1 else mask):
        assert (attention(q, k, v, hidden, None, scale, bias) - fused(q, k, v, hidden, scale, bias)).abs().max() < 1e-12
        assert (attention(q, k, v, hidden, None, scale) - fused(q, k, v, hidden, scale)).abs().max() < 1e-12


def test_scores_are_read_at_the_last_real_token() -> None:
    model = scalar()
    ids, lengths = tokens(3, 12), torch.tensor([12, 1, 7])
    with torch.no_grad():
        alone = torch.stack([model(ids[n : n + 1, :length])[0, -1] for n, length in enumerate(lengths.tolist())])
        assert torch.allclose(model.at_last(ids, lengths), alone, atol=1e-5)


def test_fresh_weights_are_keyed_by_the_seed_and_expect_nothing() -> None:
    models = []
    for seed in (1, 1, 2):
        model = Decoder(PLAIN)
        model.initialize(torch.Generator().manual_seed(seed))
        models.append(model)
    same, other = models[1].state_dict(), models[2].state_dict()
    for name, weight in models[0].state_dict().items():
        assert torch.equal(weight, same[name])
        assert weight.dim() < 2 or not torch.equal(weight, other[name])
    logs = torch.log_softmax(models[0](tokens(2, 30)), -1)
    assert (logs + np.log(PLAIN.vocabulary)).abs().max() < 0.5


@pytest.mark.parametrize("changes", [{}, {"tied": False, "qkv_bias": True, "output_bias": True}, {"qk_norm": False}])
def test_parameters_are_counted_as_they_are(changes: dict[str, object]) -> None:
    model = decoder(**changes)
    assert model.config.parameters() == sum(weight.numel() for weight in model.parameters())


def test_impossible_shapes_are_named() -> None:
    with pytest.raises(UserError, match=r"model\.heads = 4 .*model\.kv_heads = 3"):
        decoder(kv_heads=3)
    with pytest.raises(UserError, match=r"model\.head_size = 5"):
        decoder(head_size=5)


def test_configurations_survive_the_way_to_hugging_face_and_back() -> None:
    for config in (
        PLAIN,
        DecoderConfig(**{**vars(PLAIN), "family": "mistral", "qk_norm": False, "sliding_window": 7, "tied": False}),
        DecoderConfig(**{**vars(PLAIN), "family": "llama", "qk_norm": False, "qkv_bias": True, "output_bias": True}),
        DecoderConfig(**{**vars(PLAIN), "begin": None, "padding": None, "end": (5, 9), "rope_theta": 1e6}),
    ):
        assert from_huggingface(to_huggingface(config)) == config


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sliding_window": 5},
        {"layer_windows": (None, 4), "qkv_bias": True},
        {"parallel": True, "norms": 1, "norm": "layer", "gated": False, "activation": "gelu"},
    ],
)
def test_states_that_are_wanted_are_the_states_and_have_their_gradients(changes: dict[str, Any]) -> None:
    """What the last block leaves out changes nothing of what it is asked for."""
    model = decoder(**changes).double()
    ids, wanted = tokens(2, 12), torch.tensor([0, 3, 4, 13, 23])
    slope = torch.randn(5, model.config.width, generator=torch.Generator().manual_seed(3)).double()
    found = []
    for some in (model.hidden(ids, wanted=wanted), model.hidden(ids).flatten(0, 1)[wanted]):
        model.zero_grad()
        (some * slope).sum().backward()
        found.append([some.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)])
    for mine, expected in zip(*found, strict=True):
        assert torch.allclose(mine, expected, atol=1e-10)
