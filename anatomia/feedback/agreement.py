"""How much annotators agree: on orders (Kendall's tau-b), on values (Krippendorff's alpha), on labels (kappas)."""

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

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
    taus, columns, alike, both = [], [], 0.0, 0.0
    for rankings, size in zip(prompts, sizes, strict=True):
        stars = np.array([linear_stars(groups, size) for groups in rankings]).reshape(len(rankings), size)
        columns.append(stars)
        orders = _orders(stars)
        pairs = np.triu_indices(len(stars), 1)
        taus += _taus(orders)[pairs].tolist()
        said = np.nan_to_num(orders)
        agreed, ordered = said @ said.T, np.abs(said) @ np.abs(said).T
        alike += float((agreed + ordered)[pairs].sum()) / 2
        both += float(ordered[pairs].sum())
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


def annotators_agreement(
    prompts: Sequence[Sequence[Places]], names: Sequence[Sequence[str]], sizes: Sequence[int]
) -> list[dict[str, Any]]:
    """How far each two annotators who ranked the same prompts agree; those with the most of them first.

    Args:
        prompts: per prompt, the groups of each ranking.
        names: per prompt, who gave each ranking. Of several rankings of a prompt by one annotator the last counts.
        sizes: per prompt, the number of completions.

    Returns:
        Of each two: `annotators`, `prompts` both ranked; `kendall_tau` (mean tau-b), `krippendorff_alpha` (of linear
        stars, interval level) and `cohen_kappa` (over pairs of completions: first better, tied or second better), each
        None where it is not defined.
    """
    common: dict[tuple[str, str], list[tuple[Floats, Floats, Floats]]] = {}  # stars and orders of both, tau
    for rankings, who, size in zip(prompts, names, sizes, strict=True):
        last = dict(zip(who, rankings, strict=True))
        stars = np.array([linear_stars(last[name], size) for name in sorted(last)]).reshape(len(last), size)
        orders = _orders(stars)
        taus = _taus(orders)
        for (x, first), (y, second) in itertools.combinations(enumerate(sorted(last)), 2):
            common.setdefault((first, second), []).append((stars[[x, y]], orders[[x, y]], taus[x, y]))
    found = []
    for pair, columns in sorted(common.items(), key=lambda item: (-len(item[1]), item[0])):
        taus = np.array([tau for _, _, tau in columns])
        first, second = np.concatenate([orders for _, orders, _ in columns], 1)
        found.append(
            {
                "annotators": list(pair),
                "prompts": len(columns),
                "kendall_tau": None if np.isnan(taus).all() else float(np.nanmean(taus)),
                "krippendorff_alpha": _defined(
                    krippendorff_alpha(np.concatenate([stars for stars, _, _ in columns], 1), "interval")
                ),
                "cohen_kappa": _defined(cohen_kappa(first, second)),
            }
        )
    return found


def order_kappas(prompts: Sequence[Sequence[Places]], sizes: Sequence[int]) -> dict[str, float | None]:
    """Kappas of all annotators over pairs of completions (first better, tied or second better), None where undefined.

    Returns:
        `order_kappa`, see there; `fleiss_kappa`, over those pairs that as many annotators ordered as most were.
    """
    tables = [np.zeros((0, 3))]
    for rankings, size in zip(prompts, sizes, strict=True):
        stars = np.array([linear_stars(groups, size) for groups in rankings]).reshape(len(rankings), size)
        tables.append((_orders(stars)[:, :, None] == [-1, 0, 1]).sum(0))
    counts = np.concatenate(tables)
    several = Counter(counts.sum(1).tolist())
    usual = max((count for count in several if count > 1), key=lambda count: (several[count], count), default=0)
    return {
        "order_kappa": _defined(_order_kappa(counts)[2]),
        "fleiss_kappa": _defined(fleiss_kappa(counts[counts.sum(1) == usual])) if usual else None,
    }


def order_kappa(labels: Sequence[ArrayLike]) -> tuple[float, float, float]:
    """Agreement on pairs, agreement by chance and kappa as WMT reports them (Bojar et al. 2016, section 3.2).

    Annotators agree by chance as if they tied as often as all do and tossed a coin for the rest.

    Args:
        labels: for each pair, what those who ordered it said: 1 first better, 0 tied, -1 second better.

    Returns:
        NaN where nothing was ordered twice, or everything is tied.
    """
    counts = np.array([[np.sum(np.equal(given, label)) for label in (-1, 0, 1)] for given in labels], dtype=np.float64)
    return _order_kappa(counts.reshape(-1, 3))


def _order_kappa(counts: Floats) -> tuple[float, float, float]:
    """`order_kappa` from how often each pair was ordered each way, [pairs, 3], ties in the middle."""
    comparable = float((counts.sum(1) * (counts.sum(1) - 1)).sum())
    if not comparable:
        return float("nan"), float("nan"), float("nan")
    agreement = float((counts * (counts - 1)).sum()) / comparable
    tied = float(counts[:, 1].sum() / counts.sum())
    chance = tied**2 + (1 - tied) ** 2 / 2
    return agreement, chance, (agreement - chance) / (1 - chance) if chance < 1 else float("nan")


def _orders(stars: Floats) -> Floats:
    """Orders [..., pairs] of completions from their stars [..., completions]: 1 where the first has more, -1 where the
    second has, 0 where equal, NaN where one has none."""
    first, second = np.triu_indices(stars.shape[-1], 1)
    return np.asarray(np.sign(stars[..., first] - stars[..., second]))


def _taus(orders: Floats) -> Floats:
    """Kendall's tau-b [annotators, annotators] from their orders [annotators, pairs], NaN where undefined."""
    given, said = (~np.isnan(orders)).astype(np.float64), np.nan_to_num(orders)
    untied = np.abs(said) @ given.T  # [a, b]: of the pairs that both placed, those that a did not tie
    with np.errstate(invalid="ignore"):
        return np.asarray((said @ said.T) / np.sqrt(untied * untied.T))


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else value


def _together(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    kept = ~(np.isnan(x) | np.isnan(y))
    return x[kept], y[kept]
