"""Everyone's rankings brought together: which belong to one prompt, on which side it stands, what stars they become."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from anatomia.feedback.ranking import Candidates, Ranking, name_of
from anatomia.feedback.scores import Floats, bradley_terry, linear_stars, plackett_luce, scores_to_stars, wins


@dataclass(frozen=True)
class Ranked:
    """A prompt's completions, everyone's orders of them and the stars [completions] these became (NaN: not placed)."""

    candidates: Candidates
    rankings: tuple[Ranking, ...]
    split: Literal["train", "held_out"]
    linear: Floats
    bradley_terry: Floats
    plackett_luce: Floats

    def stars(self) -> dict[str, list[float | None]]:
        """The stars by the way they were reached, as JSON values: null for a completion that nobody placed."""
        ways = {"linear": self.linear, "bradley_terry": self.bradley_terry, "plackett_luce": self.plackett_luce}
        return {
            way: [None if np.isnan(value) else round(float(value), 4) for value in stars] for way, stars in ways.items()
        }


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


def score(
    prompts: Sequence[tuple[Ranking, ...]],
    held_out_fraction: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Ranked]:
    """Stars for the completions of each prompt, three ways, and the side on which each prompt stands."""
    held_out = held_out_prompts([group[0].candidates for group in prompts], held_out_fraction)
    sizes = [len(group[0].completions) for group in prompts]
    fitted: list[Floats] = [np.empty(0)] * len(prompts)
    for size in set(sizes):  # problems of one size are fitted together
        places = [place for place, count in enumerate(sizes) if count == size]
        tables = np.stack([wins([ranking.groups for ranking in prompts[place]], size) for place in places])
        for place, scores in zip(places, bradley_terry(tables), strict=True):
            fitted[place] = scores
    ranked = []
    for done, (group, size, scores) in enumerate(zip(prompts, sizes, fitted, strict=True), 1):
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
            )
        )
        if done % 100 == 0 or done == len(prompts):
            progress(done, len(prompts))
    return ranked


def held_out_prompts(candidates: Sequence[Candidates], fraction: float) -> set[str]:
    """Names of the prompts whose hash falls into the held-out fraction: a prompt's side does not depend on the others.

    Where there are at least two prompts, neither side is left empty (but the held-out one if the fraction is 0).
    """
    names = sorted({name_of(one.prompt) for one in candidates})
    count = sum(int(name, 16) < fraction * 2**64 for name in names)
    if len(names) > 1:
        count = min(max(count, 1 if fraction else 0), len(names) - 1)
    return set(names[:count])
