"""Steps out of the ordinary: skipped, counted, told; and going back when there are too many of them."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from model.tiny import decoder
from objectives.aligning import alignment
from torch import nn
from train.learning import killed_and_resumed, next_token, same, settings

from anatomia.base.errors import UserError
from anatomia.base.events import Event, Ledger, read_events
from anatomia.train import guard as guards
from anatomia.train.guard import ENOUGH, MOST_RETURNS, MOST_SKIPPED, TROUBLE, Guard
from anatomia.train.loop import train
from anatomia.train.objective import Objective
from anatomia.train.optimizer import OptimizerSettings


class Faulty:
    """An objective whose loss and gradient are `factor` times what they were at some steps."""

    def __init__(self, inner: Objective[Any], factors: dict[int, float]) -> None:
        self.inner, self.factors, self.step = inner, factors, -1

    def micro_batches(self, model: nn.Module, step: int) -> Any:
        self.step = step
        return self.inner.micro_batches(model, step)

    def loss(self, model: nn.Module, micro: Any) -> Any:
        loss, figures = self.inner.loss(model, micro)
        factor = self.factors.get(self.step, 1.0)
        return loss.detach() + factor * (loss - loss.detach()) if factor == factor else loss * factor, figures

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def faulty(factors: dict[int, float]) -> tuple[nn.Module, Any]:
    return decoder(), Faulty(next_token(micro=2), factors)


def events(directory: Path, kind: str) -> list[Event]:
    return [event for event in read_events(directory / "events.jsonl") if event["kind"] == kind]


def ordinary(count: int) -> Guard:
    """A guard that has seen norms about 2 and losses about -0.1."""
    guard = Guard()
    for step in range(count):
        assert not guard.verdict(step, -0.1 + 0.02 * math.sin(step), 2.0 * math.exp(0.3 * math.sin(7 * step)))
    return guard


def test_far_steps_are_skipped_once_there_is_something_to_compare_with() -> None:
    assert not ordinary(ENOUGH - 1).verdict(ENOUGH, -0.1, 1e6)
    assert "gradient's norm is 1e+06, 6 deviations or more above the usual" in ordinary(ENOUGH).verdict(32, -0.1, 1e6)
    assert "loss is 0.1, 6 deviations or more above the usual -0.1" in ordinary(ENOUGH).verdict(32, 0.1, 2.0)
    assert not ordinary(ENOUGH).verdict(32, -5.0, 1e-6), "what is small harms nobody"
    assert not ordinary(ENOUGH).verdict(32, -0.1, 0.0)
    assert not ordinary(ENOUGH).verdict(32, -0.05, 8.0), "a factor of four is not far, however steady it was"


def test_what_becomes_usual_is_accepted() -> None:
    """The deviation takes in what was far, so a new level is skipped a few times and no more."""
    guard = ordinary(300)
    verdicts = [bool(guard.verdict(300 + step, -0.1, 60.0)) for step in range(100)]
    assert 0 < sum(verdicts) < TROUBLE
    assert not any(verdicts[4:])
    assert not guard.turning


@pytest.mark.parametrize("muon", [False, True])
def test_ordinary_training_is_left_alone(tmp_path: Path, muon: bool) -> None:
    how = settings(200, learning_rate=2e-2, checkpoint_seconds=1e9, optimizer=OptimizerSettings(muon=muon))
    found = train(decoder(), next_token(), how, Ledger(), tmp_path)
    assert found["skipped_steps"] == found["returns"] == 0


def test_ordinary_reinforcement_learning_is_left_alone(tmp_path: Path) -> None:
    model, objective = alignment("ppo")
    how = settings(100, learning_rate=1e-3, checkpoint_seconds=1e9)
    assert train(model, objective, how, Ledger(), tmp_path)["skipped_steps"] == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_huge_gradient_changes_nothing_and_is_told(tmp_path: Path, dtype: torch.dtype) -> None:
    """Up to the step, training is what it would be without it; the step's own weights are those before it."""
    at = ENOUGH + 2
    one, other = decoder(), decoder()
    how = settings(at + 1, warmup=0, decay=0.0, dtype=dtype, checkpoint_seconds=1e9)
    found = train(one, Faulty(next_token(micro=2), {at: 1e4}), how, Ledger(tmp_path / "events.jsonl"), tmp_path)
    (tmp_path / "other").mkdir()
    shorter = settings(at, warmup=0, decay=0.0, dtype=dtype, checkpoint_seconds=1e9)
    train(other, next_token(micro=2), shorter, Ledger(), tmp_path / "other")
    assert same(one, other)
    assert found["skipped_steps"] == 1
    assert [event["step"] for event in events(tmp_path, "skipped")] == [at + 1]
    (note,) = events(tmp_path, "note")
    assert note["text"].startswith(f"step {at + 1} was skipped: its gradient's norm is ")


BAD = {47: math.nan, 48: math.inf, 50: 1e4, 51: math.nan}
"""Four skipped steps: after the last, training goes back to 40, the last multiple of ten before the first."""


@pytest.fixture
def often_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "GOOD_STEPS", 10)


