"""Several processes do what one would: the same data in the same steps, the same gradients, the same model in each."""

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from train.ranks import STEPS, gradients, job_resume, job_train, together

EXACT = {"next token": 1e-12, "preference": 1e-6}  # losses in 64 bits, and in 32


def far(one: list[float], other: list[float]) -> float:
    """The largest difference, as a share of the largest value."""
    assert len(one) == len(other)
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) / max(map(abs, other))


@pytest.fixture(scope="module")
def whole() -> dict[str, list[float]]:
    """Each objective's gradient of one step, from one process in one piece."""
    return gradients(99)


@pytest.mark.parametrize("micro", [1, 2, 3])
def test_pieces_change_nothing(micro: int, whole: dict[str, list[float]]) -> None:
    for name, found in gradients(micro).items():
        assert far(found, whole[name]) < EXACT[name], name
        assert max(map(abs, found[3:])) > 1e-3


@pytest.fixture(scope="module")
def by_three(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What three processes find: gradients, training, the same again, and once more killed on the way."""
    place = tmp_path_factory.mktemp("three")
    again = ("kill", place / "killed"), ("resume", place / "killed")
    early = ("gradients early", place), ("train early", place / "early")
    return together(3, ("gradients", place), ("train", place / "1"), ("train", place / "2"), *again, *early)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same training in one process."""
    return job_train(tmp_path_factory.mktemp("alone"))


def close(found: list[dict[str, Any]], meant: list[dict[str, Any]]) -> None:
    """The same steps: tokens to the last one, losses within rounding."""
    assert [step["step"] for step in found] == [step["step"] for step in meant] == list(range(1, STEPS + 1))
    assert [step["tokens"] for step in found] == [step["tokens"] for step in meant]
    for one, other in zip(found, meant, strict=True):
        assert one["learning_rate"] == other["learning_rate"]
        assert math.isclose(one["loss"], other["loss"], rel_tol=1e-3, abs_tol=1e-4)


def test_the_number_of_processes_changes_nothing(by_three: list[Any], whole: dict[str, list[float]]) -> None:
    for name, found in by_three[0].items():
        assert far(found, whole[name]) < EXACT[name], name


def test_nor_does_sending_gradients_early(by_three: list[Any], whole: dict[str, list[float]], alone: Any) -> None:
    """Also where a process has nothing to compute in a step."""
    assert len(by_three[5]) == 4
    for name, found in by_three[5].items():
        name = name.partition(",")[0]
        assert far(found[2:], whole[name][2:]) < EXACT[name], name
    trained = by_three[6]["next token"]
    close(trained["steps"], alone["next token"]["steps"])
    assert len(set(trained["weights"])) == 1


@pytest.mark.parametrize("name", ["next token", "ppo"])
def test_all_processes_hold_the_same_bits_and_a_repetition_gives_them_again(by_three: list[Any], name: str) -> None:
    first, second = (found[name]["weights"] for found in by_three[1:3])
    assert len(set(first)) == 1
    assert first == second


def test_killed_and_resumed_by_as_many_they_end_with_the_same_bits(by_three: list[Any]) -> None:
    assert by_three[3] is None
    assert by_three[4]["weights"] == by_three[1]["next token"]["weights"]


@pytest.mark.parametrize("name", ["next token", "ppo"])
def test_they_learn_what_one_would(by_three: list[Any], alone: Any, name: str) -> None:
    close(by_three[1][name]["steps"], alone[name]["steps"])


def test_saved_by_four_and_resumed_by_fewer(tmp_path: Path, alone: Any) -> None:
    """Four are killed; one, two or three go on in their place."""
    together(4, ("kill", tmp_path / "four"))
    steps = [int(path.stem.partition("-")[2]) for path in (tmp_path / "four").glob("*.checkpoint")]
    assert sorted(steps) == [6, 7]
    for count in (1, 2, 3):
        place = tmp_path / str(count)
        shutil.copytree(tmp_path / "four", place)
        found = job_resume(place) if count == 1 else together(count, ("resume", place))[0]
        close(found["steps"], alone["next token"]["steps"])
        assert len(set(found["weights"])) == 1
