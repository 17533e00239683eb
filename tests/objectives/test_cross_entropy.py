"""The chunked loss against torch's own cross-entropy: value and both gradients."""

import pytest
import torch
import torch.nn.functional as F

from anatomia.objectives.cross_entropy import CHUNK, linear_cross_entropy, token_log_probabilities


def problem(count: int, dtype: torch.dtype, scale: float = 1.0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(count)
    hidden = (scale * torch.randn(count, 16, generator=generator)).to(dtype).requires_grad_(True)
    weight = torch.randn(37, 16, generator=generator).to(dtype).requires_grad_(True)
    targets = torch.randint(0, 37, (count,), generator=generator)
    weights = torch.rand(count, generator=generator) * (torch.rand(count, generator=generator) < 0.7)
    return hidden, weight, targets, weights


def plain(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (F.cross_entropy((hidden @ weight.t()).float(), targets, reduction="none") * weights).sum()


@pytest.mark.parametrize("count", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("everything", [True, False])
def test_value_and_gradients(count: int, dtype: torch.dtype, close: float, everything: bool) -> None:
    """Over the borders of chunks, with and without positions that carry no weight, and a scaled loss."""
    hidden, weight, targets, weights = problem(count, dtype)
    if everything:
        weights = weights + 0.1
    mine, expected = linear_cross_entropy(hidden, weight, targets, weights), plain(hidden, weight, targets, weights)
    assert mine.item() == pytest.approx(expected.item(), rel=close, abs=1e-6)
    found = torch.autograd.grad(3 * mine, (hidden, weight))
    for gradient, other in zip(found, torch.autograd.grad(3 * expected, (hidden, weight)), strict=True):
        assert gradient.dtype == dtype
        assert (gradient - other).float().norm() <= close * other.float().norm() + 1e-9


def test_no_weight_at_all_costs_nothing() -> None:
    hidden, weight, targets, _ = problem(10, torch.float32)
    loss = linear_cross_entropy(hidden, weight, targets, torch.zeros(10))
    loss.backward()
    assert loss.item() == 0
    assert not hidden.grad.any()  # type: ignore[union-attr]
    assert not weight.grad.any()  # type: ignore[union-attr]


def test_large_logits_do_not_overflow() -> None:
    hidden, weight, targets, weights = problem(50, torch.float32, scale=4.0)
    mine, expected = linear_cross_entropy(hidden, weight, targets, weights), plain(hidden, weight, targets, weights)
    assert expected > 300
    assert mine.item() == pytest.approx(expected.item(), rel=1e-5)
    for a, b in zip(torch.autograd.grad(mine, (hidden, weight)), torch.autograd.grad(expected, (hidden, weight))):
        assert torch.isfinite(a).all()
        assert (a - b).norm() < 1e-5 * b.norm()


def test_a_tied_embedding_gets_both_gradients() -> None:
    """The matrix is used for reading and for writing: both parts add up."""
    matrix = torch.randn(37, 16, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    ids, targets, weights = torch.arange(20), torch.arange(1, 21), torch.rand(20)
    mine = linear_cross_entropy(F.embedding(ids, matrix), matrix, targets, weights)
    expected = plain(F.embedding(ids, matrix), matrix, targets, weights)
    a, b = torch.autograd.grad(mine, matrix)[0], torch.autograd.grad(expected, matrix)[0]
    assert torch.allclose(a, b, atol=1e-4)


def test_log_probabilities_and_entropy() -> None:
    hidden, weight, targets, _ = problem(60, torch.float32)
    logprobs, entropy = token_log_probabilities(hidden, weight, targets)
    expected = torch.distributions.Categorical(logits=hidden @ weight.t())
    assert torch.allclose(logprobs, expected.log_prob(targets), atol=1e-5)
    assert torch.allclose(entropy, expected.entropy(), atol=1e-5)
    direction = torch.randn(60, generator=torch.Generator().manual_seed(1))
    for a, b in zip(
        torch.autograd.grad(logprobs @ direction, (hidden, weight)),
        torch.autograd.grad(expected.log_prob(targets) @ direction, (hidden, weight)),
        strict=True,
    ):
        assert torch.allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("kept", [0, 1 << 20])
@pytest.mark.parametrize("size", [512, 5])
def test_neither_chunks_nor_what_is_kept_change_a_gradient(
    kept: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = torch.Generator().manual_seed(0)
    hidden = torch.randn(23, 8, generator=draw, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(17, 8, generator=draw, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, 17, (23,), generator=draw)
    monkeypatch.setattr("anatomia.objectives.cross_entropy.CHUNK", size)
    monkeypatch.setattr("anatomia.objectives.cross_entropy.KEPT", kept)
    assert torch.autograd.gradcheck(lambda h, w: token_log_probabilities(h, w, targets)[0], (hidden, weight))
