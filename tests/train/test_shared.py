"""Weights shared out among processes: what comes out is what one process makes, and each holds only its share."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from train.ranks import gradients, job_look, job_resume, job_train, together
from train.test_parallel import EXACT, close, far


@pytest.fixture(scope="module")
def whole() -> dict[str, list[float]]:
    """Each objective's gradient of one step, from one process in one piece."""
    return gradients(99)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The training in one process."""
    return job_train(tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def by_three(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What three processes find that share the weights out among all of them."""
    place = tmp_path_factory.mktemp("three")
    killed = ("kill shared", place / "killed"), ("resume shared", place / "killed")
    work = ("gradients shared", place), ("train shared", place / "1"), *killed
    return together(3, *work, ("look shared", place / "look"), ("hold shared", place), ("lose shared", place))


@pytest.fixture(scope="module")
def by_four(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], Path]:
    """What four processes find that share the weights out in twos; they are killed at last."""
    place = tmp_path_factory.mktemp("four")
    work = ("gradients hybrid", place), ("gradients split", place), ("kill hybrid", place / "killed")
    return together(4, *work), place / "killed"


def same_gradients(found: dict[str, list[float]], whole: dict[str, list[float]]) -> None:
    """Loss, tokens, norm and gradient of each objective, in small pieces and in large ones."""
    assert len(found) == 2 * len(whole) == 4
    for name, values in found.items():
        meant = whole[name.partition(",")[0]]
        assert far(values[:2], meant[:2]) < EXACT[name.partition(",")[0]], name
        assert far(values[2:], meant[2:]) < EXACT[name.partition(",")[0]], name


def test_gradients_are_those_of_one_process(by_three: list[Any], whole: dict[str, list[float]]) -> None:
    same_gradients(by_three[0], whole)


@pytest.mark.parametrize("job", [0, 1], ids=["shared", "split"])
def test_gradients_are_too_where_two_times_two_share(by_four: Any, whole: dict[str, list[float]], job: int) -> None:
    same_gradients(by_four[0][job], whole)


@pytest.mark.parametrize("name", ["next token", "ppo"])
def test_training_is_that_of_one_process(by_three: list[Any], alone: Any, name: str) -> None:
    close(by_three[1][name]["steps"], alone[name]["steps"])


def test_killed_and_resumed_they_end_with_the_same_bits(by_three: list[Any]) -> None:
    assert by_three[2] is None
    assert by_three[3]["weights"][0] == by_three[1]["next token"]["weights"][0]


def test_the_first_process_looks_at_the_model_on_the_way(by_three: list[Any], tmp_path: Path) -> None:
    """Validation and samples, in which the others only help."""
    found, meant = by_three[4], job_look(tmp_path)
    notes = [event["text"] for event in found if event["kind"] == "note"]
    assert notes == ["shared"]
    seen = [event for event in found if event["kind"] == "step"]
    steps = [event for event in meant if event["kind"] == "step"]
    assert len(seen) == len(steps) == 4
    for one, other in zip(seen, steps, strict=True):
        assert one["written"] == other["written"] > 0
        assert one["validation"] == pytest.approx(other["validation"], rel=1e-4)


def test_each_process_holds_its_share(by_three: list[Any]) -> None:
    """No more than was said when it was decided how to share; that counts gradients on their way too."""
    figures = by_three[5]
    assert all(0.7 * figures["said"] < held < figures["said"] for held in figures["held"])
    assert max(figures["held"]) < 0.6 * figures["alone"]


def test_a_process_that_is_lost_is_noticed(by_three: list[Any]) -> None:
    assert by_three[6] == "another process of this run has ended; the same command goes on from the last checkpoint"


@pytest.mark.parametrize("count", [1, 2])
def test_saved_by_four_in_twos_and_resumed_whole(by_four: Any, alone: Any, tmp_path: Path, count: int) -> None:
    shutil.copytree(by_four[1], tmp_path / "killed")
    found = job_resume(tmp_path / "killed") if count == 1 else together(2, ("resume", tmp_path / "killed"))[0]
    close(found["steps"], alone["next token"]["steps"])
