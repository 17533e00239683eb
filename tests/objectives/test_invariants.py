"""What must hold of every rollout and every algorithm, whatever the numbers are."""

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from model.tiny import decoder, tokens
from objectives.aligned_gradients import gradients
from objectives.aligning import END, PROMPTS, alignment
from torch import Tensor, nn
from train.ranks import together

from anatomia.generate.engine import generate
from anatomia.generate.sampling import Sampling, probabilities
from anatomia.model.attention import document_mask
from anatomia.objectives.algorithms import ALGORITHMS, AlignmentSettings, Draft, best, differing, distance, good
from anatomia.objectives.alignment import Alignment
from anatomia.objectives.policy import k3, kl_rewards
from anatomia.objectives.rollout import Rollout, log_probabilities
from anatomia.train.loop import backward
from anatomia.train.optimizer import FlatOptimizer, OptimizerSettings

every = pytest.mark.parametrize("method", ALGORITHMS)
SAMPLINGS = {
    "plain": Sampling(max_new=10),
    "hot": Sampling(1.7, max_new=10),
    "cold": Sampling(0.6, max_new=10),
    "top k": Sampling(0.8, top_k=7, max_new=10),
    "top p": Sampling(1.2, top_p=0.7, max_new=10),
    "both": Sampling(0.9, top_k=12, top_p=0.8, max_new=10),
}
ways = pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)


def literal(model: Any, ids: Tensor, start: int, sampling: Sampling) -> Tensor:
    """log p of each token from `start` on, each from a forward pass of its own over what stands before it alone."""
    found = []
    for place in range(start, ids.shape[1]):
        logits = model(ids[:, :place])[:, -1]
        found.append(probabilities(logits, sampling)[0, ids[0, place]].log())
    return torch.stack(found)


@ways
def test_log_probabilities_are_a_fresh_forward_pass_s_and_those_that_were_drawn_from(sampling: Sampling) -> None:
    model, objective = alignment("ppo", sampling=sampling)
    rollout = objective.roll_out(model, 0)
    prompts = [PROMPTS[index] for index in objective.order(0) for _ in range(3)]
    written = objective.complete(model.policy, prompts, ("rollout", 0))
    with torch.no_grad():
        for row, (prompt, completion) in enumerate(zip(prompts, written, strict=True)):
            span = slice(len(prompt) - 1, len(prompt) - 1 + len(completion.ids))
            ids = torch.tensor([[*prompt, *completion.ids]])
            mine = rollout.logprobs[row, span]
            assert torch.allclose(mine, literal(model.policy, ids, len(prompt), sampling), atol=2e-6)
            assert torch.allclose(mine, torch.tensor(completion.drawn), atol=2e-6)


@ways
def test_the_first_ratio_is_one(sampling: Sampling) -> None:
    """To 1e-6 in fp32, in whatever pieces the update looks at the rollout."""
    model, objective = alignment("ppo", sampling=sampling, micro=5)
    pieces = objective.micro_batches(model, 0)
    for piece in pieces:
        rows = piece.rollout
        with torch.no_grad():
            now, _ = log_probabilities(model.policy, rows.ids, rows.mask, sampling)
        assert (torch.exp(now - rows.logprobs) - 1).abs().max() <= 1e-6


@ways
def test_at_the_start_kl_is_zero(sampling: Sampling) -> None:
    model, objective = alignment("grpo", sampling=sampling)
    rollout = objective.roll_out(model, 0)
    assert torch.equal(rollout.logprobs, rollout.reference)
    assert objective.figures["kl"] == 0.0


def test_a_token_that_is_cut_off_now_keeps_a_probability() -> None:
    """What was drawn once is finite however the policy moved, and has a gradient."""
    model, sampling = decoder(), Sampling(top_k=1)
    ids, mask = torch.tensor([[5, 6, 7, 8]]), torch.ones(1, 3, dtype=torch.bool)
    found, entropy = log_probabilities(model, ids, mask, sampling)
    assert found.isfinite().all()
    assert entropy.isfinite().all()
    assert found.min() < 0
    (found.sum() + entropy.sum()).backward()
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in model.parameters())


