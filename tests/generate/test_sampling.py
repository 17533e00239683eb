"""What is drawn has the distribution that was asked for; the random numbers are sound and belong to the sequence."""

import numpy as np
import pytest
import scipy.stats
import torch

from anatomia.base.errors import UserError
from anatomia.generate.sampling import Sampling, choose, stream_seed, uniform

DRAWS = 100_000
SEEDS = np.asarray([stream_seed("chi", number) for number in range(DRAWS)], np.uint64)
LOGITS = torch.tensor([2.0, -1.0, 0.5, 0.4, 3.0, -30.0, 1.0, 0.0, 2.5, -2.0])


OCCURRED = (0, 1, 4, 5)


def expected(sampling: Sampling) -> np.ndarray:
    """The distribution in plain Python, from the definitions."""
    logits = LOGITS.double().numpy().copy()
    for token in OCCURRED:
        factor = sampling.repetition_penalty
        logits[token] *= factor if logits[token] < 0 else 1 / factor
    chances = np.exp(logits / sampling.temperature)
    chances /= chances.sum()
    order = sorted(range(len(chances)), key=lambda token: -chances[token])
    kept = order[: sampling.top_k] if sampling.top_k else order
    total, nucleus, mass = sum(chances[token] for token in kept), [], 0.0
    for token in kept:
        nucleus.append(token)
        mass += chances[token] / total
        if mass >= sampling.top_p:
            break
    nucleus = [token for token in nucleus if chances[token] >= sampling.min_p * chances.max()]
    found = np.zeros(len(chances))
    found[nucleus] = chances[nucleus] / chances[nucleus].sum()
    return found


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(),
        Sampling(0.5),
        Sampling(2.0),
        Sampling(top_k=3),
        Sampling(top_k=1),
        Sampling(top_k=50),
        Sampling(top_p=0.75),
        Sampling(top_p=0.01),
        Sampling(0.8, top_k=6, top_p=0.9),
        Sampling(min_p=0.1),
        Sampling(min_p=1.0),
        Sampling(1.5, min_p=0.3),
        Sampling(repetition_penalty=1.3),
        Sampling(repetition_penalty=0.7),
        Sampling(1.2, top_k=7, top_p=0.95, min_p=0.05, repetition_penalty=1.5),
    ],
)
def test_draws_follow_the_distribution(sampling: Sampling) -> None:
    """And both log-probabilities are what they are said to be."""
    chances = expected(sampling)
    seen = torch.zeros(1, len(LOGITS), dtype=torch.bool)
    seen[0, list(OCCURRED)] = True
    ids, plain, drawn = choose(LOGITS.expand(DRAWS, -1), sampling, uniform(SEEDS, 3), seen.expand(DRAWS, -1))
    counts = np.bincount(ids.numpy(), minlength=len(chances))
    assert not counts[chances == 0].any(), "a token outside the cut was drawn"
    likely = chances * DRAWS >= 5
    assert counts[~likely].sum() <= 20
    if likely.sum() > 1:
        wanted = chances[likely] / chances[likely].sum() * counts[likely].sum()
        assert scipy.stats.chisquare(counts[likely], wanted).pvalue > 1e-4
    assert torch.allclose(plain, torch.log_softmax(LOGITS, -1)[ids])
    assert np.allclose(drawn.numpy(), np.log(chances[ids.numpy()]), atol=1e-5)


def test_zero_temperature_takes_the_most_probable() -> None:
    uniforms = np.asarray([0, 0.2, 0.5, 0.9, 1 - 2**-53])
    ids, plain, drawn = choose(LOGITS.expand(5, -1), Sampling(0.0, top_k=3, top_p=0.5), uniforms)
    assert ids.tolist() == [4] * 5
    assert torch.allclose(plain, torch.log_softmax(LOGITS, -1)[4].expand(5))
    assert drawn.tolist() == [0.0] * 5


def test_the_most_probable_after_the_penalty() -> None:
    seen = torch.zeros(2, len(LOGITS), dtype=torch.bool)
    seen[1, 4] = True
    ids, _, _ = choose(LOGITS.expand(2, -1), Sampling(0.0, repetition_penalty=1.5), np.zeros(2), seen)
    assert ids.tolist() == [4, 8]


def test_the_ends_of_the_unit_interval_draw_possible_tokens() -> None:
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]])
    for number, token in ((0.0, 1), (0.4999, 1), (0.5001, 3), (1 - 2**-53, 3)):
        assert choose(logits, Sampling(), np.asarray([number]))[0].tolist() == [token]


def test_uniform_numbers_are_uniform() -> None:
    """Over sequences, over positions, and over seeds that follow each other closely."""
    streams = np.asarray([stream_seed(0, "ks", number) for number in range(2000)], np.uint64)
    for numbers in (
        np.concatenate([uniform(streams, position) for position in range(30)]),
        np.concatenate([uniform(np.arange(2000, dtype=np.uint64), position) for position in range(30)]),
        np.concatenate([uniform(np.zeros(1, np.uint64), position) for position in range(20_000)]),
    ):
        assert numbers.min() >= 0
        assert numbers.max() < 1
        assert scipy.stats.kstest(numbers, "uniform").pvalue > 1e-3


def test_uniform_numbers_do_not_hang_together() -> None:
    """Neither neighbouring positions of a sequence nor neighbouring seeds."""
    table = np.stack([uniform(np.arange(4000, dtype=np.uint64), position) for position in range(20)])
    for first, second in ((table[:-1], table[1:]), (table[:, :-1], table[:, 1:])):
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4 / np.sqrt(first.size)
    pairs = np.histogram2d(table[:-1].ravel(), table[1:].ravel(), 10)[0].ravel()
    assert scipy.stats.chisquare(pairs).pvalue > 1e-4
    assert len(np.unique(table)) == table.size


def test_uniform_numbers_belong_to_the_sequence() -> None:
    seeds = np.asarray([stream_seed("a", number) for number in range(50)], np.uint64)
    whole = uniform(seeds, 7)
    assert np.array_equal(whole[::-1], uniform(seeds[::-1], 7))
    assert all(uniform(seeds[n : n + 1], 7)[0] == whole[n] for n in range(50))


def test_streams_are_told_apart() -> None:
    names = [(1, "a", 2), (1, "a", 3), (12, "a"), (1, "2a"), ("1", "2", "a"), (1, "a"), (1, "a", "")]
    assert len({stream_seed(*name) for name in names}) == len(names)
    assert all(0 <= stream_seed(*name) < 2**63 for name in names)
    assert stream_seed(0, "sample", 7) == 2604945290118803702, "streams are the same in every version and process"


@pytest.mark.parametrize(
    ("values", "word"),
    [({"temperature": -1.0}, "temperature"), ({"top_p": 0.0}, "top_p"), ({"top_p": 1.5}, "top_p"),
     ({"top_k": -1}, "top_k"), ({"max_new": 0}, "max_new"), ({"min_p": 1.01}, "min_p"), ({"min_p": -0.1}, "min_p"),
     ({"repetition_penalty": 0.0}, "repetition_penalty"), ({"repetition_penalty": float("inf")}, "repetition_penalty"),
     ({"stop": ("a", "")}, "stop"), ({"temperature": float("nan")}, "temperature")],
)  # fmt: skip
def test_impossible_settings_are_named(values: dict[str, object], word: str) -> None:
    with pytest.raises(UserError, match=word):
        Sampling(**values)  # type: ignore[arg-type]
