"""RL under watch: what is learnt stays as it is, the judge's peak is kept, hacks are named, a kill changes nothing."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from objectives.aligning import PROMPTS, alignment
from train.learning import killed_and_resumed, same, settings, weights

from anatomia.base.events import Event, Ledger, read_events
from anatomia.generate.engine import Completion
from anatomia.objectives.alignment import ActorCritic
from anatomia.objectives.watch import Answer
from anatomia.objectives.watched import Panel, Watched
from anatomia.train.loop import train

PANEL = PROMPTS[:6] * 16
ROLLOUTS = 8
Judge = Callable[[Sequence[Any], Sequence[Completion]], torch.Tensor]


def spoken(ids: Sequence[int]) -> str:
    """Tokens as words."""
    return " ".join(f"w{number}" for number in ids)


def flat(prompts: Sequence[Any], completions: Sequence[Completion]) -> torch.Tensor:
    """A judge to whom all is equal."""
    return torch.full((len(prompts),), 0.5)


class Falling:
    """A judge whose verdicts depend on the look alone."""

    def __init__(self, means: list[float]) -> None:
        self.means, self.look = means, -1

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Completion]) -> torch.Tensor:
        self.look += 1
        noise = torch.randn(len(prompts), generator=torch.Generator().manual_seed(self.look))
        return self.means[self.look] + 0.1 * noise


def brief(prompts: Sequence[Any], completions: Sequence[Completion]) -> torch.Tensor:
    """A judge of answers' texts, the same after a kill."""
    return torch.tensor([len(written.ids) % 3 / 3 for written in completions])


def watched(
    judge: Judge | None, method: str = "grpo", ledger: Ledger | None = None, **changes: Any
) -> tuple[ActorCritic, Watched]:
    model, objective = alignment(method, **changes)
    panel = Panel(PANEL, judge, "world" if judge else "none")
    return model, Watched(objective, panel, spoken, {}, ROLLOUTS, ledger or Ledger())


def steps(objective: Watched) -> int:
    return ROLLOUTS * objective.objective.settings.updates


@pytest.mark.parametrize("method", ["ppo", "grpo"])
def test_what_is_learnt_does_not_depend_on_being_watched(method: str, tmp_path: Path) -> None:
    alone, objective = alignment(method)
    train(alone, objective, settings(12), Ledger(), tmp_path / "a")
    (tmp_path / "b").mkdir()
    model, looked_at = watched(flat, method)
    train(model, looked_at, settings(12), Ledger(), tmp_path / "b")
    assert same(alone, model)


