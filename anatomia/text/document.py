"""The unit that the text room passes on."""

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any


@dataclass(frozen=True)
class Document:
    """One text and where it came from.

    Attributes:
        text: Unicode text, normalised once it has passed `text.normal`.
        source: what a person would call its origin: a path, a URL, "world".
        language: ISO 639-1 code, or "" while unknown.
        meta: whatever else the source said (title, date, genre, …); plain JSON values.
    """

    text: str
    source: str
    language: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """128 bits of BLAKE2b over the text, in hexadecimal: the same text has the same id wherever it lies."""
        return blake2b(self.text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
