"""Learning from rankings without a reward model: the policy's own distance to its reference is the reward."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anatomia.model.decoder import Decoder
from anatomia.objectives.judged import UNPLACED, Judged
from anatomia.objectives.likelihood import sequence_log_probabilities
from anatomia.objectives.next_token import pass_of
from anatomia.objectives.preference import align_rankings, pair_mask, pairwise_loss, prompts_per_pass
from anatomia.train import parallel
from anatomia.train.objective import Sums


@dataclass(frozen=True)
class Ranked:
    """What a loss is told of some prompts with N completions in all.

    Attributes:
        ratios: [N] log π(completion) - log π_ref(completion), in nats. lengths: [N] tokens of completions.
        index, places: [R, K] as `preference.align_rankings` gives them: one row per ranking.
        drift: KTO's reference point, the mean of log π - log π_ref over completions of other prompts, at least 0.
    """

    ratios: Tensor
    lengths: Tensor
    index: Tensor
    places: Tensor
    drift: float


def dpo(ranked: Ranked, beta: float) -> Tensor:
    """-log σ(β (better - worse)) over pairs of log-ratios (Rafailov et al. 2023, equation 7): the loss of a reward
    model whose rewards are β · log-ratios."""
    return pairwise_loss(beta * ranked.ratios[ranked.index], ranked.places)


def ipo(ranked: Ranked, beta: float) -> Tensor:
    """(better - worse - 1 / 2β)² over pairs of log-ratios per token (Azar et al. 2023, equation 17; per token, as its
    authors' results are said to be, so that long completions do not count for more)."""
    values = (ranked.ratios / ranked.lengths)[ranked.index]
    pairs = pair_mask(ranked.places)
    losses = (values[:, :, None] - values[:, None, :] - 1 / (2 * beta)) ** 2 * pairs
    return (losses.sum((1, 2)) / pairs.sum((1, 2)).clamp(min=1)).mean()


def kto(ranked: Ranked, beta: float) -> Tensor:
    """1 - σ(±β (log-ratio - drift)), + where a completion is above more others of a ranking than below, - where below
    more; mean over rankings of the mean over those (Ethayarajh et al. 2024, equation 8, both weights 1)."""
    pairs = pair_mask(ranked.places)
    signs = (pairs.sum(2) - pairs.sum(1)).sign()
    losses = F.sigmoid(-beta * signs * (ranked.ratios[ranked.index] - ranked.drift)) * signs.abs()
    return (losses.sum(1) / signs.abs().sum(1).clamp(min=1)).mean()


DIRECT: dict[str, Callable[[Ranked, float], Tensor]] = {"dpo": dpo, "ipo": ipo, "kto": kto}


@dataclass(frozen=True)
class Piece:
    """Some of a step's prompts by number, their share of its rankings, and the step's drift."""

    numbers: Sequence[int]
    share: float
    drift: float


class Direct:
    """DPO, IPO or KTO on rankings. Each completion is read once a step, however many pairs it is in, and a prompt once
    for all its completions.

    Args:
        items: prompts with their rankings, each with an untied pair; every epoch visits each once in an order keyed by
            (seed, epoch).
        method: a name in `DIRECT`. beta: β. batch: prompts per step. micro: completions per forward pass, rounded to
            whole prompts; 0 for as many as suit the device.
        reference: the policy before anything is learnt. It is asked here, once, and not kept.
    """

    def __init__(
        self, items: Sequence[Judged], method: str, beta: float, batch: int, micro: int, seed: int, reference: Decoder
    ) -> None:
        self.items, self.loss_of, self.beta, self.seed = items, DIRECT[method], beta, seed
        self.batch, self.micro = min(batch, len(items)), micro
        self.strangers: list[tuple[list[int], int]] = []
        if method == "kto":
            self.strangers = [stranger(items, number, reference.config.context) for number in range(len(items))]
        self.known = self.ask(reference, [sequence for item in items for sequence in self.sequences(item)])
        self.starts = np.cumsum([0, *(len(item.sequences) for item in items)])
        self.known_strangers = self.ask(reference, self.strangers)

    @property
    def steps_per_epoch(self) -> int:
        """Updates until every prompt was seen."""
        return -(-len(self.items) // self.batch)

    @staticmethod
    def sequences(item: Judged) -> list[tuple[list[int], int]]:
        """Each completion with its prompt, and the length of the prompt."""
        return [(list(sequence), item.prompt) for sequence in item.sequences]

    @torch.no_grad()
    def ask(self, model: Decoder, sequences: Sequence[tuple[list[int], int]]) -> Tensor:
        """[N] log-probabilities of completions, so many at a time as `micro` says."""
        tokens = sum(len(ids) for ids, _ in sequences)
        count = max(1, self.micro or pass_of(model) * len(sequences) // max(tokens, 1))
        parts = [sequences[start : start + count] for start in range(0, len(sequences), count)]
        found = [sequence_log_probabilities(model, *map(list, zip(*part, strict=True))) for part in parts]
        return torch.cat(found) if found else torch.zeros(0)

    def micro_batches(self, model: nn.Module, step: int) -> Sequence[Piece]:
        assert isinstance(model, Decoder)
        numbers = self.order(step * self.batch, (step + 1) * self.batch)
        drift = self.drift(model, numbers) if self.strangers else 0.0
        rankings = sum(len(self.items[number].places) for number in numbers)
        chosen = [self.items[number] for number in numbers]
        rows = parallel.micro_rows(prompts_per_pass(model, self.micro, chosen), len(numbers))
        parts = [numbers[start : start + rows] for start in range(0, len(numbers), rows)]
        return [Piece(part, sum(len(self.items[n].places) for n in part) / rankings, drift) for part in parts]

    def order(self, start: int, stop: int) -> list[int]:
        """The numbers of the prompts from one place in the order of all epochs to another."""
        count = len(self.items)
        epochs = range(start // count, -(-stop // count))
        orders = [np.random.default_rng([self.seed, epoch]).permutation(count) for epoch in epochs]
        first = start - epochs.start * count
        found: list[int] = np.concatenate(orders)[first : first + stop - start].tolist()
        return found

    def drift(self, model: Decoder, numbers: Sequence[int]) -> float:
        """How far the policy has come from its reference on completions of other prompts, in nats, at least 0."""

        def ask(part: Sequence[int]) -> list[float]:
            ratios = self.ask(model, [self.strangers[number] for number in part])
            return (ratios - self.known_strangers[list(part)]).tolist()

        model.eval()
        found = parallel.divided(ask, numbers)
        model.train()
        return max(0.0, sum(found) / len(found))

    def loss(self, model: nn.Module, micro: Piece) -> tuple[Tensor, dict[str, Tensor | float]]:
        assert isinstance(model, Decoder)
        items = [self.items[number] for number in micro.numbers]
        pairs = [pair for item in items for pair in self.sequences(item)]
        known = torch.cat([self.known[self.starts[n] : self.starts[n + 1]] for n in micro.numbers])
        ratios = sequence_log_probabilities(model, *map(list, zip(*pairs, strict=True))) - known
        lengths = torch.tensor([len(sequence) - start for sequence, start in pairs], device=ratios.device)
        index, places = (tensor.to(ratios.device) for tensor in align_rankings(items))
        loss = self.loss_of(Ranked(ratios, lengths, index, places, micro.drift), self.beta) * micro.share
        return loss, figures(ratios.detach()[index], places, micro) | {"tokens": float(lengths.sum())}

    def after(self, model: nn.Module, step: int) -> Sums:
        return {}

    def state(self) -> dict[str, Any]:
        return {}

    def load(self, state: dict[str, Any]) -> None:
        pass


def figures(ratios: Tensor, places: Tensor, micro: Piece) -> dict[str, Tensor | float]:
    """Means over rankings: the share of pairs that log-ratios order as people did, by how many nats they do, and the
    log-ratios of the best and of the worst completions."""
    pairs = pair_mask(places)
    gaps, count = ratios[:, :, None] - ratios[:, None, :], pairs.sum((1, 2)).clamp(min=1)
    ranked = places != UNPLACED
    first = ranked & (places == 0)
    last = ranked & (places == places.amax(1, keepdim=True))
    found: dict[str, Tensor | float] = {
        "accuracy": (((gaps > 0) & pairs).sum((1, 2)) / count).mean() * micro.share,
        "margin": ((gaps * pairs).sum((1, 2)) / count).mean() * micro.share,
        "best_ratio": ((ratios * first).sum(1) / first.sum(1)).mean() * micro.share,
        "worst_ratio": ((ratios * last).sum(1) / last.sum(1)).mean() * micro.share,
    }
    return found | ({"drift": micro.drift * micro.share} if micro.drift else {})


def stranger(items: Sequence[Judged], number: int, context: int) -> tuple[list[int], int]:
    """A prompt with a completion of the prompt before it (of the one after, for the first), cut where the context ends,
    and the prompt's length."""
    other = items[number - 1 if number else min(1, len(items) - 1)]
    own = items[number]
    return [*own.question, *other.sequences[number % len(other.sequences)][other.prompt :]][:context], own.prompt
