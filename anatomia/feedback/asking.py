"""What to ask next: the prompt, and those of its completions, whose order would say most of what is not known yet."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from anatomia.feedback.choices import Choices, Floats, choices_of
from anatomia.feedback.davidson import fit_choices
from anatomia.feedback.posteriors import Block, Layout, Shared, posteriors
from anatomia.feedback.scores import Places

AT_ONCE = 5
"""Completions that somebody is asked to put in order at once; more are hard to keep in mind (WMT asked for five)."""

_DRAWS = 256
_MOST_PAIRS = 200  # of a prompt whose order is looked at; of more, as many that are spread evenly
_TAILS = 8.0  # degrees of freedom of the draws: posteriors have wider tails than their normal approximations
_SPREAD = 2.0  # of scores, before anything is known
_NEVER_TIED = -3.0  # log d where nobody has tied anything yet
_MOST_SETS = 20_000  # sets of completions that are all weighed up; beyond, the best is built one by one


@dataclass(frozen=True)
class Question:
    """Completions of a prompt to be put in order, and how much is expected to be learnt (nats)."""

    prompt: int
    completions: tuple[int, ...]
    gain: float


def order_gains(scores: Floats, weights: Floats, tie: float, reliability: float = 1.0) -> Floats:
    """What the answer to each pair of completions is expected to say about the order of all, [n, n] in nats.

    The mutual information (Lindley 1956, "On a measure of the information provided by an experiment") of the answer
    (the first better, both tied, the second better; Davidson 1970) and of which of two completions is better, summed
    over all pairs of the prompt's: whoever learns that b beats c learns something of a and c too. To it comes that of
    the answer and the scores themselves, which are no end but make more of later answers. The gain is small where the
    answer is known beforehand, and where it is all chance, as between two that are equally good.

    Args:
        scores: [draws, n] from what is known of them.
        weights: [draws] of the draws, with sum 1.
        tie: log d, how readily two are tied.
        reliability: the annotator's.
    """
    n = scores.shape[1]
    first, second = np.triu_indices(n, 1)
    gap = scores[:, first] - scores[:, second]  # [draws, pairs]
    logits = np.stack([reliability / 2 * gap, np.full_like(gap, tie), -reliability / 2 * gap])
    chance = np.exp(logits - logits.max(0))
    chance /= chance.sum(0)
    unsure = -(chance * np.log(np.maximum(chance, 1e-300))).sum(0)  # [draws, pairs]
    chance *= weights[:, None]
    mean = chance.sum(1)  # [3, pairs]
    scored = -(mean * np.log(np.maximum(mean, 1e-300))).sum(0) - weights @ unsure
    every = math.ceil(gap.shape[1] / _MOST_PAIRS)
    better = (gap > 0).astype(np.float64)[:, ::every]
    after = np.matmul(chance.transpose(0, 2, 1), better) / np.maximum(mean, 1e-300)[..., None]  # [3, asked, pairs]
    ordered = _doubt(weights @ better).sum() - (mean * _doubt(after).sum(-1)).sum(0)
    gain = scored + ordered * gap.shape[1] / better.shape[1]
    found = np.zeros((n, n))
    found[first, second] = found[second, first] = np.maximum(gain, 0.0)
    return found


def _doubt(chance: Floats) -> Floats:
    """The entropy, in nats, of something that is so with this probability."""
    inside = np.clip(chance, 1e-12, 1 - 1e-12)
    return np.asarray(-inside * np.log(inside) - (1 - inside) * np.log1p(-inside))


def most_telling(gains: Floats, among: Sequence[int], most: int) -> tuple[tuple[int, ...], float]:
    """Which of some completions, at most `most`, to have put in order, and the gain expected of that.

    The gain of a set is that of its pairs, each weighed by 3 / (size + 1) as in `choices_of`. Of very many sets the
    best is approached by adding one completion after the other.

    Args:
        gains: [n, n] of pairs.
        among: numbers of two or more completions.
    """
    size, given = min(most, len(among)), np.array(among)
    if math.comb(len(among), size) <= _MOST_SETS:
        sets = given[_sets(len(among), size)]
        total = sum(gains[sets[:, i], sets[:, j]] for i, j in itertools.combinations(range(size), 2))
        best = int(np.argmax(np.round(total, 9)))
        return tuple(sets[best].tolist()), float(np.asarray(total)[best]) * 3 / (size + 1)
    inner = gains[np.ix_(given, given)]
    chosen = [int(place) for place in np.unravel_index(int(np.argmax(inner)), inner.shape)]
    while len(chosen) < size:
        total = inner[:, chosen].sum(1)
        total[chosen] = -1.0
        chosen.append(int(np.argmax(total)))
    places = sorted(given[chosen].tolist())
    return tuple(places), float(inner[np.ix_(chosen, chosen)].sum()) / 2 * 3 / (size + 1)


@lru_cache(maxsize=64)
def _sets(n: int, size: int) -> NDArray[np.int64]:
    return np.array(list(itertools.combinations(range(n), size)), np.int64)


class Asker:
    """Knows what was answered, and chooses what to ask next.

    Args:
        sizes: the number of completions of each prompt.
        prompts: per prompt, the groups of each ranking so far.
        annotators: per prompt, who gave each.
        at_once: the most completions in one question.
        distinct: per prompt, the numbers of completions that may be asked about; all if None.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        prompts: Sequence[Sequence[Places]] | None = None,
        annotators: Sequence[Sequence[str]] | None = None,
        at_once: int = AT_ONCE,
        distinct: Sequence[Sequence[int]] | None = None,
    ) -> None:
        self.sizes, self.at_once = list(sizes), at_once
        self.prompts = [list(rankings) for rankings in prompts or [()] * len(self.sizes)]
        self.annotators = [list(who) for who in annotators or [()] * len(self.sizes)]
        self.distinct = [list(some) for some in distinct or map(range, self.sizes)]
        self._number: dict[str, int] = {}
        self._gains: dict[float, list[tuple[tuple[int, ...], float]]] = {}
        self.learn()

    def learn(self) -> None:
        """Estimate anew what all prompts share, and all scores."""
        self._number = {name: place for place, name in enumerate(dict.fromkeys(itertools.chain(*self.annotators)))}
        by = [[self._number[name] for name in who] for who in self.annotators]
        choices = choices_of(self.prompts, self.sizes, by, pairs=True)
        shared = Shared(np.zeros((3, 2)), np.ones(choices.annotators), _SPREAD)
        self.errors = np.zeros(choices.annotators)
        if choices.count:
            fit = fit_choices(choices, reliability=len(self._number) > 1)
            shared, self.errors = fit.shared, fit.reliability_errors
        ties = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, _NEVER_TIED]])
        if choices.most_tied > 1:
            ties[2, 1] = shared.ties[2, 1]
        self.shared = Shared(ties, shared.reliability, shared.spread)
        blocks = posteriors(choices, self.shared)
        self.modes: list[Floats] = [np.zeros(0)] * len(self.sizes)
        for block in blocks:
            for place, prompt in enumerate(block.prompts.tolist()):
                self.modes[prompt] = block.mode[place]
        self._draws = draws(choices, self.shared, blocks)
        self._gains = {}

    def answer(self, prompt: int, groups: Places, annotator: str) -> None:
        """Take note of a ranking. Only its prompt's scores change until `learn`."""
        self.update(prompt, [*self.prompts[prompt], groups], [*self.annotators[prompt], annotator])

    def update(self, prompt: int, rankings: Sequence[Places], annotators: Sequence[str]) -> None:
        """Take note of which rankings of a prompt stand now, and whose they are; as `answer`."""
        self.prompts[prompt], self.annotators[prompt] = list(rankings), list(annotators)
        known = len(self.shared.reliability)
        numbers = [self._number.get(name, known) for name in annotators]
        by = [[min(number, known) for number in numbers]]  # the last is of those of whom nothing is known yet
        choices = choices_of([rankings], [self.sizes[prompt]], by, pairs=True)
        shared = Shared(self.shared.ties, np.append(self.shared.reliability, 1.0), self.shared.spread)
        blocks = posteriors(choices, shared)
        self.modes[prompt] = blocks[0].mode[0]
        (self._draws[prompt],) = draws(choices, shared, blocks)
        for reliable, table in self._gains.items():
            table[prompt] = self._best(
                prompt, order_gains(*self._draws[prompt], float(self.shared.ties[2, 1]), reliable)
            )

    def question(
        self, annotator: str, among: Sequence[int] | None = None, told: Mapping[int, Sequence[Places]] | None = None
    ) -> Question | None:
        """The question, to this annotator, of which most is expected; of equals the first. None if nothing is left.

        Args:
            among: the prompts that may be asked about, all if None.
            told: of some prompts, rankings that the annotator gave and would give again: the order of what is placed
                there is no news from them.
        """
        reliability = self._reliability(annotator)
        if reliability not in self._gains:
            self._gains[reliability] = self._all_gains(reliability)
        table = self._gains[reliability]
        asked = [place for place in (range(len(self.sizes)) if among is None else among) if table[place][0]]
        again = {place: self._news(place, reliability, (told or {})[place]) for place in asked if place in (told or {})}
        # Rounded, so that equal prompts stay equal and the first of them comes first.
        best = max(asked, key=lambda place: round(again.get(place, table[place])[1], 9), default=None)
        return None if best is None else Question(best, *again.get(best, table[best]))

    def whom(self, annotators: Sequence[str], among: Sequence[int] | None = None) -> tuple[str, Question] | None:
        """Whom of several to ask, and what: of which most is expected. Who guesses is asked last, strangers early on.

        Raises:
            ValueError: there is nobody to ask.
        """
        questions = [(name, question) for name in annotators if (question := self.question(name, among)) is not None]
        if not annotators:
            raise ValueError("nobody to ask")
        return max(questions, key=lambda asked: round(asked[1].gain, 9), default=None)

    def reliability(self, annotator: str) -> tuple[float, float] | None:
        """How far somebody is to be believed, and its standard error, as last learnt; None if they are alone or new."""
        number = self._number.get(annotator)
        if number is None or len(self._number) < 2 or number >= len(self.shared.reliability):
            return None
        return float(self.shared.reliability[number]), float(self.errors[number])

    def _reliability(self, annotator: str) -> float:
        number = self._number.get(annotator)
        known = number is not None and number < len(self.shared.reliability)
        # Nobody is asked nothing because they seem to guess.
        return max(abs(float(self.shared.reliability[number])), 0.1) if known else 1.0

    def _all_gains(self, reliability: float) -> list[tuple[tuple[int, ...], float]]:
        tie = float(self.shared.ties[2, 1])
        return [self._best(place, order_gains(*drawn, tie, reliability)) for place, drawn in enumerate(self._draws)]

    def _news(self, prompt: int, reliability: float, told: Sequence[Places]) -> tuple[tuple[int, ...], float]:
        """The best question about a prompt to somebody who gave these rankings of it."""
        gains = order_gains(*self._draws[prompt], float(self.shared.ties[2, 1]), reliability)
        for groups in told:
            placed = [index for group in groups for index in group]
            gains[np.ix_(placed, placed)] = 0.0
        return self._best(prompt, gains)

    def _best(self, prompt: int, gains: Floats) -> tuple[tuple[int, ...], float]:
        among = self.distinct[prompt]
        return most_telling(gains, among, self.at_once) if len(among) > 1 else ((), 0.0)


