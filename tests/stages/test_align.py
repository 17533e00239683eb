"""The stage on a very small world, by every method, and what it says to recipes that make no sense."""

import math
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from faults.small_world import MACHINE, RAW
from safetensors.torch import load_file

from anatomia import recipe as recipes
from anatomia.base.errors import UserError
from anatomia.model.checkpoint import load_model
from anatomia.objectives.algorithms import ALGORITHMS
from anatomia.objectives.direct import DIRECT
from anatomia.pipeline import Request, run
from anatomia.stages import modules, stages
from anatomia.stages.align import STAGE, AlignSettings


def recipe(**align: Any) -> recipes.Recipe:
    return recipes.build(RAW | {"align": RAW["align"] | align}, recipes.section_classes(modules()))


def test_every_algorithm_has_a_name_in_recipes_and_no_two_the_same() -> None:
    names = get_args(AlignSettings.model_fields["method"].annotation)
    assert sorted(names) == sorted([*ALGORITHMS, *DIRECT])


@pytest.mark.parametrize(
    ("align", "words"),
    [
        ({"prompts": []}, "align.prompts = []"),
        ({"reward": []}, "align.reward = []"),
        ({"reward": "judge"}, 'align.reward = "judge" names no function'),
        ({"method": "rloo"}, "align.group = 1 is too few for align.method = 'rloo'"),
        ({"minibatches": 5, "batch": 4}, "align.minibatches = 5"),
        ({"method": "dpo", "kl": 0}, "align.kl = 0"),
        ({"adapter": "lora", "optimizer": "muon"}, 'align.optimizer = "muon"'),
        ({"method": "dpo", "prompts": [], "reward": []}, ""),
        ({"method": "reinforce++"}, ""),
    ],
    ids=[
        "no prompts",
        "no reward",
        "no function",
        "groups",
        "minibatches",
        "beta",
        "muon",
        "from rankings",
        "no groups",
    ],
)
def test_recipes_that_make_no_sense(tmp_path: Path, align: dict[str, Any], words: str) -> None:
    if not words:
        STAGE.check(recipe(**align), tmp_path)
        return
    with pytest.raises(UserError) as caught:
        STAGE.check(recipe(**align), tmp_path)
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("align")


@pytest.mark.parametrize("method", [method for method in (*ALGORITHMS, *DIRECT) if method != "ppo"])
def test_every_method_changes_the_policy(root: Path, method: str) -> None:
    """One run after another in one place: what comes before the stage is made once."""
    chosen = recipe(method=method, group=2, rollouts=2, kl=0.1, epochs=1)
    events: list[Any] = []
    request = Request(chosen, root, root / "run", until="align")
    made = run(request, stages(), [events.append], choose=lambda: MACHINE)
    metrics = made["align"].metrics
    assert metrics["method"] == method
    assert math.isfinite(metrics["last"]["loss"])
    assert metrics["steps"] > 0
    weights = [made[stage].file("model.safetensors").read_bytes() for stage in ("finetune", "align")]
    assert weights[0] != weights[1]
    assert metrics["judge"] == "world"
    assert {"updates_kept", "judge_first", "judge_kept", "hacks"} <= metrics.keys()
    figures = {"accuracy", "margin", "best_ratio", "worst_ratio"} if method in DIRECT else {"score", "kl", "entropy"}
    assert metrics["last"].keys() >= figures
    begun = [event["stage"] for event in events if event["kind"] == "stage" and event["state"] == "begin"]
    assert begun[-1] == "align"
    assert len(begun) == 1 or len(begun) == len(made)


@pytest.mark.parametrize("method", ["ppo", "rloo", "dpo"])
def test_with_adapters_over_one_base(root: Path, method: str) -> None:
    """What comes out is a whole model, and the adapter beside it; the base is as it was."""
    chosen = recipe(method=method, group=2, rollouts=2, kl=0.1, epochs=1, adapter="lora", adapter_rank=4)
    assert chosen.align.learning_rate == chosen.finetune.model_validate({"adapter": "lora"}).learning_rate / 10
    made = run(Request(chosen, root, root / "run", until="align"), stages(), [], choose=lambda: MACHINE)
    before, after = (load_model(made[stage].path) for stage in ("finetune", "align"))
    assert after.adapter is None
    assert before.config == after.config
    changed = {name for name, weight in before.named_parameters() if not torch.equal(weight, after.get_parameter(name))}
    assert changed
    assert all(name.startswith("blocks.") and "norm" not in name for name in changed)
    kept = load_file(made["align"].file("adapter/adapter_model.safetensors"))
    assert {min(weight.shape) for weight in kept.values()} == {4}
