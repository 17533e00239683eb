"""The formulas of policy optimisation against slow, literal versions of their definitions."""

import math

import pytest
import torch

from anatomia.objectives.policy import (
    clipped,
    clipped_value_loss,
    generalized_advantages,
    group_advantages,
    k3,
    kl_rewards,
    masked_mean,
    whiten,
)

N, T = 7, 12
GENERATOR = torch.Generator().manual_seed(0)
# Completions start and end at different places; one is a single token, one runs to the end, one is empty.
SPANS = [(0, 12), (3, 12), (5, 6), (2, 9), (0, 1), (11, 12), (4, 4)]
MASK = torch.tensor([[start <= t < stop for t in range(T)] for start, stop in SPANS])


def clipped_policy_loss(
    logprobs: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, mask: torch.Tensor, low: float = 0.2,
    high: float = 0.2,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """The mean over tokens, and the share that the clip holds back."""
    values, held = clipped(logprobs, old, advantages, low, high)
    return masked_mean(values, mask), masked_mean(held.double(), mask)


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*(shape or (N, T)), generator=GENERATOR, dtype=torch.float64)


@pytest.mark.parametrize(("discount", "trace"), [(1.0, 0.95), (0.9, 0.8), (1.0, 1.0), (0.99, 0.0)])
def test_advantages_are_the_double_sum_of_the_definition(discount: float, trace: float) -> None:
    """A_t = Σ_l (γλ)^l (r_{t+l} + γ V_{t+l+1} - V_{t+l}), V = 0 after the last token."""
    rewards, values = draw() * MASK, draw() * MASK
    advantages, returns = generalized_advantages(rewards, values, MASK, discount, trace)
    for n, (start, stop) in enumerate(SPANS):
        for t in range(T):
            expected = 0.0
            if start <= t < stop:
                for later in range(t, stop):
                    following = float(values[n, later + 1]) if later + 1 < stop else 0.0
                    error = float(rewards[n, later]) + discount * following - float(values[n, later])
                    expected += (discount * trace) ** (later - t) * error
            assert float(advantages[n, t]) == pytest.approx(expected, abs=1e-12)
            assert float(returns[n, t]) == pytest.approx(expected + float(values[n, t]), abs=1e-12)


def test_with_full_traces_returns_are_the_rewards_to_come() -> None:
    rewards = draw() * MASK
    _, returns = generalized_advantages(rewards, draw() * MASK, MASK, 1.0, 1.0)
    to_come = rewards.flip(1).cumsum(1).flip(1) * MASK
    assert torch.allclose(returns, to_come)


def test_what_stands_outside_the_mask_does_not_matter() -> None:
    rewards, values, noise = draw(), draw(), draw() * ~MASK
    plain = generalized_advantages(rewards, values, MASK)
    noisy = generalized_advantages(rewards + noise, values - noise, MASK)
    assert all(torch.equal(a, b) for a, b in zip(plain, noisy, strict=True))


def test_whitened_values_have_mean_0_and_deviation_1() -> None:
    white = whiten(5 + 3 * draw(), MASK)
    assert float(white[MASK].mean()) == pytest.approx(0, abs=1e-7)
    assert float(white[MASK].std(correction=0)) == pytest.approx(1, abs=1e-6)
    assert not white[~MASK].any()


def test_whitening_without_spread_gives_nothing() -> None:
    assert whiten(torch.full((N, T), 12.3), MASK).abs().max() < 1e-2
    assert not whiten(torch.full((1, 3), 7.7), torch.tensor([[False, True, False]])).any()
    assert not whiten(draw(), torch.zeros(N, T, dtype=torch.bool)).any()


def test_the_score_counts_once_at_the_last_token() -> None:
    scores, logprobs, reference = draw(N), draw(), draw()
    rewards = kl_rewards(scores, logprobs, reference, MASK, 0.3)
    for n, (start, stop) in enumerate(SPANS):
        for t in range(T):
            expected = 0.0
            if start <= t < stop:
                expected = -0.3 * float(logprobs[n, t] - reference[n, t])
                expected += float(scores[n]) if t == stop - 1 else 0.0
            assert float(rewards[n, t]) == pytest.approx(expected, abs=1e-12)
    whole = rewards.sum(1)
    kl = ((logprobs - reference) * MASK).sum(1)
    assert torch.allclose(whole, scores * MASK.any(1) - 0.3 * kl), "no more, no less, whatever the length"


