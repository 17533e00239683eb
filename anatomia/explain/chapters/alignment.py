"""Reinforcement learning: what each token is worth, how far the policy goes, and whether anybody finds it better."""

from typing import Any

from markupsafe import escape

from anatomia.explain.chapters.shared import Chapter, chapter, known, last, mean, spread, two
from anatomia.explain.charts import Series, line_chart
from anatomia.explain.gather import View
from anatomia.explain.texts import Both, number, percent, text

VIEWS = ("advantage", "kl", "reward", "value")
PARTS = ("reward", "kl", "value", "baseline", "critic")  # of what a token brings to the loss


def align(view: View) -> Chapter:
    scores, accuracies = view.series("step", "score"), view.series("step", "accuracy")  # the latter of direct methods
    flow = [
        (known(last([(0, step) for step, _ in scores or accuracies])), "steps"),
        (known(mean(scores[:5]), two), "score_first"),
        (known(mean(scores[-5:]), two), "score_last"),
        (known(last(view.series("step", "kl")), two), "kl"),
        (known(last(accuracies), percent), "pairs_right"),
        (known(view.metric("judge_first"), two), "judge_first"),
        (known(view.metric("judge_kept"), two), "judge_kept"),
    ]
    return chapter(
        view,
        flow,
        watched=watched,
        hacks=hacks,
        rollouts=credited,
        scores=lambda v: line_chart(
            [
                Series(text("chart.score"), "c-aligned", v.series("step", "score")),
                Series(text("chart.reward"), "c-soft", v.series("step", "reward")),
            ]
        ),
        distance=lambda v: line_chart([Series(text("chart.kl"), "c-aligned", v.series("step", "kl"))], floor=0),
        direct=lambda v: line_chart([Series(text("chart.accuracy"), "c-aligned", v.series("step", "accuracy"))]),
        ratios=lambda v: line_chart(
            [
                Series(text("chart.best_ratio"), "c-kept", v.series("step", "best_ratio")),
                Series(text("chart.worst_ratio"), "c-aligned", v.series("step", "worst_ratio")),
            ]
        ),
        length=lambda v: line_chart([Series(text("chart.length"), "c-aligned", v.series("step", "length"))], floor=0),
        entropy=lambda v: line_chart(
            [Series(text("chart.entropy"), "c-aligned", v.series("step", "entropy"))], floor=0
        ),
    )


def watched(view: View) -> dict[str, Any] | None:
    """The reward and the judge over √KL, both as gains in deviations of their scores at the start, and whose policy was
    kept."""
    looks = [event for event in view.events if event.get("kind") == "look"]
    kept = next((look for look in looks if look["updates"] == view.metric("updates_kept")), looks[-1])
    lines = [
        Series(text(f"chart.{name}_gain"), colour, gains(looks, name))
        for name, colour in (("reward", "c-soft"), ("judge", "c-aligned"))
    ]
    values = [y for line in lines for _, y in line.points]
    if "judge" in kept:
        place = far(kept)
        lines.append(Series(text("chart.kept"), "c-kept", [(place, min(values)), (place, max(values))]))
    chart = line_chart(lines, x_name=text("chart.root_kl"), floor=0)
    if chart is None:
        return None
    judged = any("judge" in look for look in looks)
    steps = number(looks[-1]["updates"])
    return {"chart": chart, "judged": judged, "judge": judge(view), "kept": number(kept["updates"]), "steps": steps}


def judge(view: View) -> Both | None:
    """Who judged."""
    metrics = view.artifact.metrics
    if metrics.get("judge") == "held-out reward model":
        shown = {"prompts": number(metrics["judge_prompts"]), "accuracy": percent(metrics["judge_accuracy"])}
        return text("align.judge_own", **shown)
    known = {"world": "align.judge_world", "reward model": "align.judge_model"}
    name = known.get(str(metrics.get("judge")))
    return text(name) if name else None


def gains(looks: list[dict[str, Any]], name: str) -> list[tuple[float, float]]:
    """(√KL, gain) of the looks that have this score, in the order of √KL."""
    known = [look for look in looks if name in look]
    if not known:
        return []
    start, unit = known[0][name], known[0][f"{name}_spread"] or 1.0
    return sorted((far(look), (look[name] - start) / unit) for look in known)


def far(look: dict[str, Any]) -> float:
    """√KL; an estimate below 0 counts as 0."""
    return float(max(look["kl"], 0.0) ** 0.5)


def hacks(view: View) -> list[Both]:
    """What the guard said."""
    notes = [event for event in view.events if event.get("kind") == "note" and "hack" in event]
    return [Both(escape(note["polish"]), escape(note["text"])) for note in notes]


def credited(view: View) -> list[dict[str, Any]]:
    """Rollouts whose tokens carry, for each view, a value and its strength from −1 to 1: four views, and a fifth of
    what each token brings to the loss where that is known."""
    rollouts = spread(view.specimens["rollouts"], 6)
    known = all("loss" in rollout for rollout in rollouts)
    views = (*VIEWS, "loss") if known else VIEWS
    told = (*VIEWS, "logprob", "reference_logprob", *(["loss", *(f"loss_{name}" for name in PARTS)] if known else []))
    for rollout in rollouts:
        for token in rollout["tokens"]:
            token["kl"] = token["logprob"] - token["reference_logprob"]
            token["loss"] = sum(token.get(f"loss_{name}", 0.0) for name in PARTS)
    largest = {v: max((abs(t[v]) for r in rollouts for t in r["tokens"]), default=0.0) or 1.0 for v in views}
    return [
        {
            "step": number(rollout["step"]),
            "prompt": rollout["prompt"],
            "score": number(rollout["score"], 2),
            "loss": number(rollout["loss"], 4) if known else None,
            "own": number(sum(token["loss"] for token in rollout["tokens"]), 4),
            "views": views,
            "told": told,
            "tokens": [
                {
                    "text": token["text"],
                    "strength": {v: round(token[v] / largest[v], 2) for v in views},
                    "values": [shortly(token[v]) for v in told],
                }
                for token in rollout["tokens"][:200]
            ],
        }
        for rollout in rollouts
    ]


def shortly(value: float) -> float:
    """A number with three places, or as many significant digits where it is small."""
    return round(value, 3) if abs(value) >= 0.1 else float(f"{value:.3g}")
