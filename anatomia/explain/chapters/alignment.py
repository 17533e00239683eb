"""Reinforcement learning: what each token is worth, how far the policy goes, and whether anybody finds it better."""

from typing import Any

from markupsafe import escape

from anatomia.explain.chapters.shared import Chapter, chapter, known, last, mean, spread, two
from anatomia.explain.charts import Series, line_chart
from anatomia.explain.gather import View
from anatomia.explain.texts import Both, number, text

VIEWS = ("advantage", "kl", "reward", "value")


def align(view: View) -> Chapter:
    scores = view.series("step", "score")
    flow = [
        (known(scores[-1][0] if scores else None), "steps"),
        (known(mean(scores[:5]), two), "score_first"),
        (known(mean(scores[-5:]), two), "score_last"),
        (known(last(view.series("step", "kl")), two), "kl"),
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
    return {"chart": chart, "kept": number(kept["updates"]), "steps": number(looks[-1]["updates"])}


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
    """Rollouts whose tokens carry, for each of the four views, a value and its strength from −1 to 1."""
    rollouts = spread(view.specimens["rollouts"], 6)
    for rollout in rollouts:
        for token in rollout["tokens"]:
            token["kl"] = token["logprob"] - token["reference_logprob"]
    largest = {v: max((abs(t[v]) for r in rollouts for t in r["tokens"]), default=0.0) or 1.0 for v in VIEWS}
    return [
        {
            "step": number(rollout["step"]),
            "prompt": rollout["prompt"],
            "score": number(rollout["score"], 2),
            "tokens": [
                {
                    "text": token["text"],
                    "strength": {v: round(token[v] / largest[v], 2) for v in VIEWS},
                    "values": [round(token[v], 3) for v in (*VIEWS, "logprob", "reference_logprob")],
                }
                for token in rollout["tokens"][:200]
            ],
        }
        for rollout in rollouts
    ]
