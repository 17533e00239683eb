"""Advantages against trl's: its trainers write, score and give credit; ours gives credit to what they wrote."""

from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import decoder
from torch import Tensor

from anatomia.generate.engine import Completion
from anatomia.generate.sampling import Sampling
from anatomia.model.checkpoint import load_model, save_model
from anatomia.objectives.algorithms import ALGORITHMS, AlignmentSettings, Draft
from anatomia.objectives.rollout import lay_out, log_probabilities
from anatomia.tokens.vocabulary import train_vocabulary

GROUP, KL = 4, 0.3
PROMPTS = ["The river", "town", "Rzeka płynie przez", "miasto"]
TEXT = ["Rzeka płynie przez miasto. The river runs through the town."] * 20


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that both can read."""
    directory = tmp_path_factory.mktemp("model")
    vocabulary = train_vocabulary(TEXT, 280)
    save_model(directory, decoder(vocabulary=280, begin=None, end=(vocabulary.end,), context=64))
    vocabulary.save(directory)
    return directory


def score(completions: list[str], **given: Any) -> list[float]:
    return [float(len(text) % 7) for text in completions]


def written(trl: Any, name: str, model: Path, directory: Path, **changes: Any) -> tuple[dict[str, Tensor], list[float]]:
    """What trl's trainer of that name makes of a batch, with a policy off its reference, and the rewards it heard."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    heard: list[float] = []

    def reward(prompts: Any, completions: list[str], **given: Any) -> list[float]:
        heard.extend(found := score(completions))
        return found

    data = Dataset.from_dict({"prompt": PROMPTS})
    arguments = getattr(trl, f"{name}Config")(
        output_dir=str(directory / "out"), use_cpu=True, num_generations=GROUP, per_device_train_batch_size=16,
        generation_batch_size=16, max_completion_length=6, beta=KL, report_to=[], bf16=False, seed=1, **changes,
    )  # fmt: skip
    trainer = getattr(trl, f"{name}Trainer")(
        model=AutoModelForCausalLM.from_pretrained(model), reward_funcs=reward, args=arguments, train_dataset=data,
        processing_class=AutoTokenizer.from_pretrained(model),
    )  # fmt: skip
    trainer.model.train()
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in trainer.model.parameters():
            weight.add_(0.02 * torch.randn(weight.shape, generator=draw))
    found = trainer._generate_and_score_completions([data[place // GROUP] for place in range(16)])
    trainer.model.save_pretrained(directory / "policy")
    return found, heard


def credit(method: str, found: dict[str, Tensor], heard: list[float], reference: Path, policy: Path) -> Tensor:
    """[N] ours of the same completions; advantages are the same at all tokens of a completion."""
    rows = [ids[mask.bool()].tolist() for ids, mask in zip(found["prompt_ids"], found["prompt_mask"], strict=True)]
    answers = [
        Completion(ids[mask.bool()].tolist())
        for ids, mask in zip(found["completion_ids"], found["completion_mask"], strict=True)
    ]
    ids, mask = lay_out(rows, answers, 0)
    with torch.no_grad():
        logprobs, known = (log_probabilities(load_model(place), ids, mask)[0] for place in (policy, reference))
    how = AlignmentSettings(method, 4, GROUP, 1, 1, 16, KL, Sampling(max_new=6))
    draft = Draft(mask, torch.tensor(heard), logprobs, known, torch.zeros_like(logprobs))
    _, advantages, _ = ALGORITHMS[method].credit(draft, how)
    sums = advantages.sum(1) / mask.sum(1)
    assert torch.allclose(advantages, sums[:, None] * mask, atol=1e-5)
    return sums


@pytest.mark.parametrize(("method", "scale"), [("grpo", "group"), ("dr_grpo", "none"), ("dapo", "group")])
def test_advantages_of_groups(method: str, scale: str, model: Path, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    found, heard = written(trl, "GRPO", model, tmp_path, scale_rewards=scale)
    assert len(set(heard)) > 3
    mine = credit(method, found, heard, model, tmp_path / "policy")
    assert (mine - found["advantages"]).abs().max() < 1e-6


def test_advantages_of_rloo_whose_rewards_hold_kl(model: Path, tmp_path: Path) -> None:
    """Log-probabilities are each side's own, and so within the rounding of two implementations."""
    trl = pytest.importorskip("trl")
    found, heard = written(trl, "RLOO", model, tmp_path)
    mine = credit("rloo", found, heard, model, tmp_path / "policy")
    assert (mine - found["advantages"]).abs().max() < 2e-5
    plain = torch.tensor(heard).view(-1, GROUP)
    without = (plain - plain.mean(1, keepdim=True)).flatten() * GROUP / (GROUP - 1)
    assert (without - found["advantages"]).abs().max() > 0.01, "KL must matter"
