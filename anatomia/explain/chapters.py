"""From what a stage left to what its chapter shows. Pure: specimens, events and metrics in, a `Chapter` out."""

import difflib
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from anatomia.explain.charts import Chart, Series, bubbles, line_chart
from anatomia.explain.gather import View
from anatomia.explain.texts import Both, has, number, percent, text

MODELS = ("base", "finetuned", "aligned")
SHOWN = 900  # characters of a page that are shown
COMPARED = 3 * SHOWN  # characters of a page that are compared


@dataclass(frozen=True)
class Chapter:
    """One stage's chapter.

    Attributes:
        name: the stage; also names the template `chapters/NAME.html`.
        flow: what went in and came out, as (number, label).
        parts: what the template shows, by part; a part that is missing is left out.
    """

    name: str
    flow: list[tuple[Both, Both]]
    parts: dict[str, Any] = field(default_factory=dict)


Part = Callable[[View], Any]


def chapter(view: View, flow: list[tuple[Both | None, str]], **parts: Part) -> Chapter:
    """Build the parts, leaving out those whose specimens are missing or not in the expected form."""
    built = {}
    for name, make in parts.items():
        try:
            value = make(view)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            continue
        if value:
            built[name] = value
    return Chapter(view.name, [(value, text(f"flow.{label}")) for value, label in flow if value is not None], built)


def known(value: float | None, show: Callable[[float], Both] = number) -> Both | None:
    """`value` shown, or None where it is unknown."""
    return None if value is None else show(value)


def opening(view: View | None) -> dict[str, Any] | None:
    """The question that opens the page: best one where the base model fails and the last model does not."""
    questions = answered(view) if view else []

    def telling(question: dict[str, Any]) -> int:
        right = [answer["right"] for answer in question["answers"]]
        return 2 * (right[-1] is True) - 2 * (right[0] is True) + (len(right) == 3) - (len(question["prompt"]) > 120)

    return max(questions, key=telling, default=None)


# corpus


def corpus(view: View) -> Chapter:
    funnel = {step["rule"]: step for step in view.json("funnel.json") or []}
    flow = [
        (known(funnel.get("read", {}).get("documents")), "read"),
        (known(funnel.get("kept", {}).get("documents")), "kept"),
        (known(funnel.get("kept", {}).get("characters")), "characters"),
    ]
    return chapter(view, flow, funnel=sieves, kept=cleaned, dropped=rejected)


def sieves(view: View) -> list[dict[str, Any]]:
    """The funnel's steps: documents that reached each, and those it dropped, as shares of all that were read."""
    steps = view.json("funnel.json")
    total = steps[0]["documents"]
    inner = [step["documents"] for step in steps[1:-1]]
    last = steps[-1]["documents"]
    if sum(inner) + last != total:  # given as what remained after each rule: turn into what it dropped
        inner = [before - after for before, after in zip([total, *inner], inner, strict=False)]
    rows, left = [], total
    for step, lost in zip(steps[1:-1], inner, strict=True):
        rows.append(
            {"rule": rule_name(step["rule"]), "reached": left / total, "lost": lost / total, "count": number(lost)}
        )
        left -= lost
    ends = {"read": number(total), "kept": number(last), "share": last / total}
    return [row for row in rows if row["lost"] > 0] and [{"rows": rows, **ends}]


def rule_name(rule: str) -> Both | str:
    """The name of a rule in both languages where it has one."""
    key = "rule." + rule
    return text(key) if has(key) else rule


def cleaned(view: View) -> list[dict[str, Any]]:
    """Pages before and after, with what was cut away marked; those that changed first."""
    pages = sorted(view.specimens["kept"], key=lambda page: page["before"] == page["after"])[:4]
    return [
        {
            "source": page["source"],
            "language": page["language"],
            "changed": page["before"] != page["after"],
            "before": shorten(difference(page["before"][:COMPARED], page["after"][:COMPARED])),
            "after": shorten([(False, page["after"])]),
        }
        for page in pages
    ]


def shorten(pieces: list[tuple[bool, str]]) -> list[tuple[bool, str]]:
    """The first `SHOWN` characters of the pieces, and an ellipsis where there was more."""
    kept: list[tuple[bool, str]] = []
    room = SHOWN
    for removed, piece in pieces:
        if room <= 0:
            break
        kept.append((removed, piece[:room]))
        room -= len(piece)
    return [*kept, (False, " …")] if room < 0 else kept


