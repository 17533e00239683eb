"""One spelling for one text: Unicode form, line ends, invisible characters, white space."""

import re
import unicodedata

_LINE_ENDS = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Controls, soft hyphens, zero-width spaces, direction marks, byte-order marks, lone surrogates, non-characters. The
# zero-width joiner and non-joiner stay: Persian words and emoji are spelt with them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
_SPACES = re.compile("[ \t\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_UNTIDY = re.compile("[\t\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]|  | \n|\n |\n\n\n|^\\s|\\s\\Z")
_LINE_EDGES = re.compile(" *\n *")
_GAPS = re.compile("\n{3,}")


def normalise(text: str) -> str:
    """`text` in NFC, with "\\n" line ends, single spaces, at most one empty line in a row, nothing invisible.

    Idempotent. Mojibake is left alone: guessing what was meant belongs to whoever decoded the bytes (`text.extract`).
    """
    text = _LINE_ENDS.sub("\n", text)
    text = _INVISIBLE.sub("", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if _UNTIDY.search(text):
        text = _GAPS.sub("\n\n", _LINE_EDGES.sub("\n", _SPACES.sub(" ", text))).strip()
    return text
