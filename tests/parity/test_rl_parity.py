"""Losses and gradients of RL and of learning from rankings against trl's own trainers, on identical tensors, in fp32.

Their methods are called, on a stand-in for the trainer that holds what they read. Where they chose otherwise, a test
says so and shows it.
"""

import math
from collections import defaultdict
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from anatomia.generate.sampling import Sampling
from anatomia.objectives.algorithms import ALGORITHMS, AlignmentSettings, token_clipped
from anatomia.objectives.direct import DIRECT, Ranked
from anatomia.objectives.policy import k3, sequence_mean
from anatomia.objectives.rollout import Rollout

NEAR = 1e-6
N, T, LONGEST = 6, 9, 12
MASK = torch.arange(T) < torch.tensor([9, 1, 4, 7, 2, 9])[:, None]
HOW = AlignmentSettings("grpo", 2, 3, 1, 1, N, 0.3, Sampling(max_new=LONGEST))
ACCELERATOR = SimpleNamespace(
    gather=lambda x: x, gather_for_metrics=lambda x: x, reduce=lambda x, reduction: x, num_processes=1,
    device=torch.device("cpu"), sync_gradients=True,
)  # fmt: skip


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def piece() -> Rollout:
    """Sequences off the starting point, so that ratios and clips matter."""
    old = -2 + 0.5 * draw(0, N, T)
    reference = old + 0.3 * draw(1, N, T)
    advantages = draw(2, N)[:, None] * MASK
    blank = torch.zeros(N, T)
    return Rollout(
        torch.zeros(N, T + 1, dtype=torch.int64), MASK, MASK[:, 0], blank[:, 0], old, reference, blank, blank,
        advantages, blank,
    )  # fmt: skip


def now(seed: int = 3) -> Tensor:
    return (piece().logprobs + 0.3 * draw(seed, N, T)).requires_grad_(True)


def agree(mine: Tensor, theirs: Tensor, by: Tensor, also: Tensor) -> None:
    """Two losses and their gradients."""
    assert mine.item() == pytest.approx(theirs.item(), abs=NEAR, rel=NEAR)
    (gradient,), (other,) = torch.autograd.grad(mine, by), torch.autograd.grad(theirs, also)
    assert other.abs().max() > 1e-3
    assert (gradient - other).abs().max() < NEAR


def grpo_of_trl(loss_type: str, logprobs: Tensor, rollout: Rollout, updates: int = 1, **changes: Any) -> Tensor:
    """The loss of trl's GRPOTrainer, for one of so many updates a rollout."""
    grpo = pytest.importorskip("trl.trainer.grpo_trainer")
    usual: dict[str, Any] = {
        "epsilon_high": HOW.clip, "beta": HOW.kl,
        "args": SimpleNamespace(use_bias_correction_kl=True, delta=None, steps_per_generation=updates),
    }  # fmt: skip
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *a, **k: (logprobs, torch.zeros_like(logprobs), None),
        aux_loss_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None,
        importance_sampling_level="token", loss_type=loss_type, epsilon_low=HOW.clip, use_vllm=False,
        max_completion_length=LONGEST, model=SimpleNamespace(training=True), _entropy_bonus_enabled=False,
        accelerator=ACCELERATOR, _metrics={"train": defaultdict(list)}, current_gradient_accumulation_steps=1,
        **(usual | changes),
    )  # fmt: skip
    inputs = {
        "prompt_ids": rollout.ids[:, :1], "prompt_mask": torch.ones(len(rollout.ids), 1),
        "completion_ids": rollout.ids[:, 1:], "completion_mask": rollout.mask.float(),
        "advantages": rollout.advantages[:, 0], "old_per_token_logps": rollout.logprobs,
        "ref_per_token_logps": rollout.reference,
        "num_items_in_batch": MASK.sum(),
    }  # fmt: skip
    found: Tensor = grpo.GRPOTrainer._compute_loss(trainer, None, inputs)
    return found


@pytest.mark.parametrize("method", ["grpo", "dr_grpo", "dapo"])
def test_grpo_and_its_kin_are_trl_s(method: str) -> None:
    mine, theirs = now(), now()
    high = {"epsilon_high": HOW.clip_high} if method == "dapo" else {}
    loss, held = ALGORITHMS[method].loss(mine, piece(), HOW)
    assert 0 < float(held) < 1
    agree(loss, grpo_of_trl(method, theirs, piece(), **high), mine, theirs)


def test_the_mean_over_tokens_is_trl_s_bnpo() -> None:
    """What PPO and REINFORCE++ minimise, whose KL is in the rewards."""
    mine, theirs = now(), now()
    agree(token_clipped(mine, piece(), HOW)[0], grpo_of_trl("bnpo", theirs, piece(), beta=0.0), mine, theirs)


