"""What a reward model is worth: how it agrees with people, beside how they agree with one another; how sure it may be;
and how far its numbers hang on an answer's length. Pure functions of scores and rankings.

Intervals are 95% and over prompts: prompts are drawn anew, with all their answers and rankings (Efron 1979).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anatomia.objectives.judged import UNPLACED, Judged

BINS = 10
RESAMPLES = 1000
Floats = NDArray[np.float64]


def card(items: Sequence[Judged], scores: Sequence[Floats]) -> dict[str, Any]:
    """The figures of held-out prompts; empty where people put no pair in order.

    Args:
        scores: per prompt [K], the model's numbers.

    Returns:
        `agreement`: of the `model` with each ranking, and where prompts have several annotators of `one_another` (each
        with each other) and of the `others_together` with each one; see `agree`.
        `calibration`, `length`: see `calibrated` and `length_bias`.
    """
    ratings = [ratings_of(item) for item in items]
    model = agree([np.broadcast_to(v, r.shape) for v, r in zip(scores, ratings, strict=True)], ratings)
    if not model:
        return {}
    several = [rating for rating in ratings if len(rating) > 1]
    agreement = {
        "model": model,
        "one_another": agree(*each_other(several)),
        "others_together": agree([of_the_others(rating) for rating in several], several),
    }
    return {
        "prompts": len(items),
        "agreement": {who: found for who, found in agreement.items() if found},
        "calibration": calibrated(items, scores),
        "length": length_bias(items, scores),
    }


def ratings_of(item: Judged) -> Floats:
    """[A, K] per ranking what it makes of each completion, the better the higher, NaN where it was not placed."""
    table = np.array(item.places, dtype=np.float64)
    return np.where(table == UNPLACED, np.nan, -table)


def each_other(ratings: Sequence[Floats]) -> tuple[list[Floats], list[Floats]]:
    """Each annotator's ratings, and each other one's of the same prompt, side by side."""
    first = [np.concatenate([np.delete(rating, a, 0) for a in range(len(rating))]) for rating in ratings]
    return first, [np.repeat(rating, len(rating) - 1, 0) for rating in ratings]


def of_the_others(rating: Floats) -> Floats:
    """[A, K] for each annotator, what all others make of each completion: how many more pairs it won than it lost with
    them (Copeland), NaN where none of them placed it."""
    won = np.nansum(signs(rating), 2)
    placed = ~np.isnan(rating)
    return np.where(placed.sum(0) - placed > 0, won.sum(0) - won, np.nan)


def signs(rating: Floats) -> Floats:
    """[A, K, K] 1 where the row's completion is above the column's, -1 below, 0 tied, NaN where one has no place."""
    return np.sign(rating[:, :, None] - rating[:, None, :])


def agree(first: Sequence[Floats], second: Sequence[Floats]) -> dict[str, Any]:
    """How well the first of two ratings of the same completions foretells the second.

    Args:
        first, second: per prompt [n, K], NaN where a completion has no rating.

    Returns:
        `accuracy`: of the `pairs` that the second put in order, the share that the first puts in the same, a tie being
        half right; `tau`: Kendall's tau-b, mean over ratings of which neither holds everything equal. Both with
        intervals. Empty where there is no pair.
    """
    right, pairs, taus, rankings = np.zeros((4, len(first)))
    for prompt, (a, b) in enumerate(zip(map(signs, first), map(signs, second), strict=True)):
        product = a * b
        ordered = (b != 0) & ~np.isnan(product)
        right[prompt] = ((product[ordered] + 1) / 2).sum() / 2
        pairs[prompt] = ordered.sum() / 2
        untied = np.sqrt(np.nansum(np.abs(a) * (b == b), (1, 2)) * np.nansum(np.abs(b) * (a == a), (1, 2)))
        some = untied > 0
        taus[prompt] = (np.nansum(product, (1, 2))[some] / untied[some]).sum()
        rankings[prompt] = some.sum()
    if not pairs.any():
        return {}
    return {"accuracy": estimate(right, pairs), "tau": estimate(taus, rankings), "pairs": int(pairs.sum())}


def calibrated(items: Sequence[Judged], scores: Sequence[Floats]) -> dict[str, Any]:
    """How sure the model may be that one completion is better: σ(difference of its numbers), and the same of the
    difference divided by a temperature (Guo et al. 2017, section 4.2).

    Returns:
        `temperature`: fitted to all prompts. `log_loss` (mean over pairs, in nats), `error` (the expected calibration
        error, ibid. equation 3), `points` (the bins): without it. `calibrated_log_loss`, `calibrated_error`: with the
        temperature that the other half of the prompts ask for, so that no pair is judged by a fit to itself.
    """
    parts = [differences(item, values) for item, values in zip(items, scores, strict=True)]
    halves = [np.concatenate(parts[half::2] or [np.empty(0)]) for half in (0, 1)]
    crossed = np.concatenate([halves[half] / temperature(halves[1 - half]) for half in (0, 1)])
    whole = np.concatenate(parts)
    points = reliability(whole)
    return {
        "temperature": round(temperature(whole), 4),
        "log_loss": log_loss(whole),
        "error": expected_error(points),
        "calibrated_log_loss": log_loss(crossed),
        "calibrated_error": expected_error(reliability(crossed)),
        "points": points,
    }


def differences(item: Judged, values: Floats) -> Floats:
    """[pairs] by how much the better completion's number exceeds the worse one's, for each ranking's untied pairs."""
    better = signs(ratings_of(item)) > 0
    return np.broadcast_to(values[:, None] - values, better.shape)[better]


