"""Genres that say what is: encyclopedia, guide, register, quiz, chronicle, comparison, riddle, sums."""

from anatomia.world import english, polish
from anatomia.world.facts import KIN, RELATIONS, Fact
from anatomia.world.maker import Maker
from anatomia.world.polish import capital
from anatomia.world.teller import line
from anatomia.world.wording import Entity, sentence

# How often each kind of subject is written about: about as often as it has facts.
SHARES = (
    *(("person", 34), ("season", 14), ("town", 14), ("animal", 6), ("club", 6), ("dish", 5), ("river", 3), ("lake", 3)),
    *(("mountain", 2), ("region", 2), ("festival", 3)),
)
KINDS = tuple(kind for kind, share in SHARES for _ in range(share))

# Labels of the cards of the register, by relation.
LABELS = {
    "pl": {
        "home": "miejsce zamieszkania",
        "birth": "rok urodzenia",
        "job": "zawód",
        "pet": "zwierzę",
        "dish": "ulubione danie",
        "hobby": "hobby",
        "town_river": "rzeka",
        "town_region": "region",
        "mayor": "burmistrz",
        "goods": "wyroby",
        "sight": "atrakcja",
        "founded": "rok założenia",
        "mouth": "ujście: jezioro",
        "source": "źródło: góra",
        "length": "długość",
        "lake_region": "region",
        "depth": "głębokość",
        "lake_fish": "ryba",
        "height": "wysokość",
        "mountain_region": "region",
        "capital": "stolica",
        "emblem": "zwierzę w herbie",
        "club_town": "miasto",
        "colours": "barwy",
        "mascot": "maskotka",
        "club_founded": "rok założenia",
        "winner": "zwycięzca",
        "runner_up": "drugie miejsce",
        "host": "miasto finału",
        "score": "wynik finału",
        "scorer": "najlepszy strzelec",
        "diet": "pokarm",
        "habitat": "gdzie mieszka",
        "dish_region": "region",
        "ingredient": "główny składnik",
        "festival_town": "miasto",
        "festival_month": "miesiąc",
        "spouse": "małżeństwo z",
        "sibling": "rodzeństwo",
        "parent": "rodzic",
        "child": "dziecko",
    },
    "en": {
        "home": "home town",
        "birth": "year of birth",
        "job": "trade",
        "pet": "pet",
        "dish": "favourite dish",
        "hobby": "hobby",
        "town_river": "river",
        "town_region": "region",
        "mayor": "mayor",
        "goods": "known for",
        "sight": "sight",
        "founded": "founded",
        "mouth": "flows into Lake",
        "source": "rises on Mount",
        "length": "length",
        "lake_region": "region",
        "depth": "depth",
        "lake_fish": "fish",
        "height": "height",
        "mountain_region": "region",
        "capital": "capital",
        "emblem": "animal in the coat of arms",
        "club_town": "town",
        "colours": "colours",
        "mascot": "mascot",
        "club_founded": "founded",
        "winner": "winner",
        "runner_up": "runner-up",
        "host": "town of the final",
        "score": "score of the final",
        "scorer": "top scorer",
        "diet": "food",
        "habitat": "where it lives",
        "dish_region": "region",
        "ingredient": "main ingredient",
        "festival_town": "town",
        "festival_month": "month",
        "spouse": "married to",
        "sibling": "brother or sister",
        "parent": "parent",
        "child": "child",
    },
}


def any_entity(make: Maker) -> Entity:
    """Any subject of facts."""
    return make.entity(make.pick(KINDS))


def _title(make: Maker, entity: Entity) -> str:
    return capital(make.name(entity, "full"))


def encyclopedia(make: Maker) -> str:
    """One or two entries with headings."""
    chosen = {entity.key: entity for entity in (any_entity(make) for _ in range(2 + make.below(2)))}
    return "\n\n".join(f"{_title(make, one)}\n\n{make.paragraph(make.facts(one))}" for one in chosen.values())


def lecture(make: Maker) -> str:
    """Many facts about a few subjects of one kind, in running prose."""
    kind = make.pick(KINDS)
    facts: list[Fact] = []
    for entity in make.some(make.book.subjects[kind], 3 + make.below(4)):
        facts += make.facts(entity, 2 + make.below(4))
    return make.paragraph(facts)


def guide(make: Maker) -> str:
    """A guide to a town, and then to its river, its region, or its mayor."""
    town = make.entity("town")
    parts = [make.paragraph(make.facts(town, 4 + make.below(4)))]
    near = make.object(make.pick(("town_river", "town_region", "mayor")), town)
    parts.append(make.paragraph(make.facts(near, 3 + make.below(2))))
    if make.chance(0.5):
        parts.append(line(make, "feeling" if make.chance(0.3) else "weather"))
    return f"{_title(make, town)}\n\n{' '.join(parts)}" if make.chance(0.5) else " ".join(parts)


def register(make: Maker) -> str:
    """Cards with labels."""
    cards = []
    for _ in range(2 + make.below(3)):
        entity = any_entity(make)
        rows = [_title(make, entity)]
        for fact in make.facts(entity):
            _, object_ = make.book.ends(fact)
            rows.append(f"{LABELS[make.language][fact.relation]}: {make.name(object_)}")
        cards.append(("\n" if make.chance(0.5) else "; ").join(rows))
    return "\n\n".join(cards)


def quiz(make: Maker) -> str:
    """Questions and answers about many things (never those held out)."""
    rows = []
    for _ in range(6 + make.below(6)):
        question = make.question(make.facts(any_entity(make), 1)[0])
        if question:
            rows.append(_asked(make, question.text, make.curt(question), make.answer(question)))
    return "\n".join(rows) or encyclopedia(make)


