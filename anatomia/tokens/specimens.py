"""What is worth seeing of a vocabulary: sentences cut into tokens side by side, first merges, longest tokens."""

import json
import re
from typing import Any

from anatomia.tokens.pieces import readable, token_bytes
from anatomia.tokens.vocabulary import Vocabulary

LONG = 110
"""Characters of a sentence that fits a line and still shows something."""


def cut(vocabulary: Vocabulary, text: str) -> list[dict[str, Any]]:
    """The tokens of `text`: {"id", "text"} each."""
    ids = vocabulary.encode(text)
    return [{"id": i, "text": piece} for i, piece in zip(ids, vocabulary.pieces(ids))]


def compare_sentences(vocabulary: Vocabulary, documents: list[dict[str, Any]], each: int = 3) -> list[dict[str, Any]]:
    """Sentences of about the same length in every language, from documents {"text", "language", "genre"}.

    Languages take turns, Polish and English first; where documents have genres, sentences that stand together are of
    the same genre.
    """
    sentences: dict[str, dict[str, list[str]]] = {}
    for document in documents:
        if document["language"]:
            genres = sentences.setdefault(document["language"], {})
            genres.setdefault(document["genre"] or "", []).extend(_sentences(document["text"]))
    languages = sorted(sentences, key=lambda name: (name != "en", name != "pl", name))[:4]
    common = set.intersection(*(set(sentences[name]) for name in languages)) if languages else set()
    rounds: list[str | None] = list(sorted(common)[:each])
    rounds += [None] * (each - len(rounds))
    chosen: list[dict[str, Any]] = []
    for genre in rounds:
        for language in languages:
            found = sentences[language]
            choice = found[genre] if genre is not None else [text for texts in found.values() for text in texts]
            fresh = sorted(
                set(choice) - {sentence["text"] for sentence in chosen}, key=lambda s: (abs(len(s) - LONG), s)
            )
            if fresh:
                chosen.append({"language": language, "text": fresh[0], "tokens": cut(vocabulary, fresh[0])})
    return chosen


def first_merges(vocabulary: Vocabulary, count: int) -> list[list[str]]:
    """The pairs that were joined first, readable; none where the tokenizer is not made of merges."""
    merges = json.loads(vocabulary.tokenizer.to_str())["model"].get("merges", [])[:count]
    pairs = [merge.split(" ", 1) if isinstance(merge, str) else merge for merge in merges]
    return [[readable(token_bytes(half, vocabulary.byte_level)) for half in pair] for pair in pairs]


def longest_tokens(vocabulary: Vocabulary, count: int) -> list[str]:
    """The longest tokens, special ones left out, the longest first."""
    pieces = (readable(vocabulary.bytes_of(i)) for i in range(vocabulary.size) if i not in vocabulary.added)
    return sorted(pieces, key=lambda piece: (-len(piece), piece))[:count]


def _sentences(text: str) -> list[str]:
    return [s for s in (part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text)) if 20 <= len(s) <= 2 * LONG]
