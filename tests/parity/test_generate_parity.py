"""Generation against transformers: greedy decoding token for token, and the same cuts of the distribution."""

from pathlib import Path
from typing import Any

import pytest
import torch
from generate.machines import decoding
from model.tiny import decoder, tokens
from transformers import (
    AutoModelForCausalLM,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from anatomia.generate.engine import generate
from anatomia.generate.sampling import Sampling, occurred, penalize, probabilities
from anatomia.model.checkpoint import save_model

both = pytest.fixture(params=["eager", "native"])(decoding)

KINDS: list[dict[str, Any]] = [
    {},
    {"end": (2, 11), "tied": False},
    {"family": "mistral", "qk_norm": False, "sliding_window": 6},
    {"family": "llama", "qk_norm": False, "end": ()},
]


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("changes", KINDS)
def test_greedy_generation_token_for_token(changes: dict[str, Any], tmp_path: Path) -> None:
    """A batch of several lengths, padded on the left there, until the end token or the length."""
    model = decoder(**changes)
    save_model(tmp_path, model)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    prompts = [tokens(length, seed=length).tolist() for length in (3, 12, 7, 12, 1)]
    ids = torch.tensor([[0] * (12 - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (12 - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    found = theirs.generate(ids, attention_mask=mask, max_new_tokens=30, do_sample=False, pad_token_id=0)[:, 12:]
    for mine, row in zip(generate(model, prompts, [0] * 5, Sampling(0.0, max_new=30)), found.tolist(), strict=True):
        assert row[: len(mine.ids)] == mine.ids
        assert not any(row[len(mine.ids) :]), "transformers went on where we stopped"
        assert mine.finished == (mine.ids[-1] in model.config.end)


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("penalty", [1.3, 0.8])
def test_greedy_generation_with_a_repetition_penalty(penalty: float, tmp_path: Path) -> None:
    """The prompt counts as well as what was written, in every row by itself."""
    model = decoder(end=())
    save_model(tmp_path, model)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    prompts = [tokens(12, seed=seed).tolist() for seed in range(4)]
    options = {"max_new_tokens": 30, "do_sample": False, "pad_token_id": 0}
    found = theirs.generate(torch.tensor(prompts), repetition_penalty=penalty, **options)[:, 12:]
    plain = theirs.generate(torch.tensor(prompts), **options)[:, 12:]
    mine = generate(model, prompts, [0] * 4, Sampling(0.0, max_new=30, repetition_penalty=penalty))
    assert [completion.ids for completion in mine] == found.tolist()
    assert not torch.equal(found, plain), "the penalty must change something for this test to say anything"


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(0.7),
        Sampling(top_k=5),
        Sampling(top_p=0.6),
        Sampling(min_p=0.2),
        Sampling(repetition_penalty=1.4),
        Sampling(1.3, top_k=12, top_p=0.8),
        Sampling(1.5, top_k=20, top_p=0.9, min_p=0.1, repetition_penalty=1.2),
    ],
)
def test_distributions_are_cut_alike(sampling: Sampling) -> None:
    logits = 2 * torch.randn(200, 30, generator=torch.Generator().manual_seed(0))
    before = tokens(200, 12, high=30)
    warped = logits
    if sampling.repetition_penalty != 1:
        warped = RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty)(before, warped)
    warped = TemperatureLogitsWarper(sampling.temperature)(before, warped)
    if sampling.top_k:
        warped = TopKLogitsWarper(sampling.top_k)(before, warped)
    if sampling.top_p < 1:
        warped = TopPLogitsWarper(sampling.top_p)(before, warped)
    if sampling.min_p > 0:
        warped = MinPLogitsWarper(sampling.min_p)(before, warped)
    seen = occurred(before.tolist(), 30, logits.device)
    mine = probabilities(penalize(logits, seen, sampling.repetition_penalty), sampling)
    assert torch.allclose(mine, torch.softmax(warped, -1), atol=1e-6)