def _asked(make: Maker, question: str, curt: str, full: str) -> str:
    answer = curt if make.chance(0.4) else full
    return make.pick(("{} {}", "{}\n{}", "– {}\n– {}")).format(question, answer)


def faq(make: Maker) -> str:
    """Questions and answers about one subject, then more about it."""
    entity = any_entity(make)
    facts, rows, rest = make.facts(entity), [], []
    for fact in facts:
        question = make.question(fact)
        if question and make.chance(0.7):
            rows.append(_asked(make, question.text, make.curt(question), make.answer(question)))
        else:
            rest.append(fact)
    text = "\n".join([_title(make, entity), *rows])
    return f"{text}\n{make.paragraph(rest)}" if rest else text


def chronicle(make: Maker) -> str:
    """What happened in which year, in order."""
    names = ("birth", "founded", "club_founded", "winner", "runner_up", "host", "score", "scorer")
    facts = []
    for _ in range(6 + make.below(6)):
        name = make.pick(names)
        facts.append(make.fact(name, make.pick(make.book.subjects[RELATIONS[name].subject])))
    facts = list({fact.id: fact for fact in facts}.values())
    facts.sort(key=lambda fact: int((fact.object if fact.object.startswith("year/") else fact.subject).split("/")[1]))
    head = make.pick(
        make.by(("Kronika", "Z kroniki", "Rok po roku"), ("Chronicle", "From the chronicle", "Year by year"))
    )
    body = ("\n" if make.chance(0.4) else " ").join(sentence(make.clause(fact)) for fact in facts)
    return f"{head}\n\n{body}" if make.chance(0.5) else body


def family(make: Maker) -> str:
    """A family: who is whose, then facts about both."""
    person = make.entity("person")
    kin = next(fact for fact in make.facts(person) if fact.relation in KIN)
    other = make.entities[kin.object]
    facts = [kin, *(fact for fact in make.facts(person, 6) if fact.id != kin.id)]
    return make.paragraph(facts) + " " + make.paragraph(make.facts(other, 4 + make.below(4)))


def comparison(make: Maker) -> str:
    """Two subjects of one kind, relation by relation."""
    kind = make.pick(KINDS)
    first, second = make.some(make.book.subjects[kind], 2)
    while_ = make.by((", a ", ", natomiast ", ", z kolei "), (", while ", ", whereas ", ", but "))
    parts = []
    for fact in make.facts(first):
        other = make.book.country.facts.get(f"{fact.relation}:{second.key}")
        if other is None:
            parts.append(make.state(fact))
        else:
            parts.append(sentence(make.clause(fact) + make.pick(while_) + _plain(make, other)))
    return " ".join(parts)


def _plain(make: Maker, fact: Fact) -> str:
    return f"{make.name(make.entities[fact.subject], 'full')} {make.pick(make.book.said[fact.id, make.language])}"


def riddle(make: Maker) -> str:
    """Facts about someone, and who it is."""
    entity = any_entity(make)
    facts = make.facts(entity)
    while len(facts) < 3:
        entity = any_entity(make)
        facts = make.facts(entity)
    head = make.pick(
        make.by(("Zagadka.", "Co to lub kto to?", "Zgadnij!"), ("A riddle.", "Who or what is it?", "Guess!"))
    )
    hints = [
        make.again(fact) for fact in facts if not make.pick(make.book.said[fact.id, make.language]).startswith("to ")
    ]
    end = make.pick(
        make.by(("Odpowiedź: {}.", "Rozwiązanie: {}.", "To {}."), ("Answer: {}.", "Solution: {}.", "It is {}."))
    )
    return f"{head} {' '.join(hints[:5])} {end.format(make.name(entity, 'full'))} {make.state(make.pick(facts))}"


def exercises(make: Maker) -> str:
    """Sums in words, as sentences or as questions with answers."""
    rows = []
    for row in make.some(make.sums, 6 + make.below(8)):
        if make.chance(0.6):
            rows.append(make.pick(row.statements(make.language)))
        else:
            asked = make.pick(row.questions(make.language)[:4])
            answer = (
                capital(row.words(make.language)["c"]) + "." if make.chance(0.4) else row.statements(make.language)[0]
            )
            rows.append(f"{asked} {answer}")
    return ("\n" if make.chance(0.5) else " ").join(rows)


def counting(make: Maker) -> str:
    """A small story with numbers: someone had some things and got more of them."""
    person = make.entity("person")
    row = make.pick([row for row in make.some(make.sums, 12) if row.sign == "plus"] or make.sums[:1])
    count = polish.words if make.language == "pl" else english.words
    if make.language == "pl":
        texts = ("W koszyku było jabłek: {a}. {P} przynosi jeszcze: {b}. Razem jest ich: {c}.",
                 "{P} liczy monety. W jednej kieszeni: {a}, w drugiej: {b}. Razem: {c}.")  # fmt: skip
    else:
        texts = ("In the basket the number of apples was {a}. {P} brings {b} more. Together: {c}.",
                 "{P} counts coins. In one pocket: {a}, in the other: {b}. Together: {c}.")  # fmt: skip
    words = {"a": count(row.a), "b": count(row.b), "c": count(row.result)}
    story = make.pick(texts).format(P=make.name(person), **words)
    before, after = make.paragraph(make.facts(person, 4)), make.paragraph(make.facts(person, 2))
    return f"{before} {story} {row.statements(make.language)[0]} {after}"
