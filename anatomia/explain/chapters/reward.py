"""The reward model: what it learnt to predict, what it is worth beside people, and where it can be had."""

from typing import Any

from anatomia.explain.chapters.shared import Chapter, chapter, known, ranged, stars, two
from anatomia.explain.charts import Series, bubbles, line_chart
from anatomia.explain.gather import View
from anatomia.explain.texts import Both, number, percent, text

CARD = "reward_card.json"
WHO = {"model": "aligned", "others_together": "finetuned", "one_another": "base"}  # and the colours they have
PROBES = ("repeated", "halved", "empty", "wrong_prompt", "wrong_language")


def reward(view: View) -> Chapter:
    flow = [
        (known(view.metric("held_out_accuracy"), percent), "accuracy"),
        (known(view.metric("held_out_tau"), two), "tau"),
        (known(view.metric("held_out_matched"), percent), "matched"),
    ]
    accuracy = [Series(text("chart.accuracy"), "c-main", view.series("step", "accuracy"))]
    return chapter(
        view,
        flow,
        worth=worth,
        learnt=learnt,
        judgements=judged,
        mistakes=mistaken,
        calibration=lambda v: bubbles(v.specimens["calibration"]),
        sureness=sureness,
        length=length,
        probes=probes,
        words=words,
        learning=lambda v: line_chart(accuracy),
    )


def judged(view: View) -> list[dict[str, Any]]:
    """Judged completions, highest reward first, each placed on one axis for all."""
    groups = view.specimens["judgements"][:4]
    values = [c["reward"] for group in groups for c in group["completions"]]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return [
        {
            "prompt": group["prompt"],
            "completions": [
                {
                    "text": c["text"],
                    "stars": stars(c["stars"]) if c.get("stars") is not None else None,
                    "reward": number(c["reward"], 2),
                    "place": 100 * (c["reward"] - low) / span,
                }
                for c in sorted(group["completions"], key=lambda c: -c["reward"])
            ],
        }
        for group in groups
    ]


def worth(view: View) -> list[dict[str, Any]]:
    """Accuracy and tau of the model and of the annotators themselves, each on an axis of its own."""
    agreement = view.json(CARD)["agreement"]
    measures = []
    for name, least, show in (("accuracy", 0.5, percent), ("tau", 0.0, two)):
        figures = {who: agreement[who][name] for who in WHO if who in agreement and agreement[who][name]}
        if min(figure["low"] for figure in figures.values()) < least:
            least = 0.0 if name == "accuracy" else -1.0
        rows = [ranged(WHO[who], who, figure, least, 1.0, show) for who, figure in figures.items()]
        measures.append({"name": name, "rows": rows})
    return measures


def learnt(view: View) -> Both | None:
    """How it does on what it learnt from, beside which new prompts are to be seen."""
    share = view.metric("train_accuracy")
    return None if share is None or "agreement" not in view.json(CARD) else text("reward.learnt", share=percent(share))


def sureness(view: View) -> Both:
    """How far sureness is from being right, before and after the temperature."""
    found = view.json(CARD)["calibration"]
    return text(
        "reward.sureness",
        error=percent(found["error"], 1),
        temperature=two(found["temperature"]),
        calibrated=percent(found["calibrated_error"], 1),
    )


def length(view: View) -> dict[str, Any]:
    """Accuracy where the longer answer is the better one and where the shorter is, and how rewards go with length."""
    found = view.json(CARD)["length"]
    figures = {name: found[f"accuracy_where_{name}_is_better"] for name in ("longer", "shorter")}
    known_ones = {name: figure for name, figure in figures.items() if figure}
    least = 0.5 if all(figure["low"] >= 0.5 for figure in known_ones.values()) else 0.0
    mine, theirs = found["correlation"], found["people_correlation"]
    said = (
        text("reward.correlation", model=two(mine["value"]), people=two(theirs["value"])) if mine and theirs else None
    )
    rows = [ranged("aligned", name, figure, least, 1.0, percent) for name, figure in known_ones.items()]
    return {"rows": rows, "said": said}


def probes(view: View) -> list[dict[str, Any]]:
    """What spoilt copies of the best answers get, on one axis with nothing in its middle."""
    found = view.json(CARD)["probes"]
    changes = {name: found[name]["change"] for name in PROBES if name in found}
    most = max((abs(change[side]) for change in changes.values() for side in ("low", "high")), default=0.0) or 1.0
    return [
        ranged("bad" if change["high"] > 0 else "aligned", name, change, -most, most, two)
        | {"falls": percent(found[name]["falls"])}
        for name, change in changes.items()
    ]


def words(view: View) -> list[dict[str, Any]]:
    """Words that the model likes or dislikes more than people do."""
    return [
        {"word": row["word"], "said": text("reward.word", model=two(row["model"]), people=two(row["people"]))}
        for row in view.json(CARD)["words"]
    ]


def mistaken(view: View) -> list[dict[str, Any]]:
    """The worst mistakes: what people preferred and what the model did."""
    return [
        {
            "prompt": row["prompt"],
            "sides": [
                ("finetuned", row["better"]["text"], people(row), reward_said(row["better"])),
                ("aligned", row["worse"]["text"], text("reward.by_model"), reward_said(row["worse"])),
            ],
        }
        for row in view.specimens["mistakes"][:4]
    ]


def people(row: dict[str, Any]) -> Both:
    """Who preferred the better one: how many of how many annotators."""
    count = row["agree"] + row["disagree"] + row["tied"]
    return text("reward.by_people", agree=number(row["agree"]), count=number(count))


def reward_said(side: dict[str, Any]) -> Both:
    """A reward in words."""
    return text("align.score", score=number(side["reward"], 2))
