"""Learning from rankings: a scalar model whose outputs order completions as people did."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anatomia.model.scalar import ScalarModel
from anatomia.tokens.batches import pad_sequences
from anatomia.train import parallel
from anatomia.train.objective import Sums

UNPLACED = -1


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
class Judged:
    """Completions of one prompt, ready to be scored, and what was said of them.

    Attributes:
        sequences: K token sequences, prompt and completion and end token.
        places: one list of K places per ranking of them.
        prompt: how many tokens at the beginning of each sequence are the prompt's.
    """

    sequences: tuple[tuple[int, ...], ...]
    places: tuple[tuple[int, ...], ...]
    prompt: int = 0

    def with_strangers(self, strangers: Sequence[tuple[int, ...]]) -> "Judged":
        """The same, with answers to other prompts placed below all that was ranked."""
        sequences = self.sequences + tuple(self.sequences[0][: self.prompt] + tokens for tokens in strangers)
        return Judged(sequences, tuple(p + (max(p) + 1,) * len(strangers) for p in self.places), self.prompt)


@dataclass(frozen=True)
class Piece:
    """Some of a step's prompts, and their share of all its rankings."""

    items: Sequence[Judged]
    share: float


class Preference:
    """Fits a `ScalarModel` to rankings. Each completion is scored once, however many people ranked it.

    Args:
        items: the prompts with their rankings; every epoch visits each once in an order keyed by (seed, epoch).
        batch: prompts per step. micro: prompts per forward pass.
        loss: "pairwise" or "listwise".
        strangers: how many answers to other prompts are added to each prompt as its worst, so that the model learns to
            read the question as well as the answer (Liu et al. 2024, RRM: without them a reward model rewards what
            good answers look like, whatever was asked).
    """

    def __init__(
        self, items: Sequence[Judged], batch: int, micro: int, loss: str, seed: int, strangers: int = 0
    ) -> None:
        self.items, self.batch, self.micro, self.seed = items, batch, micro, seed
        self.function, self.strangers = LOSSES[loss], strangers
        self.longest = max(len(sequence) for item in items for sequence in item.sequences)

    def micro_batches(self, model: nn.Module, step: int) -> Sequence[Piece]:
        chosen = []
        for place in range(step * self.batch, (step + 1) * self.batch):
            epoch, number = divmod(place, len(self.items))
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.items))
            chosen.append(self._with_strangers(self.items[order[number]], place))
        total = sum(len(item.places) for item in chosen)
        micro = parallel.micro_rows(self.micro, len(chosen))
        parts = [chosen[start : start + micro] for start in range(0, len(chosen), micro)]
        return [Piece(part, sum(len(item.places) for item in part) / total) for part in parts]

    def _with_strangers(self, item: Judged, place: int) -> Judged:
        draw = np.random.default_rng([self.seed, place, 1])
        others = [self.items[int(draw.integers(len(self.items)))] for _ in range(self.strangers)]
        answers = [other.sequences[draw.integers(len(other.sequences))][other.prompt :] for other in others]
        fitting = [answer for answer in answers if item.prompt + len(answer) <= self.longest]
        return item.with_strangers(fitting) if fitting else item

    def loss(self, model: nn.Module, micro: Piece) -> tuple[Tensor, dict[str, Tensor | float]]:
        assert isinstance(model, ScalarModel)
        scores, places = align_rankings(micro.items, score_all(model, [s for i in micro.items for s in i.sequences]))
        pairs = pair_mask(places)
        right = ((scores[:, :, None] > scores[:, None, :]) & pairs).sum() / pairs.sum().clamp(min=1)
        tokens = float(sum(len(sequence) for item in micro.items for sequence in item.sequences))
        return self.function(scores, places) * micro.share, {"accuracy": right * micro.share, "tokens": tokens}

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
