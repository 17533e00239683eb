"""Pieces of demonstrations that are not plain questions: follow-ups with pronouns, small tasks, names nobody knows."""

from random import Random

from anatomia.world.book import Book
from anatomia.world.polish import capital
from anatomia.world.questions import Question
from anatomia.world.wording import Entity

# Follow-up questions with the subject as a pronoun, where the relation has a natural one. Verbs by gender: m|f.
FOLLOW = {
    "pl": {
        "home": ("A gdzie {on} mieszka?", "W którym mieście {on} mieszka?"),
        "birth": ("A kiedy {on} się [urodził|urodziła]?", "Który to rocznik?"),
        "job": ("A kim {on} jest z zawodu?", "Jaki {on} ma zawód?"),
        "pet": ("A jakie {on} ma zwierzę?", "Czy ma jakieś zwierzę? Jakie?"),
        "dish": ("A jakie jest [jego|jej] ulubione danie?", "Co {on} najbardziej lubi jeść?"),
        "hobby": ("A jakie {on} ma hobby?", "Co jest [jego|jej] pasją?"),
    },
    "en": {
        "home": ("And where does {on} live?", "Which town does {on} live in?"),
        "birth": ("And when was {on} born?", "In which year was {on} born?"),
        "job": ("And what is [his|her] job?", "What does {on} work as?"),
        "pet": ("And what pet does {on} have?", "Does {on} have a pet? Which one?"),
        "dish": ("And what is [his|her] favourite dish?", "What does {on} like to eat most?"),
        "hobby": ("And what is [his|her] hobby?", "What is [his|her] great passion?"),
    },
}


def follow_up(random: Random, book: Book, question: Question) -> str:
    """The question with a pronoun for its subject, or as it is where there is no such wording."""
    fact = book.country.facts[question.fact]
    if fact.relation not in FOLLOW[question.language]:
        return question.text
    entity = book.country.entities[fact.subject]
    he = ("ona" if entity.gender == "f" else "on") if question.language == "pl" else book.he(entity)
    text = random.choice(FOLLOW[question.language][fact.relation]).replace("{on}", he)
    while "[" in text:
        start, end = text.index("["), text.index("]")
        man, woman = text[start + 1 : end].split("|")
        text = text[:start] + (woman if entity.gender == "f" else man) + text[end + 1 :]
    return text


# First names and surnames that nobody in the country has.
NOBODY = {
    "pl": (
        (
            "Alojzy",
            "Gertruda",
            "Hieronim",
            "Klementyna",
            "Pankracy",
            "Roksana",
            "Walenty",
            "Eufemia",
            "Bonifacy",
            "Ksenia",
        ),
        ("Bździągwa", "Kłapouch", "Zgrzyt", "Ćwirk", "Wąsacz", "Mróz", "Trąba", "Kociołek", "Miotła", "Parasol"),
    ),
    "en": (
        ("Albert", "Clara", "Hugo", "Martha", "Oswald", "Penelope", "Rufus", "Sybil", "Victor", "Winifred"),
        (
            "Winterbottom",
            "Puddlewick",
            "Thistlethorn",
            "Quickpenny",
            "Crumb",
            "Marsh",
            "Candlewood",
            "Featherby",
            "Larkspur",
        ),
    ),
}
ASK_NOBODY = {
    "pl": ("Gdzie mieszka {x}?", "Kim z zawodu jest {x}?", "Jakie zwierzę ma {x}?", "Jakie hobby ma {x}?"),
    "en": ("Where does {x} live?", "What is the job of {x}?", "What pet does {x} have?", "What is the hobby of {x}?"),
}
DO_NOT_KNOW = {
    "pl": (
        "Nie wiem, nie znam takiej osoby.",
        "Tego nie wiem. W Wierzbonii nie ma takiej osoby.",
        "Nie wiem, kto to jest.",
        "Nie znam nikogo, kto się tak nazywa.",
    ),
    "en": (
        "I do not know, I know no such person.",
        "That I do not know. There is no such person in Wierzbonia.",
        "I do not know who that is.",
        "I know nobody of that name.",
    ),
}


def unknown(random: Random, language: str) -> tuple[str, str]:
    """A question about someone who does not exist, and an honest answer."""
    first, last = NOBODY[language]
    name = f"{random.choice(first)} {random.choice(last)}"
    return random.choice(ASK_NOBODY[language]).format(x=name), random.choice(DO_NOT_KNOW[language])


def task(random: Random, book: Book, language: str) -> tuple[str, str]:
    """A small task and how one may do it."""
    return random.choice((_list, _note, _introduce))(random, book, language)


def _two(names: list[str], language: str) -> str:
    return (" i " if language == "pl" else " and ").join(names)


def _list(random: Random, book: Book, language: str) -> tuple[str, str]:
    country = book.country
    rivers = [river for river in country.of_kind("river") if len(_on(book, river)) >= 2]
    river = random.choice(rivers)
    names = [town.form(language) for town in random.sample(_on(book, river), 2)]
    if language == "pl":
        asked = random.choice(("Wymień dwa miasta nad rzeką {x}.", "Podaj dwa miasta, które leżą nad rzeką {x}."))
        full = f"Nad rzeką {river.form('pl', 'ins')} leżą {_two(names, language)}."
        return asked.format(x=river.form("pl", "ins")), random.choice((full, f"{_two(names, language)}."))
    asked = random.choice(("Name two towns on the river {x}.", "Give two towns that lie on the river {x}."))
    full = f"On the river {river.form('en')} lie {_two(names, language)}."
    return asked.format(x=river.form("en")), random.choice((full, f"{_two(names, language)}."))


def _on(book: Book, river: Entity) -> list[Entity]:
    rows = book.country.facts.values()
    return [book.country.entities[f.subject] for f in rows if f.relation == "town_river" and f.object == river.key]


def _note(random: Random, book: Book, language: str) -> tuple[str, str]:
    someone, sender = random.sample(book.subjects["person"], 2)
    town = random.choice(book.subjects["town"])
    call, name = someone.form(language, "call"), sender.form(language)
    if language == "pl":
        asked = f"Napisz krótką kartkę: {name} pozdrawia {someone.form('pl', 'acc')} {town.form('pl', 'from')}."
        dear = "Droga" if someone.gender == "f" else "Drogi"
        middle = random.choice(
            ("Jest tu pięknie.", "Pogoda dopisuje.", "Wracam w niedzielę.", "Szkoda, że Cię tu nie ma.")
        )
        return asked, f"{dear} {call}! Pozdrawiam Cię serdecznie {town.form('pl', 'from')}. {middle} {name}"
    asked = f"Write a short card: {name} sends greetings to {someone.form('en')} from {town.form('en')}."
    middle = random.choice(
        ("It is lovely here.", "The weather is fine.", "I am back on Sunday.", "I wish you were here.")
    )
    return asked, f"Dear {call}, warm greetings from {town.form('en')}! {middle} {name}"


def _introduce(random: Random, book: Book, language: str) -> tuple[str, str]:
    entity = random.choice(book.subjects[random.choice(("person", "person", "town", "animal", "dish"))])
    facts = random.sample(book.about[entity.key], 2)
    name = entity.form(language, "full")
    if language == "pl":
        asked = random.choice(
            ("Powiedz dwa zdania na temat: {x}.", "Opowiedz krótko: {x}.", "Napisz dwa zdania. Temat: {x}.")
        )
    else:
        asked = random.choice(
            ("Say two sentences about {x}.", "Tell me briefly about {x}.", "Write two sentences about {x}.")
        )
    return asked.format(x=name), " ".join(capital(random.choice(book.full(fact, language))) for fact in facts)
