"""Several people at one desk."""

from pathlib import Path

import numpy as np
import pytest

from anatomia.feedback.desk import Desk
from anatomia.feedback.ranking import Candidates, Ranking
from anatomia.feedback.store import RankingStore


def candidates(name: str, count: int = 3) -> Candidates:
    return Candidates(name, ({"role": "user", "content": name},), tuple(f"{name} {number}" for number in range(count)))


SEVERAL = [candidates(name) for name in "pqrs"]


@pytest.fixture
def store(tmp_path: Path) -> RankingStore:
    return RankingStore(tmp_path / "rankings.sqlite")


def rank(desk: Desk, annotator: str, best_first: bool = True) -> Ranking | None:
    """Let somebody put what they are asked in the order of its numbers, or the other way round."""
    asked = desk.ask(annotator)
    if asked is None:
        return None
    places = sorted(range(len(asked.order)), key=lambda place: asked.order[place][0], reverse=not best_first)
    letters = tuple((place,) for place in places)
    assert desk.keep(asked, letters) is not None
    return asked.ranking(letters)


def test_who_comes_back_goes_on_where_they_were(store: RankingStore) -> None:
    desk = Desk(SEVERAL, store)
    first = [rank(desk, "ola"), rank(desk, "ola")]
    again = Desk(SEVERAL, RankingStore(store.where))
    assert again.left("ola") == 2
    rest = [rank(again, "ola"), rank(again, "ola")]
    assert {one.prompt_id for one in first + rest if one} == set("pqrs")
    assert again.ask("ola") is None
    assert again.left("jan") == 4


def test_who_ranks_at_once_is_asked_different_prompts_while_there_are_any(store: RankingStore) -> None:
    desk = Desk(SEVERAL, store)
    asked = [desk.ask(name) for name in ("ola", "jan", "ela", "adam", "ewa")]
    assert {one.candidates.prompt_id for one in asked[:4] if one} == set("pqrs")
    assert asked[4] is not None  # somebody else has each of them, but nobody waits
    assert desk.ask("ola") == asked[0]  # the same question, not another, to who asks again


def test_a_question_is_answered_once_and_opens_again_when_it_is_taken_back(store: RankingStore) -> None:
    desk = Desk(SEVERAL, store)
    asked = desk.ask("ola")
    assert asked is not None
    number = desk.keep(asked, ((0,), (1,), (2,)))
    assert number is not None
    assert desk.keep(asked, ((2,), (1,), (0,))) is None
    assert Desk(SEVERAL, RankingStore(store.where)).keep(asked, ((2,), (1,), (0,))) is None
    assert desk.take_back("jan", number) is None  # not his
    again = desk.take_back("ola", number)
    assert again is not None
    assert (again.candidates, again.order) == (asked.candidates, asked.order)
    assert desk.take_back("ola", number) is None
    assert desk.keep(asked, ((2,), (1,), (0,))) is None  # an old window's
    assert desk.keep(again, ((0, 1), (2,))) is not None
    assert [len(one.groups) for one in store.rankings()] == [2]


def test_two_desks_over_one_store_see_each_others_rankings(store: RankingStore) -> None:
    here, there = Desk(SEVERAL, store), Desk(SEVERAL, RankingStore(store.where))
    ranked = rank(there, "jan")
    assert ranked is not None
    asked = here.ask("ola")
    assert asked is not None
    assert asked.candidates.prompt_id != ranked.prompt_id
    assert there.take_back("jan", there.given("jan")[-1]) is not None
    assert here.given("jan") == []


def test_what_somebody_put_in_order_they_are_not_asked_again(store: RankingStore) -> None:
    desk = Desk([candidates("many", 9)], store)
    seen: list[frozenset[int]] = []
    while (ranking := rank(desk, "ola")) is not None:
        seen.append(frozenset(index for group in ranking.groups for index in group))
    assert len(set(seen)) == len(seen) == 2
    assert len(seen[0] & seen[1]) <= 1
    assert frozenset().union(*seen) == set(range(9))


def test_answers_that_do_not_fit_the_question_are_refused(store: RankingStore) -> None:
    asked = Desk(SEVERAL, store).ask("ola")
    assert asked is not None
    for letters in (((0,), (1,)), ((0,), (1,), (1,), (2,)), ((0, 1), (3,)), ((0, 1, 2), ())):
        with pytest.raises(ValueError, match="does not place"):
            asked.ranking(letters)
    assert store.rankings() == []


def test_progress_says_who_agrees_and_whose_ranking_would_say_most(store: RankingStore) -> None:
    prompts = [candidates(f"prompt {number}") for number in range(30)]
    random = np.random.default_rng(0)
    for one in prompts[:25]:
        for name in ("ola", "jan", "zgaduj"):
            order = [0, 1, 2] if name != "zgaduj" else random.permutation(3).tolist()
            store.add(Ranking(one.prompt_id, one.prompt, one.completions, tuple((i,) for i in order), name, 5.0))
    desk = Desk(prompts, store)
    desk.keep(desk.ask("Żaneta"), ((0, 1, 2),))  # type: ignore[arg-type]
    found = desk.progress()
    assert (found["prompts"], found["rankings"]) == (30, 76)
    people = {one["name"]: one for one in found["people"]}
    assert [one["name"] for one in found["people"]] == ["jan", "ola", "zgaduj", "Żaneta"]
    assert (people["ola"]["left"], people["Żaneta"]["left"]) == (5, 29)
    assert people["ola"]["last"] == 5.0
    assert people["ola"]["tau"] > people["zgaduj"]["tau"] + 0.2
    assert people["Żaneta"]["tau"] is None  # who ties everything agrees with nobody, and with everybody
    assert people["ola"]["reliability"] > 3 * abs(people["zgaduj"]["reliability"])
    assert found["ask_next"] in ("ola", "jan")


def test_nobody_has_ranked_yet(store: RankingStore) -> None:
    assert Desk(SEVERAL, store).progress() == {"prompts": 4, "rankings": 0, "ask_next": None, "people": []}
