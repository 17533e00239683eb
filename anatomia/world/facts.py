"""The fact table: who and what there is in the made-up country, drawn from a seed."""

from dataclasses import dataclass
from random import Random

from anatomia.world import names, things
from anatomia.world.about_life import LIFE
from anatomia.world.about_people import PEOPLE
from anatomia.world.about_places import PLACES
from anatomia.world.polish import (
    SURNAME_FEMININE,
    SURNAME_MASCULINE,
    Noun,
    counted,
    inside,
    noun,
    out_of,
)
from anatomia.world.wording import Entity, Relation

RELATIONS: dict[str, Relation] = {relation.name: relation for relation in (*PEOPLE, *PLACES, *LIFE)}

KIN = ("spouse", "sibling", "parent", "child")
SEASONS = range(1997, 2021)
YOUNGEST_SCORER = 16  # years
METRES = ("metr", "metry", "metrów")
KILOMETRES = ("kilometr", "kilometry", "kilometrów")
SCORES = [
    "1:0",
    "2:0",
    "2:1",
    "3:0",
    "3:1",
    "3:2",
    "4:0",
    "4:1",
    "4:2",
    "4:3",
    "5:1",
    "5:2",
    "5:3",
    "6:1",
    "6:4",
    "7:2",
]


@dataclass(frozen=True)
class Fact:
    """One row: `subject` and `object` are entities' keys; `id` is "relation:subject's key"."""

    id: str
    relation: str
    subject: str
    object: str


def _forms(word: Noun) -> dict[str, str]:
    cases = dict(zip(("nom", "gen", "dat", "acc", "ins", "loc"), word.forms))
    return {**cases, "in": inside(word["loc"]), "from": out_of(word["gen"]), "with": out_of(word["ins"])}


def article(word: str) -> str:
    """The English noun with a or an."""
    return ("an " if word[0].lower() in "aeiou" else "a ") + word


def _common(kind: str, row: str, index: int) -> Entity:
    polish, english = row.split(" = ")
    word = noun(polish)
    forms = {"nom": english, "a": article(english), "the": "the " + english.removeprefix("the "), "full": english}
    if kind == "animal":
        forms["full"] = forms["the"]
    return Entity(f"{kind}/{index}", kind, word.gender, {"pl": _forms(word), "en": forms})


def _job(row: str, index: int) -> list[Entity]:
    polish, english = row.split(" = ")
    both = zip("mf", polish.split(" + "))
    return [_common("job", f"{forms} @{gender} = {english}", index) for gender, forms in both]


def _place(kind: str, row: str) -> Entity:
    word = noun(row)
    polish, english, gender = _forms(word), {"nom": word["nom"], "full": word["nom"]}, word.gender
    if kind == "river":
        english["full"] = "the " + word["nom"]
    elif kind == "mountain":
        gender, polish["full"], english["full"] = "f", "góra " + word["nom"], "Mount " + word["nom"]
        if word.gender == "m":  # beside "góra" a masculine name stays as it is: "na górze Grzmot"
            polish |= dict.fromkeys(("gen", "dat", "acc", "ins", "loc"), word["nom"])
    elif kind == "club":
        gender, polish["full"], english["full"] = "m", "klub " + word["nom"], word["nom"]
    return Entity(f"{kind}/{word['nom'].lower()}", kind, gender, {"pl": polish, "en": english})


def _lake(name: str) -> Entity:
    # The name stays as it is; "jezioro" before it takes the cases.
    forms = {"pl": {"nom": name, "full": f"jezioro {name}"}, "en": {"nom": name, "full": f"Lake {name}"}}
    return Entity(f"lake/{name.lower()}", "lake", "n", forms)


def person(first: str, surname: str, gender: str) -> Entity:
    """A person from the seven forms of a first name and the stem of a surname."""
    endings = SURNAME_FEMININE if gender == "f" else SURNAME_MASCULINE
    cases = ("nom", "gen", "dat", "acc", "ins", "loc", "voc")
    firsts = dict(zip(cases, first.split("/")))
    forms = {case: f"{firsts[case]} {surname}{endings[case]}" for case in cases}
    forms |= {"first": firsts["nom"], "call": firsts["voc"], "first_gen": firsts["gen"], "first_ins": firsts["ins"]}
    english = {"nom": forms["nom"], "first": firsts["nom"], "call": firsts["nom"]}
    return Entity(f"person/{firsts['nom'].lower()}", "person", gender, {"pl": forms, "en": english})


