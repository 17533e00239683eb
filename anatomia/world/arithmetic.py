"""Sums and differences in words, held out by their operands."""

from dataclasses import dataclass
from random import Random

from anatomia.world import english, polish

LARGEST = 20
HELD_SHARE = 0.3

# Statement first, then questions; the last two questions are never used in training.
PLUS = {
    "pl": (
        ("{a} dodać {b} to {c}", "{a} plus {b} równa się {c}", "suma liczb {a} i {b} to {c}"),
        (
            "Ile to jest {a} dodać {b}?",
            "Ile to jest {a} plus {b}?",
            "{A} dodać {b} – ile to jest?",
            "Jaki jest wynik dodawania: {a} plus {b}?",
            "Do liczby {a} dodaj {b}. Ile wyszło?",
            "Policz: {a} i jeszcze {b}.",
        ),
    ),
    "en": (
        ("{a} plus {b} is {c}", "{a} and {b} make {c}", "the sum of {a} and {b} is {c}"),
        (
            "What is {a} plus {b}?",
            "How much is {a} plus {b}?",
            "{A} plus {b} – what is it?",
            "What is the sum of {a} and {b}?",
            "Add {b} to {a}. What do you get?",
            "Work out: {a} and another {b}.",
        ),
    ),
}
MINUS = {
    "pl": (
        ("{a} odjąć {b} to {c}", "{a} minus {b} równa się {c}", "różnica liczb {a} i {b} to {c}"),
        (
            "Ile to jest {a} odjąć {b}?",
            "Ile to jest {a} minus {b}?",
            "{A} odjąć {b} – ile to jest?",
            "Jaki jest wynik odejmowania: {a} minus {b}?",
            "Od liczby {a} odejmij {b}. Ile zostało?",
            "Policz: było {a}, a zabieramy {b}.",
        ),
    ),
    "en": (
        ("{a} minus {b} is {c}", "{b} from {a} leaves {c}", "the difference of {a} and {b} is {c}"),
        (
            "What is {a} minus {b}?",
            "How much is {a} minus {b}?",
            "{A} minus {b} – what is it?",
            "What is the difference of {a} and {b}?",
            "Take {b} from {a}. What is left?",
            "Work out: {a} less {b}.",
        ),
    ),
}


@dataclass(frozen=True)
class Sum:
    """`a` plus or minus `b`; `id` is "plus/7/5"."""

    sign: str
    a: int
    b: int

    @property
    def id(self) -> str:
        """What names it."""
        return f"{self.sign}/{self.a}/{self.b}"

    @property
    def result(self) -> int:
        """The right answer."""
        return self.a + self.b if self.sign == "plus" else self.a - self.b

    def words(self, language: str) -> dict[str, str]:
        """The slots of the templates."""
        say = polish.words if language == "pl" else english.words
        a, b, c = say(self.a), say(self.b), say(self.result)
        return {"a": a, "b": b, "c": c, "A": polish.capital(a)}

    def statements(self, language: str) -> list[str]:
        """Sentences that state it."""
        table = PLUS if self.sign == "plus" else MINUS
        return [polish.capital(text.format(**self.words(language))) + "." for text in table[language][0]]

    def questions(self, language: str) -> list[str]:
        """Questions for its result."""
        table = PLUS if self.sign == "plus" else MINUS
        return [text.format(**self.words(language)) for text in table[language][1]]


def sums(seed: int) -> tuple[list[Sum], list[Sum]]:
    """All sums and differences in random order: those of training, and those held out."""
    numbers = range(1, LARGEST + 1)
    every = [Sum("plus", a, b) for a in numbers for b in numbers] + [
        Sum("minus", a, b) for a in numbers for b in range(1, a + 1)
    ]
    Random(f"sums {seed}").shuffle(every)
    cut = round(len(every) * HELD_SHARE)
    return every[cut:], every[:cut]