def test_padding_on_the_left_changes_nothing() -> None:
    """Nor does what stands in the padding."""
    model = decoder()
    prompts, completions = PROMPTS[:4], [tokens(n + 2, seed=40 + n).tolist() for n in range(4)]
    whole = [prompt + completion for prompt, completion in zip(prompts, completions, strict=True)]
    width = max(map(len, whole)) + 3
    for filler in (0, 17):
        right = torch.tensor([row + [filler] * (width - len(row)) for row in whole])
        mask = torch.zeros(4, width - 1, dtype=torch.bool)
        for row, (prompt, one) in enumerate(zip(prompts, whole, strict=True)):
            mask[row, len(prompt) - 1 : len(one) - 1] = True
        mine, _ = log_probabilities(model, right, mask)
        left = torch.tensor([[filler] * (width - len(row)) + row for row in whole])
        real = torch.tensor([[-1] * (width - len(row)) + [0] * len(row) for row in whole])
        positions = torch.tensor([[0] * (width - len(row)) + list(range(len(row))) for row in whole])
        hidden = model.hidden(left, positions, document_mask(real, torch.float32, None))
        logs = torch.log_softmax(hidden @ model.output.t(), -1)[:, :-1].gather(2, left[:, 1:, None])[:, :, 0]
        for row, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
            start = len(prompt) - 1
            theirs = logs[row, width - 1 - len(completion) :]
            assert torch.allclose(mine[row, start : start + len(completion)], theirs, atol=2e-6)


def test_completions_are_the_same_beside_longer_prompts() -> None:
    model = decoder(end=END, scale=0.15)
    sampling = Sampling(max_new=10)
    beside = generate(model, PROMPTS[:6], list(range(6)), sampling)
    for number, (prompt, completion) in enumerate(zip(PROMPTS, beside, strict=False)):
        assert generate(model, [prompt], [number], sampling)[0].ids == completion.ids


@every
def test_nothing_is_dropped_out_while_training(method: str) -> None:
    """A model in training says the same bits as one that is not, whatever its configuration came from."""
    model, objective = alignment(method)
    assert not [part for part in model.modules() if isinstance(part, nn.Dropout)]
    rollout = objective.roll_out(model, 0)
    found = []
    for mode in (True, False, True):
        model.train(mode)
        with torch.no_grad():
            found.append(log_probabilities(model.policy, rollout.ids, rollout.mask)[0])
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def drafted(scores: list[float]) -> tuple[Draft, AlignmentSettings]:
    """Three groups of three sequences of several lengths, off the reference."""
    draw = torch.Generator().manual_seed(0)
    mask = torch.arange(8) < torch.tensor([8, 1, 5, 3, 3, 8, 2, 4, 6])[:, None]
    logprobs, reference = (-torch.rand(9, 8, generator=draw) * mask for _ in range(2))
    how = AlignmentSettings("grpo", 3, 3, 1, 1, 9, 0.1, Sampling(max_new=8))
    return Draft(mask, torch.tensor(scores), logprobs, reference, torch.zeros(9, 8)), how


@pytest.mark.parametrize("method", ["grpo", "dr_grpo", "dapo", "rloo"])
def test_groups_without_spread_have_no_advantage(method: str) -> None:
    draft, how = drafted([0.3] * 3 + [1.0, 2.0, 4.0] + [-7654.321] * 3)
    if method == "rloo":  # whose rewards hold KL: without it
        draft = Draft(draft.mask, draft.scores, draft.reference, draft.reference, draft.values)
    _, advantages, _ = ALGORITHMS[method].credit(draft, how)
    assert not advantages[[0, 1, 2, 6, 7, 8]].any()
    assert advantages[3:6].any()
    assert not advantages[~draft.mask].any()


@pytest.mark.parametrize("method", ["ppo", "reinforce++"])
def test_whitening_looks_at_completions_alone(method: str) -> None:
    draft, how = drafted([0.1 * n**2 for n in range(9)])
    _, advantages, _ = ALGORITHMS[method].credit(draft, how)
    inside = advantages[draft.mask]
    assert float(inside.mean()) == pytest.approx(0, abs=1e-6)
    assert float(inside.std(correction=0)) == pytest.approx(1, abs=1e-5)
    assert not advantages[~draft.mask].any()


