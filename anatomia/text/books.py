"""Long plain texts: the publisher's frame off, the rest in parts of comfortable size."""

import re
from collections.abc import Iterator

PART = 4_000  # characters; a part is closed at the paragraph that reaches it
LONG = 8_000  # characters; a text up to this size stays whole

_GUTENBERG_START = re.compile(r"^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG.*$|^\*END\*? ?THE SMALL PRINT.*$", re.M)
_GUTENBERG_END = re.compile(
    r"^(?:\*\*\* ?END OF TH(?:E|IS) PROJECT GUTENBERG|End of (?:the )?Project Gutenberg).*$", re.M
)
_CREDITS = re.compile(r"\A\s*(?:Produced by|Transcribed (?:from|by)|E-text prepared by)[^\n]*\n(?:[^\n]+\n)*", re.I)
_WOLNE_HEAD = re.compile(r"^(?:Ta lektura, podobnie jak tysiące innych|ISBN[ -]\d|Strona redakcyjna$)", re.M)
_WOLNE_NOTES = re.compile(r"^Przypisy:\s*$", re.M)
_NOTE_NUMBER = re.compile(r"(?:(?<=[^\W\d_])|(?<=[^\W\d_][.,;:!?…”]))\d{1,3}(?=\W)")
_WOLNE_APPEAL = re.compile(r"^.*wolnelektury\.pl.*\n?", re.M)
_WOLNE_FOOT = re.compile(
    r"^(?:-----\s*\n\s*)?(?:Ta lektura, podobnie jak tysiące innych|Wszystkie zasoby Wolnych Lektur możesz|"
    r"Wesprzyj Wolne Lektury|Przekaż 1(?:,5)?% podatku na)",
    re.M,
)
_WOLNE = re.compile(r"wolnelektury\.pl|Woln\w+ Lektur")
_FRAME = 4_000  # characters within which a Wolne Lektury header ends, and within which (from the end) its footer lies
_HEADING = re.compile(
    r"(?:chapter|rozdział|księga|book|part|część|tom|act|akt|scene|scena|letter|list|adventure|epilog\w*|prolog\w*)\b"
    r".{0,60}|[IVXLC]{1,7}\.?",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?…])[\"”’»)]?\s+")


def unframe(text: str) -> str:
    """`text` without the headers and footers of Project Gutenberg and Wolne Lektury; other texts as they are.

    Lines of a Gutenberg paragraph that were broken at some 70 columns are joined; verse, with its short lines, is not.
    """
    if end := _GUTENBERG_END.search(text):
        start = _GUTENBERG_START.search(text, 0, end.start())
        body = _CREDITS.sub("", text[start.end() if start else 0 : end.start()].lstrip("\n"))
        return "\n\n".join(_unwrap(paragraph) for paragraph in re.split(r"\n\s*\n", body))
    return _without_wolne_lektury(text) if _WOLNE.search(text, max(0, len(text) - _FRAME)) else text


def _without_wolne_lektury(text: str) -> str:
    """Without header, table of contents, appeals between chapters, editors' notes and the numbers pointing at them."""
    heads = [*_WOLNE_HEAD.finditer(text, 0, min(_FRAME, len(text) // 2))]
    text = text[heads[-1].end() :].split("\n", 1)[-1] if heads else text
    if notes := _WOLNE_NOTES.search(text, len(text) // 2):
        text = _NOTE_NUMBER.sub("", text[: notes.start()])
    foot = _WOLNE_FOOT.search(text, max(0, len(text) - _FRAME))
    return _WOLNE_APPEAL.sub("", text[: foot.start()] if foot else text)


def _unwrap(paragraph: str) -> str:
    lines = [line.strip() for line in paragraph.strip("\n").split("\n")]
    wrapped = len(lines) > 1 and all(len(line) >= 45 for line in lines[:-1])
    return (" " if wrapped else "\n").join(lines)


def parts(text: str) -> Iterator[str]:
    """`text` whole if it is short, else in parts of about `PART` characters, cut at headings and paragraph borders.

    Nothing but white space between parts is lost. Paragraphs are what empty lines separate, lines where there are none;
    a paragraph longer than a part is cut between sentences.
    """
    if len(text) <= LONG:
        yield text
        return
    gathered: list[str] = []
    size = 0
    for piece in _pieces(text):
        heading = len(piece) < 80 and _HEADING.fullmatch(piece.strip().split("\n")[0]) is not None
        if gathered and (size + len(piece) > PART * 1.5 or size >= PART or (heading and size > PART // 4)):
            yield "".join(gathered).strip("\n")
            gathered, size = [], 0
        gathered.append(piece)
        size += len(piece)
    if gathered:
        yield "".join(gathered).strip("\n")


def _pieces(text: str) -> Iterator[str]:
    border = "\n\n" if text.count("\n\n") > len(text) / (2 * PART) else "\n"
    for paragraph in text.split(border):
        if len(paragraph) <= PART:
            yield paragraph + border
            continue
        begin = last = 0
        for match in _SENTENCE.finditer(paragraph):
            if match.end() - begin > PART:
                cut = last if last > begin else match.end()
                yield paragraph[begin:cut]
                begin = cut
            last = match.end()
        yield paragraph[begin:] + border
