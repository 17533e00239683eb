"""Scores from rankings with ties, over all prompts and annotators at once, with how sure they are.

The model is Davidson-Luce (Firth, Kosmidis and Turner 2019, "Davidson-Luce model for multi-item choice with ties"; for
pairs Davidson 1970): out of what is on offer, a set T is put first with a probability proportional to
d(|T|) * prod(exp(b s_i), i in T) ** (1 / |T|), where s are the completions' scores, d(1) = 1, and d(t) says how readily
t are tied; unlike in the paper, it may be another where more or fewer are on offer. Two tied completions are thereby
evidence that they are close, not two half wins. `b` is the annotator's reliability, the inverse of a temperature: 1 as
usual, 0 chance, below 0 contrary (Chen et al. 2013, "Pairwise ranking aggregation in a crowdsourced setting", section
4, have in its place the probability that an annotator means what is said).

One prompt has few rankings, too few to tell how readily people tie or how far apart completions lie. So d, b and the
spread of scores are shared by all prompts and found by maximum marginal likelihood (`marginal.py`), the scores of each
prompt being normal with mean 0 and that spread. Given these, scores are the mode of their posterior.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from anatomia.feedback.choices import Choices, Floats, choices_of
from anatomia.feedback.marginal import most_likely
from anatomia.feedback.posteriors import Block, Shared, posteriors
from anatomia.feedback.scores import STARS, Places, scores_to_stars

NEVER = 1e-9  # a chance taken for so much at least, as the odds of none are not finite

_FAR = 700.0  # strengths farther apart than this are as far apart as numbers can say
_NEVER = 1e-15  # a chance to be preferred that is as good as none


@dataclass(frozen=True)
class Fit:
    """Scores of all prompts' completions, and what the prompts share.

    Attributes:
        shared: how readily people tie, how reliable each annotator is, how far scores spread.
        reliability_errors: [annotators] standard errors of the reliabilities; 0 where they were not estimated.
        blocks: the posteriors, by size of the prompt.
    """

    shared: Shared
    reliability_errors: Floats
    blocks: tuple[Block, ...]

    def scores(self) -> list[Floats]:
        """[completions] of each prompt, with mean 0: log-strengths, as those of `scores.bradley_terry`."""
        return self._by_prompt([block.mode - block.mode.mean(-1, keepdims=True) for block in self.blocks])

    def covariances(self) -> list[Floats]:
        """[completions, completions] of each prompt's scores, their mean held at 0."""
        found = []
        for block in self.blocks:
            n = block.mode.shape[1]
            centre = np.eye(n) - 1 / n
            found.append(centre @ block.covariance @ centre)
        return self._by_prompt(found)

    def of(self, prompts: Sequence[int]) -> "Fit":
        """The same of these prompts alone, given by number, which become 0, 1, … in this order."""
        place = {prompt: number for number, prompt in enumerate(prompts)}
        blocks = []
        for block in self.blocks:
            kept = [row for row, prompt in enumerate(block.prompts.tolist()) if prompt in place]
            numbers = np.array([place[int(block.prompts[row])] for row in kept], dtype=block.prompts.dtype)
            blocks.append(Block(numbers, block.flat[kept], block.mode[kept], block.covariance[kept]))
        return replace(self, blocks=tuple(blocks))

    @property
    def tie(self) -> float:
        """How often an annotator of the usual reliability calls two completions tied that are equally good."""
        most_offered, most_tied = self.shared.ties.shape
        if most_offered < 3 or most_tied < 2:
            return 0.0
        readily = float(np.exp(self.shared.ties[2, 1]))
        return readily / (2 + readily)

    def _by_prompt(self, blocks: Sequence[Floats]) -> list[Floats]:
        found: dict[int, Floats] = {}
        for block, values in zip(self.blocks, blocks, strict=True):
            found.update(zip(block.prompts.tolist(), values, strict=True))
        return [found.get(prompt, np.zeros(0)) for prompt in range(len(found))]


def davidson(
    prompts: Sequence[Sequence[Places]],
    sizes: Sequence[int],
    annotators: Sequence[Sequence[int]] | None = None,
    spread: float | None = None,
) -> Fit:
    """Fit Davidson's model to the pairs of all rankings, of which one is better or both are tied.

    Args:
        prompts: per prompt, the groups of each ranking.
        sizes: per prompt, the number of completions, at least one.
        annotators: per prompt, the number of who gave each ranking, from 0; if given, their reliability is estimated.
        spread: standard deviation of the scores, taken as known; estimated if None.

    Raises:
        ValueError: Newton's method does not arrive.
    """
    return fit_choices(choices_of(prompts, sizes, annotators, pairs=True), spread, annotators is not None)


def davidson_luce(
    prompts: Sequence[Sequence[Places]],
    sizes: Sequence[int],
    annotators: Sequence[Sequence[int]] | None = None,
    spread: float | None = None,
) -> Fit:
    """Fit the Davidson-Luce model to whole rankings, choice after choice; arguments and errors as of `davidson`.

    It says how probable a ranking is, which `davidson` says of its pairs only. For the scores of a prompt that was
    ranked little `davidson` is better: out of a = b > c > d alone this model learns as much good of c, which was chosen
    by itself, as of a, which shared a choice with b.
    """
    return fit_choices(choices_of(prompts, sizes, annotators), spread, annotators is not None)


def fit_choices(choices: Choices, spread: float | None = None, reliability: bool = False) -> Fit:
    """A fit to choices; the spread of scores is estimated if None, the annotators' reliability if asked for."""
    ties = np.zeros((choices.most_offered + 1, choices.most_tied))
    shared, errors = Shared(ties, np.ones(choices.annotators), spread or 1.0), np.zeros(choices.annotators)
    if choices.count and (spread is None or reliability or choices.most_tied > 1):
        shared, errors = most_likely(choices, shared, spread is None, reliability)
    return Fit(shared, errors, tuple(posteriors(choices, shared)))


def star_intervals(scores: Floats, covariance: Floats, level: float = 0.95) -> Floats:
    """Between which stars each completion lies, [completions, 2], so surely: of `scores.scores_to_stars`.

    The scores' covariance is carried over to the logarithm of the odds of being preferred (delta method), so that no
    end lies beyond 0 or 5 stars. A completion alone has 2.5 stars for sure.

    Args:
        scores: [completions] of one prompt.
        covariance: [completions, completions] of them.
        level: the share of such intervals that hold the true stars.
    """
    n = len(scores)
    if n < 2:
        return np.full((n, 2), STARS / 2)
    apart = np.clip(scores[:, None] - scores, -_FAR, _FAR)
    slope = 1 / (2 + np.exp(apart) + np.exp(-apart))
    np.fill_diagonal(slope, 0.0)
    slope = (np.diag(slope.sum(1)) - slope) / (n - 1)
    share = np.clip(scores_to_stars(scores) / STARS, NEVER, 1 - NEVER)
    width = NormalDist().inv_cdf(0.5 + level / 2) * np.sqrt(np.einsum("ij,jk,ik->i", slope, covariance, slope))
    odds, width = np.log(share / (1 - share)), width / (share * (1 - share))
    ends = np.clip(np.stack([odds - width, odds + width], 1), -_FAR, _FAR)
    return np.asarray(STARS / (1 + np.exp(-ends)))
