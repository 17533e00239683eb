"""Batches: every token once per epoch, nothing leaks between documents, order depends on seed and step alone."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anatomia.base.errors import UserError
from anatomia.tokens.batches import Packed, pad_sequences
from anatomia.tokens.packing import pack
from anatomia.tokens.shards import Shard


def shard(lengths: list[int], weights: list[int] | None = None) -> Shard:
    """Documents of distinct tokens: 1, 2, 3, … throughout, so that each token tells where it is from."""
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    tokens = np.arange(1, starts[-1] + 1, dtype=np.uint32)
    return Shard(tokens, starts, None if weights is None else np.array(weights, np.uint8))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30), st.integers(1, 16), st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_every_token_but_the_first_is_a_target_once_per_epoch(lengths: list[int], context: int, rows: int) -> None:
    source = shard(lengths)
    expected = Counter(token for i in range(len(source)) for token in source.document(i)[1:].tolist())
    if not expected:
        with pytest.raises(UserError, match="nothing to train on"):
            Packed(source, context, rows, 1, 0)
        return
    packed = Packed(source, context, rows, 1, 0)
    assert packed.tokens_per_epoch == len(expected)
    for batches in (packed.once(), [packed.batch(step) for step in range(packed.plan.rows)]):
        seen: Counter[int] = Counter()
        for batch in batches:
            real = batch.documents >= 0
            assert torch.equal(batch.weights > 0, real)
            assert torch.equal(batch.targets[real], batch.ids[real] + 1)
            assert not batch.ids[~real].any()
            seen.update(batch.targets[real].tolist())
        epochs = set(seen.values())
        assert len(epochs) == 1  # all equally often: rows epochs in plan.rows steps
        assert seen.keys() == expected.keys()


def test_positions_and_documents_start_anew_with_every_piece() -> None:
    batch = Packed(shard([3, 7, 2]), 4, 4, 0, 0).batch(0)
    for row in range(4):
        for document in set(batch.documents[row].tolist()) - {-1}:
            here = batch.documents[row] == document
            assert batch.positions[row][here].tolist() == list(range(int(here.sum())))
            ids = batch.ids[row][here]
            assert ids.tolist() == list(range(int(ids[0]), int(ids[0]) + len(ids)))


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    source = shard([20] * 50)
    first, second = Packed(source, 40, 3, 7, 0), Packed(source, 40, 3, 7, 0)
    forwards = [first.batch(step).ids for step in range(30)]
    for step in (29, 0, 13, 13, 5):
        assert torch.equal(second.batch(step).ids, forwards[step])
    assert not torch.equal(Packed(source, 40, 3, 8, 0).batch(0).ids, forwards[0])


def test_the_rows_of_a_step_do_not_depend_on_how_they_are_grouped() -> None:
    source = shard([20] * 50)
    large, small = Packed(source, 40, 6, 7, 0), Packed(source, 40, 2, 7, 0)
    for step in range(12):
        assert torch.equal(large.batch(step).ids, torch.cat([small.batch(3 * step + part).ids for part in range(3)]))


def test_epochs_differ_in_order() -> None:
    packed = Packed(shard([20] * 40), 19, 40, 3, 0)
    assert packed.steps_per_epoch == 1
    assert not torch.equal(packed.batch(0).ids, packed.batch(1).ids)
    assert torch.equal(packed.batch(0).ids.sort(0).values, packed.batch(1).ids.sort(0).values)


def test_a_weight_is_that_of_the_target_and_pieces_without_any_are_left_out() -> None:
    weights = [0, 0, 1, 1] + [0] * 5 + [1] * 4 + [0, 0, 0]
    packed = Packed(shard([4, 9, 3], weights), 4, 8, 0, 0)
    batch = next(iter(packed.once()))
    assert sorted(batch.targets[batch.weights > 0].tolist()) == [3, 4, 10, 11, 12, 13]
    assert packed.tokens_per_epoch == 6
    assert sorted(batch.ids[batch.documents >= 0].tolist()) == [1, 2, 3, 9, 10, 11, 12]


@given(st.lists(st.integers(1, 32), min_size=1, max_size=200))
@settings(max_examples=200, deadline=None)
def test_packing_fits_and_is_no_worse_than_first_fit(lengths: list[int]) -> None:
    plan = pack(np.array(lengths), 32)
    assert sorted(plan.pieces.tolist()) == list(range(len(lengths)))
    filled = [sum(lengths[piece] for piece in plan.row(row)) for row in range(plan.rows)]
    assert all(0 < total <= 32 for total in filled)
    bins: list[int] = []
    for length in sorted(lengths, reverse=True):
        place = next((i for i, total in enumerate(bins) if total + length <= 32), None)
        if place is None:
            bins.append(length)
        else:
            bins[place] += length
    assert plan.rows <= len(bins) * 11 / 9 + 1


def test_rows_are_full_where_documents_are_short() -> None:
    lengths = np.random.default_rng(0).integers(50, 301, 20_000)
    packed = Packed(shard(lengths.tolist()), 256, 16, 0, 0)
    assert packed.efficiency > 0.98


def test_padding_goes_to_the_side_asked_for() -> None:
    ids, mask = pad_sequences([[1, 2, 3], [], [4]], 9, "left")
    assert ids.tolist() == [[1, 2, 3], [9, 9, 9], [9, 9, 4]]
    assert mask.tolist() == [[True] * 3, [False] * 3, [False, False, True]]
    ids, mask = pad_sequences([[1, 2], [4]], 9, "right")
    assert ids.tolist() == [[1, 2], [4, 9]]
    assert mask.tolist() == [[True, True], [True, False]]
