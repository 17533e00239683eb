"""Learning from rankings: a scalar model whose outputs order completions as people did."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anatomia.model.scalar import ScalarModel
from anatomia.objectives.judged import UNPLACED, Judged
from anatomia.objectives.matching import Partners, match_gaps, matching_loss
from anatomia.tokens.batches import pad_sequences
from anatomia.train import parallel
from anatomia.train.objective import Sums


def pairwise_loss(scores: Tensor, places: Tensor) -> Tensor:
    """-log σ(better - worse), averaged over the pairs of each ranking, then over rankings (Ouyang et al. 2022,
    InstructGPT, equation 1; tied pairs say nothing here).

    Args:
        scores: [R, K] the model's scores of the completions that each ranking is about.
        places: int64 [R, K], 0 for the best group, the same number where tied, `UNPLACED` where not ranked.

    Returns:
        [] in nats; rankings without an untied pair count as 0.
    """
    pairs = pair_mask(places)
    losses = -F.logsigmoid(scores[:, :, None] - scores[:, None, :]) * pairs
    return (losses.sum((1, 2)) / pairs.sum((1, 2)).clamp(min=1)).mean()


def listwise_loss(scores: Tensor, places: Tensor) -> Tensor:
    """Plackett-Luce: each completion is chosen from those not placed above it; -log of that, averaged over choices, and
    then over rankings (Plackett 1975; ties after Breslow 1974: tied items share the set they were chosen from).

    Args and returns as in `pairwise_loss`; the last group is no choice.
    """
    ranked = places != UNPLACED
    candidates = (places[:, None, :] >= places[:, :, None]) & ranked[:, None, :]
    last = places.amax(1, keepdim=True)
    choices = ranked & (places < last)
    spread = scores[:, None, :].expand(candidates.shape).masked_fill(~candidates, -torch.inf)
    spread = torch.where(choices[:, :, None], spread, scores[:, None, :])  # no empty sums where nothing is chosen
    losses = (torch.logsumexp(spread, -1) - scores) * choices
    return (losses.sum(1) / choices.sum(1).clamp(min=1)).mean()


def pair_mask(places: Tensor) -> Tensor:
    """bool [R, K, K]: entry (i, j) says that i was ranked above j."""
    ranked = places != UNPLACED
    return (places[:, :, None] < places[:, None, :]) & ranked[:, :, None] & ranked[:, None, :]


LOSSES = {"pairwise": pairwise_loss, "listwise": listwise_loss}


@dataclass(frozen=True)
class Piece:
    """Some of a step's prompts, and their share of all its rankings; per prompt the crossed sequences of `Partners`, if
    any, and their share of all the step's."""

    items: Sequence[Judged]
    share: float
    crossed: Sequence[tuple[tuple[int, ...], ...]]
    crossed_share: float


class Preference:
    """Fits a `ScalarModel` to rankings. Each completion is scored once, however many people ranked it.

    Args:
        items: the prompts with their rankings; every epoch visits each once in an order keyed by (seed, epoch).
        batch: prompts per step. micro: prompts per forward pass.
        loss: "pairwise" or "listwise".
        matching: weight of `matching_loss` beside it; 0 leaves it out.
    """

    def __init__(
        self, items: Sequence[Judged], batch: int, micro: int, loss: str, seed: int, matching: float = 0.0
    ) -> None:
        self.items, self.batch, self.micro, self.seed = items, batch, micro, seed
        self.function, self.matching = LOSSES[loss], matching
        self.partners = Partners(items, seed) if matching else None

    def micro_batches(self, model: nn.Module, step: int) -> Sequence[Piece]:
        chosen, crossed = [], []
        for place in range(step * self.batch, (step + 1) * self.batch):
            epoch, number = divmod(place, len(self.items))
            index = int(np.random.default_rng([self.seed, epoch]).permutation(len(self.items))[number])
            chosen.append(self.items[index])
            crossed.append(self.partners.crossed(index, place) if self.partners else ())
        rankings, pairs = sum(len(item.places) for item in chosen), sum(map(bool, crossed))
        micro = parallel.micro_rows(self.micro, len(chosen))
        return [
            Piece(
                part := chosen[start : start + micro],
                sum(len(item.places) for item in part) / rankings,
                others := crossed[start : start + micro],
                sum(map(bool, others)) / max(pairs, 1),
            )
            for start in range(0, len(chosen), micro)
        ]

    def loss(self, model: nn.Module, micro: Piece) -> tuple[Tensor, dict[str, Tensor | float]]:
        assert isinstance(model, ScalarModel)
        sequences = [sequence for item in micro.items for sequence in item.sequences]
        everything = sequences + [sequence for trio in micro.crossed for sequence in trio]
        flat = score_all(model, everything)
        scores, places = align_rankings(micro.items, flat[: len(sequences)])
        pairs = pair_mask(places)
        right = ((scores[:, :, None] > scores[:, None, :]) & pairs).sum() / pairs.sum().clamp(min=1)
        figures: dict[str, Tensor | float] = {
            "accuracy": right * micro.share,
            "tokens": float(sum(map(len, everything))),
        }
        loss = self.function(scores, places) * micro.share
        if self.matching:
            gaps = match_gaps(micro.items, micro.crossed, flat)
            loss = loss + self.matching * matching_loss(gaps) * micro.crossed_share
            figures["matched"] = (gaps > 0).sum() / max(len(gaps), 1) * micro.crossed_share
        return loss, figures

    def after(self, model: nn.Module, step: int) -> Sums:
        return {}

    def state(self) -> dict[str, Any]:
        return {}

    def load(self, state: dict[str, Any]) -> None:
        pass


def score_all(model: ScalarModel, sequences: Sequence[Sequence[int]]) -> Tensor:
    """[N] the scalar at each sequence's last token."""
    device = model.score.device
    ids, mask = pad_sequences([list(sequence) for sequence in sequences], model.decoder.config.padding or 0, "right")
    return model.at_last(ids.to(device), mask.sum(1).to(device))


def align_rankings(items: Sequence[Judged], scores: Tensor) -> tuple[Tensor, Tensor]:
    """One row per ranking: scores [R, K] and places [R, K], filled up with `UNPLACED` where prompts differ in K.

    Args:
        scores: [N] of all items' sequences, in order.
    """
    widest = max(len(item.sequences) for item in items)
    index, places, start = [], [], 0
    for item in items:
        numbers = list(range(start, start + len(item.sequences)))
        blank = widest - len(numbers)
        for ranking in item.places:
            index.append(numbers + [start] * blank)
            places.append(list(ranking) + [UNPLACED] * blank)
        start += len(numbers)
    return scores[torch.tensor(index, device=scores.device)], torch.tensor(places, device=scores.device)
