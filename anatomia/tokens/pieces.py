"""Single tokens made readable: the bytes behind a token's name, and those bytes as text."""

import codecs
import re
from functools import cache


def readable(data: bytes) -> str:
    """`data` as text; bytes that are only part of a character as "⟨c5⟩"."""
    return data.decode("utf-8", "anatomia-partial")


def token_bytes(token: str, byte_level: bool) -> bytes:
    """The bytes that the name `token` stands for.

    Byte-level tokenizers (GPT-2's kind) name each byte by a printable character; SentencePiece's kind writes "▁" for a
    space and "<0xC5>" for a single byte.
    """
    if byte_level:
        values = byte_values()
        return b"".join(bytes([values[c]]) if c in values else c.encode() for c in token)
    if re.fullmatch(r"<0x[0-9A-Fa-f]{2}>", token):
        return bytes([int(token[3:5], 16)])
    return token.replace("▁", " ").encode()


@cache
def byte_values() -> dict[str, int]:
    """The byte behind each character of the byte-level alphabet.

    Bytes that print as a Latin-1 character keep it; the others take the characters from U+0100 on, in order (Radford et
    al. 2019).
    """
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [value for value in range(256) if value not in own]
    return {chr(value): value for value in own} | {chr(0x100 + place): value for place, value in enumerate(others)}


def _partial(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"⟨{value:02x}⟩" for value in error.object[error.start : error.end]), error.end


codecs.register_error("anatomia-partial", _partial)
