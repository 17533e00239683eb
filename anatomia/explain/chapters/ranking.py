"""Rankings: who put completions in which order, the stars these became and how sure they are, and whom to believe."""

import json
from collections.abc import Sequence
from typing import Any

from anatomia.explain.chapters.shared import Chapter, chapter, known, ranged, stars, two
from anatomia.explain.gather import View
from anatomia.explain.texts import number, percent, text

WAYS = ("davidson", "linear", "bradley_terry", "plackett_luce")
STARS = 5.0
MOST = 8  # annotators shown: a table of more does not fit a telephone
MEASURES = ("kendall_tau", "krippendorff_alpha", "cohen_kappa")
LEVEL = 1.96  # standard errors on either side of 95%


def rank(view: View) -> Chapter:
    flow = [
        (known(view.metric("rankings")), "rankings"),
        (known(view.metric("annotators")), "annotators"),
        (known(view.metric("tied_share"), percent), "tied"),
        (known(view.metric("same_order"), percent), "same_order"),
        (known(view.metric("krippendorff_alpha"), two), "alpha"),
    ]
    return chapter(view, flow, rankings=ranked, reliability=reliability, agreement=agreement)


def ranked(view: View) -> list[dict[str, Any]]:
    """Rankings: every annotator's order, and per completion its stars four ways and how sure they are, best first."""
    shown = view.specimens["rankings"][:2]
    intervals = intervals_of(view, shown)
    rankings = []
    for ranking, between in zip(shown, intervals, strict=True):
        ways = [way for way in WAYS if ranking.get(way)]
        rows = [
            {
                "letter": letter(i),
                "text": completion,
                "stars": [stars(ranking[way][i]) for way in ways],
                "range": sure(letter(i), ranking["davidson"][i], between[i]) if between else None,
            }
            for i, completion in enumerate(ranking["completions"])
        ]
        if ways:
            rows.sort(key=lambda row: -row["stars"][0]["fill"])
        annotators = [
            named(annotator["name"]) | {"groups": [[letter(i) for i in group] for group in annotator["groups"]]}
            for annotator in ranking["annotators"]
        ]
        rankings.append(
            {
                "prompt": ranking["prompt"],
                "rows": rows,
                "ways": ways,
                "sure": any(row["range"] for row in rows),
                "annotators": annotators,
            }
        )
    return rankings


def sure(name: str, value: float | None, interval: list[float] | None) -> dict[str, Any] | None:
    """A completion's stars with their interval on the axis of stars; None where nobody placed it."""
    if value is None or interval is None:
        return None
    return ranged("aligned", name, {"value": value, "low": interval[0], "high": interval[1]}, 0.0, STARS, two)


def intervals_of(view: View, rankings: Sequence[dict[str, Any]]) -> list[list[list[float] | None] | None]:
    """Between which stars each completion of these rankings lies, out of stars.jsonl; None where it does not say."""
    path = view.artifact.file("stars.jsonl")
    wanted = {tuple(ranking["completions"]): place for place, ranking in enumerate(rankings)}
    found: list[list[list[float] | None] | None] = [None] * len(rankings)
    if path.is_file() and wanted:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                place = wanted.get(tuple(row["completions"]))
                if place is not None and row["davidson"] == rankings[place].get("davidson"):
                    found[place] = row.get("davidson_interval")
    return found


def reliability(view: View) -> dict[str, Any] | None:
    """How far each of the most diligent annotators is to be believed, on one axis with chance and the usual on it."""
    people = view.json("annotators.json")["annotators"]
    if len(people) < 2:  # whoever is alone is as usual by definition
        return None
    ends = [
        {
            "value": one["reliability"],
            "low": one["reliability"] - LEVEL * one["reliability_error"],
            "high": one["reliability"] + LEVEL * one["reliability_error"],
        }
        for one in people[:MOST]
    ]
    least, most = min(0.0, *(end["low"] for end in ends)), max(1.0, *(end["high"] for end in ends))

    def place(x: float) -> float:
        return 100 * (x - least) / (most - least)

    rows = []
    for one, figure in zip(people, ends, strict=False):
        doubt = "contrary" if one["contrary"] else "careless" if one["careless"] else None
        row = ranged("bad" if doubt else "finetuned", named(one["name"])["name"], figure, least, most, two)
        said = text(f"rank.{doubt}") if doubt else text("rank.count", count=number(one["rankings"]))
        rows.append(row | {"zero": place(1.0), "note": said})
    axis = [(place(0.0), text("rank.chance")), (place(1.0), text("rank.usual"))]
    return {"rows": rows, "axis": axis, "more": number(len(people) - MOST) if len(people) > MOST else None}


def agreement(view: View) -> dict[str, Any] | None:
    """How far each two of the most diligent annotators agree: a table of all with all, by each measure."""
    found = view.json("annotators.json")
    names = [one["name"] for one in found["annotators"][:MOST]]
    pairs = {frozenset(pair["annotators"]): pair for pair in found["pairs"]}
    if len(names) < 2 or not any(set(pair) <= set(names) for pair in pairs):
        return None
    tables = [
        {
            "measure": measure,
            "rows": [
                {"name": named(one)["name"], "cells": [cell(pairs, one, other, measure) for other in names]}
                for one in names
            ],
        }
        for measure in MEASURES
    ]
    return {"tables": tables, "names": [named(name)["name"] for name in names]}


def cell(pairs: dict[frozenset[str], dict[str, Any]], one: str, other: str, measure: str) -> dict[str, Any]:
    """A cell of the table: the figure, how strong its colour is, −1 to 1, and what it rests on; empty if unknown."""
    pair = pairs.get(frozenset((one, other)))
    if pair is None or pair[measure] is None:
        return {"value": None}
    tip = text("rank.agree_tip", one=named(one)["name"], other=named(other)["name"], count=number(pair["prompts"]))
    return {"value": two(pair[measure]), "strength": round(pair[measure], 2), "tip": tip}


def named(annotator: str) -> dict[str, Any]:
    """An annotator's name without its kind, and whether it is a program that stands in for a person."""
    kind, _, name = annotator.partition(":")
    return {"name": name or annotator, "simulated": kind == "simulated" and bool(name)}


def letter(index: int) -> str:
    """A, B, C…"""
    return chr(ord("A") + index) if index < 26 else str(index + 1)
