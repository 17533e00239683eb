"""Completions of one prompt, and where people placed them."""

from dataclasses import dataclass

UNPLACED = -1


@dataclass(frozen=True)
class Judged:
    """Completions of one prompt, ready to be scored, and what was said of them.

    Attributes:
        sequences: K token sequences, prompt and completion and end token.
        places: one list of K places per ranking of them.
        prompt: how many tokens at the beginning of each sequence are the prompt's.
        stars: what all rankings together make of each of the K, 0 to 5, NaN where nobody placed it; or nothing.
    """

    sequences: tuple[tuple[int, ...], ...]
    places: tuple[tuple[int, ...], ...]
    prompt: int = 0
    stars: tuple[float, ...] = ()

    @property
    def best(self) -> int:
        """The completion whose mean place is the first, of those that were placed most often."""
        columns = [[place for place in column if place != UNPLACED] for column in zip(*self.places, strict=True)]
        return min(range(len(columns)), key=lambda k: (-len(columns[k]), sum(columns[k])))

    @property
    def question(self) -> tuple[int, ...]:
        """The prompt's tokens."""
        return self.sequences[0][: self.prompt]

    @property
    def answer(self) -> tuple[int, ...]:
        """The best completion's tokens."""
        return self.sequences[self.best][self.prompt :]
