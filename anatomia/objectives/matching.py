"""Which answer belongs to which prompt: only who reads the prompt can tell, so a reward model is made to learn it."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from anatomia.objectives.judged import Judged

NEAR = 0.7  # how often a prompt's partner is one of the nearest
NEAREST = 8  # partners kept per prompt
ALIKE = 0.6  # prompts with a cosine above this may ask for the same thing, so that one's answer suits the other
POOL = 4096  # partners are looked for among at most so many prompts
BLOCK = 256  # prompts compared at a time


def matching_loss(gaps: Tensor) -> Tensor:
    """-log σ(gap), averaged over pairs of prompts x, x' with their best answers y, y', where
    gap = r(x, y) + r(x', y') - r(x, y') - r(x', y).

    Of the two ways to give two answers to two prompts, each as likely as the exponential of its rewards, σ(gap) is the
    chance of the right one. What a prompt or an answer alone adds to a reward cancels: this loss cannot be lowered by
    liking an answer's looks, only by reading the prompt, which is what reward models neglect (Liu et al. 2024, RRM,
    section 3).

    Args:
        gaps: [M]; none gives 0.
    """
    return -F.logsigmoid(gaps).sum() / max(len(gaps), 1)


class Partners:
    """Draws for each prompt another one that it shall be told from.

    Args:
        items: the prompts. seed: of the draws.
    """

    def __init__(self, items: Sequence[Judged], seed: int) -> None:
        self.items, self.seed = items, seed
        self.near = nearest([item.question for item in items], [item.answer for item in items], seed)
        self.longest = max(len(sequence) for item in items for sequence in item.sequences)

    def crossed(self, index: int, place: int) -> tuple[tuple[int, ...], ...]:
        """(x', y'), (x, y') and (x', y) for prompt x = `index` and the partner x' of draw number `place`: `NEAR` of the
        time one of the nearest, else any. Empty where the answers are the same, or too long for each other's prompt."""
        draw = np.random.default_rng([self.seed, place, 1])
        near = self.near[index]
        choice = near if len(near) and draw.random() < NEAR else np.arange(len(self.items))
        mine, other = self.items[index], self.items[int(draw.choice(choice))]
        found = tuple(a.question + b.answer for a, b in ((other, other), (mine, other), (other, mine)))
        return () if mine.answer == other.answer or max(map(len, found)) > self.longest else found


def match_gaps(items: Sequence[Judged], crossed: Sequence[tuple[tuple[int, ...], ...]], scores: Tensor) -> Tensor:
    """[M] the gaps of `matching_loss`, for the items that have crossed sequences.

    Args:
        scores: [N] of all items' sequences, in order, and then of all crossed ones.
    """
    starts = np.cumsum([0] + [len(item.sequences) for item in items])
    own = [int(start) + item.best for start, item, trio in zip(starts, items, crossed, strict=False) if trio]
    other, mine_theirs, theirs_mine = scores[int(starts[-1]) :].view(-1, 3).unbind(1)
    return scores[torch.tensor(own, dtype=torch.int64, device=scores.device)] + other - mine_theirs - theirs_mine


def nearest(prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], seed: int) -> list[np.ndarray]:
    """For each prompt the prompts, nearest first, whose answers have most to do with it, and yet answer something else.

    Nearness is the cosine between a prompt's tokens and an answer's, each token weighted by how few prompts hold it
    (Spärck Jones 1972, inverse document frequency). Left out are prompts much like this one, and those with the same
    answer.

    Args:
        prompts, answers: the tokens of N prompts, and of the best known answer to each.
        seed: of the choice of a pool, where there are more than `POOL` prompts.

    Returns:
        N arrays of at most `NEAREST` indices; an empty one where nothing is near.
    """
    count = len(prompts)
    pool = sorted(np.random.default_rng([seed, count]).permutation(count)[:POOL].tolist())
    size = 1 + max((max(tokens, default=0) for tokens in (*prompts, *answers)), default=0)
    held = bags(prompts, size)
    weights = torch.log(count / torch.bincount(held[1], minlength=size).clamp(min=1))
    theirs = [vectors(bags([texts[i] for i in pool], size), len(pool), weights) for texts in (answers, prompts)]
    found = []
    for start in range(0, count, BLOCK):
        part = prompts[start : start + BLOCK]
        columns = vectors(bags(part, size), len(part), weights).to_dense().T
        near, alike = (torch.sparse.mm(rows, columns).T for rows in theirs)
        near[alike > ALIKE] = 0
        for row, values in enumerate(near):
            order = torch.sort(values, descending=True, stable=True)
            places = [
                pool[place]
                for value, place in zip(order.values[: 4 * NEAREST].tolist(), order.indices.tolist(), strict=False)
                if value > 0 and pool[place] != start + row and answers[pool[place]] != answers[start + row]
            ]
            found.append(np.asarray(places[:NEAREST], np.int64))
    return found


def bags(texts: Sequence[Sequence[int]], size: int) -> Tensor:
    """int64 [2, M] (row, token) of every token that a text holds, each once."""
    pairs = [(row, token) for row, tokens in enumerate(texts) for token in sorted(set(tokens))]
    return torch.tensor(pairs, dtype=torch.int64).view(-1, 2).T


def vectors(pairs: Tensor, rows: int, weights: Tensor) -> Tensor:
    """Sparse [rows, len(weights)] of the tokens' weights, each row of length 1 (or 0)."""
    values = weights[pairs[1]]
    norms = torch.zeros(rows).index_add(0, pairs[0], values**2).sqrt().clamp(min=1e-6)
    shape = (rows, len(weights))
    return torch.sparse_coo_tensor(pairs, values / norms[pairs[0]], shape, check_invariants=False).coalesce()