def year(number: int) -> Entity:
    """A year as an object of facts."""
    forms = {"nom": str(number)}
    return Entity(f"year/{number}", "year", "m", {"pl": forms, "en": forms})


def measure(kind: str, number: int) -> Entity:
    """A length, height or depth: kind is "metres" or "kilometres"."""
    units = METRES if kind == "metres" else KILOMETRES
    polish = {"nom": counted(number, units), "gen": f"{number} {units[2] if number != 1 else units[0] + 'a'}"}
    english = {"nom": f"{number} {kind}", "digits": str(number)}
    return Entity(f"{kind}/{number}", kind, "m", {"pl": {**polish, "digits": str(number)}, "en": english})


class Country:
    """Entities and facts of one country.

    Attributes:
        entities: by key, in a fixed order.
        facts: by id, in a fixed order.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(f"country {seed}")
        self.entities: dict[str, Entity] = {}
        self.facts: dict[str, Fact] = {}
        self._jobs = [_job(row, index) for index, row in enumerate(things.JOBS)]
        for pair in self._jobs:
            self._enter(pair[0])
        self._kinds()
        self._people()
        self._towns()
        self._waters()
        self._clubs()
        self._nature()

    def of_kind(self, kind: str) -> list[Entity]:
        """All entities of one kind, in order."""
        return [entity for entity in self.entities.values() if entity.kind == kind]

    def _enter(self, entity: Entity) -> Entity:
        return self.entities.setdefault(entity.key, entity)

    def _fact(self, relation: str, subject: Entity, object_: Entity) -> None:
        self._enter(object_)
        fact = Fact(f"{relation}:{subject.key}", relation, subject.key, object_.key)
        self.facts[fact.id] = fact

    def _spread(self, kind: str, count: int) -> list[Entity]:
        """`count` entities of a kind in random order, each as often as any other (give or take one)."""
        pool = self.of_kind(kind)
        chosen: list[Entity] = []
        while len(chosen) < count:
            chosen += self._random.sample(pool, len(pool))
        return self._random.sample(chosen[:count], count)

    def _relate(self, relation: str) -> None:
        """One fact for every subject of a relation whose objects are a table's."""
        subjects = self.of_kind(RELATIONS[relation].subject)
        for subject, object_ in zip(subjects, self._spread(RELATIONS[relation].object, len(subjects))):
            self._fact(relation, subject, object_)

    def _kinds(self) -> None:
        tables = {
            "pet": things.PETS,
            "animal": things.ANIMALS,
            "food": things.FOODS,
            "dish": things.DISHES,
            "ingredient": things.INGREDIENTS,
            "hobby": things.HOBBIES,
            "goods": things.GOODS,
            "sight": things.SIGHTS,
            "fish": things.FISH,
            "colours": things.COLOURS,
            "month": things.MONTHS,
            "festival": names.FESTIVALS,
        }
        for kind, rows in tables.items():
            for index, row in enumerate(rows):
                self._enter(_common(kind, row, index))
        for index, row in enumerate(things.HABITATS):
            polish, english = row.split("/")
            self._enter(Entity(f"habitat/{index}", "habitat", "m", {"pl": {"nom": polish}, "en": {"nom": english}}))
        for index, score in enumerate(SCORES):
            both = {"pl": {"nom": score}, "en": {"nom": score.replace(":", "-")}}
            self._enter(Entity(f"score/{index}", "score", "m", both))
        places = {
            "town": names.TOWNS,
            "river": names.RIVERS,
            "mountain": names.MOUNTAINS,
            "region": names.REGIONS,
            "club": names.CLUBS,
        }
        for kind, rows in places.items():
            for row in rows:
                self._enter(_place(kind, row))
        for name in names.LAKES:
            self._enter(_lake(name))
        for number in SEASONS:
            cup = {"pl": f"Bursztynowy Puchar z {number} roku", "en": f"the Amber Cup of {number}"}
            named = {language: {"nom": str(number), "full": full} for language, full in cup.items()}
            self._enter(Entity(f"season/{number}", "season", "m", named))

    def _people(self) -> None:
        random = self._random
        women = random.sample(names.FIRST_FEMININE, len(names.FIRST_FEMININE))
        men = random.sample(names.FIRST_MASCULINE, len(names.FIRST_MASCULINE))
        surnames = random.sample(names.SURNAMES, len(names.SURNAMES))
        years = random.sample(range(1934, 1959), 25), random.sample(range(1978, 2003), 25)
        families: list[tuple[Entity, Entity, str]] = []
        for index, surname in enumerate(surnames):
            kin = KIN[index % 3]
            genders = "mf" if kin == "spouse" else ("mm", "ff", "mf", "fm")[index // 3 % 4]
            first, second = (person(men.pop() if g == "m" else women.pop(), surname, g) for g in genders)
            # A parent is of the generation before; couples and siblings are of one.
            born = (years[1][index], years[0][index]) if kin == "parent" else years[index % 2][index : index + 2]
            families.append((self._enter(first), self._enter(second), kin))
            for someone, number in zip((first, second), born):
                self._fact("birth", someone, year(number))
        for first, second, kin in families:
            self._fact(kin, first, second)
            self._fact("child" if kin == "parent" else kin, second, first)
        for relation in ("home", "pet", "dish", "hobby"):
            self._relate(relation)
        people = self.of_kind("person")
        for subject, job in zip(people, self._spread("job", len(people))):
            pair = self._jobs[int(job.key.split("/")[1])]
            self._fact("job", subject, job)
            self.entities[f"{job.key}/f"] = Entity(f"{job.key}/f", "job", "f", pair[1].forms)

    def object(self, fact: Fact) -> Entity:
        """A fact's object as it agrees with its subject (a woman is "piekarka", not "piekarz")."""
        if fact.relation == "job" and self.entities[fact.subject].gender == "f":
            return self.entities[f"{fact.object}/f"]
        return self.entities[fact.object]

    def _towns(self) -> None:
        random = self._random
        towns = self.of_kind("town")
        for relation in ("town_river", "town_region", "goods", "sight"):
            self._relate(relation)
        for town, mayor in zip(towns, random.sample(self.of_kind("person"), len(towns))):
            self._fact("mayor", town, mayor)
        for town, number in zip(towns, random.sample(range(1210, 1790), len(towns))):
            self._fact("founded", town, year(number))
        for region in self.of_kind("region"):
            inside_ = [t for t in towns if self.facts[f"town_region:{t.key}"].object == region.key]
            self._fact("capital", region, random.choice(inside_))
        self._relate("emblem")

    def _waters(self) -> None:
        random = self._random
        for relation in ("mouth", "source", "lake_region", "lake_fish", "mountain_region"):
            self._relate(relation)
        ranges = {"length": ("kilometres", 62, 480), "depth": ("metres", 9, 96), "height": ("metres", 640, 2480)}
        for relation, (unit, low, high) in ranges.items():
            subjects = self.of_kind(RELATIONS[relation].subject)
            for subject, number in zip(subjects, random.sample(range(low, high), len(subjects))):
                self._fact(relation, subject, measure(unit, number))

    def _clubs(self) -> None:
        random = self._random
        for relation in ("club_town", "colours", "mascot"):
            self._relate(relation)
        for club, number in zip(self.of_kind("club"), random.sample(range(1901, 1949), 12)):
            self._fact("club_founded", club, year(number))
        clubs, towns, people = self.of_kind("club"), self.of_kind("town"), self.of_kind("person")
        scores = self._spread("score", len(SEASONS))
        for season, score in zip(self.of_kind("season"), scores):
            winner, runner_up = random.sample(clubs, 2)
            self._fact("winner", season, winner)
            self._fact("runner_up", season, runner_up)
            self._fact("host", season, random.choice(towns))
            self._fact("score", season, score)
            born = int(season.key.split("/")[1]) - YOUNGEST_SCORER
            grown = [p for p in people if int(self.facts[f"birth:{p.key}"].object.split("/")[1]) <= born]
            self._fact("scorer", season, random.choice(grown))

    def _nature(self) -> None:
        for relation in ("diet", "habitat", "dish_region", "ingredient", "festival_town", "festival_month"):
            self._relate(relation)