@pytest.mark.parametrize("size", [2, 3, 4, 8])
def test_groups_are_their_own_baseline(size: int) -> None:
    scores = 4 + 2 * draw(5 * size)
    found = group_advantages(scores, size)
    for group in range(5):
        mine = scores[group * size : (group + 1) * size].tolist()
        mean = sum(mine) / size
        deviation = math.sqrt(sum((x - mean) ** 2 for x in mine) / (size - 1))
        expected = [(x - mean) / (deviation + 1e-4) for x in mine]
        assert found[group * size : (group + 1) * size].tolist() == pytest.approx(expected, abs=1e-9)
    plain = group_advantages(scores, size, scale=False).view(5, size)
    assert plain.sum(1).abs().max() < 1e-12
    assert torch.allclose(plain, scores.view(5, size) - scores.view(5, size).mean(1, keepdim=True))


@pytest.mark.parametrize("value", [0.0, 0.1, 12.3, -7654.321])
@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_groups_without_spread_say_nothing(value: float, size: int) -> None:
    """Exactly nothing: rounding of the mean must not become a direction."""
    assert not group_advantages(torch.full((2 * size,), value), size).any()


def test_the_clipped_loss_is_its_definition() -> None:
    logprobs, old, advantages = 0.5 * draw(), 0.5 * draw(), draw()
    loss, share = clipped_policy_loss(logprobs, old, advantages, MASK, 0.2)
    terms, held = [], 0
    for n, t in MASK.nonzero().tolist():
        ratio, advantage = math.exp(float(logprobs[n, t] - old[n, t])), float(advantages[n, t])
        clipped = min(max(ratio, 0.8), 1.2)
        terms.append(-min(ratio * advantage, clipped * advantage))
        held += clipped * advantage < ratio * advantage
    assert float(loss) == pytest.approx(sum(terms) / len(terms))
    assert float(share) == pytest.approx(held / len(terms))
    assert 0.1 < float(share) < 0.9


@pytest.mark.parametrize(
    ("ratio", "advantage", "moves"),
    [(1.0, 1.0, True), (1.5, 1.0, False), (1.5, -1.0, True), (0.5, 1.0, True), (0.5, -1.0, False)],
)
def test_only_what_went_too_far_stands_still(ratio: float, advantage: float, moves: bool) -> None:
    new = torch.tensor([[math.log(ratio)]], requires_grad=True)
    mask = torch.ones(1, 1, dtype=torch.bool)
    loss, _ = clipped_policy_loss(new, torch.zeros(1, 1), torch.full((1, 1), advantage), mask)
    loss.backward()
    assert float(new.grad) == pytest.approx(-advantage * ratio if moves else 0.0)  # type: ignore[arg-type]


def test_at_ratio_one_the_gradient_is_the_policy_gradient() -> None:
    logprobs = draw().requires_grad_(True)
    advantages = draw()
    loss, share = clipped_policy_loss(logprobs, logprobs.detach(), advantages, MASK)
    loss.backward()
    assert torch.allclose(logprobs.grad, -advantages * MASK / MASK.sum())  # type: ignore[arg-type]
    assert float(share) == 0.0


def test_the_value_loss_is_its_definition() -> None:
    values, old, returns = draw(), draw(), draw()
    terms = []
    for n, t in MASK.nonzero().tolist():
        v, o, r = (float(x[n, t]) for x in (values, old, returns))
        near = o + min(max(v - o, -0.2), 0.2)
        terms.append(0.5 * max((v - r) ** 2, (near - r) ** 2))
    assert float(clipped_value_loss(values, old, returns, MASK)) == pytest.approx(sum(terms) / len(terms))


def test_estimators_of_kl_agree_with_enumeration() -> None:
    """E[k3] = E[k1] = Σ p log(p/q), and k3 is never negative."""
    p, q = torch.log_softmax(2 * draw(50, 9), -1), torch.log_softmax(2 * draw(50, 9), -1)
    exact = (p.exp() * (p - q)).sum(-1)
    assert exact.min() > 0.1
    assert torch.allclose((p.exp() * k3(p, q)).sum(-1), exact)
    assert k3(p, q).min() >= 0
    assert not k3(p, p).any()


def test_the_gradient_of_k3_pulls_towards_the_reference() -> None:
    policy = torch.tensor([-1.0, -2.0, -3.0], dtype=torch.float64, requires_grad=True)
    k3(policy, torch.full((3,), -2.0, dtype=torch.float64)).sum().backward()
    assert policy.grad is not None
    assert policy.grad[0] > 0
    assert policy.grad[1] == 0
    assert policy.grad[2] < 0


def test_masked_means() -> None:
    values = draw()
    assert float(masked_mean(values, MASK)) == pytest.approx(float(values[MASK].mean()))
    assert float(masked_mean(values, torch.zeros(N, T, dtype=torch.bool))) == 0.0
