"""The store of people's rankings."""

import sqlite3
import subprocess
import sys
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


def test_a_ticket_is_used_once_wherever_it_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "rankings.sqlite"
    assert RankingStore(path).add_once(ranking("a", "ola"), "t") is not None
    assert RankingStore(path).add_once(ranking("a", "ola", ((1,), (0,))), "t") is None
    assert RankingStore(path).add_once(ranking("a", "ola", ((1,), (0,))), "u") is not None
    assert [one.groups for one in RankingStore(path).rankings()] == [((0,), (1,)), ((1,), (0,))]


def test_changes_since_one_looked(tmp_path: Path) -> None:
    store = RankingStore(tmp_path / "rankings.sqlite")
    first, second = store.add(ranking("a", "ola")), store.add(ranking("b", "ola"))
    assert store.changes([]) == ({first: ranking("a", "ola"), second: ranking("b", "ola")}, set())
    store.retract(first)
    third = store.add(ranking("c", "jan"))
    assert store.changes([first, second]) == ({third: ranking("c", "jan")}, {first})


ADDING = """
import sys
from test_store import RankingStore, ranking
from pathlib import Path
while True:
    print(RankingStore(Path(sys.argv[1])).add_once(ranking("a", "ola"), sys.argv[2]), flush=True)
    sys.argv[2] += "x"
"""


def test_what_was_saved_outlives_a_kill(tmp_path: Path) -> None:
    path, known = tmp_path / "rankings.sqlite", set[int]()
    for attempt in range(3):
        command = [sys.executable, "-c", ADDING, str(path), f"{attempt} "]
        with subprocess.Popen(command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            saved = [int(process.stdout.readline()) for _ in range(4)]
            process.kill()
            saved += [int(line) for line in process.stdout.read().splitlines()]
        standing, gone = RankingStore(path).changes(known)
        assert not gone
        assert set(standing).issuperset(saved)
        assert len(standing) <= len(saved) + 1  # at most the one that was on its way
        known |= set(standing)


FULL = """
import resource, signal, sys
from test_store import RankingStore, UserError, ranking
from pathlib import Path
store, kept = RankingStore(Path(sys.argv[1])), 0
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    while True:
        store.add(ranking("a" * 20_000, "ola"))
        kept += 1
except UserError as error:
    print(kept, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits on files")
def test_a_full_disk_is_told_and_what_was_saved_stays(tmp_path: Path) -> None:
    path = tmp_path / "rankings.sqlite"
    command = [sys.executable, "-c", FULL, str(path)]
    said = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=300, check=True)
    kept, _, error = said.stdout.partition(" ")
    assert "nothing was saved in" in error
    assert len(error.splitlines()) == 1
    store = RankingStore(path)
    assert len(store.rankings()) == int(kept)
    store.add(ranking("b", "ola"))  # once there is room again
    assert len(store.rankings()) == int(kept) + 1


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE rankings SET record = substr(record, 1, 40) WHERE id = 2",
        "UPDATE rankings SET record = replace(record, 'Yes', 'Yet') WHERE id = 2",
        "UPDATE rankings SET record = '[1, 2]' WHERE id = 2",
        "UPDATE rankings SET record = replace(record, '[[0], [1]]', '[[0], [7]]') WHERE id = 2",
    ],
)
def test_a_damaged_ranking_is_named(tmp_path: Path, damage: str) -> None:
    store = RankingStore(tmp_path / "rankings.sqlite")
    for name in "abc":
        store.add(ranking(name, "ola"))
    with sqlite3.connect(tmp_path / "rankings.sqlite") as connection:
        connection.execute(damage)
    connection.close()
    with pytest.raises(UserError, match=r"rankings\.sqlite: ranking 2 is damaged"):
        store.rankings()
    with pytest.raises(UserError, match=r"ranking 2 is damaged"):
        store.changes([])


def test_a_file_damaged_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rankings.sqlite"
    store = RankingStore(path)
    for number in range(60):
        store.add(ranking(str(number), "ola"))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    for act in (store.rankings, lambda: store.changes([])):
        with pytest.raises(UserError, match=r"rankings\.sqlite (cannot be read|cannot be opened)|cannot be read"):
            act()
    with pytest.raises(UserError):
        store.add(ranking("b", "ola"))


def test_half_a_character_is_kept_as_it_is(tmp_path: Path) -> None:
    store = RankingStore(tmp_path / "rankings.sqlite")
    odd = Ranking("p", ({"role": "user", "content": "\ud83d"},), ("\udc00", "ą"), ((0,), (1,)), "ola")
    store.add(odd)
    assert store.rankings() == [odd]
