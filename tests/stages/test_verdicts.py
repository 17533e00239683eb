"""What the stages say about models: preferences with ties, pages of a diary."""

import errno
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anatomia.base.events import Ledger
from anatomia.feedback.ranking import Ranking
from anatomia.objectives.judged import UNPLACED
from anatomia.objectives.rollout import Rollout
from anatomia.stages.align import Diary
from anatomia.stages.answers import preferred
from anatomia.stages.reward_data import places
from anatomia.tokens.vocabulary import train_vocabulary


def answers(pairs: list[tuple[float, float]]) -> list[dict[str, Any]]:
    return [{"greedy": {"new": {"verdict": {"score": a}}, "old": {"verdict": {"score": b}}}} for a, b in pairs]


def test_preferences_count_ties_half() -> None:
    rows = answers([(1.0, 0.5)] * 6 + [(0.2, 0.2)] * 3 + [(0.0, 1.0)] * 1)
    found = preferred(rows, "greedy", "new", "old")
    assert (found["wins"], found["ties"], found["losses"]) == (6, 3, 1)
    assert found["share"] == pytest.approx(0.75)
    turned = preferred(rows, "greedy", "old", "new")
    assert turned["share"] == pytest.approx(0.25)
    assert (turned["first"], turned["second"]) == ("old", "new")


def test_the_interval_of_a_preference_is_that_of_a_share() -> None:
    """Near the normal approximation for many prompts, and no width where all agree."""
    chance = np.random.default_rng(0)
    rows = answers([(float(chance.random() < 0.7), 0.5) for _ in range(1000)])
    found = preferred(rows, "greedy", "new", "old")
    half = 1.96 * math.sqrt(found["share"] * (1 - found["share"]) / 1000)
    assert found["interval"] == pytest.approx([found["share"] - half, found["share"] + half], abs=0.005)
    assert preferred(answers([(1, 0)] * 20), "greedy", "new", "old")["interval"] == [1.0, 1.0]


def test_questions_without_a_verdict_are_left_out() -> None:
    rows = answers([(1.0, 0.0)] * 4)
    rows.append({"greedy": {"new": {"verdict": None}, "old": {"verdict": None}}})
    found = preferred(rows, "greedy", "new", "old")
    assert (found["wins"], found["ties"], found["losses"]) == (4, 0, 0)


def test_groups_become_places() -> None:
    ranking = Ranking("p", ({"role": "user", "content": "?"},), ("a", "b", "c", "d"), ((2,), (0, 3)), "anna")
    assert places(ranking) == (1, UNPLACED, 0, 1)


def rollout(number: int) -> Rollout:
    """One sequence of a prompt of two tokens and a completion of two; what is outside the mask is nonsense."""
    table = torch.arange(4, dtype=torch.float32)[None] + number
    mask = torch.tensor([[False, True, True, False]])
    ids = torch.tensor([[1, 70, 71, 2, 0]])
    return Rollout(ids, mask, torch.tensor([True]), torch.tensor([0.5]), table, *(table + n for n in range(1, 6)))


def test_a_diary_survives_a_restart_without_pages_written_twice(tmp_path: Path) -> None:
    vocabulary = train_vocabulary(["ala ma kota i psa"] * 5, 300)
    path = tmp_path / "rollouts.json"
    diary = Diary(vocabulary, path, 24, Ledger())
    for number in range(7):
        diary(number, rollout(number), [[1, 70]])
    again = Diary(vocabulary, path, 24, Ledger())
    for number in range(4, 24):  # gone on with from an earlier checkpoint
        again(number, rollout(number), [[1, 70]])
    pages = again.pages()
    assert [page["step"] for page in pages] == list(range(0, 24, 2))
    first = pages[0]["tokens"]
    assert [token["text"] for token in first] == vocabulary.pieces([71, 2])
    assert [token["logprob"] for token in first] == [1.0, 2.0]
    assert [token["reference_logprob"] for token in first] == [2.0, 3.0]
    assert [token["reward"] for token in first] == [4.0, 5.0]


def test_a_page_that_a_full_disk_has_no_room_for_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, value: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    notes: list[str] = []
    ledger = Ledger()
    monkeypatch.setattr(ledger, "note", lambda text, **values: notes.append(text))
    diary = Diary(train_vocabulary(["ala ma kota i psa"] * 5, 300), tmp_path / "rollouts.json", 2, ledger)
    diary(0, rollout(0), [[1, 70]])
    with monkeypatch.context() as patch:
        patch.setattr("anatomia.stages.align.write_json", full)
        diary(1, rollout(1), [[1, 70]])
    diary(2, rollout(2), [[1, 70]])
    assert [page["step"] for page in diary.pages()] == [0, 2]
    assert len(notes) == 1
    assert "rollout 2" in notes[0]
    assert "No space left" in notes[0]