def temperature(gaps: Floats) -> float:
    """What differences must be divided with for σ to be the likeliest chance; near 1 where few say otherwise.

    The prior, a normal distribution of ln T with deviation 1, keeps T finite where every pair is right.
    """
    low, high = -4.0, 4.0
    for _ in range(60):  # the loss has one lowest point: convex in 1 / T, and so is the prior near it
        first, second = (2 * low + high) / 3, (low + 2 * high) / 3
        costs = [np.logaddexp(0, -gaps * np.exp(-t)).sum() + t * t / 2 for t in (first, second)]
        low, high = (low, second) if costs[0] < costs[1] else (first, high)
    return float(np.exp((low + high) / 2))


def log_loss(gaps: Floats) -> float:
    """Mean -log σ(gap)."""
    return round(float(np.logaddexp(0, -gaps).mean()), 4)


def reliability(gaps: Floats) -> list[dict[str, Any]]:
    """How sure the model is, σ(|gap|), and how often it is right, in `BINS` bins of sureness from ½ to 1."""
    sure = 1 / (1 + np.exp(-np.abs(gaps)))
    bins = np.minimum(((sure - 0.5) * 2 * BINS).astype(int), BINS - 1)
    return [
        {
            "predicted": round(float(sure[at].mean()), 4),
            "observed": round(float((gaps[at] > 0).mean()), 4),
            "count": int(at.sum()),
        }
        for at in (bins == number for number in range(BINS))
        if at.any()
    ]


def expected_error(points: Sequence[dict[str, Any]]) -> float:
    """The mean over pairs of how far being right is from being sure."""
    count = sum(point["count"] for point in points)
    return round(sum(abs(p["predicted"] - p["observed"]) * p["count"] for p in points) / count, 4)


def length_bias(items: Sequence[Judged], scores: Sequence[Floats]) -> dict[str, Any]:
    """Whether longer answers get more, beside whether people gave them more.

    Returns:
        `correlation`: of numbers with lengths in tokens, both less their means within a prompt; `people_correlation`:
        of how often a completion was placed above another with its length. `accuracy_where_longer_is_better` and
        `…shorter…`: of the pairs that people put in that order. With intervals; what cannot be said is None.
    """
    lengths = [np.array([len(s) - item.prompt for s in item.sequences], dtype=np.float64) for item in items]
    likings = [np.nansum(signs(ratings_of(item)), (0, 2)) for item in items]
    found: dict[str, Any] = {
        "correlation": correlation(scores, lengths),
        "people_correlation": correlation(likings, lengths),
    }
    for name, side in (("longer", 1), ("shorter", -1)):
        right, pairs = np.zeros((2, len(items)))
        for prompt, (item, values, size) in enumerate(zip(items, scores, lengths, strict=True)):
            better = (signs(ratings_of(item)) > 0) & (np.sign(size[:, None] - size) == side)
            right[prompt] = (better * (np.sign(values[:, None] - values) + 1) / 2).sum()
            pairs[prompt] = better.sum()
        found[f"accuracy_where_{name}_is_better"] = estimate(right, pairs)
    return found


def correlation(first: Sequence[Floats], second: Sequence[Floats]) -> dict[str, float] | None:
    """Pearson's correlation within prompts, per prompt [K] and [K], with its interval; None where one never varies."""
    pairs = [(a - a.mean(), b - b.mean()) for a, b in zip(first, second, strict=True)]
    sums = np.array([[a @ b, a @ a, b @ b] for a, b in pairs])
    if not (sums.sum(0)[1:] > 1e-12).all():
        return None

    def of(total: Floats) -> Floats:
        spread = np.sqrt(total[..., 1] * total[..., 2])
        return np.divide(total[..., 0], spread, out=np.zeros_like(spread), where=spread > 0)

    return with_interval(float(of(sums.sum(0))), of(draws(len(sums)) @ sums))


def estimate(part: Floats, whole: Floats) -> dict[str, float] | None:
    """Σ part / Σ whole over prompts, with its interval; None where there is nothing."""
    if not whole.sum():
        return None
    drawn = draws(len(part))
    return with_interval(float(part.sum() / whole.sum()), (drawn @ part) / np.maximum(drawn @ whole, 1e-9))


def draws(prompts: int) -> Floats:
    """[RESAMPLES, prompts] how often each prompt comes up when as many as there are are drawn with repetition."""
    return np.random.default_rng(0).multinomial(prompts, np.full(prompts, 1 / prompts), RESAMPLES).astype(np.float64)


def with_interval(value: float, resampled: Floats) -> dict[str, float]:
    """A figure and the middle 95% of what other draws of prompts would have made of it."""
    low, high = np.quantile(resampled, [0.025, 0.975])
    return {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}
