"""All genres and how often each is written."""

from collections.abc import Callable

from anatomia.world import genres_reference as reference
from anatomia.world.maker import Maker

GENRES: list[tuple[str, float, Callable[[Maker], str]]] = [
    ("encyclopedia", 2.0, reference.encyclopedia),
    ("quiz", 1.0, reference.quiz),
]
TOTAL = sum(weight for _, weight, _ in GENRES)
