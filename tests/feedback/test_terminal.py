"""Ranking in a terminal."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from anatomia.feedback.desk import shuffled
from anatomia.feedback.ranking import Candidates
from anatomia.feedback.store import RankingStore
from anatomia.feedback.terminal import TEXTS, parse_order, rank_in_terminal

PROMPT = ({"role": "user", "content": "Gdzie leży Ostoja? [bold]"},)
FOUR = Candidates("p1", PROMPT, ("Nad rzeką.", "W górach.", "", "Nie wiem."))
TWINS = Candidates("p2", PROMPT, ("Tak.", "Nie.", "Tak. "))


def typed(*lines: str) -> Callable[[str], str]:
    left = list(lines)

    def read(question: str) -> str:
        if not left:
            raise EOFError
        return left.pop(0)

    return read


@pytest.fixture
def store(tmp_path: Path) -> RankingStore:
    return RankingStore(tmp_path / "rankings.sqlite")


def console() -> Console:
    return Console(file=io.StringIO(), width=100)


@pytest.mark.parametrize(
    ("answer", "groups"),
    [
        ("b > a = d > c", ((1,), (0, 3), (2,))),
        ("ba=dc", ((1,), (0, 3), (2,))),
        ("bad c", ((1,), (0,), (3,), (2,))),
        ("B, A, D, C", ((1,), (0,), (3,), (2,))),
        ("a=b=c=d", ((0, 1, 2, 3),)),
    ],
)
def test_orders_that_are_understood(answer: str, groups: tuple[tuple[int, ...], ...]) -> None:
    assert parse_order(answer, 4) == groups


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("b > a > d", "Still to place: c"),
        ("abcda", "a stands there twice"),
        ("abce", "“e” is none of the answers; they are a, b, c, d"),
        ("abc=", "= joins two"),
        ("=abcd", "= joins two"),
        ("a= >bcd", "= joins two"),
        ("", "Still to place: a, b, c, d"),
    ],
)
def test_orders_that_are_not_say_why(answer: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_order(answer, 4)


def test_the_examples_shown_are_orders_themselves() -> None:
    for count in range(2, 9):
        with pytest.raises(ValueError, match="for example") as caught:
            parse_order("a", count)
        assert (
            len([i for group in parse_order(str(caught.value).split("for example ")[1], count) for i in group]) == count
        )


def test_letters_stand_for_shuffled_completions(store: RankingStore) -> None:
    screen = console()
    assert rank_in_terminal([FOUR], store, "ola", screen, typed("b > a = d > c"), "pl") == 1
    (ranking,) = store.rankings()
    order = [place for (place,) in shuffled(FOUR, "ola")]
    assert ranking.groups == ((order[1],), tuple(sorted((order[0], order[3]))), (order[2],))
    assert (ranking.prompt_id, ranking.completions, ranking.annotator) == ("p1", FOUR.completions, "ola")
    assert ranking.time > 0
    shown = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "Gdzie leży Ostoja? [bold]" in shown
    assert "(pusta odpowiedź)" in shown


def test_equal_completions_are_shown_once_and_tied(store: RankingStore) -> None:
    rank_in_terminal([TWINS], store, "ola", console(), typed("ab"))
    (ranking,) = store.rankings()
    assert sorted(map(len, ranking.groups)) == [1, 2]
    assert (0, 2) in ranking.groups


def test_wrong_lines_are_asked_again_and_help_is_given(store: RankingStore) -> None:
    screen = console()
    assert rank_in_terminal([FOUR], store, "ola", screen, typed("?", "abz", "abcd")) == 1
    assert screen.file.getvalue().count("best first") == 2  # type: ignore[attr-defined]


def test_undo_takes_back_and_asks_again(store: RankingStore) -> None:
    answers = typed("u", "abcd", "u", "dcba", "ab")
    rank_in_terminal([FOUR, TWINS], store, "ola", console(), answers)
    first = [place for (place,) in shuffled(FOUR, "ola")]
    groups = {ranking.prompt_id: ranking.groups for ranking in store.rankings()}
    assert groups["p1"] == tuple((place,) for place in reversed(first))
    assert len(store.rankings()) == 2


def test_the_last_ranking_can_still_be_taken_back(store: RankingStore) -> None:
    assert rank_in_terminal([TWINS], store, "ola", console(), typed("ab", "u", "ba", "")) == 1
    twin, other = shuffled(TWINS, "ola")
    assert store.rankings()[0].groups == (tuple(other), tuple(twin))


def test_completions_cannot_command_the_terminal(store: RankingStore) -> None:
    screen = console()
    rank_in_terminal([Candidates("p", PROMPT, ("\x1b[2J", "b"))], store, "ola", screen, typed())
    assert "\x1b" not in screen.file.getvalue()  # type: ignore[attr-defined]


def test_skipping_and_quitting_keep_what_was_given(store: RankingStore) -> None:
    assert rank_in_terminal([FOUR, TWINS], store, "ola", console(), typed("s", "ab", "abcd")) == 1
    assert [ranking.prompt_id for ranking in store.rankings()] == ["p2"]
    assert rank_in_terminal([FOUR, TWINS], store, "ola", console(), typed("q")) == 0
    assert rank_in_terminal([FOUR, TWINS], store, "ola", console(), typed()) == 0  # the input ends


def test_both_languages_say_the_same_things() -> None:
    assert TEXTS["pl"].keys() == TEXTS["en"].keys()
