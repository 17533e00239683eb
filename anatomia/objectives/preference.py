"""Learning from rankings: a scalar model whose outputs order completions as people did."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anatomia.feedback.scores import STARS
from anatomia.model.scalar import ScalarModel
from anatomia.objectives.judged import UNPLACED, Judged
from anatomia.objectives.matching import Partners, match_gaps, matching_loss
from anatomia.objectives.next_token import pass_of
from anatomia.tokens.batches import pad_sequences
from anatomia.train import parallel
from anatomia.train.objective import Sums

Loss = Literal["listwise", "pairwise", "stars"]


def pairwise_loss(scores: Tensor, places: Tensor, margins: Tensor | float = 0.0) -> Tensor:
    """-log σ(better - worse - margin), averaged over the pairs of each ranking, then over rankings (Ouyang et al. 2022,
    InstructGPT, equation 1; with margins Touvron et al. 2023, Llama 2, equation 2; tied pairs say nothing here).

    Args:
        scores: [R, K] the model's scores of the completions that each ranking is about.
        places: int64 [R, K], 0 for the best group, the same number where tied, `UNPLACED` where not ranked.
        margins: [R, K, K] by how much more than enough the first of two is to exceed the second.

    Returns:
        [] in nats; rankings without an untied pair count as 0.
    """
    pairs = pair_mask(places)
    losses = -F.logsigmoid(scores[:, :, None] - scores[:, None, :] - margins) * pairs
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


def stars_loss(scores: Tensor, stars: Tensor) -> Tensor:
    """Cross-entropy between σ(score) and stars / 5, averaged over the completions that have stars: logistic regression
    to a share. The stars of `scores_to_stars` are 5 times the chance to be preferred to another completion of the same
    prompt, so that this makes σ(score) that chance; unlike squared errors its gradient is never more than 1.

    Args:
        scores: [N] the model's. stars: [N], 0 to 5, NaN where there are none.
    """
    known = ~stars.isnan()
    target = torch.where(known, stars / STARS, 0.5)
    losses = F.binary_cross_entropy_with_logits(scores, target, reduction="none") * known
    return losses.sum() / known.sum().clamp(min=1)


def star_margins(stars: Tensor, margin: float) -> Tensor:
    """[R, K, K] margins for `pairwise_loss`: `margin` times the difference of stars, as a share of all five; 0 where it
    is negative (an annotator against the others) or not known. stars: [R, K]."""
    return (margin / STARS * (stars[:, :, None] - stars[:, None, :])).clamp(min=0).nan_to_num(0.0)


@dataclass(frozen=True)
class Piece:
    """Some of a step's prompts, and their shares of all its rankings and of all completions with stars; per prompt the
    crossed sequences of `Partners`, if any, and their share of all the step's."""

    items: Sequence[Judged]
    share: float
    starred_share: float
    crossed: Sequence[tuple[tuple[int, ...], ...]]
    crossed_share: float


