"""The flat optimizer against torch's own on unflattened weights; the schedule of the learning rate."""

import copy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from model.tiny import decoder
from train.learning import documents, next_token, settings, weights

from anatomia.base.events import Ledger
from anatomia.train.loop import backward, train
from anatomia.train.muon import orthogonalise
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings, learning_rate


def reference_training(model: torch.nn.Module, steps: int, how: OptimizerSettings, rate: float) -> None:
    """The same updates by torch.optim.AdamW with two groups, per-tensor weights, the loss by F.cross_entropy."""
    decayed = [weight for weight in model.parameters() if weight.dim() >= 2]
    plain = [weight for weight in model.parameters() if weight.dim() < 2]
    groups = [{"params": decayed, "weight_decay": how.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, rate, (how.beta1, how.beta2), how.eps, foreach=False)
    data = documents()
    for step in range(steps):
        batch = data.batch(step)
        seen = (batch.documents[:, :, None] == batch.documents[:, None, :]) & torch.ones(
            24, 24, dtype=torch.bool
        ).tril()
        mask = torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)
        mask.diagonal(dim1=1, dim2=2).zero_()
        logits = model(batch.ids, batch.positions, mask)
        losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), reduction="none")
        (losses * batch.weights.flatten()).sum().div(batch.weights.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), how.clip)
        adam.step()
        adam.zero_grad()


@pytest.mark.parametrize("clip", [0.05, 1e9])
@pytest.mark.parametrize("changes", [{}, {"tied": False, "qkv_bias": True}])
def test_training_equals_torch_adamw(tmp_path: Path, clip: float, changes: dict[str, object]) -> None:
    how = OptimizerSettings(weight_decay=0.3, clip=clip, eps=1e-5)
    mine, theirs = decoder(**changes), decoder(**changes)
    train(mine, next_token(), settings(6, warmup=0, decay=0.0, optimizer=how), Ledger(), tmp_path)
    reference_training(theirs, 6, how, 1e-2)
    before = weights(decoder(**changes))
    for name, weight in theirs.named_parameters():
        moved = (weight - before[name]).abs().max()
        assert moved > 1e-3, name
        assert (weight - mine.get_parameter(name)).abs().max() < 1e-3 * moved, name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nothing_of_a_step_is_left_in_the_next(dtype: torch.dtype) -> None:
    """Neither what the same weights were told, nor what others were that now are told nothing."""
    model = torch.nn.ParameterList([torch.ones(3), torch.ones(2)])
    optimizer = FlatOptimizer(model, OptimizerSettings(), dtype)
    for told, slopes in (((0, 1), [1.0, 2.0]), ((1,), [5.0]), ((), [])):
        for _ in range(2):
            sum(
                (model[n].sum() * slope for n, slope in zip(told, slopes)), torch.zeros((), requires_grad=True)
            ).backward()
            optimizer.accumulate()
        optimizer.collect()
        for place in optimizer.layout.places:
            n = 0 if place.parameter is model[0] else 1
            wanted = 2 * slopes[told.index(n)] if n in told else 0.0
            assert optimizer.gradient[place.start : place.stop].eq(wanted).all()
        optimizer.step(1e-3, optimizer.norm())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_micro_batches_add_up_to_the_batch(dtype: torch.dtype) -> None:
    """Gradients and metrics of one step, in pieces of one row, of three and one, and whole."""
    found = []
    for micro in (4, 1, 3):
        model = decoder()
        optimizer = FlatOptimizer(model, OptimizerSettings(), dtype)
        sums = backward(model, next_token(micro), optimizer, 0)
        found.append((sums, optimizer.gradient.clone()))
    (whole, gradient), *others = found
    close = 1e-5 if dtype == torch.float32 else 3e-2
    assert gradient.norm() > 0.1
    for sums, other in others:
        assert sums["tokens"] == whole["tokens"] == float((documents().batch(0).documents >= 0).sum())
        assert sums["loss"] == pytest.approx(whole["loss"], rel=close)
        assert (other - gradient).norm() < close * gradient.norm()


def test_the_gradient_norm_is_that_of_all_weights() -> None:
    model = decoder()
    optimizer = FlatOptimizer(model, OptimizerSettings(), torch.float32)
    backward(model, next_token(), optimizer, 0)
    parts = [weight.grad.norm() for weight in model.parameters() if weight.grad is not None]
    assert len(parts) == len(list(model.parameters()))
    assert optimizer.norm() == pytest.approx(float(torch.stack(parts).norm()), rel=1e-6)


def test_frozen_weights_stay_as_they_are() -> None:
    model = decoder(tied=False)
    model.embedding.requires_grad_(False)
    before = model.embedding.clone()
    optimizer = FlatOptimizer(model, OptimizerSettings(weight_decay=0.5), torch.float32)
    backward(model, next_token(), optimizer, 0)
    optimizer.step(0.1, optimizer.norm())
    optimizer.release()
    assert torch.equal(model.embedding, before)
    assert not torch.equal(model.head, decoder(tied=False).head)  # type: ignore[arg-type]