@pytest.fixture(autouse=True)
def _places(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()


def test_looks_begin_at_a_distance_of_nothing_and_end_with_the_last_policy(tmp_path: Path) -> None:
    model, objective = watched(flat)
    train(model, objective, settings(steps(objective)), Ledger(), tmp_path)
    found = objective.finish(model, steps(objective))
    assert objective.looks[0]["kl"] == 0.0
    assert [look["updates"] for look in objective.looks] == [4 * number for number in range(ROLLOUTS + 1)]
    assert all(look["kl"] > 0 for look in objective.looks[1:])
    assert found["updates_kept"] == steps(objective)


def test_the_policy_at_the_judges_peak_is_kept(tmp_path: Path) -> None:
    """Weights and number of the third look; and a note that says so."""
    events: list[Event] = []
    model, objective = watched(
        Falling([0.3, 0.5, 0.7, 0.6, 0.4, 0.3, 0.2, 0.2, 0.1]), ledger=Ledger(None, [events.append])
    )
    seen: dict[int, dict[str, torch.Tensor]] = {}
    looking = objective.look

    def look(policy: ActorCritic, step: int) -> None:
        seen[step] = weights(policy.policy)
        looking(policy, step)

    objective.look = look  # type: ignore[method-assign]
    train(model, objective, settings(steps(objective)), Ledger(), tmp_path)
    found = objective.finish(model, steps(objective))
    assert found["updates_kept"] == 8
    assert found["judge_kept"] == pytest.approx(0.7, abs=0.05)
    kept = weights(model.policy)
    assert all(torch.equal(kept[name], weight) for name, weight in seen[8].items())
    assert any("peak was after 8 of 32 updates" in event.get("text", "") for event in events)


def test_a_judge_that_never_fell_keeps_the_last(tmp_path: Path) -> None:
    model, objective = watched(Falling([0.3, 0.5, 0.7, 0.69, 0.7, 0.7, 0.7, 0.71, 0.7]))
    train(model, objective, settings(steps(objective)), Ledger(), tmp_path)
    before = weights(model)
    assert objective.finish(model, steps(objective))["updates_kept"] == steps(objective)
    assert all(torch.equal(before[name], weight) for name, weight in weights(model).items())


@pytest.mark.parametrize(
    ("means", "named"), [(None, True), ([0.5, 0.5], True), ([0.5, 0.7], False), ([0.5, 0.9, 0.7], True)]
)
def test_a_hack_is_named_once_unless_the_judge_finds_the_answers_better(means: list[float] | None, named: bool) -> None:
    """Better than at the start, and not worse than at the best."""
    events: list[Event] = []
    _, objective = watched(flat if means else None, ledger=Ledger(None, [events.append]))
    objective.asked = [[(Answer(f"w{number}", 3, True), 0.1 * (number % 3)) for number in range(200)]]
    for look, mean in enumerate(means or [0.0]):
        objective.looks.append({})
        if means:
            objective.peak.see([mean + 0.05 * math.sin(31 * look + place) for place in range(200)])
    changed = [(Answer(f"w{number} w7 w7 w8", 30, True), 1.0 + 0.1 * (number % 3)) for number in range(200)]
    objective.asked += [changed] * max(1, len(means or []) - 1)
    for step in (8, 12):
        objective.compare(step)
    notes = [event for event in events if event["kind"] == "note"]
    assert [(hack["kind"], hack["updates"]) for hack in objective.hacks] == [("longer", 8), ("keyword", 8)] * named
    assert len(notes) == 2 * named
    assert all(note["text"] and note["polish"] and note["step"] == 9 for note in notes)


def test_without_more_reward_nothing_is_called_a_hack() -> None:
    """The answers changed, but what is optimised did not rise by it."""
    _, objective = watched(None)
    for words in ("", " w7 w7 w8"):
        objective.asked.append([(Answer(f"w{n}{words}", 3 + len(words), True), 0.1 * (n % 3)) for n in range(200)])
    objective.compare(8)
    assert objective.hacks == []


def test_a_kill_changes_nothing(tmp_path: Path) -> None:
    """Weights, looks, what is kept and the ledger's looks are the same bits after two kills."""
    how = settings(ROLLOUTS * 4)
    model, objective = watched(brief, ledger=Ledger(tmp_path / "a" / "events.jsonl"))
    train(model, objective, how, objective.ledger, tmp_path / "a")
    whole = objective.finish(model, how.steps) | {"looks": objective.looks}
    made: list[Watched] = []

    def fresh() -> tuple[ActorCritic, Watched]:
        found = watched(brief, ledger=Ledger(tmp_path / "b" / "events.jsonl"))
        made.append(found[1])
        return found

    (tmp_path / "b").mkdir()
    again, _ = killed_and_resumed(fresh, how, (5, 13, 20), tmp_path / "b")
    assert isinstance(again, ActorCritic)
    assert made[-1].finish(again, how.steps) | {"looks": made[-1].looks} == whole
    assert same(model, again)
    mine, other = (
        [
            {key: value for key, value in event.items() if key != "time"}
            for event in read_events(tmp_path / place / "events.jsonl")
            if event["kind"] == "look"
        ]
        for place in "ab"
    )
    assert mine == other
