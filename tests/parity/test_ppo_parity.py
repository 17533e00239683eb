"""PPO against trl's PPOTrainer, which releases after 1.12.0 no longer have: rewards, advantages, losses and gradients
on the tensors of its own run. Skipped where that package is not installed:

    pip install --no-deps --target DIRECTORY trl==1.12.0
    PYTHONPATH=DIRECTORY pytest tests/parity/test_ppo_parity.py
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from model.tiny import decoder, scalar
from torch import Tensor

from anatomia.generate.sampling import Sampling
from anatomia.model.checkpoint import save_model
from anatomia.objectives.algorithms import ALGORITHMS, AlignmentSettings, Draft
from anatomia.objectives.policy import (
    clipped_value_loss,
    generalized_advantages,
    kl_rewards,
    whiten,
)
from anatomia.objectives.rollout import Rollout
from anatomia.tokens.vocabulary import train_vocabulary

ppo = pytest.importorskip(
    "trl.experimental.ppo.ppo_trainer", reason="the newest trl with PPO is 1.12.0; see the top of this file"
)
N, NEW, KL, VALUE = 8, 6, 0.3, 0.4
NEAR = 1e-6
TEXT = ["Rzeka płynie przez miasto. The river runs through the town."] * 20
HOW = AlignmentSettings("ppo", N, 1, 2, 1, N, KL, Sampling(max_new=NEW), value=VALUE)


@dataclass
class Heard:
    """What passed through the trainer: of the rollout, and of each of its updates."""

    logprobs: list[Tensor] = field(default_factory=list)
    scores: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    whitened: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)
    predicted: list[Tensor] = field(default_factory=list)
    updates: list[tuple[Tensor, ...]] = field(default_factory=list)


def listen(patch: pytest.MonkeyPatch, responses: Tensor) -> Heard:
    """Have the trainer's helpers tell what they were given and gave; the responses are given."""
    heard = Heard()
    logs, whitening, forward = ppo.selective_log_softmax, ppo.masked_whiten, ppo.forward
    reward = ppo.get_reward

    def generation(model: Any, queries: Tensor, size: int, pad: int, config: Any) -> tuple[Tensor, Tensor]:
        whole = torch.cat([queries, responses], 1)
        logits = forward(model, whole, pad).logits[:, queries.shape[1] - 1 : -1]
        return whole, logits / (config.temperature)

    def log_softmax(logits: Tensor, ids: Tensor) -> Tensor:
        heard.logprobs.append(found := logs(logits, ids))
        if found.requires_grad:
            found.retain_grad()
        return found

    def score(model: Any, whole: Tensor, pad: int, start: int) -> Any:
        found = reward(model, whole, pad, start)
        heard.values.append(found[0][:, start - 1 : -1].squeeze(-1))
        heard.scores.append(found[1].clone())
        return found

    def white(values: Tensor, mask: Tensor, shift_mean: bool = True) -> Tensor:
        found = whitening(values, mask, shift_mean)
        heard.whitened.append((values, mask, found))
        return found

    def through(model: Any, whole: Tensor, pad: int) -> Any:
        found = forward(model, whole, pad)
        if isinstance(found, tuple):  # of policy and critic together
            found[1].retain_grad()
            heard.predicted.append(found[1])
        return found

    names = {
        "batch_generation": generation, "selective_log_softmax": log_softmax, "get_reward": score,
        "masked_whiten": white, "forward": through,
    }  # fmt: skip
    for name, function in names.items():
        patch.setattr(ppo, name, function)
    patch.setattr(ppo.np.random, "permutation", np.arange)  # rows in their order
    return heard


