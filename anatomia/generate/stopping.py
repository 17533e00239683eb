"""Stop strings: a text ends exactly where one begins, however the string lies across tokens.

They are looked for in the text, never among the tokens: a string may begin inside one token and end inside another,
and a character may be split between tokens.
"""

from collections.abc import Sequence


def cut(text: str, stops: Sequence[str]) -> str:
    """The text before the first occurrence of any stop string; all of it where there is none."""
    places = [text.find(stop) for stop in stops]
    return text[: min((place for place in places if place >= 0), default=len(text))]


def settled(text: str, stops: Sequence[str]) -> str:
    """The part of a growing text that no further token can take back: neither the beginning of a stop string at its
    end nor a character of which bytes are still to come belong to it."""
    text = cut(text, stops).rstrip("�")
    longest = max((len(stop) for stop in stops), default=1) - 1
    for length in range(min(longest, len(text)), 0, -1):
        if any(stop.startswith(text[-length:]) for stop in stops):
            return text[:-length]
    return text
