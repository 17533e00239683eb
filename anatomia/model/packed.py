"""Sequences of different lengths through a decoder without padding: several in a row, hidden from one another, and
what they begin with alike computed once."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anatomia.model.attention import document_reach, tree_mask
from anatomia.model.config import DecoderConfig
from anatomia.model.decoder import Decoder
from anatomia.tokens.packing import Plan, pack

WIDER = (1.25, 1.5, 2, 2.5, 3, 4, 8)  # rows so many times as wide as the longest sequence are tried
GRAIN = 16  # positions of which wider rows are multiples
LONGEST = 8192  # positions of a long row: to see that all others are hidden takes time too
STEP = 128  # positions of which long rows are multiples, so that memory of one pass fits the next
ROW = 128  # positions that trees' rows have at least
ALIKE = 6  # a beginning shorter than this is not worth keeping sequences together for


def packed_states(model: Decoder, ids: Tensor, lengths: Tensor, asked: Tensor | None = None) -> Tensor:
    """The hidden states of real tokens, the same (up to rounding) as if each sequence stood alone.

    Args:
        ids: int64 [N, T], padded on the right.
        lengths: int64 [N], the real tokens of each sequence, at least 1.
        asked: bool [N, T] whose states are asked for, real tokens only; None for all real ones.

    Returns:
        [lengths.sum(), width] or [asked.sum(), width], sequence after sequence.
    """
    sizes = lengths.cpu().numpy()
    width, plan = tightest(sizes, model)
    start, number = places(plan, sizes, width)
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    place, inside = (torch.from_numpy(array).to(ids.device) for array in (np.repeat(start, sizes) + within, within))
    blank = torch.zeros(plan.rows * width, dtype=torch.int64, device=ids.device)
    real = torch.arange(ids.shape[1], device=ids.device) < lengths.to(ids.device)[:, None]
    documents = (blank - 1).index_copy(0, place, torch.from_numpy(np.repeat(number, sizes)).to(ids.device))
    tokens, positions = blank.index_copy(0, place, ids[real]), blank.index_copy(0, place, inside)
    reach = document_reach(documents.view(-1, width), model.config.sliding_window)
    wanted = place if asked is None else place[asked[real]]
    return model.hidden(tokens.view(-1, width), positions.view(-1, width), reach, wanted=wanted)


def tightest(sizes: np.ndarray, model: Decoder) -> tuple[int, Plan]:
    """The width of rows that costs least, and how the sequences are laid into them. sizes: int64 [N]."""
    config, longest = model.config, int(sizes.max())
    if long_rows(model):
        width = max(longest, row_of(int(sizes.sum()), config))
        return width, pack(sizes, width)
    found = []
    for width in widths(longest):
        plan = pack(sizes, width)
        found.append((plan.rows * width * config.flops_per_token(width), width, plan))
        if plan.rows == 1:
            break
    _, width, plan = min(found, key=lambda one: one[:2])
    return width, plan


def long_rows(model: Decoder) -> bool:
    """Whether attention costs no more in a long row of short sequences than it does in short rows: then there need not
    be any padding."""
    virtual = model.adapter is not None and model.adapter.tokens
    return model.reaches() and model.config.sliding_window is None and not virtual


def row_of(tokens: int, config: DecoderConfig) -> int:
    """The width of as many rows as give each thread a head of one of them to attend with."""
    rows = max(-(-torch.get_num_threads() // config.heads), -(-tokens // LONGEST))
    return -(-tokens // (rows * STEP)) * STEP


def widths(narrow: int) -> list[int]:
    """Widths of rows to try, from `narrow` up."""
    return [narrow, *(-(-round(narrow * factor) // GRAIN) * GRAIN for factor in WIDER)]


def places(plan: Plan, sizes: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each piece of a plan begins in its rows of `width` laid end to end, and its number within its row."""
    filled = sizes[plan.pieces]
    before = np.cumsum(filled) - filled
    row = np.repeat(np.arange(plan.rows), np.diff(plan.starts))
    first = plan.starts[:-1][row]
    start, number = np.empty_like(sizes), np.empty_like(sizes)
    start[plan.pieces] = row * width + before - before[first]
    number[plan.pieces] = np.arange(len(sizes)) - first
    return start, number


def shared_states(model: Decoder, ids: Tensor, lengths: Tensor, asked: Tensor | None = None) -> Tensor:
    """What `packed_states` returns, for less where sequences begin alike, as completions of one prompt do.

    A causal decoder's state at a token depends on what stands before it and on nothing else, so it is computed once for
    all sequences that agree up to there. They become trees, whose branches do not see one another. Gradients add up as
    they would alone.
    """
    forest = Forest.of(ids, lengths, model.config, long_rows(model))
    nodes = np.concatenate(forest.nodes)
    if asked is not None:
        real = torch.arange(ids.shape[1], device=ids.device) < lengths.to(ids.device)[:, None]
        nodes = nodes[asked[real].cpu().numpy()]
    return forest.states(model, nodes)


def end_states(model: Decoder, ids: Tensor, lengths: Tensor) -> Tensor:
    """[N, width] the hidden state at each sequence's last token; arguments and way as in `shared_states`."""
    forest = Forest.of(ids, lengths, model.config, long_rows(model))
    return forest.states(model, np.array([nodes[-1] for nodes in forest.nodes]))


