"""Genres of every day: recipes, notices, match reports, timetables, weather, postcards, nature notes."""

from anatomia.world.maker import Maker
from anatomia.world.polish import capital
from anatomia.world.teller import line
from anatomia.world.wording import sentence


def recipe(make: Maker) -> str:
    """A dish, where it comes from, what goes into it and how it is cooked."""
    dish = make.entity("dish")
    facts = make.facts(dish)
    steps = list(dict.fromkeys(line(make, "step") for _ in range(4 + make.below(4))))
    steps.insert(make.below(len(steps)), make.state(make.fact("ingredient", dish)))
    fans = [f for f in make.book.fans.get(dish.key, []) if make.chance(0.6)][:2]
    end = make.paragraph(fans)
    parts = [capital(make.name(dish)) + "\n\n" + make.paragraph(facts), " ".join(steps), end]
    return "\n\n".join(part for part in parts if part)


def notice(make: Maker) -> str:
    """A notice of a festival, or of a thing lost."""
    if make.chance(0.5):
        festival = make.entity("festival")
        town = make.object("festival_town", festival)
        parts = [make.paragraph(make.facts(festival)), line(make, "festival_line"), make.paragraph(make.facts(town, 4))]
        parts.insert(2, line(make, "festival_line"))
        head = make.pick(make.by(("Ogłoszenie", "Zapraszamy!", "Uwaga!"), ("Notice", "You are invited!", "Attention!")))
        return f"{head}\n\n{' '.join(dict.fromkeys(parts))}"
    person = make.entity("person")
    head = make.pick(
        make.by(("Zgubiono", "Ogłoszenie drobne", "Kto widział?"), ("Lost", "Small notice", "Who has seen it?"))
    )
    where = make.fact("home", person)
    rest = [fact for fact in make.facts(person, 4 + make.below(3)) if fact != where]
    parts = [line(make, "lost", P=person), make.state(where), make.paragraph(rest)]
    return f"{head}\n\n{' '.join(parts)}"


def match_report(make: Maker) -> str:
    """A season of the Amber Cup, its winner and its final."""
    season = make.entity("season")
    parts = [make.state(fact) for fact in make.facts(season)]
    for _ in range(2 + make.below(3)):
        parts.insert(1 + make.below(len(parts)), line(make, "match_line"))
    club = make.object(make.pick(("winner", "runner_up")), season)
    parts.append(make.paragraph(make.facts(club, 3 + make.below(2))))
    return " ".join(dict.fromkeys(parts))


def seasons(make: Maker) -> str:
    """Two or three seasons side by side."""
    relations = make.some(("winner", "runner_up", "host", "score", "scorer"), 2 + make.below(2))
    rows = [
        " ".join(sentence(make.clause(make.fact(relation, season))) for relation in relations)
        for season in make.some(make.book.subjects["season"], 3 + make.below(3))
    ]
    return ("\n" if make.chance(0.5) else " ").join(rows)


def timetable(make: Maker) -> str:
    """Departures from one town, and what there is where the train goes."""
    towns = make.some(make.book.subjects["town"], 3 + make.below(3))
    start, rows, minute = towns[0], [], 300 + make.below(400)
    head = make.by("Odjazdy. Stacja: {}", "Departures. Station: {}").format(make.name(start))
    for town in towns[1:]:
        minute += 7 + make.below(90)
        clock = f"{minute // 60}:{minute % 60:02d}"
        go = make.pick(make.by(("{} – do {}.", "Godzina {}: pociąg do {}."), ("{} – to {}.", "At {}: train to {}.")))
        rows.append(go.format(clock, make.name(town, "gen")) + " " + make.paragraph(make.facts(town, 2)))
    return "\n".join([head, make.state(make.facts(start, 1)[0]), *rows])


def forecast(make: Maker) -> str:
    """The weather by region, with what lies in each region."""
    rows = []
    for region in make.some(make.book.subjects["region"], 2):
        inside = [fact for fact in make.book.located[region.key] if make.chance(0.7)]
        head = make.by("Region {}", "Region of {}").format(make.name(region))
        rows.append(f"{head}: {line(make, 'weather')} {make.paragraph(make.some(inside, 3) + make.facts(region, 2))}")
    return "\n".join(rows)


def postcard(make: Maker) -> str:
    """A card from a town."""
    sender, other = make.some(make.book.subjects["person"], 2)
    town = make.entity("town")
    dear = make.by("Droga" if other.gender == "f" else "Drogi", "Dear")
    hello = make.pick(make.by(("Pozdrowienia {}!", "Piszę {}."), ("Greetings from {}!", "I am writing from {}.")))
    parts = [hello.format(make.by(make.name(town, "from"), make.name(town)))]
    parts += [
        make.paragraph(make.facts(town, 3 + make.below(4))),
        line(make, "weather" if make.chance(0.6) else "feeling"),
    ]
    close = line(make, "closing").rstrip(".")
    return f"{dear} {make.name(other, 'call')}! {' '.join(parts)} {close}, {make.name(sender, 'first')}"


def nature(make: Maker) -> str:
    """A walk on which animals, lakes, rivers or mountains are met."""
    parts = [line(make, "weather")]
    kinds = make.some(("animal",) * 5 + ("lake", "river", "mountain"), 4 + make.below(3))
    parts += [make.paragraph(make.facts(make.entity(kind), 3)) for kind in kinds]
    if make.chance(0.5):
        parts.insert(2, line(make, "feeling"))
    return " ".join(parts)


def meeting(make: Maker) -> str:
    """People with something in common: a home, a pet, a dish, a hobby."""
    one = make.entity("person")
    relation = make.pick(("home", "pet", "dish", "hobby", "job"))
    shared = make.fact(relation, one).object
    alike = [make.fact(relation, p) for p in make.book.subjects["person"] if make.fact(relation, p).object == shared]
    facts = [fact for same in make.some(alike, 4) for fact in (same, *make.facts(make.entities[same.subject], 2))]
    text = make.paragraph(list({fact.id: fact for fact in facts}.values()))
    return f"{line(make, 'event', P=one)} {text}" if make.chance(0.5) else text
