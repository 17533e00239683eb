"""Decoding: a completion belongs to its prompt and seed, not to the batch it was written in."""

import numpy as np
import pytest
import scipy.stats
import torch
from generate.machines import decoding
from model.tiny import decoder, tokens

from anatomia.base.errors import UserError
from anatomia.generate.engine import decode, generate
from anatomia.generate.sampling import Sampling, occurred, penalize, probabilities, stream_seed
from anatomia.model.decoder import Decoder

LENGTHS = (1, 9, 4, 4, 17, 2, 30)
PROMPTS = [tokens(length, seed=length).tolist() for length in LENGTHS]
SEEDS = [stream_seed(5, "test", number) for number in range(len(PROMPTS))]
KINDS = [
    {},
    {"sliding_window": 5, "family": "mistral", "qk_norm": False},
    {"padding": None, "tied": False},
    {"family": "llama", "qk_norm": False, "heads": 8, "kv_heads": 1, "head_size": 10, "qkv_bias": True},
]


both = pytest.fixture(autouse=True, params=["eager", "native"])(decoding)


def slowly(model: Decoder, prompt: list[int], count: int) -> tuple[list[int], list[float]]:
    """Greedy continuation by a full forward pass per token."""
    ids, logprobs = list(prompt), []
    for _ in range(count):
        with torch.no_grad():
            logs = torch.log_softmax(model(torch.tensor([ids]))[0, -1], -1)
        ids.append(int(logs.argmax()))
        logprobs.append(float(logs.max()))
        if ids[-1] in model.config.end:
            break
    return ids[len(prompt) :], logprobs


@pytest.mark.parametrize("changes", KINDS)
@pytest.mark.parametrize("rows", [1, 3, 64])
def test_left_padding_changes_nothing(changes: dict[str, object], rows: int) -> None:
    """Prompts of many lengths in one batch, against each one alone without cache or padding."""
    model = decoder(**changes, end=(2, 11))
    found = generate(model, PROMPTS, SEEDS, Sampling(0.0, max_new=25), rows)
    ended = 0
    for prompt, completion in zip(PROMPTS, found, strict=True):
        ids, logprobs = slowly(model, prompt, 25)
        assert completion.ids == ids
        assert np.allclose(completion.logprobs, logprobs, atol=1e-5)
        assert completion.finished == (ids[-1] in (2, 11))
        assert completion.finished or len(ids) == 25
        ended += completion.finished
    assert 0 < ended < len(PROMPTS), "some must end and some must not for this test to say anything"


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(max_new=20),
        Sampling(0.7, 7, max_new=20),
        Sampling(1.5, top_p=0.8, max_new=20),
        Sampling(1.5, min_p=0.05, repetition_penalty=1.3, max_new=20),
    ],
)
def test_samples_belong_to_their_seeds(sampling: Sampling) -> None:
    model = decoder()
    whole = generate(model, PROMPTS, SEEDS, sampling)
    order = [4, 0, 6, 2, 5, 1, 3]
    shuffled = generate(model, [PROMPTS[n] for n in order], [SEEDS[n] for n in order], sampling, rows=3)
    for place, number in enumerate(order):
        (alone,) = generate(model, [PROMPTS[number]], [SEEDS[number]], sampling)
        assert whole[number].ids == alone.ids == shuffled[place].ids
    other = generate(model, PROMPTS, [seed + 1 for seed in SEEDS], sampling)
    assert sum(a.ids != b.ids for a, b in zip(whole, other, strict=True)) >= 6


def test_a_long_neighbour_takes_no_room() -> None:
    """Each prompt may fill the context by itself, whoever else is in the batch."""
    model = decoder(end=())
    prompts = [PROMPTS[0], tokens(60).tolist(), PROMPTS[4]]
    found = generate(model, prompts, [1, 2, 3], Sampling(max_new=50))
    assert [len(completion.ids) for completion in found] == [50, 4, 47]
    for prompt, seed, completion in zip(prompts, [1, 2, 3], found, strict=True):
        assert generate(model, [prompt], [seed], Sampling(max_new=50))[0].ids == completion.ids


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(1.0),
        Sampling(0.0),
        Sampling(0.6, top_k=5, top_p=0.9),
        Sampling(1.2, min_p=0.1, repetition_penalty=1.4),
    ],
)
def test_logprobs_are_those_of_a_fresh_forward(sampling: Sampling) -> None:
    """Under the plain distribution however the tokens were drawn, and under the one they were drawn from."""
    model = decoder()
    for prompt, completion in zip(PROMPTS, generate(model, PROMPTS, SEEDS, sampling), strict=True):
        with torch.no_grad():
            logits = model(torch.tensor([prompt + completion.ids]))[0, len(prompt) - 1 : -1]
        logs = torch.log_softmax(logits, -1)
        assert np.allclose(completion.logprobs, [float(logs[n, t]) for n, t in enumerate(completion.ids)], atol=1e-5)
        if sampling.temperature == 0:
            assert completion.drawn == [0.0] * len(completion.ids)
            continue
        for n, token in enumerate(completion.ids):
            seen = occurred([prompt + completion.ids[:n]], 40, logits.device)
            chances = probabilities(penalize(logits[n : n + 1], seen, sampling.repetition_penalty), sampling)
            assert completion.drawn[n] == pytest.approx(float(chances[0, token].log()), abs=1e-4)


