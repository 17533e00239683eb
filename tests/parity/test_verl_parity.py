"""Credit, losses and gradients of RL against verl's formulas, on identical tensors, in fp32.

Where verl chose otherwise, or is wrong, a test says so and shows it. REINFORCE++ with a group's baseline, GSPO and the
others that verl has and this project has not are left out; of DPO and its kin verl has none.
"""

from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from parity.verls import load
from torch import Tensor

from anatomia.generate.sampling import Sampling
from anatomia.objectives.algorithms import ALGORITHMS, AlignmentSettings, Draft, distance, overlong, token_clipped
from anatomia.objectives.policy import (
    clipped_value_loss,
    generalized_advantages,
    group_advantages,
    k3,
    kl_rewards,
    masked_mean,
    sequence_mean,
    whiten,
)
from anatomia.objectives.rollout import Rollout

found = load()
if found is None:
    pytest.skip("verl is not there; `python bootstrap.py test` installs it", allow_module_level=True)
verl, dapo_rewards = found

NEAR = 1e-6
N, T, GROUP, LONGEST = 6, 9, 3, 12
LENGTHS = torch.tensor([9, 1, 4, 7, 2, 9])
MASK = torch.arange(T) < LENGTHS[:, None]
COUNT = int(MASK.sum())
GROUPS = np.repeat(np.arange(N // GROUP), GROUP)
HOW = AlignmentSettings("grpo", N // GROUP, GROUP, 1, 1, N, 0.3, Sampling(max_new=LONGEST))
UNBIASED = ((COUNT - 1) / COUNT) ** 0.5  # verl whitens by a deviation over n - 1, ours is over n


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


OLD = -2 + 0.5 * draw(0, N, T)
REFERENCE = OLD + 0.3 * draw(1, N, T)
VALUES = draw(4, N, T)
SCORES = draw(6, N)


def draft() -> Draft:
    return Draft(MASK, SCORES, OLD, REFERENCE, VALUES)


def piece(advantages: Tensor | None = None) -> Rollout:
    """Sequences off the starting point, so that ratios and clips matter."""
    blank = torch.zeros(N, T)
    if advantages is None:
        advantages = draw(2, N)[:, None] * MASK
    ids = torch.zeros(N, T + 1, dtype=torch.int64)
    return Rollout(ids, MASK, MASK[:, 0], blank[:, 0], OLD, REFERENCE, VALUES, blank, advantages, blank)


def now(spread: float = 0.3) -> Tensor:
    return (OLD + spread * draw(3, N, T)).requires_grad_(True)


def at_the_end(scores: Tensor) -> Tensor:
    """Rewards per token as verl has them: a score at the last token of each completion."""
    return torch.zeros(N, T).scatter(1, LENGTHS[:, None] - 1, scores[:, None])


class Settings(SimpleNamespace):
    """What verl's losses read of a configuration."""

    def __init__(self, **changes: Any) -> None:
        usual = {
            "clip_ratio": HOW.clip, "clip_ratio_low": None, "clip_ratio_high": None, "clip_ratio_c": 3.0,
            "gamma": 1.0, "global_batch_info": {},
        }  # fmt: skip
        super().__init__(**(usual | changes))

    def get(self, name: str, default: Any) -> Any:
        return getattr(self, name, default)


def loss_of_verl(logprobs: Tensor, rollout: Rollout, mode: str, **changes: Any) -> tuple[Tensor, float]:
    """The clipped objective, and the share of tokens that the clip holds back."""
    loss, metrics = verl.compute_policy_loss_vanilla(
        OLD, logprobs, rollout.advantages, rollout.mask.float(), mode, Settings(**changes)
    )
    return loss, metrics["actor/pg_clipfrac"]


def agree(mine: Tensor, theirs: Tensor, by: Tensor, also: Tensor) -> None:
    """Two losses and their gradients."""
    assert mine.item() == pytest.approx(theirs.item(), abs=NEAR, rel=NEAR)
    (gradient,), (other,) = torch.autograd.grad(mine, by), torch.autograd.grad(theirs, also)
    assert other.abs().max() > 1e-3
    assert (gradient - other).abs().max() < NEAR


# Credit


def test_rewards_and_generalized_advantages() -> None:
    rewards = kl_rewards(SCORES, OLD, REFERENCE, MASK, HOW.kl)
    theirs = verl.compute_rewards(at_the_end(SCORES), OLD, REFERENCE, HOW.kl)
    assert ((rewards - theirs) * MASK).abs().max() < NEAR
    advantages, returns = generalized_advantages(rewards, VALUES, MASK, 0.97, 0.9)
    white, known = verl.compute_gae_advantage_return(theirs, VALUES, MASK.float(), 0.97, 0.9)
    assert ((returns - known) * MASK).abs().max() < NEAR
    assert ((whiten(advantages, MASK) * UNBIASED - white) * MASK).abs().max() < NEAR * 5
    assert ((advantages - (known - VALUES)) * MASK).abs().max() < NEAR


def test_credit_of_ppo_and_reinforce() -> None:
    rewards = verl.compute_rewards(at_the_end(SCORES), OLD, REFERENCE, HOW.kl)
    white, known = verl.compute_gae_advantage_return(rewards, VALUES, MASK.float(), 1.0, HOW.trace)
    _, advantages, returns = ALGORITHMS["ppo"].credit(draft(), HOW)
    assert ((advantages * UNBIASED - white) * MASK).abs().max() < NEAR * 5
    assert ((returns - known) * MASK).abs().max() < NEAR
    white, known = verl.compute_reinforce_plus_plus_outcome_advantage(rewards, MASK.float(), Settings())
    _, advantages, returns = ALGORITHMS["reinforce++"].credit(draft(), HOW)
    assert (advantages * UNBIASED - white).abs().max() < NEAR * 5
    assert ((returns - known) * MASK).abs().max() < NEAR


@pytest.mark.parametrize("method", ["grpo", "dr_grpo", "dapo"])
def test_advantages_of_groups(method: str) -> None:
    """Both add something to a deviation before they divide by it: ours trl's 1e-4, verl 1e-6 unless it is told."""
    _, mine, _ = ALGORITHMS[method].credit(draft(), HOW)
    theirs, _ = verl.compute_grpo_outcome_advantage(
        at_the_end(SCORES), MASK.float(), GROUPS, epsilon=1e-4, norm_adv_by_std_in_grpo=method != "dr_grpo"
    )
    assert (mine - theirs).abs().max() < NEAR
    usual, _ = verl.compute_grpo_outcome_advantage(at_the_end(SCORES), MASK.float(), GROUPS)
    assert method == "dr_grpo" or (mine - usual).abs().max() < 1e-3


def test_verl_s_groups_without_spread_and_of_one() -> None:
    """Where all scores of a group are alike there is nothing to learn: ours gives 0. verl's gives what rounding left of
    score - mean, up to 1e6 times; and to a completion without others its score."""
    scores = torch.tensor([0.43, 0.43, 0.43, 0.11, 0.11, 0.11])
    assert not group_advantages(scores, GROUP).any()
    theirs, _ = verl.compute_grpo_outcome_advantage(at_the_end(scores), MASK.float(), GROUPS)
    assert theirs.abs().max() > 1e-3
    alone, _ = verl.compute_grpo_outcome_advantage(at_the_end(scores), MASK.float(), np.arange(N))
    assert (alone.amax(1) - scores).abs().max() < 1e-5
    assert not group_advantages(scores, 1).any()


def test_advantages_of_rloo() -> None:
    """Of scores less the KL of the whole completion."""
    _, mine, _ = ALGORITHMS["rloo"].credit(draft(), HOW)
    rewards = verl.compute_rewards(at_the_end(SCORES), OLD, REFERENCE, HOW.kl) * MASK
    for compute in (verl.compute_rloo_outcome_advantage, verl.compute_rloo_vectorized_outcome_advantage):
        theirs, _ = compute(rewards, MASK.float(), GROUPS)
        assert (mine - theirs).abs().max() < NEAR * 5


def test_dapo_s_overlong_answers() -> None:
    """verl's manager takes what is too long off the score, which it puts at the last token."""
    lengths = torch.tensor([1, 8, 10, 11, 12, 12])
    finished = torch.tensor([True] * 5 + [False])
    manager = dapo_rewards.DAPORewardManager(
        SimpleNamespace(decode=lambda ids, **given: "", eos_token="end"), 0, lambda **given: 0.5, max_resp_len=LONGEST,
        overlong_buffer_cfg=SimpleNamespace(enable=True, len=LONGEST / 5, penalty_factor=2.0, log=False),
    )  # fmt: skip
    rows = [
        SimpleNamespace(
            batch={
                "prompts": torch.zeros(2), "responses": torch.zeros(LONGEST),
                "attention_mask": torch.arange(LONGEST + 2) < length + 2,
            },
            non_tensor_batch={"reward_model": {"ground_truth": ""}, "data_source": ""},
        )
        for length in lengths
    ]  # fmt: skip

    class Rows(list[Any]):
        batch = {"responses": torch.zeros(N, LONGEST)}

    theirs = manager(Rows(rows))
    mine = 0.5 - 2.0 * overlong(finished, lengths, HOW)
    assert (theirs.sum(1) - mine).abs().max() < NEAR
    assert torch.equal((theirs != 0).int().argmax(1), lengths - 1)
    assert len(set(mine.tolist())) == 4


# Losses


def test_ppo_and_reinforce() -> None:
    mine, theirs = now(), now()
    loss, held = token_clipped(mine, piece(), HOW)
    other, share = loss_of_verl(theirs, piece(), "token-mean")
    assert 0 < float(held) == pytest.approx(share, abs=NEAR)
    agree(loss, other, mine, theirs)
    assert ALGORITHMS["ppo"].loss is ALGORITHMS["reinforce++"].loss is token_clipped


def test_grpo() -> None:
    """Its KL is compared below."""
    mine, theirs = now(), now()
    how = AlignmentSettings(**(vars(HOW) | {"kl": 0.0}))
    other, _ = loss_of_verl(theirs, piece(), "seq-mean-token-mean")
    agree(ALGORITHMS["grpo"].loss(mine, piece(), how)[0], other, mine, theirs)


@pytest.mark.parametrize("constant", [LONGEST, None])
def test_dr_grpo(constant: int | None) -> None:
    """verl divides by the width of a batch unless it is told a number, so that one long answer makes others count less;
    ours is the most tokens there can be."""
    mine, theirs = now(), now()
    how = AlignmentSettings(**(vars(HOW) | {"method": "dr_grpo", "kl": 0.0}))
    info = {"loss_scale_factor": constant}
    other, _ = loss_of_verl(theirs, piece(), "seq-mean-token-sum-norm", global_batch_info=info)
    agree(ALGORITHMS["dr_grpo"].loss(mine, piece(), how)[0] * LONGEST / (constant or T), other, mine, theirs)


def test_dapo() -> None:
    mine, theirs = now(), now()
    how = AlignmentSettings(**(vars(HOW) | {"method": "dapo", "kl": 0.0}))
    other, _ = loss_of_verl(theirs, piece(), "token-mean", clip_ratio_low=HOW.clip, clip_ratio_high=HOW.clip_high)
    agree(ALGORITHMS["dapo"].loss(mine, piece(), how)[0], other, mine, theirs)


def test_pieces_of_a_step() -> None:
    """Both take the mean over a step however it is divided, if verl is told the tokens of the whole step."""
    logprobs = now()
    whole = token_clipped(logprobs, piece(), HOW)[0]
    parts = []
    for rows in (torch.tensor([0, 3]), torch.tensor([1, 2, 4, 5])):
        some = piece().rows(rows)
        part = verl.compute_policy_loss_vanilla(
            OLD[rows], logprobs[rows], some.advantages, some.mask.float(), "token-mean",
            Settings(global_batch_info={"batch_num_tokens": COUNT}),
        )[0]  # fmt: skip
        mine = token_clipped(logprobs[rows], some, HOW)[0] * int(some.mask.sum()) / COUNT
        assert part.item() == pytest.approx(mine.item(), abs=NEAR)
        parts.append(part)
    assert sum(parts).item() == pytest.approx(whole.item(), abs=NEAR)  # type: ignore[union-attr]


def test_verl_holds_very_unlikely_tokens_back_twice() -> None:
    """Where an advantage is negative and a ratio above 3, verl's loss is constant (dual clip, Ye et al. 2020), ours is
    Schulman's and pulls the probability down. Where ratios stay below 3, which is where clips leave them, nothing
    differs (above)."""
    mine, theirs = now(1.5), now(1.5)
    far = (torch.exp(mine - OLD) > 3) & (piece().advantages < 0)
    assert 0 < int(far.sum()) < COUNT / 2
    (gradient,) = torch.autograd.grad(token_clipped(mine, piece(), HOW)[0], mine)
    (other,) = torch.autograd.grad(loss_of_verl(theirs, piece(), "token-mean")[0], theirs)
    assert not other[far].any()
    assert (gradient[far] > 1e-3).all()
    assert ((gradient - other) * ~far).abs().max() < NEAR
    agree(
        token_clipped(mine, piece(), HOW)[0],
        loss_of_verl(theirs, piece(), "token-mean", clip_ratio_c=1e9)[0],
        mine,
        theirs,
    )


def test_verl_s_rloo_clips_tokens() -> None:
    """Ours, as the paper and trl, has one ratio per completion; verl puts RLOO's advantages into PPO's loss. Where a
    rollout begins the gradients are the same."""
    advantages = ALGORITHMS["rloo"].credit(draft(), HOW)[1]
    for spread, same in ((0.0, True), (0.3, False)):
        mine, theirs = now(spread), now(spread)
        (gradient,) = torch.autograd.grad(ALGORITHMS["rloo"].loss(mine, piece(advantages), HOW)[0], mine)
        other, _ = loss_of_verl(theirs, piece(advantages), "seq-mean-token-sum")
        (other,) = torch.autograd.grad(other, theirs)
        assert ((gradient - other).abs().max() < NEAR) == same


def test_the_critic() -> None:
    values, returns = VALUES + 0.3 * draw(8, N, T), draw(9, N, T)
    mine, theirs = (values.clone().requires_grad_(True) for _ in range(2))
    other, share = verl.compute_value_loss(theirs, returns, VALUES, MASK.float(), 0.2)
    assert 0 < float(share) < 1
    agree(clipped_value_loss(mine, VALUES, returns, MASK), other, mine, theirs)


# KL


def test_estimators_of_kl() -> None:
    """k1 in the rewards, k3 in the losses."""
    mine, theirs = now(), now()
    k1 = verl.kl_penalty(mine, REFERENCE, "kl").detach()
    assert ((kl_rewards(torch.zeros(N), mine.detach(), REFERENCE, MASK, 1.0) + k1) * MASK).abs().max() < NEAR
    other = verl.agg_loss(verl.kl_penalty(theirs, REFERENCE, "low_var_kl"), MASK.float(), "seq-mean-token-mean")
    agree(sequence_mean(k3(mine, REFERENCE), MASK), other, mine, theirs)


@pytest.mark.parametrize("method", ["grpo", "dapo"])
def test_losses_with_kl(method: str) -> None:
    """verl adds k3 as it is; ours is weighted by the ratio. With that put to verl's estimator the whole loss is its."""
    mode = {"grpo": "seq-mean-token-mean", "dapo": "token-mean"}[method]
    mine, theirs = now(), now()
    estimate = torch.exp(theirs - OLD) * verl.kl_penalty(theirs, REFERENCE, "k3")
    high = HOW.clip_high if method == "dapo" else HOW.clip
    other, _ = loss_of_verl(theirs, piece(), mode, clip_ratio_high=high)
    other = other + HOW.kl * verl.agg_loss(estimate, MASK.float(), mode)
    agree(ALGORITHMS[method].loss(mine, piece(), HOW)[0], other, mine, theirs)


def test_which_gradients_are_those_of_kl() -> None:
    """Two tokens of four each, all 16 completions, each as often as the policy writes it: the mean gradient of ours, of
    verl's "k3+", and of KL itself are one; verl's "k3", which it uses by default, has another."""
    policy, reference = draw(10, 4).requires_grad_(True), draw(11, 4)
    known, wanted = policy.log_softmax(0), reference.log_softmax(0)
    (exact,) = torch.autograd.grad(2 * (known.exp() * (known - wanted)).sum(), policy)
    rows = torch.tensor(list(product(range(4), repeat=2)))
    chance = known[rows].sum(1).exp().detach()
    everything = torch.ones_like(rows, dtype=torch.bool)
    gradients = {}
    for name in ("ours", "k3+", "k3"):
        logprobs = policy.log_softmax(0)[rows]
        old = logprobs.detach()
        if name == "ours":
            blank = torch.zeros_like(old)
            written = Rollout(rows, everything, everything[:, 0], blank[:, 0], old, wanted[rows], *[blank] * 4)
            estimate = distance(logprobs, written)
        else:
            estimate = verl.kl_penalty(logprobs, wanted[rows], name)
        (gradients[name],) = torch.autograd.grad((estimate.sum(1) * chance).sum(), policy)
    assert (gradients["ours"] - exact).abs().max() < NEAR
    assert (gradients["k3+"] - exact).abs().max() < NEAR
    assert (gradients["k3"] - exact).abs().max() > 0.1


def test_means() -> None:
    """What losses are averaged over, on any values, those outside the mask being whatever."""
    values = draw(12, N, T)
    noise = torch.where(MASK, values, torch.full_like(values, 1e3))
    for mine, mode in ((masked_mean, "token-mean"), (sequence_mean, "seq-mean-token-mean")):
        theirs = verl.agg_loss(noise, MASK.float(), mode)
        assert mine(noise, MASK).item() == pytest.approx(theirs.item(), abs=NEAR)
