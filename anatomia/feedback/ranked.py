"""Everyone's rankings brought together: which belong to one prompt, on which side it stands, what stars they become."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from anatomia.feedback.davidson import Fit, davidson, star_intervals
from anatomia.feedback.ranking import Candidates, Ranking, name_of
from anatomia.feedback.scores import Floats, bradley_terry, linear_stars, plackett_luce, scores_to_stars, wins

MOST_SHOWN = 200  # annotators, and pairs of them


@dataclass(frozen=True)
class Ranked:
    """A prompt's completions, everyone's orders of them and the stars [completions] these became (NaN: not placed).

    Attributes:
        intervals: [completions, 2] between which stars each of `davidson` lies with a certainty of 95%.
    """

    candidates: Candidates
    rankings: tuple[Ranking, ...]
    split: Literal["train", "held_out"]
    linear: Floats
    bradley_terry: Floats
    plackett_luce: Floats
    davidson: Floats
    intervals: Floats

    def stars(self) -> dict[str, list[float | None]]:
        """The stars by the way they were reached, as JSON values: null for a completion that nobody placed."""
        ways = {
            "linear": self.linear,
            "bradley_terry": self.bradley_terry,
            "plackett_luce": self.plackett_luce,
            "davidson": self.davidson,
        }
        return {
            way: [None if np.isnan(value) else round(float(value), 4) for value in stars] for way, stars in ways.items()
        }

    def between(self) -> list[list[float] | None]:
        """`intervals` as JSON values: null for a completion that nobody placed."""
        return [
            None if np.isnan(low) else [round(float(low), 4), round(float(high), 4)] for low, high in self.intervals
        ]


@dataclass(frozen=True)
class Annotator:
    """Who ranked how much, and how far to be believed.

    Attributes:
        reliability: 1 as usual, 0 as good as chance, below 0 contrary; `error` is its standard error.
    """

    name: str
    rankings: int
    reliability: float
    error: float

    @property
    def contrary(self) -> bool:
        """Whether they surely mean the opposite of what the others mean."""
        return self.reliability + 2 * self.error < 0

    @property
    def careless(self) -> bool:
        """Whether they surely are less than half as reliable as usual, but not contrary."""
        return not self.contrary and self.reliability + 2 * self.error < 0.5


def by_prompt(rankings: Sequence[Ranking]) -> list[tuple[Ranking, ...]]:
    """The rankings of each prompt and its completions, in order of first appearance, under one prompt id of its own.

    A prompt that was sampled again has new completions: its older rankings stay, under a name made of their texts.
    """
    groups: dict[str, list[Ranking]] = {}
    for ranking in rankings:
        groups.setdefault(ranking.candidates.key, []).append(ranking)
    taken: set[str] = set()
    found = []
    for key, group in groups.items():
        name = group[0].prompt_id if group[0].prompt_id not in taken else key
        taken.add(name)
        found.append(tuple(replace(ranking, prompt_id=name) for ranking in group))
    return found


def believed(prompts: Sequence[tuple[Ranking, ...]]) -> tuple[Fit, list[Annotator]]:
    """Davidson's scores of all prompts, and who gave the rankings, the most diligent first."""
    rankings = Counter(ranking.annotator for group in prompts for ranking in group)
    names = [name for name, _ in rankings.most_common()]
    number = {name: place for place, name in enumerate(names)}
    fit = davidson(
        [[ranking.groups for ranking in group] for group in prompts],
        [len(group[0].completions) for group in prompts],
        [[number[ranking.annotator] for ranking in group] for group in prompts] if len(names) > 1 else None,
    )
    # Whoever only placed single completions made no choice and is no number of the fit's.
    known = zip(names, fit.shared.reliability, fit.reliability_errors, strict=False)
    return fit, [Annotator(name, rankings[name], float(value), float(error)) for name, value, error in known]


def score(
    prompts: Sequence[tuple[Ranking, ...]],
    held_out_fraction: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
    fit: Fit | None = None,
) -> list[Ranked]:
    """Stars for the completions of each prompt, four ways, and the side on which each prompt stands.

    Args:
        fit: the prompts' scores by Davidson's model, if known (see `believed`).
    """
    fit = fit or believed(prompts)[0]
    native = zip(fit.scores(), fit.covariances(), strict=True)
    held_out = held_out_prompts([group[0].candidates for group in prompts], held_out_fraction)
    sizes = [len(group[0].completions) for group in prompts]
    fitted: list[Floats] = [np.empty(0)] * len(prompts)
    for size in set(sizes):  # problems of one size are fitted together
        places = [place for place, count in enumerate(sizes) if count == size]
        tables = np.stack([wins([ranking.groups for ranking in prompts[place]], size) for place in places])
        for place, scores in zip(places, bradley_terry(tables), strict=True):
            fitted[place] = scores
    ranked = []
    for done, (group, size, scores, (own, covariance)) in enumerate(
        zip(prompts, sizes, fitted, native, strict=True), 1
    ):
        stars = np.array([linear_stars(ranking.groups, size) for ranking in group])
        rated = (~np.isnan(stars)).sum(0)
        placed = np.where(rated > 0, 0.0, np.nan)
        ranked.append(
            Ranked(
                group[0].candidates,
                group,
                "held_out" if name_of(group[0].prompt) in held_out else "train",
                np.nansum(stars, 0) / np.maximum(rated, 1) + placed,
                scores_to_stars(scores + placed),
                scores_to_stars(plackett_luce([ranking.groups for ranking in group], size) + placed),
                scores_to_stars(own + placed),
                _intervals(own, covariance, placed),
            )
        )
        if done % 100 == 0 or done == len(prompts):
            progress(done, len(prompts))
    return ranked


def _intervals(scores: Floats, covariance: Floats, placed: Floats) -> Floats:
    """`star_intervals` of what was placed, NaN for what was not."""
    found = np.full((len(scores), 2), np.nan)
    kept = np.flatnonzero(placed == 0)
    found[kept] = star_intervals(scores[kept], covariance[np.ix_(kept, kept)])
    return found


def who_ranked(annotators: Sequence[Annotator], pairs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """annotators.json: how reliable each of the most diligent annotators is, and how far each two of them agree."""
    return {
        "annotators": [
            {
                "name": one.name,
                "rankings": one.rankings,
                "reliability": round(one.reliability, 4),
                "reliability_error": round(one.error, 4),
                "careless": one.careless,
                "contrary": one.contrary,
            }
            for one in annotators[:MOST_SHOWN]
        ],
        "pairs": [
            {name: round(value, 4) if isinstance(value, float) else value for name, value in pair.items()}
            for pair in pairs[:MOST_SHOWN]
        ],
    }


def held_out_prompts(candidates: Sequence[Candidates], fraction: float) -> set[str]:
    """Names of the prompts whose hash falls into the held-out fraction: a prompt's side does not depend on the others.

    Where there are at least two prompts, neither side is left empty (but the held-out one if the fraction is 0).
    """
    names = sorted({name_of(one.prompt) for one in candidates})
    count = sum(int(name, 16) < fraction * 2**64 for name in names)
    if len(names) > 1:
        count = min(max(count, 1 if fraction else 0), len(names) - 1)
    return set(names[:count])