def test_copies_of_a_prompt_say_what_each_would_by_itself() -> None:
    model = decoder()
    together = generate(model, [PROMPTS[1]] * 5 + [PROMPTS[4]] * 5, [*range(5), *range(5)], Sampling(max_new=9))
    alone = [generate(model, [PROMPTS[place]], [seed], Sampling(max_new=9)) for place in (1, 4) for seed in range(5)]
    assert [completion.ids for completion in together] == [one.ids for (one,) in alone]


def test_nothing_follows_the_end() -> None:
    model = decoder(end=(2, 30))
    completions = generate(model, PROMPTS * 20, range(20 * len(PROMPTS)), Sampling(2.0, max_new=30))
    finished = [completion for completion in completions if completion.finished]
    assert len(finished) > 50
    assert {completion.ids[-1] for completion in finished} == {2, 30}
    assert not any({2, 30} & set(completion.ids[:-1]) for completion in completions)


def test_steps_can_be_watched() -> None:
    """What a reader of a generation sees adds up to the completions."""
    model = decoder()
    written: list[list[int]] = [[] for _ in PROMPTS]
    for step in decode(model, PROMPTS, SEEDS, Sampling(max_new=20)):
        assert step.logits.shape == (len(step.rows), 40)
        logs = torch.log_softmax(step.logits, -1)
        for place, (row, token) in enumerate(zip(step.rows, step.ids, strict=True)):
            written[row].append(token)
            assert float(logs[place, token]) == pytest.approx(step.logprobs[place], abs=1e-6)
    assert written == [completion.ids for completion in generate(model, PROMPTS, SEEDS, Sampling(max_new=20))]


def test_bfloat16_models_write_too() -> None:
    """The same loop in the format that training uses; padding must still change nothing to speak of."""
    model = decoder().to(torch.bfloat16)
    found = generate(model, PROMPTS, SEEDS, Sampling(max_new=20))
    assert all(np.isfinite(completion.logprobs).all() for completion in found)
    for prompt, completion in zip(PROMPTS, found, strict=True):
        with torch.no_grad():
            logs = torch.log_softmax(model(torch.tensor([prompt + completion.ids]))[0].float(), -1)
        fresh = [float(logs[len(prompt) - 1 + n, token]) for n, token in enumerate(completion.ids)]
        assert np.allclose(completion.logprobs, fresh, atol=0.25)


@pytest.mark.parametrize("prompt", [[], list(range(3, 40)) * 2])
def test_prompts_that_leave_no_room_are_refused(prompt: list[int]) -> None:
    with pytest.raises(UserError, match="context of 64"):
        generate(decoder(), [[5, 6], prompt], [0, 0], Sampling())


def test_ids_outside_the_vocabulary_are_no_reading_outside_memory() -> None:
    for wrong in (40, -1, 10**9):
        with pytest.raises(IndexError):
            generate(decoder(), [[5, wrong]], [0], Sampling())


def test_no_prompts_no_completions() -> None:
    assert generate(decoder(), [], [], Sampling()) == []


@pytest.mark.parametrize("sampling", [Sampling(max_new=2), Sampling(1.3, min_p=0.1, max_new=2, repetition_penalty=1.5)])
def test_many_completions_of_a_prompt_follow_the_model(sampling: Sampling) -> None:
    """100,000 of them: their first tokens, and what follows the most frequent one."""
    model = decoder(end=(), vocabulary=12)
    prompt, count = [3, 7, 5], 100_000
    seeds = [stream_seed("many", number) for number in range(count)]
    found = np.asarray([one.ids for one in generate(model, [prompt] * count, seeds, sampling, rows=10_000)])
    common = int(np.bincount(found[:, 0]).argmax())
    for before, drawn in ((prompt, found[:, 0]), ([*prompt, common], found[found[:, 0] == common, 1])):
        with torch.no_grad():
            logits = model(torch.tensor([before]))[:, -1]
        seen = occurred([before], 12, logits.device)
        chances = probabilities(penalize(logits, seen, sampling.repetition_penalty), sampling)[0].double().numpy()
        counts = np.bincount(drawn, minlength=12)
        assert not counts[chances == 0].any()
        likely = chances * len(drawn) >= 5
        wanted = chances[likely] / chances[likely].sum() * counts[likely].sum()
        assert scipy.stats.chisquare(counts[likely], wanted).pvalue > 1e-4