def test_trl_s_kl_has_another_gradient_unless_it_is_corrected() -> None:
    """trl adds k3 as the paper on GRPO does, ours times the ratio, as trl does where `use_bias_correction_kl` is set.
    The values are the same at the start; `test_invariants` shows which gradient is that of KL."""
    plain = SimpleNamespace(use_bias_correction_kl=False, delta=None, steps_per_generation=1)
    start = replace(piece(), advantages=torch.zeros(N, T))
    losses, gradients = [], []
    for ours in (True, False):
        logprobs = start.logprobs.clone().requires_grad_(True)
        mine = ALGORITHMS["grpo"].loss(logprobs, start, HOW)[0]
        loss = mine if ours else grpo_of_trl("grpo", logprobs, start, args=plain)
        losses.append(loss.item())
        gradients.append(torch.autograd.grad(loss, logprobs)[0])
    assert losses[0] == pytest.approx(losses[1], abs=NEAR)
    assert (gradients[0] - gradients[1]).abs().max() > 1e-3
    logprobs = start.logprobs.clone().requires_grad_(True)
    paper = HOW.kl * sequence_mean(k3(logprobs, start.reference), MASK)
    assert (torch.autograd.grad(paper, logprobs)[0] - gradients[1]).abs().max() < NEAR


def test_trl_s_dapo_counts_tokens_of_the_whole_rollout() -> None:
    """It divides an update's sum by the rollout's tokens over the updates; ours by the update's own tokens, so that its
    gradient is a mean even where its completions are longer than others'. With one update they are the same (above)."""
    logprobs, rollout = now(), piece()
    for rows in (torch.tensor([0, 3, 5]), torch.tensor([1, 2, 4])):
        theirs = grpo_of_trl("dapo", logprobs[rows], rollout.rows(rows), 2, epsilon_high=HOW.clip_high).item()
        mine = ALGORITHMS["dapo"].loss(logprobs[rows], rollout.rows(rows), HOW)[0].item()
        own, share = int(MASK[rows].sum()), int(MASK.sum()) / 2
        assert theirs * share == pytest.approx(mine * own, rel=1e-5)
        assert abs(own - share) > 5


def test_rloo_is_trl_s() -> None:
    rloo = pytest.importorskip("trl.trainer.rloo_trainer")
    mine, theirs, rollout = now(7), now(7), piece()
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *a, **k: (theirs, torch.zeros(N, T), None), aux_loss_enabled=False,
        epsilon_low=HOW.clip, epsilon_high=HOW.clip, model=SimpleNamespace(training=True), accelerator=ACCELERATOR,
        _metrics={"train": defaultdict(list)},
    )  # fmt: skip
    inputs = {
        "prompt_ids": rollout.ids[:, :1], "prompt_mask": torch.ones(N, 1), "completion_ids": rollout.ids[:, 1:],
        "completion_mask": rollout.mask.float(), "advantages": rollout.advantages[:, 0],
        "old_logps": (rollout.logprobs * MASK).sum(1),
    }  # fmt: skip
    loss, held = ALGORITHMS["rloo"].loss(mine, rollout, HOW)
    assert 0 < float(held) < 1
    agree(loss, rloo.RLOOTrainer._compute_loss(trainer, None, inputs), mine, theirs)


# Direct methods: three pairs; completions [better, better, better, worse, worse, worse]

BETTER, WORSE = torch.tensor([0, 1, 2]), torch.tensor([3, 4, 5])
INDEX, PLACES = torch.stack([BETTER, WORSE], 1), torch.tensor([[0, 1]] * 3)


class Outputs(SimpleNamespace):
    """What trl's fused head gives: log-probabilities of labels, 0 where there are none."""

    def __init__(self, logprobs: Tensor) -> None:
        blank = torch.zeros_like(logprobs)
        super().__init__(log_probs=logprobs * MASK, entropy=blank, mean_logits=blank, is_top1=blank.bool())


def inputs_of_trl() -> dict[str, Tensor]:
    shown = torch.cat([torch.zeros(N, 1, dtype=torch.bool), MASK], 1)
    return {
        "input_ids": torch.zeros(N, T + 1, dtype=torch.int64),
        "attention_mask": torch.ones(N, T + 1),
        "completion_mask": shown.long(),
    }


def direct(method: str, logprobs: Tensor, beta: float, drift: float = 0.0) -> Tensor:
    """Our loss of the same sequences."""
    ratios = ((logprobs - piece().reference) * MASK).sum(1)
    return DIRECT[method](Ranked(ratios, MASK.sum(1), INDEX, PLACES, drift), beta)


