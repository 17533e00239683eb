"""Corpus and tokenizer: where the text comes from, what fell away, how it is cut."""

import difflib
import re
from collections import Counter
from functools import cache
from typing import Any

from markupsafe import escape

from anatomia.explain.chapters.shared import Chapter, chapter, known
from anatomia.explain.gather import View
from anatomia.explain.texts import CHOICE, NBSP, Both, has, number, table, text

SHOWN = 900  # characters of a page that are shown


COMPARED = 3 * SHOWN  # characters of a page that are compared


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
    """Pages before and after, with what was cut away marked; if none changed, a few as they are."""
    pages = [page for page in view.specimens["kept"] if page["before"] != page["after"]][:4]
    if not pages:  # nothing needed cleaning: one text of each language will do
        pages = list({page["language"]: page for page in view.specimens["kept"]}.values())[:3]
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
    """Dropped pages with rule and reason in both languages, one of each rule before a second of any."""
    seen: Counter[str] = Counter()
    turns = []
    for page in view.specimens["dropped"]:
        turns.append((seen[page["rule"]], page))
        seen[page["rule"]] += 1
    chosen = [page for _, page in sorted(turns, key=lambda turn: turn[0])][:8]
    return [{**page, "rule": rule_name(page["rule"]), "reason": reason(page["reason"])} for page in chosen]


def reason(english: str) -> Both | str:
    """Why a page was dropped, in both languages where the corpus's words are known, else in those words."""
    for key, pattern in reasons().items():
        found = pattern.fullmatch(english)
        if found:
            return text(key, **{name: numeral(value) for name, value in found.groupdict().items()})
    return english


def numeral(value: str) -> Both:
    """A number out of an English sentence as both languages write it; anything else as it is."""
    polish = value.replace(",", NBSP).replace(".", ",") if re.fullmatch(r"[\d,.]+%?", value) else value
    return Both(escape(polish), escape(value))


@cache
def reasons() -> dict[str, re.Pattern[str]]:
    """A pattern for each known reason: the English text with its `{names}` as groups."""
    patterns = {}
    for key, entry in table().items():
        if key.startswith("reason."):
            english = CHOICE.sub(r"{\2}", entry["en"])  # either form of a word: {word|words}
            parts = re.split(r"\{([\w|]+)\}", english)
            free = {"source": ".+"}  # a path may hold spaces, a number or a code does not
            groups = [
                (f"(?:{part})" if "|" in part else f"(?P<{part}>{free.get(part, r'[^ ]+')})")
                if place % 2
                else re.escape(part)
                for place, part in enumerate(parts)
            ]
            patterns[key] = re.compile("".join(groups))
    return patterns


def difference(before: str, after: str) -> list[tuple[bool, str]]:
    """`before` in pieces, each with whether it is missing from `after`; changes of white space do not count."""
    old = re.findall(r"^\s+|\S+\s*", before)
    matcher = difflib.SequenceMatcher(None, [word.strip() for word in old], after.split(), autojunk=False)
    pieces = []
    for tag, start, stop, _, _ in matcher.get_opcodes():
        if stop > start:
            piece = "".join(old[start:stop])
            pieces.append((tag != "equal" and not piece.isspace(), piece))
    return pieces


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