@dataclass(frozen=True)
class Forest:
    """Sequences as trees of tokens in rows: what several have in common, after the same beginning, is there once.

    Rows are filled in the order of the tree, parents before children and branch after branch, so that what a token may
    be seen by is the stretch from it to where its branch ends.

    Attributes:
        tokens, positions, ends: [rows, width] token ids, how many tokens stand before each in its sequence, and the
            place in the row where its branch ends, int32. Padding is a branch of its own, each.
        nodes: per sequence, the places [length] of its tokens in the rows laid end to end.
    """

    tokens: Tensor
    positions: Tensor
    ends: Tensor
    nodes: list[np.ndarray]

    @staticmethod
    def of(ids: Tensor, lengths: Tensor, config: DecoderConfig, long: bool = False) -> "Forest":
        """Plant the sequences in rows of the width that costs least.

        Args:
            ids: int64 [N, T], padded on the right. lengths: int64 [N], at least 1.
            long: whether `long_rows` cost nothing.
        """
        device, table, sizes = ids.device, ids.cpu().numpy(), lengths.cpu().numpy()
        real = np.arange(table.shape[1]) < sizes[:, None]
        keys = np.where(real, table + 1, 0).astype(">u4")
        order = np.array(sorted(range(len(sizes)), key=lambda row: keys[row].tobytes()))
        same = (keys[order[1:]] == keys[order[:-1]]) & real[order[1:]]
        alike = np.concatenate([[0], np.logical_and.accumulate(same, 1).sum(1)])
        width, roots = choose(sizes[order], alike, config, long)
        alike[roots] = 0
        fresh = sizes[order] - alike
        paths, ends = grow(fresh, alike)
        totals = np.add.reduceat(fresh, np.flatnonzero(roots))
        plan = pack(totals, width)
        start, _ = places(plan, totals, width)
        there = np.arange(totals.sum()) + np.repeat(start - (np.cumsum(totals) - totals), totals)
        blank = np.zeros(plan.rows * width, np.int64)
        tokens, positions, stops = blank, blank.copy(), np.arange(len(blank)) % width + 1
        stops[there] += ends - np.arange(len(ends)) - 1
        nodes: list[np.ndarray] = [blank] * len(sizes)
        for row, path in zip(order.tolist(), paths, strict=True):
            nodes[row] = there[path]
            tokens[nodes[row]] = table[row, : sizes[row]]
            positions[nodes[row]] = np.arange(sizes[row])
        arrays = tokens, positions, stops.astype(np.int32)
        rows = [torch.from_numpy(array).view(-1, width).to(device) for array in arrays]
        return Forest(rows[0], rows[1], rows[2], nodes)

    def states(self, model: Decoder, nodes: np.ndarray) -> Tensor:
        """[len(nodes), width] the hidden states at these places."""
        mask, window = self.ends, model.config.sliding_window
        if window is not None:  # which counts positions, and these are not places
            mask = tree_mask(self.ends, self.positions, model.embedding.dtype, window)
        single, which = (torch.from_numpy(part).to(mask.device) for part in np.unique(nodes, return_inverse=True))
        hidden = model.hidden(self.tokens, self.positions, mask, wanted=single)
        # index_select adds up the gradients of a place that is read twice in a fixed order.
        return hidden.index_select(0, which)


def choose(sizes: np.ndarray, alike: np.ndarray, config: DecoderConfig, long: bool) -> tuple[int, np.ndarray]:
    """The width of rows that costs least, and which sequences (in order) begin a tree there."""
    if long:
        total = int((sizes - np.where(alike < ALIKE, 0, alike)).sum())
        width = max(int(sizes.max()), row_of(total, config))
        return width, cut(sizes, alike, width)
    narrow = max(int(sizes.max()), ROW)
    # Layers' own windows count places in a row, which in a tree are not positions in a sequence.
    widest = min((window for window in config.layer_windows or () if window is not None), default=widths(narrow)[-1])
    if widest < narrow:
        return narrow, np.ones(len(sizes), bool)
    best = None
    for width in (width for width in widths(narrow) if width <= widest):
        roots = cut(sizes, alike, width)
        totals = np.add.reduceat(sizes - np.where(roots, 0, alike), np.flatnonzero(roots))
        cost = pack(totals, width).rows * width * config.flops_per_token(width)
        if best is None or cost < best[0]:
            best = cost, width, roots
        if totals.sum() <= width:
            break
    assert best is not None
    return best[1], best[2]


def cut(sizes: np.ndarray, alike: np.ndarray, width: int) -> np.ndarray:
    """bool [N] which of the sequences, in order, begin a tree: those that have little in common with the one before, or
    for which its tree has no room left."""
    roots, held = np.zeros(len(sizes), bool), 0
    for place, (size, common) in enumerate(zip(sizes.tolist(), alike.tolist(), strict=True)):
        roots[place] = place == 0 or common < ALIKE or held + size - common > width
        held = size if roots[place] else held + size - common
    return roots


def grow(fresh: np.ndarray, alike: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The way of each sequence through the trees laid end to end, and where there each token's branch ends.

    Args:
        fresh, alike: [N] how many tokens a sequence, in order, adds to the way of the one before, and how many of that
            one's it begins with.
    """
    ends = np.zeros(fresh.sum(), np.int64)
    paths: list[np.ndarray] = []
    held = 0
    for new, common in zip(fresh.tolist(), alike.tolist(), strict=True):
        begun = paths[-1][:common] if common else np.empty(0, np.int64)
        paths.append(np.concatenate([begun, np.arange(held, held + new)]))
        held += new
        ends[paths[-1]] = held  # unless more grows from it
    return paths, ends
