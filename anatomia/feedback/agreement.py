"""How much annotators agree: on orders (Kendall's tau-b), on values (Krippendorff's alpha), on labels (kappas)."""

import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anatomia.feedback.scores import Places, linear_stars

Floats = NDArray[np.float64]
Level = Literal["nominal", "ordinal", "interval"]


def kendall_tau_b(a: ArrayLike, b: ArrayLike) -> float:
    """Kendall's tau-b of two ratings [n] of the same things, -1 to 1, corrected for ties (Kendall 1945).

    NaN in either leaves the thing out. NaN if one of them holds everything equal.
    """
    x, y = _together(a, b)
    signs_x, signs_y = (np.sign(v[:, None] - v[None, :])[np.triu_indices(len(v), 1)] for v in (x, y))
    untied = float((signs_x != 0).sum()) * float((signs_y != 0).sum())
    return float((signs_x * signs_y).sum() / np.sqrt(untied)) if untied else float("nan")


def krippendorff_alpha(ratings: ArrayLike, level: Level) -> float:
    """Krippendorff's alpha (2011, "Computing Krippendorff's Alpha-Reliability"): 1 agreement, 0 chance, below worse.

    Args:
        ratings: [annotators, things], NaN where an annotator did not rate.
        level: how far apart two values are: equal or not, by the number of ratings between them, or by difference.

    Returns:
        NaN if nothing was rated twice or all ratings are one value.
    """
    table = np.asarray(ratings, dtype=np.float64)
    values = np.unique(table[~np.isnan(table)])
    counts = np.array([(table == value).sum(0) for value in values], dtype=np.float64)  # [values, things]
    counts = counts[:, counts.sum(0) >= 2] if len(values) else np.zeros((0, 0))
    if not counts.size:
        return float("nan")
    per_thing = counts.sum(0)
    observed = (counts / (per_thing - 1)) @ counts.T - np.diag((counts / (per_thing - 1)).sum(1))
    totals = counts.sum(1)
    expected = (np.outer(totals, totals) - np.diag(totals)) / (totals.sum() - 1)
    distance = _distances(values, totals, level)
    chance = float((expected * distance).sum())
    return 1 - float((observed * distance).sum()) / chance if chance else float("nan")


def _distances(values: Floats, totals: Floats, level: Level) -> Floats:
    """Squared differences [values, values] between values, in the metric of their level of measurement."""
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    # Between two ordinal values lie all ratings in between and half of those at the ends.
    scale = values if level == "interval" else np.cumsum(totals) - totals / 2
    return (scale[:, None] - scale[None, :]) ** 2


def cohen_kappa(a: ArrayLike, b: ArrayLike) -> float:
    """Cohen's kappa (1960) of two annotators' labels [n], given as numbers; NaN leaves a thing out.

    NaN if chance alone would make them agree on everything.
    """
    x, y = _together(a, b)
    labels = np.unique([x, y])
    by_chance = sum(float((x == label).mean() * (y == label).mean()) for label in labels) if len(x) else 1.0
    return (float((x == y).mean()) - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")


def fleiss_kappa(counts: ArrayLike) -> float:
    """Fleiss' kappa (1971) from how many annotators gave each thing each label, [things, labels].

    Every thing has the same number of labels.

    Raises:
        ValueError: it has not, or fewer than two.
    """
    table = np.asarray(counts, dtype=np.float64)
    raters = table.sum(1)
    if not len(table) or raters[0] < 2 or (raters != raters[0]).any():
        raise ValueError("every thing needs the same number of labels, at least two")
    agreeing = ((table**2).sum(1) - raters) / (raters * (raters - 1))
    by_chance = float(((table.sum(0) / table.sum()) ** 2).sum())
    return (float(agreeing.mean()) - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")


def rankings_agreement(prompts: Sequence[Sequence[Places]], sizes: Sequence[int]) -> dict[str, float | None]:
    """How far the annotators of each prompt rank its completions alike.

    Args:
        prompts: per prompt, the groups of each annotator.
        sizes: per prompt, the number of completions.

    Returns:
        `kendall_tau`: mean tau-b over the pairs of annotators of a prompt; `krippendorff_alpha`: of the linear stars
        each annotator gives each completion, interval level; `same_order`: share of the completion pairs that two
        annotators both ordered and ordered alike. None where nothing was ranked twice.
    """
    taus, columns, alike, both = [], [], 0, 0
    for rankings, size in zip(prompts, sizes, strict=True):
        stars = np.array([linear_stars(groups, size) for groups in rankings]).reshape(len(rankings), size)
        columns.append(stars)
        for a, b in itertools.combinations(stars, 2):
            taus.append(kendall_tau_b(a, b))
            orders = np.sign(a[:, None] - a[None, :]) * np.sign(b[:, None] - b[None, :])
            alike += int((orders == 1).sum())
            both += int((np.abs(orders) == 1).sum())
    annotators = max((len(stars) for stars in columns), default=0)
    table = np.full((annotators, sum(sizes)), np.nan)
    start = 0
    for stars in columns:
        table[: len(stars), start : start + stars.shape[1]] = stars
        start += stars.shape[1]
    valid = [tau for tau in taus if not np.isnan(tau)]
    alpha = krippendorff_alpha(table, "interval")
    return {
        "kendall_tau": float(np.mean(valid)) if valid else None,
        "krippendorff_alpha": None if np.isnan(alpha) else alpha,
        "same_order": alike / both if both else None,
    }


def _together(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    kept = ~(np.isnan(x) | np.isnan(y))
    return x[kept], y[kept]
