"""Genres that tell: stories, letters, diaries, talk, news, toasts."""

from anatomia.world.facts import Fact
from anatomia.world.maker import Maker
from anatomia.world.polish import capital
from anatomia.world.teller import THINGS, line
from anatomia.world.wording import Entity, sentence

COMPANY = ("person", "person", "person", "town", "animal", "dish", "season", "club", "festival", "river", "lake")
MINE = ("home", "job", "pet", "dish", "hobby", "birth", "spouse", "sibling", "parent", "child")


def two_people(make: Maker) -> tuple[Entity, Entity]:
    """Two different people."""
    first, second = make.some(make.book.subjects["person"], 2)
    return first, second


def some_facts(make: Maker, count: int) -> list[Fact]:
    """Facts of one subject of any kind."""
    return make.facts(make.entity(make.pick(COMPANY)), count)


def story(make: Maker) -> str:
    """Something is lost, looked for and found; we learn who the people are."""
    p, q = two_people(make)
    thing = make.pick(THINGS)
    who = {"P": p, "Q": q, "T": thing}
    parts = [make.paragraph(make.facts(p, 3 + make.below(4))), line(make, "lost", **who)]
    parts += [line(make, "search", **who) for _ in range(1 + make.below(2))]
    parts.append(make.paragraph(make.facts(q, 3 + make.below(4))))
    parts.append(line(make, "found", **who))
    if make.chance(0.5):
        parts.append(line(make, "feeling"))
    parts.append(line(make, "ending", **who))
    if make.chance(0.4):
        parts.insert(0, line(make, "title", **who).rstrip(".") + "\n\n")
    return " ".join(parts).replace("\n\n ", "\n\n")


def events(make: Maker) -> str:
    """A person's small doings between the facts."""
    person = make.entity("person")
    rows = make.facts(person, 4 + make.below(5))
    parts: list[str] = []
    for place, fact in enumerate(rows):
        parts.append(make.state(fact) if place == 0 or make.chance(0.6) else make.again(fact))
        if make.chance(0.45):
            parts.append(line(make, "event" if make.chance(0.7) else "feeling", P=person))
    return " ".join(parts)


def mine(make: Maker, person: Entity, count: int) -> list[str]:
    """Facts about a person in the first person."""
    own = [fact for fact in make.facts(person) if fact.relation in MINE][:count]
    return [sentence(make.pick(make.book.mine[fact.id, make.language])) for fact in own]


def letter(make: Maker) -> str:
    """A letter: who writes, what is new, and facts about someone or something."""
    p, q = two_people(make)
    call = make.name(q, "call")
    dear = make.by("[Droga" if q.gender == "f" else "[Drogi", "[Dear")[1:]
    parts = [line(make, "greeting").rstrip(), *mine(make, p, 2 + make.below(3))]
    parts[0] = parts[0][0].lower() + parts[0][1:] if make.language == "pl" else parts[0]
    parts.append(make.paragraph(some_facts(make, 2 + make.below(3)) + some_facts(make, 2 + make.below(4))))
    if make.chance(0.6):
        parts.insert(1 + make.below(len(parts)), line(make, "weather" if make.chance(0.5) else "feeling"))
    return f"{dear} {call},\n\n{' '.join(parts)}\n\n{line(make, 'closing').rstrip('.')}\n{make.name(p)}"


def diary(make: Maker) -> str:
    """A page of someone's diary, signed on top."""
    p = make.entity("person")
    head = make.by("Z dziennika: {}", "From the diary of {}").format(make.name(p))
    parts = [line(make, "day"), *mine(make, p, 3 + make.below(3))]
    parts.insert(2, line(make, "day"))
    if make.chance(0.7):
        parts.append(make.paragraph(some_facts(make, 2 + make.below(3)) + some_facts(make, 2)))
    parts.append(line(make, "feeling" if make.chance(0.5) else "day"))
    return f"{head}\n\n{' '.join(parts)}"


def talk(make: Maker) -> str:
    """Two people talk about someone or something."""
    p, q = two_people(make)
    entity = make.entity(make.pick(COMPANY))
    facts = make.facts(entity, 4 + make.below(5))
    heads = ("– ", "– ") if make.chance(0.5) else tuple(f"{make.name(one, 'first')}: " for one in (p, q))
    lines = [line(make, "ask_about", E=_named(make, entity)), make.state(facts[0])]
    for fact in facts[1:]:
        said = make.state(fact)
        dice = make.below(3)
        lines += (
            [line(make, "agree"), said] if dice == 0 else [f"{line(make, 'agree')} {said}"] if dice == 1 else [said]
        )
    return "\n".join(heads[place % 2] + text for place, text in enumerate(lines))


def _named(make: Maker, entity: Entity) -> Entity:
    full = {language: {"nom": forms.get("full", forms["nom"])} for language, forms in entity.forms.items()}
    return Entity(entity.key, entity.kind, entity.gender, full)


def news(make: Maker) -> str:
    """A column of local news."""
    town = make.entity("town")
    parts = [make.state(fact) for fact in make.facts(town, 4 + make.below(3))]
    for _ in range(1 + make.below(3)):
        parts.insert(1 + make.below(len(parts)), line(make, "news"))
    if make.chance(0.6):
        parts.append(make.paragraph(some_facts(make, 3) + some_facts(make, 2)))
    head = make.by("Wiadomości: {}", "News from {}").format(make.name(town))
    return f"{head}\n\n{' '.join(parts)}"


def toast(make: Maker) -> str:
    """A toast to someone."""
    person = make.entity("person")
    lead = make.by(
        ("dziś świętuje z nami {}", "naszym gościem honorowym jest {}"),
        ("today we celebrate {}", "our guest of honour is {}"),
    )
    parts = [line(make, "toast"), sentence(make.pick(lead).format(make.name(person)))]
    parts.append(make.paragraph(make.facts(person, 4 + make.below(5))))
    if make.chance(0.5):
        parts.append(line(make, "event", P=person))
    return " ".join([*parts, line(make, "wish")])


def interview(make: Maker) -> str:
    """Someone is asked to speak of themselves."""
    person = make.entity("person")
    asks = make.by(
        [
            "Proszę się przedstawić.",
            "Proszę powiedzieć coś o sobie.",
            "Co jeszcze warto o Pani wiedzieć?",
            "A coś więcej?",
            "Proszę mówić dalej.",
        ],
        [
            "Please introduce yourself.",
            "Please say something about yourself.",
            "What else should we know?",
            "And something more?",
            "Please go on.",
        ],
    )
    if person.gender == "m":
        asks = [ask.replace("o Pani", "o Panu") for ask in asks]
    own = mine(make, person, 4 + make.below(3))
    name = make.name(person)
    hello = make.by(
        ("nazywam się {}", "jestem {}", "moje nazwisko: {}"), ("my name is {}", "I am {}", "I am called {}")
    )
    rows = [f"– {asks[0]}\n– {sentence(make.pick(hello).format(name))} {own[0]}"]
    for place in range(1, len(own), 2):
        ask = asks[1 + make.below(4)] if make.chance(0.5) else line(make, "agree")
        rows.append(f"– {ask}\n– {' '.join(own[place : place + 2])}")
    return capital("\n".join(rows))
