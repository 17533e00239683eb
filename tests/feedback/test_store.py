"""The store of people's rankings."""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from anatomia.base.errors import UserError
from anatomia.feedback.ranking import Candidates, Ranking
from anatomia.feedback.store import RankingStore


def candidates(name: str) -> Candidates:
    return Candidates(name, ({"role": "user", "content": f"What about {name}?"},), ("Yes.", "No."))


def ranking(name: str, annotator: str, groups: tuple[tuple[int, ...], ...] = ((0,), (1,))) -> Ranking:
    one = candidates(name)
    return Ranking(one.prompt_id, one.prompt, one.completions, groups, annotator, 1.5)


def add_many(path: Path, annotator: str) -> None:
    for number in range(20):
        RankingStore(path).add(ranking(str(number), annotator))


def test_what_was_added_is_listed_in_order(tmp_path: Path) -> None:
    store = RankingStore(tmp_path / "rankings.sqlite")
    given = [ranking("a", "ola"), ranking("b", "ola", ((0, 1),)), ranking("a", "jan", ((1,),))]
    for one in given:
        store.add(one)
    again = RankingStore(tmp_path / "rankings.sqlite")
    assert again.rankings() == given
    assert again.rankings(annotator="ola") == given[:2]
    assert again.rankings(candidates=candidates("a")) == [given[0], given[2]]


def test_taking_back_hides_a_ranking_once(tmp_path: Path) -> None:
    store = RankingStore(tmp_path / "rankings.sqlite")
    number = store.add(ranking("a", "ola"))
    store.retract(number)
    assert store.rankings() == []
    with pytest.raises(KeyError):
        store.retract(number)


def test_processes_add_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "rankings.sqlite"
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(add_many, [path] * 4, ["a", "b", "c", "d"]))
    assert len(RankingStore(path).rankings()) == 80
    assert not path.with_name("rankings.sqlite-wal").exists()  # the file is whole by itself


def test_what_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "rankings.sqlite").write_text("not a database, " * 100, encoding="utf-8")
    with pytest.raises(UserError, match=r"rankings\.sqlite cannot be opened"):
        RankingStore(tmp_path / "rankings.sqlite")
