"""What happens to one batch of a corpus in one process: extract, normalise, tell the language, judge, sketch."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from anatomia.text.charset import decode
from anatomia.text.crawl import Page, Refused
from anatomia.text.dedup import sketches
from anatomia.text.document import Document
from anatomia.text.extract import extract
from anatomia.text.language import detect
from anatomia.text.normal import normalise
from anatomia.text.quality import Limits, judge
from anatomia.text.words import words_of

SHOWN = 600  # characters of a specimen


@dataclass(frozen=True)
class Refinement:
    """What to ask of a document: its language (empty: any) and whether the quality rules apply, with which limits."""

    languages: tuple[str, ...]
    quality: bool = True
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Refined:
    """The documents of a batch that pass, and what became of the rest.

    Attributes:
        documents: in the order of the batch, normalised, with their language.
        befores: per document, how it began before (trimmed); equal to its beginning where nothing changed.
        sketches: uint32 [documents, 128] for finding near duplicates.
        refused: what did not pass, with rule and reason.
        read: documents read, refused ones included, and their characters (bytes where they were never decoded).
    """

    documents: list[Document]
    befores: list[str]
    sketches: NDArray[np.uint32]
    refused: list[Refused]
    read: tuple[int, int]


def refine(found: Sequence[Document | Page | Refused], wanted: Refinement) -> Refined:
    """Pass a batch through every rule that looks at one document alone."""
    refused: list[Refused] = []
    documents: list[Document] = []
    befores: list[str] = []
    characters = 0
    for item in found:
        if isinstance(item, Refused):
            characters += item.characters
            refused.append(item)
            continue
        try:
            document, before = _opened(item)
        except (ValueError, RuntimeError, RecursionError) as error:
            refused.append(Refused("unreadable", f"extraction failed: {error}", item.source, "", 0))
            continue
        characters += len(document.text)
        text = normalise(document.text)
        if not text:
            rule, reason = (
                ("extraction", "no main text on the page") if isinstance(item, Page) else ("empty", "no text")
            )
            refused.append(Refused(rule, reason, document.source, before, len(document.text)))
            continue
        language = detect(text, document.language)
        if wanted.languages and language not in wanted.languages:
            reason = f"its language is {language}" if language else "its language cannot be told"
            refused.append(Refused("language", reason, document.source, text[:SHOWN], len(text)))
            continue
        documents.append(replace(document, text=text, language=language))
        befores.append(before)
    words = words_of([document.text for document in documents])
    values = sketches(words)
    kept = list(range(len(documents)))
    if wanted.quality:
        verdicts = judge(documents, words, wanted.limits)
        for document, (rule, reason) in zip(documents, verdicts):
            if rule:
                refused.append(Refused(rule, reason, document.source, document.text[:SHOWN], len(document.text)))
        kept = [i for i, (rule, _) in enumerate(verdicts) if not rule]
    return Refined(
        [documents[i] for i in kept], [befores[i] for i in kept], values[kept], refused, (len(found), characters)
    )


def _opened(item: Document | Page) -> tuple[Document, str]:
    """A document, and how it looked before: the beginning of a page's body as its makers wrote it."""
    if isinstance(item, Document):
        return item, item.text[:SHOWN]
    claims = [item.charset] if item.charset else []
    meta = {"date": item.date} if item.date else {}
    if not item.html:
        text, _ = decode(item.body, claims)
        return Document(text, item.source, meta={**meta, "page": True}), text[:SHOWN]
    text, title = extract(item.body, claims)
    html, _ = decode(item.body, claims, html=True)
    body = html[max(0, html.lower().find("<body")) :]
    return Document(text, item.source, meta={**meta, "title": title, "page": True}), body[:SHOWN]
