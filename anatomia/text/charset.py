"""Bytes to text when the label on them may lie."""

import codecs
import re
from collections.abc import Sequence

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(
    rb"<(?:meta[^>]{0,200}?charset|\?xml[^>]{0,100}?encoding)\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE
)
_META_WITHIN = 4096  # bytes; HTML allows 1024, pages do not keep to it
# Encodings that are taken for one another: where one is claimed and fits badly, its neighbours are tried.
_NEIGHBOURS = {
    "iso-8859-1": ("cp1252", "iso-8859-2", "cp1250"),
    "cp1252": ("iso-8859-2", "cp1250"),
    "iso-8859-2": ("cp1250",),
    "cp1250": ("iso-8859-2",),
    "cp1251": ("koi8-r",),
    "utf-8": ("cp1250", "iso-8859-2", "cp1252"),
}
_STRAY = (
    0.02  # share of broken sequences among the non-ASCII bytes up to which a UTF-8 text is damaged, not mislabelled
)
# What shows a wrong single-byte decoding: C1 controls, and signs and currency where a letter must stand.
_STRANGE = re.compile(
    "[\x80-\x9f\ufffd]|(?<=[^\\W\\d_])[¡-©«-´¶-¸»-¿×÷ˇ˘˙˛˝¬±¦](?=[^\\W\\d_])|[±¶¦¬¼¿³¹ˇ˘˛](?=[^\\W\\d_]{2})"
)


def decode(data: bytes, claims: Sequence[str] = (), html: bool = False) -> tuple[str, str]:
    """Text of `data`, and the encoding it turned out to be in.

    A byte-order mark decides. Bytes that are valid UTF-8 are UTF-8: other encodings' text hardly ever is. Then what is
    claimed (`claims`, then, for `html`, each `<meta charset>` in turn) if the text it gives looks like one, then the
    neighbours of what is claimed and what the bytes look like to a detector, whichever leaves least that is strange.

    Args:
        data: the bytes of a file or an HTTP body.
        claims: encodings that outside sources name (an HTTP header), the most trusted first; unknown names are ignored.
        html: whether to look for claims inside.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace"), name
    escapes = data.isascii() and b"\x1b" in data  # ISO 2022, as in old Japanese pages, looks like ASCII
    try:
        text = data.decode("utf-8")
        if not escapes:
            return text, "utf-8"
    except UnicodeDecodeError:
        pass
    named = [*claims, *(m.decode("ascii") for m in _META.findall(data[:_META_WITHIN]))] if html else list(claims)
    candidates: list[str] = []
    for name in named:
        known = _canonical(name)
        if known and known not in candidates:
            candidates.append(known)
    if escapes:
        candidates = [name for name in candidates if name.startswith("iso2022")] or ["utf-8"]
    elif "utf-8" in candidates or not candidates:
        text = data.decode("utf-8", "replace")
        if text.count("\ufffd") <= max(2, _STRAY * (len(text) - len(data.translate(None, bytes(range(128, 256)))))):
            return text, "utf-8"
    claimed = list(candidates)
    candidates += [n for name in claimed for n in _NEIGHBOURS.get(name, ())]
    detected = _canonical(detect_encoding(data) or "")
    candidates += [detected] if detected else []
    candidates += _NEIGHBOURS["utf-8"] if not claimed else ()
    best, best_strange, best_name = "", float("inf"), ""
    for name in dict.fromkeys(candidates):
        text = data.decode(name, "replace")
        strange = len(_STRANGE.findall(text)) + 20 * text.count("\ufffd") * (name == "utf-8")
        if strange < best_strange:
            best, best_strange, best_name = text, strange, name
        if strange == 0:
            break
    return best, best_name


def _canonical(name: str) -> str:
    """Python's name of the encoding, by the web's rules for labels ("iso-8859-1" means cp1252); "" if unknown."""
    try:
        if name.lower().replace("_", "-") in ("iso-8859-2", "latin2"):
            return "iso-8859-2"
        python = codecs.lookup(map_encoding_to_html5(name) or name).name
    except (LookupError, TypeError, ValueError):
        return ""
    return python if python not in ("utf-7", "unicode_escape", "idna", "punycode", "raw_unicode_escape") else ""
