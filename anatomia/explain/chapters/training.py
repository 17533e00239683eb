"""Base model and fine-tuning: what a model is shown, what it expects, how it gets better."""

from itertools import groupby
from typing import Any

from anatomia.explain.chapters.shared import Chapter, bars, chapter, known, last, spread, two
from anatomia.explain.charts import Chart, Series, line_chart
from anatomia.explain.gather import View
from anatomia.explain.texts import percent, text

CELLS = 180  # tokens of a packed row that are shown


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


def packed(view: View) -> dict[str, Any]:
    """One packed row: tokens with document and position, and the triangles of its attention mask."""
    row = view.specimens["packed"]
    cells = [
        {"token": token, "document": document, "position": position}
        for token, document, position in zip(row["tokens"], row["documents"], row["positions"], strict=True)
    ]
    triangles, start = [], 0
    for document, group in groupby(row["documents"]):
        length = len(list(group))
        if document >= 0:
            a, b = 100 * start / len(cells), 100 * (start + length) / len(cells)
            triangles.append({"document": document, "path": f"M{a:.2f} {a:.2f}V{b:.2f}H{b:.2f}Z"})
        start += length
    return {"cells": cells[:CELLS], "more": len(cells) > CELLS, "triangles": triangles}


def samples(view: View) -> list[list[dict[str, Any]]]:
    """What the model wrote after so many steps: for two prompts, at most seven each, spread over the run."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in view.specimens["samples"]:
        rows.setdefault(row["prompt"], []).append(row)
    return [spread(group, 7) for group in list(rows.values())[:2]]


def loss_chart(view: View) -> Chart | None:
    return line_chart(
        [
            Series(text("chart.train"), "c-soft", view.series("step", "loss")),
            Series(text("chart.validation"), "c-main", looks(view, "loss", "validation_loss", "held_out_loss")),
        ]
    )


def bits_chart(view: View) -> Chart | None:
    return line_chart([Series(text("chart.bits"), "c-main", looks(view, "bits_per_byte", "bits_per_byte"))])


def looks(view: View, key: str, *metrics: str) -> list[tuple[float, float]]:
    """(step, value) of the looks at held-out text on the way, and of those before the first step and after the last."""
    on_the_way = view.series("validation", key)
    before, after, steps = view.metric(f"{metrics[-1]}_before"), view.metric(*metrics), view.metric("steps")
    begun = [] if before is None else [(0.0, before)]
    done = [] if after is None or steps is None or (on_the_way and on_the_way[-1][0] >= steps) else [(steps, after)]
    return [*begun, *on_the_way, *done]


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