@pytest.mark.usefixtures("often_good")
def test_repeated_trouble_goes_back_and_says_what_changed(tmp_path: Path) -> None:
    model, objective = faulty(BAD)
    how = settings(60, warmup=0, decay=0.0, checkpoint_seconds=1e9)
    found = train(model, objective, how, Ledger(tmp_path / "events.jsonl"), tmp_path)
    assert found["returns"] == 1
    assert found["skipped_steps"] == 4
    steps = events(tmp_path, "step")
    assert [event["step"] for event in steps] == list(range(1, 61)), "the ledger tells of each step once"
    assert [event["learning_rate"] for event in steps] == [1e-2] * 40 + [5e-3] * 20
    assert [event["tokens"] for event in steps] == sorted(event["tokens"] for event in steps)
    notes = events(tmp_path, "note")
    assert [note["step"] for note in notes] == [41, 48, 49, 51, 52]
    assert notes[0]["text"] == (
        "steps 48, 49, 51, 52 were skipped: training went back from step 52 to step 40; from there the learning rate "
        "is 0.5 times the recipe's, and nothing is learnt from those steps"
    )
    assert len(list(tmp_path.glob("*.checkpoint"))) <= 3


@pytest.mark.usefixtures("often_good")
@pytest.mark.parametrize("kills", [(41, 44), (48, 49, 51), (52, 41, 41), (52, 45, 48, 52, 55)])
@pytest.mark.parametrize("seldom", [False, True])
def test_a_kill_in_the_middle_changes_nothing(tmp_path: Path, kills: tuple[int, ...], seldom: bool) -> None:
    """Killed before, during and after going back, whether or not there were checkpoints besides the good ones."""
    whole, objective = faulty(BAD)
    (tmp_path / "whole").mkdir()
    how = settings(60, checkpoint_seconds=1e9)
    expected = train(whole, objective, how, Ledger(tmp_path / "whole" / "events.jsonl"), tmp_path / "whole")
    often = settings(60, checkpoint_seconds=1e9 if seldom else -1.0)
    model, found = killed_and_resumed(lambda: faulty(BAD), often, kills, tmp_path)
    assert same(model, whole)
    assert {key: found[key] for key in ("skipped_steps", "returns", "tokens")} == {
        key: expected[key] for key in ("skipped_steps", "returns", "tokens")
    }
    for kind in ("step", "note", "skipped"):
        told, meant = ([(e["step"], e.get("text"), e.get("loss")) for e in events(place, kind)]
                       for place in (tmp_path, tmp_path / "whole"))  # fmt: skip
        assert told == meant


@pytest.mark.usefixtures("often_good")
def test_reinforcement_learning_goes_back_with_its_rollout(tmp_path: Path) -> None:
    def fresh() -> tuple[nn.Module, Any]:
        model, objective = alignment("grpo")
        return model, Faulty(objective, dict.fromkeys((33, 34, 36, 37), math.nan))

    model, objective = fresh()
    (tmp_path / "whole").mkdir()
    how = settings(44, checkpoint_seconds=1e9)
    found = train(model, objective, how, Ledger(), tmp_path / "whole")
    assert (found["returns"], found["skipped_steps"]) == (1, 4)
    other, again = killed_and_resumed(fresh, settings(44), (32, 36, 31, 40), tmp_path)
    assert (again["returns"], again["skipped_steps"]) == (1, 4)
    assert same(model, other)


def test_without_a_good_checkpoint_only_the_rate_changes(tmp_path: Path) -> None:
    model, objective = faulty(dict.fromkeys((5, 6, 7, 8), math.nan))
    how = settings(12, warmup=0, decay=0.0)
    found = train(model, objective, how, Ledger(tmp_path / "events.jsonl"), tmp_path)
    assert (found["returns"], found["skipped_steps"]) == (1, 4)
    assert [event["learning_rate"] for event in events(tmp_path, "step")] == [1e-2] * 9 + [5e-3] * 3
    assert events(tmp_path, "note")[-1]["text"].endswith("from here on the learning rate is 0.5 times the recipe's")


@pytest.mark.usefixtures("often_good")
@pytest.mark.parametrize("kills", [(), (56, 58, 60)])
def test_it_goes_back_only_so_often(tmp_path: Path, kills: tuple[int, ...]) -> None:
    """When nothing after some step is finite, it gives up in the end, killed in between or not."""

    def fresh() -> tuple[nn.Module, Any]:
        return faulty(dict.fromkeys(range(55, 999), math.nan))

    with pytest.raises(UserError, match=rf"{MOST_SKIPPED} steps in a row .*learning rate"):
        killed_and_resumed(fresh, settings(999), kills, tmp_path)
    rates = [event["learning_rate"] for event in events(tmp_path, "step")]
    assert rates[-1] == pytest.approx(1e-2 * 0.5**MOST_RETURNS)
    assert len(rates) < 55 + 4 * MOST_RETURNS + MOST_SKIPPED


def test_a_guard_is_plain_values() -> None:
    """What a checkpoint can hold: tensors and plain values only."""
    guard = ordinary(40)
    guard.verdict(40, math.nan, math.nan)
    kinds: set[Callable[[], object]] = {type(value) for value in vars(guard).values()}
    assert kinds <= {int, float, str, list}
