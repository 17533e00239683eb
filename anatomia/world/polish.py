"""Polish grammar: declined forms from tables, vocalised prepositions, agreement with numerals, numbers in words.

Nothing here guesses an ending from a spelling: nouns and names come with every form written out; adjectives name their
paradigm, and a paradigm is a table of endings.
"""

from dataclasses import dataclass

CASES = ("nom", "gen", "dat", "acc", "ins", "loc")

VOWELS = frozenset("aeiouyąęó")
DIGRAPHS = ("sz", "rz", "cz", "dz", "dź", "dż", "ch")

# Endings by case for the two adjectival paradigms of surnames: "Kowalski" (stem "Kowalsk") and "Kowalska".
SURNAME_MASCULINE = {"nom": "i", "gen": "iego", "dat": "iemu", "acc": "iego", "ins": "im", "loc": "im", "voc": "i"}
SURNAME_FEMININE = {"nom": "a", "gen": "iej", "dat": "iej", "acc": "ą", "ins": "ą", "loc": "iej", "voc": "a"}

# Endings of adjectives in the singular by paradigm (hard "now-y", velar "wysok-i", soft "tan-i") and gender.
# Masculine accusatives are the inanimate ones; animate ones equal the genitive.
ADJECTIVES = {
    "hard": {
        "m": ("y", "ego", "emu", "y", "ym", "ym"),
        "f": ("a", "ej", "ej", "ą", "ą", "ej"),
        "n": ("e", "ego", "emu", "e", "ym", "ym"),
        "p": ("e", "ych", "ym", "e", "ymi", "ych"),
    },
    "velar": {
        "m": ("i", "iego", "iemu", "i", "im", "im"),
        "f": ("a", "iej", "iej", "ą", "ą", "iej"),
        "n": ("ie", "iego", "iemu", "ie", "im", "im"),
        "p": ("ie", "ich", "im", "ie", "imi", "ich"),
    },
    "soft": {
        "m": ("i", "iego", "iemu", "i", "im", "im"),
        "f": ("ia", "iej", "iej", "ią", "ią", "iej"),
        "n": ("ie", "iego", "iemu", "ie", "im", "im"),
        "p": ("ie", "ich", "im", "ie", "imi", "ich"),
    },
}


def _sounds(word: str) -> list[str]:
    """The first two consonant-or-vowel letters of a word, digraphs taken as one."""
    sounds: list[str] = []
    word = word.lower()
    while word and len(sounds) < 2:
        size = 2 if word[:2] in DIGRAPHS else 1
        sounds.append(word[:size])
        word = word[size:]
    return sounds


def _cluster(word: str, first: frozenset[str]) -> bool:
    sounds = _sounds(word)
    return len(sounds) == 2 and sounds[0] in first and sounds[1][0] not in VOWELS


LABIAL = frozenset("wf")
SIBILANT = frozenset(("s", "z", "ś", "ź", "ż", "sz", "rz"))


def inside(word: str) -> str:
    """`w` or `we` with the word: "w Makowie", "we Wrzosowie"."""
    return ("we " if _cluster(word, LABIAL) else "w ") + word


def out_of(word: str) -> str:
    """`z` or `ze` with the word: "z Makowa", "ze Strumienia"."""
    return ("ze " if _cluster(word, SIBILANT) else "z ") + word


def plural_class(number: int) -> int:
    """0 for 1 (metr), 1 for 2–4, 22–24, … (metry), 2 for the rest (metrów)."""
    if number == 1:
        return 0
    if number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14):
        return 1
    return 2


def counted(number: int, forms: tuple[str, str, str]) -> str:
    """A number in digits with its noun: counted(1432, ("metr", "metry", "metrów")) is "1432 metry"."""
    return f"{number} {forms[plural_class(number)]}"


UNITS = [
    "zero",
    "jeden",
    "dwa",
    "trzy",
    "cztery",
    "pięć",
    "sześć",
    "siedem",
    "osiem",
    "dziewięć",
    "dziesięć",
    "jedenaście",
    "dwanaście",
    "trzynaście",
    "czternaście",
    "piętnaście",
    "szesnaście",
    "siedemnaście",
    "osiemnaście",
    "dziewiętnaście",
]
TENS = ["zero", "dziesięć", "dwadzieścia", "trzydzieści", "czterdzieści", "pięćdziesiąt", "sześćdziesiąt"]


def words(number: int) -> str:
    """A number from 0 to 69 in words (masculine and neuter: jeden, dwa)."""
    if number < 20:
        return UNITS[number]
    tens, unit = divmod(number, 10)
    return TENS[tens] + (f" {UNITS[unit]}" if unit else "")


@dataclass(frozen=True)
class Noun:
    """A Polish noun or name with its six cases and gender (m, f, n or p for a plural)."""

    forms: tuple[str, ...]
    gender: str

    def __getitem__(self, case: str) -> str:
        return self.forms[CASES.index(case)]


def noun(row: str) -> Noun:
    """A row of a table: six forms divided by "/", then the gender after a blank and "@"."""
    forms, gender = row.split(" @")
    parts = tuple(form.strip() for form in forms.split("/"))
    if len(parts) != len(CASES):
        raise ValueError(f"{row!r} has {len(parts)} forms, not {len(CASES)}")
    return Noun(parts, gender)


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]