def rejected(view: View) -> list[dict[str, Any]]:
    """Dropped pages with the rule's name in both languages, one of each rule before a second of any."""
    seen: Counter[str] = Counter()
    turns = []
    for page in view.specimens["dropped"]:
        turns.append((seen[page["rule"]], page))
        seen[page["rule"]] += 1
    chosen = [page for _, page in sorted(turns, key=lambda turn: turn[0])][:8]
    return [{**page, "rule": rule_name(page["rule"])} for page in chosen]


def difference(before: str, after: str) -> list[tuple[bool, str]]:
    """`before` in pieces, each with whether it was removed on the way to `after`."""
    old, new = re.findall(r"\s+|\w+|[^\w\s]", before), re.findall(r"\s+|\w+|[^\w\s]", after)
    pieces = []
    for tag, start, stop, _, _ in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if stop > start:
            piece = "".join(old[start:stop])
            pieces.append((tag != "equal" and not piece.isspace(), piece))
    return pieces


# tokenizer


def tokenizer(view: View) -> Chapter:
    flow = [
        (known(view.metric("vocabulary")), "vocabulary"),
        (known(view.metric("train_tokens")), "train_tokens"),
    ]
    return chapter(
        view,
        flow,
        sentences=lambda v: side_by_side(v.specimens["sentences"]),
        merges=lambda v: [(a, b, a + b) for a, b in v.specimens["merges"][:24]],
        longest=lambda v: [piece for piece in v.specimens["longest"] if "⟨" not in piece and piece.strip()][:12],
        compression=compression,
    )