@pytest.mark.parametrize(("method", "name"), [("dpo", "sigmoid"), ("ipo", "ipo")])
@pytest.mark.parametrize("beta", [0.05, 0.5])
def test_dpo_and_ipo_are_trl_s(method: str, name: str, beta: float) -> None:
    dpo = pytest.importorskip("trl.trainer.dpo_trainer")
    mine, theirs = now(), now()
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True), accelerator=ACCELERATOR, aux_loss_enabled=False, ld_alpha=None,
        precompute_ref_logps=True, f_divergence_type="reverse_kl", loss_types=[name], loss_weights=[1.0], beta=beta,
        use_weighting=False, _metrics={"train": defaultdict(list)}, _total_train_tokens=0, _tp_size=1,
        label_smoothing=0.0,
    )  # fmt: skip
    known = (piece().reference * MASK).sum(1)
    inputs = inputs_of_trl() | {"ref_chosen_logps": known[:3], "ref_rejected_logps": known[3:]}
    found = dpo.DPOTrainer._compute_loss(trainer, lambda **given: Outputs(theirs), inputs, False)
    agree(direct(method, mine, beta), found, mine, theirs)


def kto_of_trl(theirs: Tensor, beta: float, far: float, rows: Tensor) -> Tensor:
    """The loss of trl's KTOTrainer where completions of other prompts have moved by `far` nats each."""
    kto = pytest.importorskip("trl.trainer.kto_trainer")
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True), accelerator=ACCELERATOR, aux_loss_enabled=False,
        precompute_ref_logps=True, calculate_KL=True, loss_type="kto", beta=beta, desirable_weight=1.0,
        undesirable_weight=1.0, _metrics={"train": defaultdict(list)}, _total_train_tokens=0, _tp_size=1,
        _compute_kl_logps=lambda model, batch: torch.full((len(rows),), far),
    )  # fmt: skip
    known = (piece().reference * MASK).sum(1)
    inputs = inputs_of_trl() | {
        "label": torch.tensor([True] * 3 + [False] * 3),
        "ref_logps": known,
        "ref_KL_logps": torch.zeros(len(rows)),
    }
    outputs = Outputs(theirs)
    for name, value in vars(outputs).items():
        setattr(outputs, name, value[rows])
    inputs = {name: value if name == "ref_KL_logps" else value[rows] for name, value in inputs.items()}
    found: Tensor = kto.KTOTrainer._compute_loss(trainer, lambda **given: outputs, inputs, False)
    return found


@pytest.mark.parametrize("far", [0.7, 0.0, -0.7])
def test_kto_is_trl_s(far: float) -> None:
    """The drift is no less than 0 in both."""
    mine, theirs = now(), now()
    agree(direct("kto", mine, 0.4, max(0.0, far)), kto_of_trl(theirs, 0.4, far, torch.arange(N)), mine, theirs)


def test_trl_s_kto_depends_on_how_a_step_is_divided() -> None:
    """Its drift is that of each piece of a batch, and no less than 0 in each; ours is of the whole step, so that pieces
    change nothing (`test_direct`)."""
    logprobs = now()
    one, other = torch.tensor([0, 1, 3, 4]), torch.tensor([2, 5])
    pieces = [kto_of_trl(logprobs, 0.4, far, rows).item() for far, rows in ((0.9, one), (-0.9, other))]
    divided = pieces[0] * 4 / 6 + pieces[1] * 2 / 6
    whole = kto_of_trl(logprobs, 0.4, (0.9 * 4 - 0.9 * 2) / 6, torch.arange(N)).item()
    assert abs(divided - whole) > 1e-3
    assert whole == pytest.approx(direct("kto", logprobs, 0.4, 0.3).item(), abs=NEAR)


def test_trl_s_dpo_is_pair_by_pair() -> None:
    """Of three completions in order trl would be given three pairs and read each completion twice. Ours reads it once;
    the loss is the same mean over pairs."""
    ratios = draw(5, 3)
    order = Ranked(ratios, torch.ones(3), torch.tensor([[0, 1, 2]]), torch.tensor([[0, 1, 2]]), 0.0)
    pairs = torch.tensor([[0, 1], [0, 2], [1, 2]])
    apart = Ranked(ratios, torch.ones(3), pairs, torch.tensor([[0, 1]] * 3), 0.0)
    assert DIRECT["dpo"](order, 0.3).item() == pytest.approx(DIRECT["dpo"](apart, 0.3).item(), abs=NEAR)
    by_hand = sum(math.log1p(math.exp(-0.3 * float(ratios[i] - ratios[j]))) for i, j in pairs.tolist()) / 3
    assert DIRECT["dpo"](order, 0.3).item() == pytest.approx(by_hand, abs=NEAR)
