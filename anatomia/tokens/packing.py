"""Best-fit packing of pieces into rows."""

from bisect import bisect_left, insort
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Plan:
    """Which pieces lie in which row: row r holds pieces[starts[r]:starts[r + 1]], the longest first."""

    pieces: np.ndarray
    starts: np.ndarray

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.starts) - 1

    def row(self, index: int) -> np.ndarray:
        """The pieces of one row."""
        return self.pieces[self.starts[index] : self.starts[index + 1]]


def pack(lengths: np.ndarray, context: int) -> Plan:
    """Put pieces of 1..`context` positions into rows of `context`, the longest first, each where it fits most tightly.

    Pieces of one length are placed together, so the work grows with the number of different lengths, not of pieces.
    (Best-fit decreasing, as for training data in Ding et al. 2024, "Fewer Truncations Improve Language Modeling".)
    """
    order = np.argsort(-lengths, kind="stable")
    row_of = np.empty(len(lengths), np.int64)
    values, counts = np.unique(-lengths, return_counts=True)
    room: dict[int, list[np.ndarray]] = {}  # free positions -> rows with just so many
    rooms: list[int] = []
    rows = at = 0

    def leave(free: int, some: np.ndarray) -> None:
        if free > 0 and len(some):
            if free not in room:
                insort(rooms, free)
            room.setdefault(free, []).append(some)

    for length, count in zip((-values).tolist(), counts.tolist()):
        items = order[at : at + count]
        at += count
        while len(items):
            tightest = bisect_left(rooms, length)
            if tightest == len(rooms):
                break
            free = rooms.pop(tightest)
            there = np.concatenate(room.pop(free))
            taken = min(len(items), len(there))
            row_of[items[:taken]] = there[:taken]
            items = items[taken:]
            leave(free, there[taken:])
            leave(free - length, there[:taken])
        fit = context // length
        row_of[items] = rows + np.arange(len(items)) // fit
        opened, rest = divmod(len(items), fit)
        leave(context - fit * length, np.arange(rows, rows + opened))
        leave(context - rest * length, np.arange(rows + opened, rows + opened + (rest > 0)))
        rows += opened + (rest > 0)
    pieces = order[np.argsort(row_of[order], kind="stable")]
    return Plan(pieces, np.concatenate([[0], np.cumsum(np.bincount(row_of, minlength=rows))]))
