"""What sequences begin with alike is computed once, and nothing else about their states or gradients changes."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from model.tiny import decoder, scalar, tokens

from anatomia.model.config import DecoderConfig
from anatomia.model.packed import Forest, end_states, packed_states, shared_states
from anatomia.model.scalar import ScalarModel
from anatomia.tokens.batches import pad_sequences

KINDS: dict[str, dict[str, object]] = {
    "rotary": {},
    "window": {"family": "mistral", "qk_norm": False, "sliding_window": 9},
    "layer windows": {"layer_windows": (7, None)},
    "wide layer windows": {"layer_windows": (300, None)},
    "learned": {"family": "gpt2", "positions": "learned", "norm": "layer", "qk_norm": False, "kv_heads": 4,
                "gated": False, "activation": "gelu"},
    "alibi": {"family": "falcon", "positions": "alibi", "norm": "layer", "qk_norm": False, "parallel": True, "norms": 1,
              "gated": False, "activation": "gelu"},
}  # fmt: skip
TINY = DecoderConfig(vocabulary=9, width=8, layers=1, heads=1, kv_heads=1, head_size=8, hidden=8, context=4096)


def family(seed: int, prompts: int = 5, branches: int = 4, prompt: int = 30, longest: int = 25) -> list[list[int]]:
    """Prompts with several completions each, some of which begin alike, are the same, or end within another."""
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(prompts):
        question = [1, *chance.integers(3, 40, int(chance.integers(1, prompt))).tolist()]
        common = chance.integers(3, 40, 4).tolist()
        for branch in range(branches):
            rest = chance.integers(3, 40, int(chance.integers(1, longest))).tolist()
            found.append(question + (common if branch % 2 else []) + rest)
        found += [found[-1], question + common[:2], question]
    return [found[place] for place in chance.permutation(len(found))]


def padded(sequences: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    ids, mask = pad_sequences(sequences, 0, "right")
    return ids, mask.sum(1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-6), (torch.float64, 1e-12)], ids=["32", "64"])
def test_scores_and_gradients_are_those_of_sequences_alone(kind: str, dtype: torch.dtype, near: float) -> None:
    model = scalar(scale=0.1, **KINDS[kind]).to(dtype)
    sequences = family(1)
    pulls = torch.randn(len(sequences), generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)

    def learnt(score: Callable[[ScalarModel], torch.Tensor]) -> tuple[torch.Tensor, list[torch.Tensor]]:
        model.zero_grad()
        scores = score(model)
        (scores * pulls).sum().backward()
        return scores.detach(), [w.grad.clone() for w in model.parameters() if w.grad is not None]

    alone, expected = learnt(lambda m: torch.cat([m(torch.tensor([sequence]))[:, -1] for sequence in sequences]))
    ids, lengths = padded(sequences)
    together, found = learnt(lambda m: m.at_ends(ids, torch.arange(ids.shape[1]) < lengths[:, None]))
    size = float(alone.abs().max())
    assert float((together - alone).abs().max()) < near * max(size, 1)
    assert len(found) == len(expected)
    largest = max(float(gradient.abs().max()) for gradient in expected)
    for gradient, other in zip(found, expected, strict=True):
        assert float((gradient - other).abs().max()) < near * max(largest, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_is_the_one_that_packing_gives(kind: str) -> None:
    model = decoder(**KINDS[kind]).double()
    ids, lengths = padded(family(2))
    real = torch.arange(ids.shape[1]) < lengths[:, None]
    asked = real & (torch.arange(ids.shape[1]) % 3 == 1)
    with torch.no_grad():
        expected = packed_states(model, ids, lengths)
        for states in (packed_states, shared_states):
            torch.testing.assert_close(states(model, ids, lengths), expected)
            torch.testing.assert_close(states(model, ids, lengths, asked), expected[asked[real]])


def test_branches_do_not_see_one_another_and_equal_sequences_score_exactly_alike() -> None:
    model = scalar()
    ids, lengths = padded([[5, 6, 7, 8, 9, 10, 11, 12], [5, 6, 7, 8, 9, 10, 13, 14], [5, 6, 7, 8, 9, 10, 11, 12]])
    real = torch.arange(8) < lengths[:, None]
    scores = model.at_ends(ids, real)
    assert scores[0] == scores[2]
    model.zero_grad()
    model.at_ends(ids, real)[1].backward()
    gradient = model.decoder.embedding.grad
    assert gradient is not None
    assert not gradient[[11, 12]].any(), "the other branch"
    assert gradient[[5, 10, 13, 14]].any(1).all()


def test_the_side_of_the_padding_and_what_stands_in_it_change_nothing() -> None:
    """The last real token is read, whichever side is padded, and whatever with: even the end token."""
    model = scalar()
    sequences = [[*tokens(length, seed=length).tolist(), 2] for length in (3, 14, 1, 8)]
    with torch.no_grad():
        alone = torch.cat([model(torch.tensor([sequence]))[:, -1] for sequence in sequences])
        for side in ("left", "right"):
            for padding in (0, 2, 17):
                found = model.at_ends(*pad_sequences(sequences, padding, side))  # type: ignore[arg-type]
                torch.testing.assert_close(found, alone, atol=1e-5, rtol=1e-5)


def test_a_prompt_is_computed_once_and_rows_grow_where_completions_need_them_to() -> None:
    """8 completions of 50 tokens to prompts of 400 that have nothing in common."""
    sequences = [[n + 1] * 400 + tokens(50, seed=8 * n + k, high=9).tolist() for n in range(3) for k in range(8)]
    forest = Forest.of(*padded(sequences), TINY)
    distinct = len({tuple(sequence[: end + 1]) for sequence in sequences for end in range(len(sequence))})
    assert distinct < 3 * 800
    assert len(np.unique(np.concatenate(forest.nodes))) == distinct
    assert forest.tokens.shape[1] > 450, "rows as wide as the longest sequence would hold each prompt eight times"
    assert forest.tokens.numel() < 1.2 * distinct


def test_where_they_cost_nothing_long_rows_hold_everything_without_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    model, (ids, lengths) = decoder().double(), padded(family(2))
    with torch.no_grad():
        expected = packed_states(model, ids, lengths)
        monkeypatch.setattr("anatomia.model.packed.long_rows", lambda model: True)
        for states in (packed_states, shared_states):
            torch.testing.assert_close(states(model, ids, lengths), expected)
        ends = end_states(model, ids, lengths)
    torch.testing.assert_close(ends, expected[lengths.cumsum(0) - 1])
    sequences = [[n + 1] * 400 + tokens(50, seed=8 * n + k, high=9).tolist() for n in range(3) for k in range(8)]
    forest = Forest.of(*padded(sequences), TINY, long=True)
    distinct = len({tuple(sequence[: end + 1]) for sequence in sequences for end in range(len(sequence))})
    assert len(np.unique(np.concatenate(forest.nodes))) == distinct
    assert forest.tokens.numel() - distinct < 128 * len(forest.tokens)
    many = [tokens(100, seed=n, high=9).tolist() for n in range(200)]
    assert Forest.of(*padded(many), TINY, long=True).tokens.shape[1] < 8192, "to see what is hidden takes time too"


def test_rows_do_not_grow_where_nothing_is_alike() -> None:
    """Attention costs a row's square."""
    sequences = [tokens(100, seed=n, high=9).tolist() for n in range(40)]
    assert Forest.of(*padded(sequences), TINY).tokens.shape == (40, 128)


def test_states_that_are_read_where_sequences_end() -> None:
    model = decoder()
    ids, lengths = padded(family(3))
    with torch.no_grad():
        whole = shared_states(model, ids, lengths)
        torch.testing.assert_close(end_states(model, ids, lengths), whole[lengths.cumsum(0) - 1])
