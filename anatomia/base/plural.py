"""The form of a word that goes with a number, in English and Polish."""

from collections.abc import Sequence


def plural(language: str, number: float, forms: Sequence[str]) -> str:
    """The form of a word that goes with a number.

    Args:
        forms: in English the two of 1 step and 2 steps; in Polish the three of 1 krok, 2 kroki and 5 kroków.
    """
    if language == "en" or number == 1:
        return forms[0] if number == 1 else forms[1]
    few = number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14)
    return forms[1] if few else forms[2]


def counted(number: int, one: str, many: str) -> str:
    """A count with its word, as English writes it: 1 word, 1,200 words."""
    return f"{number:,} {plural('en', number, (one, many))}"
