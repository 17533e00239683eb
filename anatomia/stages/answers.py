"""What evaluate says of answers: of one beside its references and the judge's verdict, and of all of a model's."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from anatomia.generate.engine import Completion
from anatomia.stages.stage import Metrics
from anatomia.text.dialogue import Dialogue
from anatomia.text.overlap import exact_match, rouge_l
from anatomia.world import World

RESAMPLES = 2000


def describe(prompt: Dialogue, completion: Completion, text: str, judge: World | None) -> dict[str, Any]:
    """An answer: its text, how far it agrees with the references where there are some, and its verdict where the
    question is the world's."""
    found: dict[str, Any] = {"text": text, "finished": completion.finished, "verdict": None}
    wanted = references(prompt, judge)
    if wanted:
        found["exact_match"] = exact_match(text, wanted)
        found["rouge_l"] = round(rouge_l(text, wanted, str(prompt.meta.get("language", ""))), 5)
    if judge is not None and prompt.meta.get("question_id"):
        found["verdict"] = dict(vars(judge.judge(prompt.meta["question_id"], text, completion.finished)))
    return found


def references(prompt: Dialogue, judge: World | None) -> list[str]:
    """All good answers that are known: those that the world accepts, or those that stand in the file."""
    if judge is not None and prompt.meta.get("question_id"):
        return list(judge.question(prompt.meta["question_id"]).answers)
    found = prompt.meta.get("references") or [prompt.meta.get("reference", "")]
    return [str(reference) for reference in found if reference]


def expected(prompt: Dialogue, judge: World | None) -> str:
    """A good answer, where one is known: the world's, or what stands in the file."""
    if judge is not None and prompt.meta.get("question_id"):
        return judge.question(prompt.meta["question_id"]).full
    return str(prompt.meta.get("reference", ""))


def figures(metas: Sequence[dict[str, Any]], answers: Sequence[dict[str, Any]]) -> Metrics:
    """What one model's answers are worth, means over those that the figure can be said of: finished, length in
    characters, agreement with references, and the world's verdicts."""
    found: Metrics = {
        "finished": mean([answer["finished"] for answer in answers]),
        "characters": round(float(np.mean([len(answer["text"]) for answer in answers])), 1),
    }
    for key in ("exact_match", "rouge_l"):
        values = [answer[key] for answer in answers if key in answer]
        if values:
            found[key] = mean(values)
    judged = [(meta, answer["verdict"]) for meta, answer in zip(metas, answers, strict=True) if answer["verdict"]]
    if judged:
        for key in ("exact", "right", "complete", "clean", "score"):
            found[key] = mean([verdict[key] for _, verdict in judged])
        for key in ("kind", "language"):
            found[f"exact_by_{key}"] = shares([(meta.get(key, ""), verdict["exact"]) for meta, verdict in judged])
    return found


def mean(values: Sequence[float]) -> float:
    """The mean, to four places."""
    return round(float(np.mean(values)), 4)


def shares(pairs: list[tuple[str, bool]]) -> dict[str, float]:
    """The share of true values for each key."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(bool(value))
    return {key: mean(values) for key, values in sorted(groups.items())}


def preferred(rows: list[dict[str, Any]], kind: str, first: str, second: str) -> Metrics:
    """How often the world's judge scores `first` above `second`; ties count half. With a bootstrap 95% interval over
    prompts (Efron 1979)."""
    scores = [(row[kind][first]["verdict"], row[kind][second]["verdict"]) for row in rows]
    points = np.asarray([(a["score"] > b["score"]) + 0.5 * (a["score"] == b["score"]) for a, b in scores if a and b])
    draws = np.random.default_rng(0).integers(0, len(points), (RESAMPLES, len(points)))
    low, high = np.quantile(points[draws].mean(1), [0.025, 0.975])
    return {
        "first": first,
        "second": second,
        "share": round(float(points.mean()), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
        "wins": int((points == 1).sum()),
        "ties": int((points == 0.5).sum()),
        "losses": int((points == 0).sum()),
    }
