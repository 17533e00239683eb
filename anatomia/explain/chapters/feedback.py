"""Completions, rankings and reinforcement learning: how judgements become a better model."""

import math
from typing import Any

from anatomia.explain.chapters.shared import Chapter, chapter, known
from anatomia.explain.gather import View
from anatomia.explain.texts import number, percent


def sample(view: View) -> Chapter:
    flow = [
        (known(view.metric("prompts")), "prompts"),
        (known(view.metric("completions")), "completions"),
        (known(view.metric("finished_share"), percent), "finished"),
    ]
    return chapter(view, flow, prompts=drawn)


def drawn(view: View) -> list[dict[str, Any]]:
    """Prompts with completions whose tokens carry how surprising they were, 0 to 1."""
    prompts = []
    for prompt in view.specimens["prompts"][:3]:
        completions = []
        for completion in prompt["completions"][:6]:
            tokens = [
                {
                    "text": t["text"],
                    "logprob": number(t["logprob"], 2),
                    "surprise": round(min(1.0, -t["logprob"] / 5), 2),
                }
                for t in completion["tokens"][:160]
            ]
            completions.append({**completion, "tokens": tokens})
        prompts.append({"prompt": prompt["prompt"], "completions": completions})
    return prompts


def rank(view: View) -> Chapter:
    flow = [
        (known(view.metric("rankings")), "rankings"),
        (known(view.metric("annotators")), "annotators"),
    ]
    return chapter(view, flow, rankings=ranked)


def ranked(view: View) -> list[dict[str, Any]]:
    """Rankings: every annotator's order, and per completion its stars by the three methods, best first."""
    rankings = []
    for ranking in view.specimens["rankings"][:2]:
        methods = [m for m in ("linear", "bradley_terry", "plackett_luce") if ranking.get(m)]
        rows = [
            {"letter": letter(i), "text": completion, "stars": [stars(ranking[m][i]) for m in methods]}
            for i, completion in enumerate(ranking["completions"])
        ]
        if methods:
            rows.sort(key=lambda row: -row["stars"][0]["fill"])
        annotators = [
            {
                "name": annotator["name"].partition(":")[2] or annotator["name"],
                "simulated": annotator["name"].startswith("simulated:"),
                "groups": [[letter(i) for i in group] for group in annotator["groups"]],
            }
            for annotator in ranking["annotators"]
        ]
        rankings.append(
            {
                "prompt": ranking["prompt"],
                "rows": rows,
                "methods": methods,
                "annotators": annotators,
            }
        )
    return rankings


def letter(index: int) -> str:
    """A, B, C…"""
    return chr(ord("A") + index) if index < 26 else str(index + 1)


def stars(value: float | None) -> dict[str, Any]:
    """A number of stars and how much of five stars to fill, in percent; what was not ranked gets a dash."""
    if value is None or math.isnan(value):
        return {"value": "–", "fill": 0.0}
    return {"value": number(value, 1), "fill": round(max(0.0, min(5.0, value)) * 20, 1)}
