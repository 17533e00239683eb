"""A run that nobody can judge makes a judge of the rankings that its reward model never sees, if they are enough."""

import json
from pathlib import Path
from typing import Any

import pytest
from faults.small_world import MACHINE, RAW

from anatomia import recipe as recipes
from anatomia.base.artifact import Artifact
from anatomia.base.events import read_events
from anatomia.pipeline import Request, run
from anatomia.stages import judge, modules, stages
from anatomia.stages.judging import needs_own_judge

PLACES = ["Olszyn", "Skalin", "Makowo", "Wilga", "Zdrojów", "Cisowa"]


def recipe(**sections: dict[str, Any]) -> recipes.Recipe:
    raw = RAW | {name: RAW[name] | changes for name, changes in sections.items()}
    return recipes.build(raw, recipes.section_classes(modules()))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("judge")
    rows = [{"prompt": f"Where is {place} {n}?", "completion": "There."} for n in range(10) for place in PLACES]
    (root / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return root


def made(root: Path, method: str = "reinforce++", name: str = "run", **sections: dict[str, Any]) -> dict[str, Artifact]:
    """A run whose policy is asked what stands in a file; the made-up world's rankers ranked."""
    align = {"prompts": ["asked.jsonl"], "method": method, "epochs": 1, "kl": 0.1}
    chosen = recipe(align=align, sample={"count": 60}, **sections)
    return run(Request(chosen, root, root / name, until="align"), stages(), [], choose=lambda: MACHINE)


def notes(artifact: Artifact) -> str:
    return " ".join(event["text"] for event in read_events(artifact.file("events.jsonl")) if event["kind"] == "note")


@pytest.mark.parametrize("method", ["reinforce++", "dpo"])
def test_a_second_reward_model_judges(root: Path, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of other rankings than the first, with a verdict at each look, and the run says who it is."""
    monkeypatch.setattr(judge, "CHANCE", 0.0)
    artifacts = made(root, method)
    judges, rewards, aligned = (artifacts[name].metrics for name in ("judge", "reward", "align"))
    assert judges["prompts"] == rewards["held_out_prompts"] > judge.FEWEST
    assert judges["tested_prompts"] == rewards["prompts"]
    assert judges["judges"]
    assert aligned["judge"] == "held-out reward model"
    assert aligned["judge_accuracy"] == judges["accuracy"]
    assert aligned["judge_prompts"] == judges["prompts"]
    looks = [event for event in read_events(artifacts["align"].file("events.jsonl")) if event["kind"] == "look"]
    assert len(looks) > 3
    assert all({"reward", "judge", "kl", "length"} <= look.keys() for look in looks)
    assert looks[0]["kl"] == 0.0
    assert f"learnt from the rankings of {judges['prompts']} prompts" in notes(artifacts["align"])


def test_a_judge_that_guesses_does_not_judge(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "CHANCE", 1.0)
    artifacts = made(root, reward={"epochs": 1.0})
    assert not artifacts["judge"].metrics["judges"]
    assert not artifacts["judge"].file("model.safetensors").exists()
    assert artifacts["align"].metrics["judge"] == "none"
    assert "no more than guessing might" in notes(artifacts["judge"])


def test_too_few_held_out_rankings_make_no_judge(root: Path) -> None:
    artifacts = made(root, rank={"held_out_fraction": 0.05})
    assert artifacts["judge"].metrics["prompts"] < judge.FEWEST
    assert "raise rank.held_out_fraction" in notes(artifacts["judge"])
    assert artifacts["align"].metrics["judge"] == "none"


@pytest.mark.parametrize(
    ("sections", "needed"),
    [
        ({"align": {"prompts": ["asked.jsonl"]}}, True),
        ({"align": {"prompts": [], "method": "dpo"}}, True),
        ({}, False),
        ({"align": {"prompts": ["asked.jsonl"], "judge": "none"}}, False),
        ({"align": {"prompts": ["asked.jsonl"], "judge": "other/reward"}}, False),
        ({"align": {"prompts": ["asked.jsonl"], "reward": ["mine.py:score"]}}, False),
        ({"align": {"prompts": ["asked.jsonl"], "enabled": False}}, False),
        ({"align": {"prompts": ["asked.jsonl"]}, "rank": {"held_out_fraction": 0.0}}, False),
    ],
    ids=["a file", "rankings alone", "the world", "nobody", "a named one", "no rankings", "no RL", "none held out"],
)
def test_a_judge_is_made_where_nobody_else_can_judge(sections: dict[str, Any], needed: bool) -> None:
    assert needs_own_judge(recipe(**sections)) == needed
