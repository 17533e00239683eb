"""Batches: documents packed into rows, rows put in an order that depends on the seed and the step alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
import torch

from anatomia.base.errors import UserError
from anatomia.tokens.packing import pack
from anatomia.tokens.shards import Shard


@dataclass(frozen=True)
class Batch:
    """B rows of T positions.

    Attributes:
        ids: int64 [B, T], what the model reads.
        targets: int64 [B, T], what it should say next.
        weights: float32 [B, T], what each target counts in the loss; 0 on padding.
        positions: int64 [B, T], counted from 0 in every piece of a document.
        documents: int64 [B, T], which piece of its row a position belongs to; -1 on padding. Positions attend only to
            positions of the same piece.
    """

    ids: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    positions: torch.Tensor
    documents: torch.Tensor


class Packed:
    """A shard as an endless sequence of batches of `rows` rows of `context` positions.

    A document of n tokens is n - 1 predictions. Longer ones are cut, so that every token but a document's first is a
    target exactly once per epoch; pieces without any loss weight are left out. Best-fit packing fills the rows; each
    epoch visits all rows once, in its own order.
    """

    def __init__(self, shard: Shard, context: int, rows: int, seed: int, padding: int) -> None:
        """Plan the rows.

        Raises:
            UserError: the shard holds nothing to predict.
        """
        self.shard, self.context, self.rows, self.seed, self.padding = shard, context, rows, seed, padding
        self.offsets, self.lengths = _pieces(shard, context)
        if not len(self.offsets):
            raise UserError("there is nothing to train on: no document has a token to predict; give more text")
        self.plan = pack(self.lengths, context)
        self._order = lru_cache(maxsize=2)(self._permutation)

    @property
    def steps_per_epoch(self) -> float:
        """Steps until every row was seen once."""
        return self.plan.rows / self.rows

    @cached_property
    def tokens_per_epoch(self) -> int:
        """Targets that carry loss weight, per epoch."""
        if self.shard.weights is None:
            return int(self.lengths.sum())
        total = np.concatenate([[0], np.cumsum(np.asarray(self.shard.weights) > 0, dtype=np.int64)])
        return int((total[self.offsets + 1 + self.lengths] - total[self.offsets + 1]).sum())

    @property
    def efficiency(self) -> float:
        """The share of positions that are not padding."""
        return float(self.lengths.sum()) / (self.plan.rows * self.context)

    def batch(self, step: int) -> Batch:
        """Global batch number `step` (from 0): a pure function of the seed and the step."""
        first = step * self.rows
        places = (divmod(place, self.plan.rows) for place in range(first, first + self.rows))
        return self._build([int(self._order(epoch)[place]) for epoch, place in places])

    def once(self) -> Iterator[Batch]:
        """Every row exactly once, in fixed order, for validation; rows missing at the end are padding."""
        for first in range(0, self.plan.rows, self.rows):
            yield self._build(list(range(first, min(first + self.rows, self.plan.rows))))

    def _permutation(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self.seed, epoch]).permutation(self.plan.rows)

    def _build(self, rows: list[int]) -> Batch:
        shape = (self.rows, self.context)
        ids = np.full(shape, self.padding, np.int64)
        targets = np.full(shape, self.padding, np.int64)
        weights = np.zeros(shape, np.float32)
        positions = np.zeros(shape, np.int64)
        documents = np.full(shape, -1, np.int64)
        for place, row in enumerate(rows):
            at = 0
            for number, piece in enumerate(self.plan.row(row)):
                offset, length = int(self.offsets[piece]), int(self.lengths[piece])
                there = slice(at, at + length)
                tokens = self.shard.tokens[offset : offset + length + 1]
                ids[place, there], targets[place, there] = tokens[:-1], tokens[1:]
                counted = self.shard.weights
                weights[place, there] = 1 if counted is None else counted[offset + 1 : offset + length + 1]
                positions[place, there] = np.arange(length)
                documents[place, there] = number
                at += length
        return Batch(*map(torch.from_numpy, (ids, targets, weights, positions, documents)))


def pad_sequences(
    sequences: list[list[int]], padding: int, side: Literal["left", "right"]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences side by side: ids int64 [B, T] filled up with `padding` on `side`; mask bool [B, T], True on ids."""
    width = max(map(len, sequences), default=0)
    ids = torch.full((len(sequences), width), padding, dtype=torch.int64)
    mask = torch.zeros((len(sequences), width), dtype=torch.bool)
    for row, sequence in enumerate(sequences):
        there = slice(0, len(sequence)) if side == "right" else slice(width - len(sequence), width)
        ids[row, there] = torch.tensor(sequence, dtype=torch.int64)
        mask[row, there] = True
    return ids, mask


def _pieces(shard: Shard, context: int) -> tuple[np.ndarray, np.ndarray]:
    """Where pieces of documents begin in the shard, and how many predictions each holds (int64 [pieces])."""
    starts = np.asarray(shard.starts)
    predictions = np.maximum(np.diff(starts) - 1, 0)
    counts = -(-predictions // context)
    document = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(document)) - np.repeat(np.cumsum(counts) - counts, counts)
    offsets = starts[:-1][document] + number * context
    lengths = np.minimum(predictions[document] - number * context, context)
    if shard.weights is not None:
        total = np.concatenate([[0], np.cumsum(np.asarray(shard.weights), dtype=np.int64)])
        counted = total[offsets + 1 + lengths] > total[offsets + 1]
        offsets, lengths = offsets[counted], lengths[counted]
    return offsets, lengths