class Preference:
    """Fits a `ScalarModel` to rankings. Each completion is scored once, however many people ranked it, and what
    sequences begin with alike is computed once.

    Args:
        items: the prompts with their rankings; every epoch visits each once in an order keyed by (seed, epoch).
        batch: prompts per step.
        micro: completions per forward pass, rounded to whole prompts; 0 for as many as suit the device.
        loss: "pairwise", "listwise" or "stars".
        matching: weight of `matching_loss` beside it; 0 leaves it out.
        margin: by how much better a completion of five stars is to be than one of none ("pairwise" only).
    """

    def __init__(
        self,
        items: Sequence[Judged],
        batch: int,
        micro: int,
        loss: Loss,
        seed: int,
        matching: float = 0.0,
        margin: float = 0.0,
    ) -> None:
        self.items, self.batch, self.micro, self.seed = items, batch, micro, seed
        self.kind, self.matching, self.margin = loss, matching, margin
        self.partners = Partners(items, seed) if matching else None

    def micro_batches(self, model: nn.Module, step: int) -> Sequence[Piece]:
        chosen, crossed = [], []
        for place in range(step * self.batch, (step + 1) * self.batch):
            epoch, number = divmod(place, len(self.items))
            index = int(np.random.default_rng([self.seed, epoch]).permutation(len(self.items))[number])
            chosen.append(self.items[index])
            crossed.append(self.partners.crossed(index, place) if self.partners else ())
        rankings, starred, pairs = (
            sum(len(item.places) for item in chosen),
            count_stars(chosen),
            sum(map(bool, crossed)),
        )
        micro = parallel.micro_rows(prompts_per_pass(model, self.micro, chosen, crossed), len(chosen))
        return [
            Piece(
                part := chosen[start : start + micro],
                sum(len(item.places) for item in part) / rankings,
                count_stars(part) / max(starred, 1),
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
        index, places = align_rankings(micro.items)
        index, places = index.to(flat.device), places.to(flat.device)
        scores, pairs = flat[: len(sequences)][index], pair_mask(places)
        right = ((scores[:, :, None] > scores[:, None, :]) & pairs).sum() / pairs.sum().clamp(min=1)
        figures: dict[str, Tensor | float] = {
            "accuracy": right * micro.share,
            "tokens": float(sum(map(len, everything))),
        }
        if self.kind == "listwise":
            loss = listwise_loss(scores, places) * micro.share
        elif self.kind == "pairwise":
            margins = star_margins(all_stars(micro.items).to(flat)[index], self.margin) if self.margin else 0.0
            loss = pairwise_loss(scores, places, margins) * micro.share
        else:
            stars = all_stars(micro.items).to(flat)
            loss = stars_loss(flat[: len(sequences)], stars) * micro.starred_share
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


def prompts_per_pass(
    model: nn.Module, micro: int, chosen: Sequence[Judged], crossed: Sequence[Sequence[Sequence[int]]] | None = None
) -> int:
    """Of a step's prompts, how many at most are read at once.

    Args:
        micro: completions, 0 for as many as suit the device. crossed: by prompt, see `tokens_read`; None for none.
    """
    if micro:
        return max(1, micro * len(chosen) // sum(len(item.sequences) for item in chosen))
    read = sum(map(tokens_read, chosen, crossed or [()] * len(chosen)))
    return max(1, math.ceil(len(chosen) / math.ceil(read / pass_of(model))))


def tokens_read(item: Judged, crossed: Sequence[Sequence[int]]) -> int:
    """Tokens that are computed for a prompt, whose own stand once before all answers, and its crossed sequences."""
    own = item.prompt + sum(len(sequence) - item.prompt for sequence in item.sequences)
    if not crossed:
        return own
    _, theirs, mine = crossed  # one answer of the other prompt's after both prompts, and that prompt with ours
    return own + 2 * (len(theirs) - item.prompt) + len(mine)


def score_all(model: ScalarModel, sequences: Sequence[Sequence[int]]) -> Tensor:
    """[N] the scalar at each sequence's last token."""
    device = model.score.device
    ids, real = pad_sequences([list(sequence) for sequence in sequences], model.decoder.config.padding or 0, "right")
    return model.at_ends(ids.to(device), real.to(device))


def align_rankings(items: Sequence[Judged]) -> tuple[Tensor, Tensor]:
    """One row per ranking, as wide as the prompt with most completions: int64 [R, K] the numbers of its completions
    among all the items', and [R, K] their places; what fills up is number 0 of its prompt, `UNPLACED`."""
    widest = max(len(item.sequences) for item in items)
    index, places, start = [], [], 0
    for item in items:
        numbers = list(range(start, start + len(item.sequences)))
        blank = widest - len(numbers)
        for ranking in item.places:
            index.append(numbers + [start] * blank)
            places.append(list(ranking) + [UNPLACED] * blank)
        start += len(numbers)
    return torch.tensor(index), torch.tensor(places)


def all_stars(items: Sequence[Judged]) -> Tensor:
    """[N] the stars of all items' completions, in order, NaN where there are none."""
    return torch.tensor([star for item in items for star in item.stars or (math.nan,) * len(item.sequences)])


def count_stars(items: Sequence[Judged]) -> int:
    """How many completions have stars."""
    return sum(not math.isnan(star) for item in items for star in item.stars)