def test_release_gives_independent_fp32_weights() -> None:
    model = decoder()
    optimizer = FlatOptimizer(model, OptimizerSettings(), torch.bfloat16)
    assert model.embedding.dtype == torch.bfloat16
    optimizer.release()
    assert torch.equal(model.embedding, decoder().embedding), "masters must not be rounded"
    storages = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    assert len(storages) == len(list(model.parameters()))
    assert copy.deepcopy(model)(torch.tensor([[1, 5]])).dtype == torch.float32


def test_small_updates_are_not_lost_in_low_precision() -> None:
    """bfloat16 weights alone would stand still: the masters move."""
    model = decoder()
    before = weights(model)
    optimizer = FlatOptimizer(model, OptimizerSettings(weight_decay=0.0), torch.bfloat16)
    for step in range(8):
        backward(model, next_token(), optimizer, step)
        optimizer.step(1e-5, optimizer.norm())
    optimizer.release()
    moved = torch.cat([(weight - before[name]).abs().flatten() for name, weight in model.named_parameters()])
    assert (moved > 0).float().mean() > 0.95
    assert moved.max() < 1e-4


def test_the_learning_rate_rises_stays_and_falls() -> None:
    rates = [learning_rate(step, 100, 2.0, 10, 0.4, 0.1) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)])
    assert rates[10:60] == [2.0] * 50
    assert all(a > b for a, b in pairwise(rates[59:]))
    assert rates[-1] >= 0.2
    assert rates[79] == pytest.approx(2.0 * (0.1 + 0.9 * (1 - 0.5**0.5)), rel=0.05)


def test_the_learning_rate_has_no_gaps_at_its_ends() -> None:
    assert [learning_rate(step, 5, 1.0, 0, 0.0) for step in range(5)] == [1.0] * 5
    assert learning_rate(0, 1, 1.0, 0, 0.5) > 0
    for steps in (1, 2, 3, 17):
        for decay in (0.0, 0.3, 1.0):
            rates = [learning_rate(step, steps, 1.0, min(5, steps // 2), decay, 0.2) for step in range(steps)]
            assert all(0 < rate <= 1 for rate in rates)


@pytest.mark.parametrize("shape", [(3, 8, 20), (2, 20, 8), (1, 16, 16)])
def test_orthogonalised_matrices_keep_their_directions(shape: tuple[int, int, int]) -> None:
    """Singular vectors stay, singular values all come near 1: what SVD would give, roughly."""
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = orthogonalise(matrices)
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    turned = left.transpose(-2, -1) @ found @ right.transpose(-2, -1)
    values = turned.diagonal(dim1=-2, dim2=-1)
    assert values.min() > 0.6
    assert values.max() < 1.3
    assert (turned - torch.diag_embed(values)).abs().max() < 0.05
    assert torch.allclose(orthogonalise(1e-3 * matrices), found, atol=1e-3)


def test_muon_turns_the_matrices_of_blocks_alone(tmp_path: Path) -> None:
    """Against a slow reference per matrix; everything else goes as with AdamW."""
    how = OptimizerSettings(muon=True, weight_decay=0.3, clip=0.0, eps=1e-5)
    mine, plain = decoder(), decoder()
    before, momentum = weights(mine), {}
    expected = dict(before)
    optimizer = FlatOptimizer(mine, how, torch.float32)
    other = FlatOptimizer(plain, replace(how, muon=False), torch.float32)
    for step in range(3):
        backward(mine, next_token(), optimizer, step)
        gradients = {name: weight.grad.clone() for name, weight in mine.named_parameters()}  # type: ignore[union-attr]
        for name, weight in plain.named_parameters():
            weight.grad.copy_(gradients[name])  # type: ignore[union-attr]
        for name, gradient in gradients.items():
            if gradient.dim() == 2 and name.startswith("blocks."):
                momentum[name] = how.momentum * momentum.get(name, torch.zeros(())) + (1 - how.momentum) * gradient
                update = how.momentum * momentum[name] + (1 - how.momentum) * gradient
                direction = orthogonalise(update[None])[0] * 0.2 * max(gradient.shape) ** 0.5
                expected[name] = expected[name] * (1 - 0.01 * how.weight_decay) - 0.01 * direction
        optimizer.step(0.01, 0.0)
        other.step(0.01, 0.0)
    assert momentum
    for name, weight in mine.named_parameters():
        target = expected[name] if name in momentum else plain.get_parameter(name)
        assert (weight - target).abs().max() < 2e-4, name
        assert (weight - before[name]).abs().max() > 1e-3, name
