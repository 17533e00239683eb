"""The compiled kernel for attention: the numbers of plain attention, in every shape that training has."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from anatomia.base import machine
from anatomia.base.compiled import can_compile
from anatomia.model import attention_native
from anatomia.model.attention import attention, document_reach, reach_mask
from anatomia.model.attention_native import kernel, reach_attention, supports
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.model.positions import Turn, turn

pytestmark = pytest.mark.skipif(
    not (can_compile() and kernel().usable()), reason="no compiler here, or no products of pairs of bfloat16"
)


def plain(joint: Tensor, angles: Turn | None, reach: Tensor, heads: int, kv_heads: int, scale: float) -> Tensor:
    """The same by matrix products, in the format of `joint`."""
    rows, length, _ = joint.shape
    parts = joint.view(rows, length, heads + 2 * kv_heads, -1).split((heads, kv_heads, kv_heads), 2)
    q, k, v = (part.transpose(1, 2) for part in parts)
    if angles is not None:
        q, k = turn(q, *angles), turn(k, *angles)
    y = attention(q, k, v, reach_mask(reach, joint.dtype), None, scale)
    return y.transpose(1, 2).flatten(2)


def angles_of(rows: int, length: int, size: int) -> Turn:
    angles = torch.rand(rows, 1, length, size // 2) * 6
    cosine, sine = angles.cos(), angles.sin()
    return torch.cat([cosine, cosine], -1).bfloat16(), torch.cat([-sine, sine], -1).bfloat16()


def reach_of(kind: str, rows: int, length: int) -> Tensor:
    place = torch.arange(length)
    if kind == "causal":
        return torch.full((rows, length), length, dtype=torch.int32)
    if kind == "tree":  # a trunk, branches of 17, and each token of the last few a branch of its own
        ends = torch.where(place < length // 4, length, (place // 17 + 1) * 17).clamp(max=length)
        return torch.where(place >= length - 5, place + 1, ends).int().expand(rows, -1)
    documents = torch.stack([(place + 11 * row) // int(kind) for row in range(rows)])
    return document_reach(documents, 40 if kind == "30" else None)


@pytest.mark.parametrize(
    ("kind", "rows", "heads", "kv_heads", "length", "size", "turned"),
    [
        ("causal", 2, 4, 4, 256, 64, 1), ("70", 3, 4, 4, 256, 64, 3), ("tree", 2, 4, 2, 200, 64, 2),
        ("13", 1, 6, 2, 77, 32, 0), ("causal", 1, 2, 1, 33, 128, 1), ("2", 1, 2, 2, 5, 32, 0),
        ("30", 2, 2, 2, 101, 96, 2), ("causal", 1, 1, 1, 1, 32, 1), ("causal", 1, 2, 2, 700, 64, 1),
    ],
)  # fmt: skip
def test_attention_and_its_gradients_are_those_of_matrix_products(
    kind: str, rows: int, heads: int, kv_heads: int, length: int, size: int, turned: int
) -> None:
    torch.manual_seed(0)
    joint = torch.randn(rows, length, (heads + 2 * kv_heads) * size).bfloat16().requires_grad_()
    angles = angles_of(turned, length, size) if turned else None
    reach, slope = reach_of(kind, rows, length), torch.randn(rows, length, heads * size).bfloat16()
    y = reach_attention(joint, angles, reach, heads, kv_heads, size**-0.5)
    y.backward(slope)
    exact = joint.detach().double().requires_grad_()
    wide = None if angles is None else (angles[0].double(), angles[1].double())
    wanted = plain(exact, wide, reach, heads, kv_heads, size**-0.5)
    wanted.backward(slope.double())
    assert joint.grad is not None
    assert exact.grad is not None
    for found, right in ((y.detach(), wanted.detach()), (joint.grad, exact.grad)):
        assert float((found.double() - right).norm()) <= 5e-3 * float(right.norm())  # bfloat16 has 8 bits


def test_bits_do_not_depend_on_threads_nor_on_other_rows() -> None:
    torch.manual_seed(1)
    joint, reach = torch.randn(4, 90, 3 * 2 * 64).bfloat16(), reach_of("30", 4, 90)
    threads = torch.get_num_threads()
    found = []
    for count in (1, 3):
        torch.set_num_threads(count)
        x = joint.clone().requires_grad_()
        y = reach_attention(x, None, reach, 2, 2, 0.125)
        y.sum().backward()
        found.append((y.detach(), x.grad))
    torch.set_num_threads(threads)
    alone = reach_attention(joint[2:3], None, reach[2:3], 2, 2, 0.125)
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][0][2:3], alone)
    assert found[0][1] is not None
    assert found[1][1] is not None
    assert torch.equal(found[0][1], found[1][1])


@pytest.mark.parametrize("qk_norm", [False, True])
def test_a_decoder_computes_the_same_with_it(qk_norm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    config = DecoderConfig(
        vocabulary=50, width=64, layers=2, heads=2, kv_heads=1, head_size=32, hidden=96, context=64, qk_norm=qk_norm
    )
    model = Decoder(config)
    model.initialize(torch.Generator().manual_seed(0))
    ids = torch.randint(50, (2, 48), generator=torch.Generator().manual_seed(1))
    reach = document_reach(torch.arange(48).expand(2, -1) // 20)
    slope = torch.randn(2, 48, 64, generator=torch.Generator().manual_seed(2))
    exact = gradient(model, ids, reach, slope)
    model = model.bfloat16()
    called: list[int] = []
    really = attention_native._call
    monkeypatch.setattr(attention_native, "_call", lambda *given: (called.append(1), really(*given))[1])
    chosen = replace(machine.recall(), decoding="native")
    monkeypatch.setattr(machine, "recall", lambda: chosen)
    assert supports(model.embedding, 32)
    assert not supports(model.embedding.float(), 32)
    assert not supports(model.embedding, 48)
    found = gradient(model, ids, reach, slope)
    assert len(called) == 4  # two layers, there and back
    for name, right in exact.items():
        assert float((found[name] - right).norm()) <= 0.03 * float(right.norm()), name


def gradient(model: Decoder, ids: Tensor, reach: Tensor, slope: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    (model.hidden(ids, mask=reach).float() * slope).sum().backward()
    return {name: weight.grad.float() for name, weight in model.named_parameters() if weight.grad is not None}