@every
def test_the_score_enters_once_at_the_last_token(method: str) -> None:
    """Whatever a method makes of them, the rewards of a sequence are its score and its distance to the reference."""
    draft, how = drafted([0.1 * n**2 - 2 for n in range(9)])
    rewards, _, _ = ALGORITHMS[method].credit(draft, how)
    distances = -0.1 * (draft.logprobs - draft.reference) * draft.mask
    last = draft.mask.sum(1) - 1
    scored = torch.zeros(9, 8).scatter(1, last[:, None], draft.scores[:, None])
    assert torch.allclose(rewards, scored) or torch.allclose(rewards, scored + distances)
    assert torch.equal(rewards[~draft.mask], torch.zeros(int((~draft.mask).sum())))


def test_advantages_of_rloo_and_of_reinforce() -> None:
    """By hand: the mean of the others of the group; the rewards to come, whitened."""
    draft, how = drafted([0.1 * n**2 for n in range(9)])
    rewards, advantages, _ = ALGORITHMS["rloo"].credit(draft, how)
    sums = rewards.sum(1).tolist()
    for row in range(9):
        others = [sums[other] for other in range(row // 3 * 3, row // 3 * 3 + 3) if other != row]
        assert torch.allclose(advantages[row][draft.mask[row]], torch.tensor(sums[row] - sum(others) / 2), atol=1e-6)
    rewards, advantages, returns = ALGORITHMS["reinforce++"].credit(draft, how)
    for row, column in draft.mask.nonzero().tolist():
        assert float(returns[row, column]) == pytest.approx(float(rewards[row, column:].sum()), abs=1e-5)
    order = returns[draft.mask].argsort()
    assert torch.equal(order, advantages[draft.mask].argsort())


def test_what_is_kept() -> None:
    scores = torch.tensor([1.0, 3.0, 3.0, 2.0, 2.0, 2.0, 0.0, 1.0, 0.0])
    assert best(scores, 3).tolist() == [False, True, False, True, False, False, False, True, False]
    assert good(scores, 3).tolist() == [False, True, True, False, False, False, False, True, False]
    assert differing(scores, 3).tolist() == [True] * 3 + [False] * 3 + [True] * 3


def constant(value: float, but: tuple[int, ...] = ()) -> Any:
    """Everything is worth the same, except answers to the prompts with these lengths, which are worth their length."""

    def score(prompts: Any, completions: Any) -> Tensor:
        pairs = zip(prompts, completions, strict=True)
        return torch.tensor([float(len(c.ids) if len(p) in but else value) for p, c in pairs])

    return score


def test_dapo_asks_others_in_place_of_prompts_that_say_nothing() -> None:
    """Until there are as many as were wanted; what is not kept is shown, but not learnt from."""
    seen: list[Rollout] = []
    model, objective = alignment("dapo", listener=lambda n, rollout, p: seen.append(rollout), unfinished=0.0)
    objective.scorer = constant(1.0, but=(3, 5, 6))
    rollout = objective.roll_out(model, 0)
    assert len(seen[0].ids) > len(rollout.ids) == 12
    groups = rollout.scores.view(4, 3)
    assert (groups.amax(1) > groups.amin(1)).all()
    assert objective.figures["kept"] < 1
    again, other = alignment("dapo", unfinished=0.0)
    other.scorer = constant(1.0, but=(3, 5, 6))
    assert torch.equal(other.roll_out(again, 0).ids, rollout.ids), "which prompts follow is a matter of the seed"


@pytest.mark.parametrize("method", ["dapo", "expert_iteration"])
def test_where_nothing_is_to_be_learnt_nothing_moves(method: str) -> None:
    model, objective = alignment(method, unfinished=0.0)
    objective.scorer = constant(1.0)
    optimizer = FlatOptimizer(model, OptimizerSettings(), torch.float32)
    sums = backward(model, objective, optimizer, 0)
    assert objective.figures["kept"] == 0.0
    assert math.isfinite(sums["loss"])
    assert optimizer.gradient.abs().max() < 1e-7


def test_little_that_is_kept_fills_every_minibatch() -> None:
    model, objective = alignment("best_of_n", minibatches=6)
    for update in range(6):
        pieces = objective.micro_batches(model, update)
        assert sum(piece.loss_share for piece in pieces) == pytest.approx(1.0)
        assert all(len(piece.rollout.ids) for piece in pieces)
    assert objective.rollout is not None
    assert len(objective.rollout.ids) == 4, "one of each group"


def test_the_number_of_processes_changes_no_gradient(tmp_path: Path) -> None:
    alone = gradients()
    (said,) = together(2, ("gradients aligned", tmp_path))
    for method, found in said.items():
        assert max(map(abs, alone[method][1:])) > 1e-4, method
        difference = max(abs(a - b) for a, b in zip(found, alone[method], strict=True))
        assert difference < 1e-9 * max(map(abs, alone[method])), method


def test_estimators_of_kl_agree_with_the_whole_vocabulary() -> None:
    """Of two models: Σ π (log π - log π_ref) is what k1 has as its mean in rewards, and k3 in losses, at every place;
    and the gradient of what GRPO adds to its loss is that of this sum, which that of k3 alone is not."""
    policy = decoder(scale=0.3)
    reference = copy.deepcopy(policy)
    with torch.no_grad():
        reference.blocks[0].get_parameter("down").add_(0.1)
    prompt = tokens(5, seed=3)
    exact = (logs := torch.log_softmax(policy(prompt[None])[0, -1], -1)).exp() @ (
        logs - torch.log_softmax(reference(prompt[None])[0, -1], -1)
    )
    ids = torch.cat([prompt.expand(40, 5), torch.arange(40)[:, None]], 1)  # every token that may follow
    mask = torch.tensor([[False] * 4 + [True]]).expand(40, 5)
    now, _ = log_probabilities(policy, ids, mask)
    known, _ = log_probabilities(reference, ids, mask)
    weights = now[:, -1].detach().exp()
    in_rewards = -kl_rewards(torch.zeros(40), now.detach(), known.detach(), mask, 1.0).sum(1)
    assert float(exact.detach()) > 0.01
    assert float(weights @ in_rewards) == pytest.approx(float(exact.detach()), rel=1e-4)
    values = k3(now, known.detach())
    assert values.min() >= 0
    assert float((weights @ values[:, -1]).detach()) == pytest.approx(float(exact.detach()), rel=1e-4)
    blank = torch.zeros_like(now)
    piece = Rollout(ids, mask, mask[:, -1], blank[:, 0], now.detach(), known.detach(), blank, blank, blank, blank)
    ours = weights @ distance(now, piece)[:, -1]
    assert float(ours.detach()) == pytest.approx(float(exact.detach()), rel=1e-4)
    found = [
        torch.cat([part.flatten() for part in torch.autograd.grad(one, list(policy.parameters()), retain_graph=True)])
        for one in (exact, ours, weights @ values[:, -1])
    ]
    assert (found[1] - found[0]).norm() < 1e-4 * found[0].norm()
    assert (found[2] - found[0]).norm() > 0.05 * found[0].norm()


@pytest.mark.parametrize("n", [2, 4, 16])
def test_best_of_n_stays_near_its_reference(n: int) -> None:
    """KL(best of n ‖ policy) ≤ log n - (n - 1) / n (Beirami et al. 2024, theorem 1), and hardly less where no two of
    300 completions are worth the same; the best are as often what they should be, counted over 200,000 groups."""
    draw = np.random.default_rng(n)
    chances = draw.dirichlet(np.ones(300))
    places = draw.permutation(300)
    below = np.cumsum(chances[np.argsort(places)])[places]  # the chance of a completion that is worth no more
    exact = below**n - (below - chances) ** n
    divergence = float((exact * np.log(exact / chances)).sum())
    bound = math.log(n) - (n - 1) / n
    assert 0.9 * bound < divergence <= bound
    written = torch.from_numpy(draw.choice(300, size=200_000 * n, p=chances))
    chosen = written[best(torch.from_numpy(places.astype(np.float32))[written], n)]
    assert len(chosen) == 200_000
    counted = np.bincount(chosen.numpy(), minlength=300) / len(chosen)
    assert (np.abs(counted - exact) < 5 * np.sqrt(exact / len(chosen)) + 1e-5).all()


def test_a_rollout_larger_than_a_part_is_scored_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with its size, and the numbers stay."""
    whole = Alignment.roll_out(*reversed(alignment("ppo")), 0)
    monkeypatch.setattr("anatomia.objectives.rollout.ROWS", 5)
    parts = Alignment.roll_out(*reversed(alignment("ppo")), 0)
    assert torch.equal(whole.ids, parts.ids)
    assert torch.allclose(whole.logprobs, parts.logprobs, atol=1e-5)
    assert torch.allclose(whole.advantages, parts.advantages, atol=1e-4)
