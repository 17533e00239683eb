"""Losses against other people's: trl's GRPO loss and log-probabilities, choix's Plackett-Luce likelihood."""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import choix
import numpy as np
import pytest
import torch
from model.tiny import scalar
from objectives.aligning import alignment

from anatomia.generate.engine import Completion
from anatomia.model.checkpoint import save_model
from anatomia.objectives.alignment import Piece
from anatomia.objectives.cross_entropy import token_log_probabilities
from anatomia.objectives.preference import listwise_loss, pairwise_loss
from anatomia.objectives.rollout import lay_out, score_completions


def test_listwise_is_the_plackett_luce_likelihood_of_choix() -> None:
    """Total rankings: the sum over choices is choix's negative log-likelihood."""
    chance = np.random.default_rng(0)
    for count in (2, 3, 6):
        scores = chance.normal(size=count)
        for _ in range(5):
            order = chance.permutation(count)
            places = torch.from_numpy(np.argsort(order))[None]
            mine = float(listwise_loss(torch.from_numpy(scores)[None], places)) * (count - 1)
            theirs = -choix.log_likelihood_rankings([order.tolist()], scores)
            assert mine == pytest.approx(theirs)


def test_pairwise_is_the_bradley_terry_likelihood_of_choix() -> None:
    chance = np.random.default_rng(1)
    for _ in range(20):
        scores, places = chance.normal(size=4), chance.integers(0, 3, 4)
        pairs = [(i, j) for i in range(4) for j in range(4) if places[i] < places[j]]
        if pairs:
            mine = float(pairwise_loss(torch.from_numpy(scores)[None], torch.from_numpy(places)[None])) * len(pairs)
            assert mine == pytest.approx(-choix.log_likelihood_pairwise(pairs, scores))


def test_log_probabilities_and_entropies_of_trl() -> None:
    utils = pytest.importorskip("trl.trainer.utils")
    generator = torch.Generator().manual_seed(0)
    hidden, weight = torch.randn(50, 16, generator=generator), torch.randn(40, 16, generator=generator)
    targets = torch.randint(0, 40, (50,), generator=generator)
    logprobs, entropy = token_log_probabilities(hidden, weight, targets)
    logits = hidden @ weight.t()
    assert torch.allclose(logprobs, utils.selective_log_softmax(logits, targets), atol=1e-5)
    assert torch.allclose(entropy, utils.entropy_from_logits(logits), atol=1e-5)


def test_the_grpo_loss_of_trl() -> None:
    """Value and gradient of a whole piece, off the starting point: clip, k3 times the ratio, means over sequences."""
    grpo = pytest.importorskip("trl.trainer.grpo_trainer")
    model, objective = alignment("grpo", kl=0.3)
    rollout = objective.roll_out(model, 0)
    with torch.no_grad():
        model.policy.blocks[1].get_parameter("down").add_(0.05)
    mine, figures = objective.loss(model, Piece(rollout, 1.0, 1.0))
    found = torch.autograd.grad(mine, list(model.policy.parameters()))

    def scored(policy: Any, ids: torch.Tensor, *arguments: Any, **options: Any) -> tuple[torch.Tensor, ...]:
        logs = torch.log_softmax(policy(ids), -1)[:, :-1]
        entropy = -(logs.exp() * logs).sum(-1)
        return logs.gather(2, ids[:, 1:, None])[:, :, 0], entropy, None  # type: ignore[return-value]

    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=scored, aux_loss_enabled=False, top_entropy_quantile=1.0,
        off_policy_mask_threshold=None, importance_sampling_level="token", beta=0.3, loss_type="grpo",
        epsilon_low=0.2, epsilon_high=0.2, use_vllm=False, model=SimpleNamespace(training=False),
        args=SimpleNamespace(use_bias_correction_kl=True, delta=None), _entropy_bonus_enabled=False,
        accelerator=SimpleNamespace(gather=lambda x: x, reduce=lambda x, reduction: x),
        _metrics={"eval": defaultdict(list)},
        current_gradient_accumulation_steps=1,
    )  # fmt: skip

    inputs = {
        "prompt_ids": rollout.ids[:, :1], "prompt_mask": torch.ones_like(rollout.ids[:, :1]),
        "completion_ids": rollout.ids[:, 1:], "completion_mask": rollout.mask.long(),
        "advantages": rollout.advantages.sum(1) / rollout.mask.sum(1),
        "old_per_token_logps": rollout.logprobs, "ref_per_token_logps": rollout.reference,
    }  # fmt: skip
    theirs = grpo.GRPOTrainer._compute_loss(trainer, model.policy, inputs)
    assert 0 < float(figures["clip_fraction"]) < 1
    assert mine.item() == pytest.approx(theirs.item(), rel=1e-4)
    for gradient, other in zip(found, torch.autograd.grad(theirs, list(model.policy.parameters())), strict=True):
        assert (gradient - other).norm() < 1e-3 * other.norm()


def test_rewards_of_trl(tmp_path: Any) -> None:
    """A reward model of ours, scored by trl's own helper from its directory."""
    utils = pytest.importorskip("trl.experimental.utils")
    from transformers import AutoModelForSequenceClassification

    model = scalar()
    save_model(tmp_path, model)
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    prompts = [[5, 6], [6, 7], [8, 9]]
    ids, mask = lay_out(prompts, [Completion([9, 2]), Completion([4, 3, 3, 3]), Completion([11])], 0)
    ids, mask = torch.nn.functional.pad(ids, (0, 1)), torch.nn.functional.pad(mask, (0, 1))
    with torch.no_grad():
        _, scores, _ = utils.get_reward(theirs, ids, 0, 2)
    assert torch.allclose(score_completions(model, ids, mask), scores, atol=1e-4)