def draws(choices: Choices, shared: Shared, blocks: Sequence[Block]) -> list[tuple[Floats, Floats]]:
    """Of each prompt, scores as its posterior has them, [draws, n], and the draws' weights.

    From Student's distribution round the mode, in pairs that mirror each other, the same for every prompt of a size,
    and weighed by how likely they are (importance sampling). Where that would rest on a few draws, as among many
    completions, the weights are evened out by taking roots of them.
    """
    layout = Layout(choices)
    flat = np.zeros((_DRAWS, layout.total))
    odds = np.zeros((_DRAWS, len(choices.sizes)))
    for block in blocks:
        random = np.random.default_rng(block.mode.shape[1])
        z = random.standard_normal((_DRAWS // 2, block.mode.shape[1]))
        z *= np.sqrt(_TAILS / random.chisquare(_TAILS, len(z)))[:, None]
        z = np.concatenate([z, -z])
        flat[:, block.flat] = block.mode + np.einsum("pij,dj->dpi", np.linalg.cholesky(block.covariance), z)
        odds[:, block.prompts] = ((_TAILS + z.shape[1]) / 2 * np.log1p((z**2).sum(1) / _TAILS))[:, None]
    for scores, odd in zip(flat, odds, strict=True):
        odd -= layout.values(choices, shared, scores)
    odds -= odds.max(0)
    power = np.ones(len(choices.sizes))
    for _ in range(6):
        weights = np.exp(odds * power)
        weights /= weights.sum(0)
        few = (weights**2).sum(0) > 8 / _DRAWS
        power[few] /= 2
    starts = choices.starts
    return [
        (flat[:, start : start + size], weights[:, prompt])
        for prompt, (start, size) in enumerate(zip(starts, choices.sizes, strict=True))
    ]
