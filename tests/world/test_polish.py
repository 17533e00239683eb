"""Polish grammar: the helpers, and whole sentences as a Pole would write them."""

import pytest

from anatomia.world import World, polish
from anatomia.world.wording import fill


@pytest.mark.parametrize(
    ("word", "inside", "out_of"),
    [
        ("Makowie", "w Makowie", "z Makowie"),
        ("Wrzosowie", "we Wrzosowie", "z Wrzosowie"),
        ("Wierzbnicy", "w Wierzbnicy", "z Wierzbnicy"),
        ("wrześniu", "we wrześniu", "z wrześniu"),
        ("Skalina", "w Skalina", "ze Skalina"),
        ("Szklarnicy", "w Szklarnicy", "ze Szklarnicy"),
        ("Starogrodu", "w Starogrodu", "ze Starogrodu"),
        ("Złotawy", "w Złotawy", "ze Złotawy"),
        ("Zawierzbia", "w Zawierzbia", "z Zawierzbia"),
        ("świnką", "w świnką", "ze świnką"),
        ("szczupakiem", "w szczupakiem", "ze szczupakiem"),
        ("Żurawina", "w Żurawina", "z Żurawina"),
    ],
)
def test_prepositions_are_vocalised(word: str, inside: str, out_of: str) -> None:
    assert polish.inside(word) == inside
    assert polish.out_of(word) == out_of


def test_numerals_agree() -> None:
    forms = ("metr", "metry", "metrów")
    texts = [polish.counted(n, forms) for n in (1, 2, 5, 12, 13, 22, 25, 112, 1432, 1001, 2112)]
    assert texts == [
        *("1 metr", "2 metry", "5 metrów", "12 metrów", "13 metrów", "22 metry", "25 metrów", "112 metrów"),
        *("1432 metry", "1001 metrów", "2112 metrów"),
    ]
    assert [polish.words(n) for n in (0, 2, 17, 20, 36)] == [
        "zero",
        "dwa",
        "siedemnaście",
        "dwadzieścia",
        "trzydzieści sześć",
    ]


def test_names_and_nouns_have_all_their_forms() -> None:
    for entity in World(1).country.entities.values():
        for form in entity.forms["pl"].values():
            assert form
            assert form == form.strip()


def test_sentences_are_inflected() -> None:
    world = World(1)
    people = {entity.form("pl", "first"): entity for entity in world.country.of_kind("person")}
    towns = {entity.form("pl"): entity for entity in world.country.of_kind("town")}
    anna, jakub = people["Anna"], people["Jakub"]
    surname = anna.form("pl").split()[1]
    assert surname.endswith(("ska", "cka", "dzka"))
    assert anna.form("pl", "gen").startswith("Anny ")
    assert anna.form("pl", "gen").endswith(("skiej", "ckiej", "dzkiej"))
    assert jakub.form("pl", "dat").startswith("Jakubowi ")
    assert jakub.form("pl", "ins").endswith(("skim", "ckim", "dzkim"))
    assert anna.form("pl", "call") == "Anno"
    cases = [
        ("[urodził|urodziła] się {o.in}", anna, "Skalin", "urodziła się w Skalinie"),
        ("[urodził|urodziła] się {o.in}", jakub, "Wrzosowo", "urodził się we Wrzosowie"),
        ("wrócił {o.from}", jakub, "Starogród", "wrócił ze Starogrodu"),
        ("[o:był znany|była znana|było znane]", jakub, "Cisowo", "było znane"),
        ("[o:był znany|była znana|było znane]", jakub, "Borowina", "była znana"),
        ("jedzie do {o.gen}", anna, "Lipowiec", "jedzie do Lipowca"),
        ("za {o.ins}", anna, "Łąkówka", "za Łąkówką"),
    ]
    for template, subject, town, expected in cases:
        assert fill(template, subject, towns[town], "pl") == expected


def test_jobs_agree_with_their_holders() -> None:
    world = World(1)
    for fact in world.facts:
        if fact.relation == "job":
            gender = world.country.entities[fact.subject].gender
            assert world.country.object(fact).gender == gender
