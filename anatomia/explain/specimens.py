"""Specimens out of tokens and model outputs: the plain dictionaries that the report, the terminal and pages draw.

Nothing here runs a model. Tokens are given as pieces, one readable string each (`Vocabulary.pieces`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anatomia.base.artifact import LEDGER
from anatomia.base.events import read_events
from anatomia.tokens.batches import Batch
from anatomia.tokens.vocabulary import Vocabulary

Candidates = Sequence[tuple[str, float]]


def tokens_specimen(vocabulary: Vocabulary, text: str) -> dict[str, Any]:
    """A text cut into tokens, with its sizes: {"text", "tokens": [{"id", "text"}], "characters", "bytes"}."""
    ids = vocabulary.encode(text)
    tokens = [{"id": i, "text": piece} for i, piece in zip(ids, vocabulary.pieces(ids), strict=True)]
    return {"text": text, "tokens": tokens, "characters": len(text), "bytes": len(text.encode())}


def candidates_specimen(candidates: Candidates) -> list[dict[str, Any]]:
    """(token, probability) pairs, likeliest first, as dictionaries."""
    ordered = sorted(candidates, key=lambda candidate: -candidate[1])
    return [{"token": token, "probability": round(probability, 6)} for token, probability in ordered]


def window_specimen(pieces: Sequence[str], candidates: dict[int, Candidates]) -> dict[str, Any]:
    """A training window: at each prefix length in `candidates`, the true next token and what was expected there.

    Raises:
        ValueError: a prefix length has no token after it.
    """
    if any(not 0 < length < len(pieces) for length in candidates):
        raise ValueError(f"prefix lengths {sorted(candidates)} do not all lie within 1…{len(pieces) - 1}")
    predictions = [
        {"context": length, "next": pieces[length], "candidates": candidates_specimen(candidates[length])}
        for length in sorted(candidates)
    ]
    return {"tokens": list(pieces), "predictions": predictions}


def mask_specimen(pieces: Sequence[str], weights: Sequence[float], source: str = "") -> dict[str, Any]:
    """A dialogue's tokens and which of them carry loss (1) or are only read (0)."""
    if len(pieces) != len(weights):
        raise ValueError(f"{len(pieces)} tokens, but {len(weights)} weights")
    return {"tokens": list(pieces), "weights": [int(weight > 0) for weight in weights], "source": source}


def packed_specimen(batch: Batch, row: int, vocabulary: Vocabulary) -> dict[str, Any]:
    """One row of a packed batch: its tokens, and the document and the position of each."""
    return {
        "tokens": vocabulary.pieces(batch.ids[row].tolist()),
        "documents": batch.documents[row].tolist(),
        "positions": batch.positions[row].tolist(),
    }


def padding_specimen(rows: Sequence[Sequence[str]], filler: str) -> dict[str, Any]:
    """Texts of different length in one batch: each row filled up with `filler`, and where that was done."""
    width = max((len(row) for row in rows), default=0)
    return {
        "rows": [
            {
                "tokens": [*row, *[filler] * (width - len(row))],
                "padding": [False] * len(row) + [True] * (width - len(row)),
            }
            for row in rows
        ]
    }


def generation_specimen(prompt: str, steps: Sequence[tuple[str, Candidates]], finished: bool) -> dict[str, Any]:
    """An answer growing: each chosen token beside the candidates it was chosen from."""
    grown = [{"token": token, "candidates": candidates_specimen(candidates)} for token, candidates in steps]
    return {"prompt": prompt, "steps": grown, "finished": finished}


def samples_on_the_way(work: Path, last: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a model in training wrote at each look, as the ledger of its workspace has it, and its `last` samples."""
    earlier = [event for event in read_events(work / LEDGER) if event["kind"] == "sample"]
    return [{key: event[key] for key in ("step", "prompt", "text")} for event in [*earlier, *last]]
