"""The main text of a web page."""

import re
from collections.abc import Sequence

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from anatomia.text.charset import decode

SENTENCE = 30  # characters; a line this long that ends as sentences do is text, not a button
LONGEST = 20_000_000  # bytes of HTML; more is no page anybody wrote

_ENDS = (".", "!", "?", "…", ":", ";", '"', "”", "»", ")")

# Lines of the page's frame that survive extraction: C4 (Raffel et al. 2020, §2.2) drops lines about JavaScript and
# cookies; the Polish ones are ours.
_FRAME = re.compile(
    r"(?:enable|activate|włącz|obsług)\w*\s+(?:\w+\s+)?javascript|javascript\s+(?:is|must|jest|musi)\b"
    r"|(?:uses?|using|używa\w*|wykorzystuje\w*|stosuje\w*|korzysta\w*)\s+(?:\w+\s+){0,2}(?:cookies?|ciastecz\w+)"
    r"|cookie policy|polityka prywatności"
    r"|^(?:share|tweet|udostępnij|podziel się|skomentuj|drukuj|print|e-?mail|reklama|advertisement)\W*$",
    re.IGNORECASE,
)


def extract(data: bytes, claims: Sequence[str] = ()) -> tuple[str, str]:
    """Main text of an HTML page, and its title.

    Navigation, footers, scripts and forms go (Resiliparse's rules), as do lines that speak of cookies or JavaScript and
    what stands before the first and after the last sentence (dates, shares, "read also"), but for the page's title.
    Paragraphs stay apart. "" where nothing is left.

    Args:
        data: the page's bytes, in whatever encoding (`text.charset.decode`).
        claims: encodings named outside the page.
    """
    html, _ = decode(data, claims, html=True)
    tree = HTMLTree.parse(html)
    text = extract_plain_text(
        tree, preserve_formatting=True, main_content=True, list_bullets=False, alt_texts=False, links=False
    )
    title = (tree.title or "").strip()
    lines = [line for line in text.split("\n") if not (len(line) < 300 and _FRAME.search(line))]
    return "\n".join(_trim(lines, title)), title


def _trim(lines: list[str], title: str) -> list[str]:
    """The lines from the title, or else the first sentence, to the last sentence; all if there is no sentence."""
    sentences = [i for i, line in enumerate(lines) if len(line) >= SENTENCE and line.rstrip().endswith(_ENDS)]
    if not sentences:
        return lines
    first, last = sentences[0], sentences[-1]
    heading = next((i for i in range(first) if len(lines[i].strip()) > 10 and lines[i].strip() in title), first)
    return [*([lines[heading], ""] if heading < first else []), *lines[first : last + 1]]
