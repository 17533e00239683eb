"""A model that is too large for this computer is refused before the first stage, with numbers."""

from pathlib import Path
from typing import Any

import pytest
import torch

from anatomia import recipe as recipes
from anatomia import stages
from anatomia.base.artifact import RECORD
from anatomia.base.errors import UserError
from anatomia.stages import memory
from anatomia.stages.memory import check_memory
from anatomia.train import room

GB = 10**9
ROOT = Path(__file__).parents[2]
LARGE = ("model.width=2048", "model.heads=16", "model.layers=32", "model.hidden=4096", "tokenizer.size=8192")


class Chosen:
    """A computer that trains in 32 bits on its CPU."""

    device, dtype = "cpu", "float32"


@pytest.fixture(autouse=True)
def small_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "recall", Chosen)
    monkeypatch.setattr(room, "usable_memory", lambda: 64 * GB)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)


def world(*settings: str) -> Any:
    return recipes.read(recipes.find("world"), recipes.section_classes(stages.modules()), settings, ROOT)


def refused(out: Path, processes: int, *settings: str) -> str:
    """What is said to a recipe, or nothing."""
    recipe = world(*settings)
    try:
        check_memory(recipe, ROOT, out, [stage for stage in stages.stages() if stage.enabled(recipe)], processes)
    except UserError as error:
        return str(error)
    return ""


def test_the_default_recipe_fits(tmp_path: Path) -> None:
    assert refused(tmp_path, 1) == refused(tmp_path, 4) == ""


def test_the_judge_that_a_run_makes_of_its_own_rankings_is_asked_as_the_reward_model_is(tmp_path: Path) -> None:
    own = ("align.prompts=[own.jsonl]", "rank.by=[people]")
    recipe = world(*own)
    assert "judge" in [stage.name for stage in stages.stages() if stage.enabled(recipe)]
    assert refused(tmp_path, 1, *own) == ""
    finished = ("pretrain", "finetune", "reward", "align")
    for name in finished:
        (tmp_path / name).mkdir()
        (tmp_path / name / RECORD).write_text("{}", encoding="utf-8")
    larger = ("model.width=4096", "model.heads=32", "model.layers=32", "model.hidden=8192", "tokenizer.size=8192")
    assert "training " in refused(tmp_path, 1, *own, *larger)


def test_every_stage_is_asked_and_what_stands_beside_counts(tmp_path: Path) -> None:
    """1.36 billion parameters: pretraining takes up to 28 bytes of each, PPO twice that for its critic, and 8 for the
    reference and the reward model."""
    assert refused(tmp_path, 1, *LARGE, "align.enabled=false") == ""
    said = refused(tmp_path, 1, *LARGE)
    assert said == (
        "training 2,718 million parameters takes 87.0 GB in each process (of 1), which has 64.0 GB; "
        "lower model.layers or model.width, or use more computers or GPUs"
    )
    assert refused(tmp_path, 1, *LARGE, "align.method=grpo", "align.group=4") == ""


def test_what_is_done_is_not_asked_again(tmp_path: Path) -> None:
    """A finished run may be looked at where it could not have been trained."""
    (tmp_path / "align").mkdir()
    (tmp_path / "align" / RECORD).write_text("{}")
    assert refused(tmp_path, 1, *LARGE) == ""


def test_more_computers_help_and_more_processes_on_one_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(tmp_path, 8, *LARGE) != ""
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    assert refused(tmp_path, 8, *LARGE) == ""


def test_an_adapter_needs_room_for_itself_and_the_weights_alone(tmp_path: Path) -> None:
    """2.7 billion parameters: 43 GB of weights, gradients and moments and a checkpoint's copy; of an adapter, little
    more than the weights."""
    recipe = world(*LARGE, "model.layers=64", "finetune.adapter=lora", "align.enabled=false")
    load = room.Load.of(memory.trained(recipe, "finetune", memory.shape(recipe, ROOT)), False, torch.float32)
    weights = memory.shape(recipe, ROOT).parameters()
    assert load.frozen == weights
    assert 4 * weights < load.whole(1) < 4.3 * weights
    assert load.grain == 1
