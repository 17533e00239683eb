"""Genres that say what is: encyclopedia, register, quiz, chronicle, …"""

from anatomia.world.maker import Maker
from anatomia.world.polish import capital

KINDS = (
    ("person",) * 5
    + ("town",) * 2
    + ("season",) * 3
    + ("animal", "dish", "river", "lake", "mountain", "club", "festival", "region")
)


def encyclopedia(make: Maker) -> str:
    """An entry with a heading."""
    entity = make.entity(make.pick(KINDS))
    return f"{capital(make.name(entity, 'full'))}\n\n{make.paragraph(make.facts(entity))}"


def quiz(make: Maker) -> str:
    """Questions and answers about many things (never those held out)."""
    rows = []
    for _ in range(4 + make.below(5)):
        entity = make.entity(make.pick(KINDS))
        question = make.question(make.facts(entity, 1)[0])
        if question:
            answer = make.curt(question) if make.chance(0.5) else make.answer(question)
            rows.append(f"{question.text} {answer}" if make.chance(0.5) else f"{question.text}\n{answer}")
    return "\n".join(rows) or encyclopedia(make)