def run(directory: Path, patch: pytest.MonkeyPatch, ends: list[int]) -> tuple[Heard, Tensor, int]:
    """One rollout of trl's trainer and two updates on it, with completions that end at given lengths (with the end
    token where these are below `NEW`); what was heard, the responses, and the length of queries."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

    vocabulary = train_vocabulary(TEXT, 280)
    shape: dict[str, Any] = {"vocabulary": 280, "begin": None, "end": (vocabulary.end,), "context": 64}
    shape["padding"] = vocabulary.padding
    for name, model in (("policy", decoder(**shape)), ("judge", scalar(5, **shape)), ("critic", scalar(6, **shape))):
        save_model(directory / name, model)
        vocabulary.save(directory / name)
    draw = torch.Generator().manual_seed(0)
    responses = torch.randint(3, 250, (N, NEW), generator=draw)
    for row, end in enumerate(ends):
        if end < NEW:
            responses[row, end - 1] = vocabulary.end
            responses[row, end:] = vocabulary.padding
    assert not (responses[:, 0] == vocabulary.padding).any()
    heard = listen(patch, responses)
    policy = AutoModelForCausalLM.from_pretrained(directory / "policy")
    reference = AutoModelForCausalLM.from_pretrained(directory / "policy")
    with torch.no_grad():
        for weight in policy.parameters():
            weight.add_(0.02 * torch.randn(weight.shape, generator=draw))
    judge, critic = (
        AutoModelForSequenceClassification.from_pretrained(directory / name) for name in ("judge", "critic")
    )
    arguments = ppo.PPOConfig(
        output_dir=str(directory / "out"), use_cpu=True, bf16=False, report_to=[], per_device_train_batch_size=N,
        gradient_accumulation_steps=1, num_mini_batches=1, num_ppo_epochs=2, total_episodes=N, response_length=NEW,
        kl_coef=KL, vf_coef=VALUE, missing_eos_penalty=2.0, stop_token="eos", num_sample_generations=0,
        learning_rate=3e-2, local_rollout_forward_batch_size=N, save_strategy="no", temperature=1.0,
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(directory / "policy")
    data = Dataset.from_dict({"input_ids": [tokenizer.encode("The river runs")] * N})
    trainer = ppo.PPOTrainer(
        args=arguments, processing_class=tokenizer, model=policy, ref_model=reference, reward_model=judge,
        value_model=critic, train_dataset=data,
    )  # fmt: skip
    backward = trainer.accelerator.backward

    def loud(loss: Tensor) -> None:
        backward(loss)
        new, values = heard.logprobs[-1], heard.predicted[-1]
        heard.updates.append((loss.detach(), new.detach(), new.grad, values.detach(), values.grad))  # type: ignore[arg-type]

    trainer.accelerator.backward = loud
    trainer.train()
    return heard, responses, len(data[0]["input_ids"])


def draft(heard: Heard, ends: list[int]) -> Draft:
    """Its tensors as ours: completions of these lengths, the penalty for those that do not end within `NEW`."""
    mask = torch.arange(NEW) < torch.tensor(ends)[:, None]
    unfinished = torch.tensor([end == NEW for end in ends])
    scores = heard.scores[1] - 2.0 * unfinished
    logprobs, reference = (one * mask for one in heard.logprobs[:2])
    return Draft(mask, scores, logprobs, reference, heard.values[0] * mask)


def test_credit_losses_and_gradients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of completions as long as they may be, two updates, the second of which is off the starting point. trl's
    deviation in whitening divides by n - 1, ours by n; nothing else differs."""
    ends = [NEW] * N
    heard, _, start = run(tmp_path, monkeypatch, ends)
    ours = draft(heard, ends)
    rewards = kl_rewards(ours.scores, ours.logprobs, ours.reference, ours.mask, KL)
    advantages, returns = generalized_advantages(rewards, ours.values, ours.mask)
    raw, inside, white = heard.whitened[0]
    assert torch.equal(inside, ours.mask)
    assert (advantages - raw).abs().max() < NEAR * raw.abs().max()
    count = N * NEW
    assert (whiten(advantages, ours.mask) * ((count - 1) / count) ** 0.5 - white).abs().max() < NEAR * 5
    credit = ALGORITHMS["ppo"].credit(ours, HOW)
    assert torch.equal(credit[2], returns)
    blank = torch.zeros(N, NEW + 1, dtype=torch.int64)
    piece = Rollout(
        blank,
        ours.mask,
        ours.mask[:, 0],
        ours.scores,
        ours.logprobs,
        ours.reference,
        ours.values,
        rewards,
        white,
        returns,
    )
    assert len(heard.updates) == 2
    for number, (loss, new, by_new, predicted, by_predicted) in enumerate(heard.updates):
        mine, values = new.clone().requires_grad_(True), predicted[:, start - 1 : -1, 0].clone().requires_grad_(True)
        policy_loss, held = ALGORITHMS["ppo"].loss(mine, piece, HOW)
        total = policy_loss + VALUE * clipped_value_loss(values, ours.values, returns, ours.mask)
        assert (float(held) > 0) == (number == 1), "the second update is off the starting point"
        assert total.item() == pytest.approx(loss.item(), rel=NEAR * 5)
        gradients = torch.autograd.grad(total, [mine, values])
        assert (gradients[0] - by_new).abs().max() < NEAR
        assert (gradients[1] - by_predicted[:, start - 1 : -1, 0]).abs().max() < NEAR


def test_trl_s_score_comes_a_step_after_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a completion ends before its longest, trl gives the score one position later, on the padding after the end
    token, and has the critic guess there once more. Ours ends the episode with its last token, which is what the score
    is of. With one position more, ours is trl's."""
    ends = [NEW, 3, 2, 5, NEW, 4, 1, 5]
    heard, _, _ = run(tmp_path, monkeypatch, ends)
    ours = draft(heard, ends)
    raw, inside, _ = heard.whitened[0]
    assert torch.equal(inside, ours.mask)
    longer = torch.arange(NEW) < torch.tensor([min(end + 1, NEW) for end in ends])[:, None]
    rewards = kl_rewards(ours.scores, ours.logprobs, ours.reference, longer, KL)
    theirs, _ = generalized_advantages(rewards, heard.values[0] * longer, longer)
    assert ((theirs - raw) * ours.mask).abs().max() < NEAR * raw.abs().max()
    at_the_end = kl_rewards(ours.scores, ours.logprobs, ours.reference, ours.mask, KL)
    mine, _ = generalized_advantages(at_the_end, ours.values, ours.mask)
    full = torch.tensor([end == NEW for end in ends])
    assert ((mine - raw) * ours.mask)[full].abs().max() < NEAR * raw.abs().max()
    assert ((mine - raw) * ours.mask)[~full].abs().max() > 1e-2