def side_by_side(sentences: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """English and Polish taken in turn, so that each pair stands side by side."""
    columns = [[s for s in sentences if s["language"] == language] for language in ("en", "pl")]
    rest = [s for s in sentences if s["language"] not in ("en", "pl")]
    pairs = [s for pair in zip(*columns, strict=False) for s in pair]
    return pairs + [s for column in columns for s in column[len(pairs) // 2 :]] + rest


def compression(view: View) -> list[dict[str, Any]]:
    """Bytes per token by language, and how long a bar that makes."""
    values = {k: v for k, v in view.specimens["compression"].items() if isinstance(v, int | float)}
    most = max(values.values())
    return [{"language": k, "value": number(v, 2), "width": 100 * v / most} for k, v in values.items()]


# pretrain, finetune


def pretrain(view: View) -> Chapter:
    losses = view.series("step", "loss")
    bits = view.metric("bits_per_byte") or last(view.series("validation", "bits_per_byte"))
    flow = [
        (known(view.metric("parameters")), "parameters"),
        (known(view.metric("tokens") or last(view.series("step", "tokens"))), "tokens_seen"),
        (known(losses[0][1] if losses else None, two), "loss_first"),
        (known(last(losses), two), "loss_last"),
        (known(bits, two), "bits"),
    ]
    return chapter(view, flow, windows=windows, packed=packed, samples=samples, loss=loss_chart, bits=bits_chart)


def finetune(view: View) -> Chapter:
    losses = view.series("step", "loss")
    flow = [
        (known(losses[-1][0] if losses else None), "steps"),
        (known(losses[0][1] if losses else None, two), "loss_first"),
        (known(last(losses), two), "loss_last"),
    ]
    return chapter(view, flow, masks=masks, padded=padded, samples=samples, loss=loss_chart)


def two(value: float) -> Both:
    """A number with two places after the point."""
    return number(value, 2)


def last(points: list[tuple[float, float]]) -> float | None:
    """The y of the last point."""
    return points[-1][1] if points else None


def windows(view: View) -> list[dict[str, Any]]:
    """Players: a window's tokens, and at each predicted place the candidates as bars."""
    players = []
    for window in view.specimens["windows"][:4]:
        steps = [
            {"at": p["context"], "token": p["next"], "bars": bars(p["candidates"], p["next"])}
            for p in window["predictions"]
        ]
        players.append({"tokens": window["tokens"][:160], "steps": [s for s in steps if s["at"] < 160]})
    return [player for player in players if player["steps"]]


def bars(candidates: list[dict[str, Any]], chosen: str, most: int = 6) -> dict[str, Any]:
    """Candidates as rows, widths in percent, and the probability left to all other tokens."""
    rows = candidates[:most]
    left = max(0.0, 1 - sum(row["probability"] for row in rows))
    return {
        "rows": [
            {
                "token": row["token"],
                "width": 100 * row["probability"],
                "share": percent(row["probability"], 1),
                "chosen": row["token"] == chosen,
            }
            for row in rows
        ],
        "left": 100 * left,
        "rest": percent(left, 1),
    }


def packed(view: View) -> dict[str, Any]:
    """One packed row: tokens with document and position, and the triangles of its attention mask."""
    row = view.specimens["packed"]
    total = min(len(row["tokens"]), 220)
    cells = [
        {"token": token, "document": document, "position": position}
        for token, document, position in zip(row["tokens"], row["documents"], row["positions"], strict=True)
    ][:total]
    triangles, start = [], 0
    for document, group in groupby(cell["document"] for cell in cells):
        length = len(list(group))
        if document >= 0:
            a, b = 100 * start / total, 100 * (start + length) / total
            triangles.append({"document": document, "path": f"M{a:.2f} {a:.2f}V{b:.2f}H{b:.2f}Z"})
        start += length
    return {"cells": cells, "triangles": triangles}


def samples(view: View) -> list[list[dict[str, Any]]]:
    """What the model wrote after so many steps: for two prompts, at most seven each, spread over the run."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in view.specimens["samples"]:
        rows.setdefault(row["prompt"], []).append(row)
    return [spread(group, 7) for group in list(rows.values())[:2]]


def spread(rows: list[Any], most: int) -> list[Any]:
    """At most `most` of the rows, evenly spread, the last one always among them."""
    step = max(1, -(-len(rows) // most))
    return rows[::-1][::step][::-1]


def loss_chart(view: View) -> Chart | None:
    return line_chart(
        [
            Series(text("chart.train"), "c-soft", view.series("step", "loss")),
            Series(text("chart.validation"), "c-main", view.series("validation", "loss")),
        ]
    )


def bits_chart(view: View) -> Chart | None:
    return line_chart([Series(text("chart.bits"), "c-main", view.series("validation", "bits_per_byte"))])


def masks(view: View) -> list[dict[str, Any]]:
    return [
        {"source": mask.get("source", ""), "tokens": list(zip(mask["tokens"], mask["weights"], strict=True))[:160]}
        for mask in view.specimens["masks"][:4]
    ]


def padded(view: View) -> dict[str, Any]:
    """A padded batch as strips, and the same examples packed first-fit into rows of the same length."""
    rows = view.specimens["padded"]["rows"][:10]
    width = max(len(row["padding"]) for row in rows)
    lengths = [sum(not cell for cell in row["padding"]) for row in rows]
    bins: list[list[int]] = []
    for index in sorted(range(len(rows)), key=lambda i: -lengths[i]):
        room = next((b for b in bins if sum(lengths[i] for i in b) + lengths[index] <= width), None)
        if room is None:
            bins.append([index])
        else:
            room.append(index)
    used = sum(lengths)

    def strip(indices: list[int]) -> dict[str, Any]:
        filled = [{"document": i, "width": 100 * lengths[i] / width} for i in indices]
        return {"filled": filled, "empty": 100 - sum(part["width"] for part in filled)}

    return {
        "text": [
            {"document": i, "tokens": [t for t, pad in zip(row["tokens"], row["padding"], strict=True) if not pad][:80]}
            for i, row in enumerate(rows[:4])
        ],
        "padded": [strip([i]) for i in range(len(rows))],
        "padded_share": percent(1 - used / (width * len(rows))),
        "packed": [strip(b) for b in bins],
        "packed_share": percent(1 - used / (width * len(bins))),
    }


# sample, rank, reward


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
    for ranking in view.specimens["rankings"][:3]:
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


def reward(view: View) -> Chapter:
    flow = [
        (known(view.metric("held_out_accuracy"), percent), "accuracy"),
    ]
    accuracy = [Series(text("chart.accuracy"), "c-main", view.series("step", "accuracy"))]
    return chapter(
        view,
        flow,
        judgements=judged,
        calibration=lambda v: bubbles(v.specimens["calibration"]),
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


# align, evaluate

VIEWS = ("advantage", "kl", "reward", "value")


def align(view: View) -> Chapter:
    scores = view.series("step", "score")
    flow = [
        (known(scores[-1][0] if scores else None), "steps"),
        (known(mean(scores[:5]), two), "score_first"),
        (known(mean(scores[-5:]), two), "score_last"),
        (known(last(view.series("step", "kl")), two), "kl"),
    ]
    return chapter(
        view,
        flow,
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


def mean(points: list[tuple[float, float]]) -> float | None:
    """The mean of the y of these points."""
    return sum(y for _, y in points) / len(points) if points else None


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


def evaluate(view: View) -> Chapter:
    flow = [(known(view.metric("prompts")), "prompts"), (known(view.metric("kl_to_reference"), two), "kl")]
    return chapter(view, flow, exact=exact, preferred=preferred, questions=answered, generation=generation)


def answered(view: View) -> list[dict[str, Any]]:
    """Questions with the answers of the models that answered, in the order of learning."""
    questions = []
    for question in view.specimens.get("questions") or []:
        answers = []
        for model in MODELS:
            answer = question.get("answers", {}).get(model)
            if answer:
                verdict = answer.get("verdict")
                right = verdict.get("right") if verdict else None
                answers.append({"model": model, "text": answer["text"], "right": right, "badges": badges(verdict)})
        if answers:
            questions.append({**question, "answers": answers})
    return questions[:16]


def badges(verdict: dict[str, Any] | None) -> list[tuple[bool, Both]]:
    """(good?, words) for each thing the judge looked at: whether it is right, and then only what is wrong with it."""
    if not verdict:
        return []
    names = {"right": "wrong", "complete": "incomplete", "language": "other_language", "clean": "unclean"}
    shown = []
    for name, opposite in names.items():
        value = verdict.get(name)
        if isinstance(value, bool) and (name == "right" or not value):
            shown.append((value, text(f"verdict.{name if value else opposite}")))
    return shown


def exact(view: View) -> dict[str, Any] | None:
    """Per model, the share of questions that it answered exactly, taking the likeliest token each time."""
    shares = {model: view.metric(f"{model}.greedy.exact") for model in MODELS}
    rows = [
        {"model": model, "share": percent(share), "width": 100 * share}
        for model, share in shares.items()
        if share is not None
    ]
    return {"rows": rows, "count": number(view.artifact.metrics["prompts"])} if rows else None


def preferred(view: View) -> list[dict[str, Any]]:
    """How often the judge preferred the last model's answer to the one before it, for likeliest and drawn answers."""
    found = []
    for kind in ("greedy", "sampled"):
        duel = view.artifact.metrics.get(f"preferred_{kind}")
        if duel:
            count = duel["wins"] + duel["ties"] + duel["losses"]
            low, high = (percent(end) for end in duel["interval"])
            found.append(
                {
                    "kind": kind,
                    "share": percent(duel["share"]),
                    "interval": Both(low.pl + "–" + high.pl, low.en + "–" + high.en),
                    "parts": [
                        (duel["first"], number(duel["wins"]), 100 * duel["wins"] / count),
                        ("tie", number(duel["ties"]), 100 * duel["ties"] / count),
                        (duel["second"], number(duel["losses"]), 100 * duel["losses"] / count),
                    ],
                }
            )
    return found


def generation(view: View) -> dict[str, Any]:
    """A player of one growing answer."""
    grown = view.specimens["generation"]
    steps = grown["steps"][:80]
    return {
        "prompt": grown["prompt"],
        "tokens": [step["token"] for step in steps],
        "steps": [
            {"at": i, "token": step["token"], "bars": bars(step["candidates"], step["token"])}
            for i, step in enumerate(steps)
        ],
    }


CHAPTERS: dict[str, Callable[[View], Chapter]] = {
    "corpus": corpus,
    "tokenizer": tokenizer,
    "pretrain": pretrain,
    "finetune": finetune,
    "sample": sample,
    "rank": rank,
    "reward": reward,
    "align": align,
    "evaluate": evaluate,
}
