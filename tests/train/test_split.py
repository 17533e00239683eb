"""Blocks split among processes: logits, gradients and training are those of one process."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from train.ranks import KINDS, gradients, job_look, job_resume, job_train, kinds, together
from train.test_parallel import close, far
from train.test_shared import same_gradients


@pytest.fixture(scope="module")
def whole() -> dict[str, list[float]]:
    """Each objective's gradient of one step, from one process in one piece."""
    return gradients(99)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The training in one process."""
    return job_train(tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], Path]:
    """What two processes find that split every block; they are killed at last."""
    place = tmp_path_factory.mktemp("two")
    work = ("gradients split", place), ("kinds split", place), ("train split", place), ("look split", place / "look")
    return together(2, *work, ("kill split", place / "killed")), place / "killed"


def test_gradients_are_those_of_one_process(by_two: Any, whole: dict[str, list[float]]) -> None:
    same_gradients(by_two[0][0], whole)


@pytest.fixture(scope="module")
def meant() -> dict[str, list[float]]:
    """Logits and gradients of models of all kinds, from one process."""
    return kinds(False)


@pytest.mark.parametrize("name", KINDS)
def test_logits_and_gradients_of_all_kinds_of_blocks(by_two: Any, meant: dict[str, list[float]], name: str) -> None:
    found, count = by_two[0][1][name], 2 * 11 * 40
    assert far(found[:count], meant[name][:count]) < 1e-5
    assert far(found[count:], meant[name][count:]) < 1e-5


@pytest.mark.parametrize("name", ["next token", "ppo"])
def test_training_is_that_of_one_process(by_two: Any, alone: Any, name: str) -> None:
    close(by_two[0][2][name]["steps"], alone[name]["steps"])


def test_the_first_process_looks_at_the_whole_model_on_the_way(by_two: Any, tmp_path: Path) -> None:
    found, meant = (
        [event for event in events if event["kind"] == "step"] for events in (by_two[0][3], job_look(tmp_path))
    )
    assert len(found) == len(meant) == 4
    for one, other in zip(found, meant, strict=True):
        assert one["written"] == other["written"] > 0
        assert one["validation"] == pytest.approx(other["validation"], rel=1e-4)


def test_saved_by_two_and_resumed_by_one(by_two: Any, alone: Any, tmp_path: Path) -> None:
    shutil.copytree(by_two[1], tmp_path / "killed")
    close(job_resume(tmp_path / "killed")["steps"], alone["next token"]["steps"])
