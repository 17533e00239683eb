"""Blocks and losses compiled by torch against the same, operation by operation."""

from typing import Any

import pytest
import torch
from model.tiny import decoder, tokens

from anatomia.base.compiled import can_fuse, fuse, why_not_fused
from anatomia.base.errors import UserError
from anatomia.base.machine import Machine
from anatomia.model.decoder import Decoder
from anatomia.objectives.next_token import GRAIN, batch_loss
from anatomia.stages import models
from anatomia.tokens.batches import Batch

needs_a_compiler = pytest.mark.skipif(not can_fuse("cpu"), reason="needs a C++ compiler and Python's headers")


def batch(rows: int, length: int) -> Batch:
    """Two documents a row; every third position carries no loss."""
    ids, places = tokens(rows, length), torch.arange(length).expand(rows, length)
    documents, positions = (places >= 20).long(), torch.where(places >= 20, places - 20, places)
    weights = (places % 3 > 0).float() / 100
    return Batch(ids, tokens(rows, length, seed=1), weights, positions, documents)


def gradients(model: Decoder, data: Batch) -> tuple[float, dict[str, torch.Tensor]]:
    loss = batch_loss(model, data, data.weights)
    model.zero_grad()
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@needs_a_compiler
@pytest.mark.parametrize("changes", [{}, {"layers": 3, "layer_windows": (None, 8, None), "tied": False}])
def test_fused_and_eager_training_agree(changes: dict[str, Any]) -> None:
    """Loss and gradients, also where not all places carry loss; and the same bits when done again."""
    data = batch(GRAIN // 64 * 4, 64)
    model = decoder(**changes)
    loss, expected = gradients(model, data)
    model.fused = True
    found, fused = gradients(model, data)
    assert found == pytest.approx(loss, rel=1e-5)
    assert fused.keys() == expected.keys()
    for name, gradient in fused.items():
        assert (gradient - expected[name]).norm() <= 1e-5 * expected[name].norm() + 1e-8, name
    assert any(not torch.equal(fused[name], expected[name]) for name in fused), "nothing was compiled"
    again = gradients(model, data)[1]
    assert all(torch.equal(again[name], fused[name]) for name in fused)


def test_only_passes_that_are_learnt_from_are_fused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fused(function: Any) -> Any:
        raise AssertionError("compiled")

    monkeypatch.setattr("anatomia.model.decoder.fuse", fused)
    model = decoder()
    model.fused = True
    ids = tokens(2, 8)
    with torch.no_grad():
        model(ids)
        model(ids, cache=model.cache(2, 8))
    with pytest.raises(AssertionError, match="compiled"):
        model(ids)


def machine(training: Any) -> Machine:
    return Machine("test", 1, 0, 1.0, 1.0, "", "0", "cpu", "float32", 1, "eager", training)


class Notes(list[str]):
    def note(self, text: str) -> None:
        self.append(text)


@pytest.mark.parametrize(
    ("training", "tokens", "reason", "fused"),
    [
        ("fused", 10**12, "", True),
        ("fused", 10**5, "", False),
        ("eager", 10**12, "", False),
        ("fused", 10**12, "no g++", False),
    ],
)
def test_long_trainings_are_fused_where_the_run_began_so(
    training: str, tokens: int, reason: str, fused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "recall", lambda: machine(training))
    monkeypatch.setattr(models, "why_not_fused", lambda: reason)
    model, notes = decoder(), Notes()
    models.fuse(model, 64, tokens, notes)  # type: ignore[arg-type]
    assert model.fused == fused
    assert notes == (
        [f"torch cannot compile the model here ({reason}); training goes on without, and is slower"] * bool(reason)
    )


def test_a_compiler_that_fails_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(function: Any) -> Any:
        raise UserError("g++: error: cannot execute 'cc1plus'\nand more")

    monkeypatch.setattr("anatomia.base.compiled.fuse", broken)
    why_not_fused.cache_clear()
    assert why_not_fused() == "g++: error: cannot execute 'cc1plus'"
    why_not_fused.cache_clear()


@needs_a_compiler
def test_a_function_is_compiled_once() -> None:
    assert why_not_fused() == ""
    assert fuse(gradients) is fuse(gradients)
