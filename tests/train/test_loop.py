"""The loop's guards: steps that are not finite, what is reported, and when it gives up."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from model.tiny import decoder
from torch import nn
from train.learning import killed_and_resumed, next_token, same, settings

from anatomia.base.errors import UserError
from anatomia.base.events import Event, Ledger, read_events
from anatomia.objectives.next_token import NextToken, Piece
from anatomia.train import loop
from anatomia.train.guard import MOST_SKIPPED
from anatomia.train.loop import train


class Poisoned(NextToken):
    """Gives loss or gradients that are not finite at some steps."""

    def __init__(self, steps: range | tuple[int, ...], value: float, where: str) -> None:
        whole = next_token(micro=2)
        super().__init__(whole.data, whole.micro_rows, whole.hook)
        self.steps, self.value, self.where, self.step = steps, value, where, -1

    def micro_batches(self, model: nn.Module, step: int) -> Any:
        self.step = step
        return super().micro_batches(model, step)

    def loss(self, model: nn.Module, micro: Piece) -> tuple[torch.Tensor, dict[str, torch.Tensor | float]]:
        loss, figures = super().loss(model, micro)
        if self.step in self.steps:
            if self.where == "gradient":  # a finite loss whose gradient is not
                loss = loss + 0 * (model.norm - model.norm.detach()).abs().sqrt().sum()  # type: ignore[operator, union-attr]
            else:
                loss = loss * self.value
        return loss, figures


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("value", "where"), [(torch.nan, "loss"), (torch.inf, "loss"), (0.0, "gradient")])
def test_a_step_that_is_not_finite_changes_nothing(
    tmp_path: Path, value: float, where: str, dtype: torch.dtype
) -> None:
    """The weights and moments go on as if the step had not been: only its turn in the schedule is gone."""
    one, other = decoder(), decoder()
    how = settings(3, warmup=0, decay=0.0, dtype=dtype, checkpoint_seconds=1e9)
    found = train(one, Poisoned((2,), value, where), how, Ledger(tmp_path / "events.jsonl"), tmp_path)
    (tmp_path / "other").mkdir()
    train(other, next_token(micro=2), settings(2, warmup=0, decay=0.0, dtype=dtype), Ledger(), tmp_path / "other")
    assert same(one, other)
    assert found["skipped_steps"] == 1
    assert found["steps"] == 3
    assert [event["step"] for event in read_events(tmp_path / "events.jsonl") if event["kind"] == "skipped"] == [3]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_training_recovers_after_a_skipped_step(tmp_path: Path, dtype: torch.dtype) -> None:
    model = decoder()
    found = train(model, Poisoned((1, 3), torch.nan, "loss"), settings(8, dtype=dtype), Ledger(), tmp_path)
    assert found["skipped_steps"] == 2
    assert all(bool(torch.isfinite(weight).all()) for weight in model.parameters())
    assert torch.isfinite(torch.tensor(found["last_loss"]))


def test_it_gives_up_when_nothing_is_finite(tmp_path: Path) -> None:
    events: list[Event] = []
    with pytest.raises(UserError, match=rf"{MOST_SKIPPED} steps in a row .*learning rate"):
        train(
            decoder(), Poisoned(range(5, 99), torch.nan, "loss"), settings(99), Ledger(None, [events.append]), tmp_path
        )
    assert sum(event["kind"] == "skipped" for event in events) == MOST_SKIPPED


def test_it_gives_up_at_the_same_step_after_a_kill(tmp_path: Path) -> None:
    """Kills in between must not let a hopeless run go on for ever."""
    with pytest.raises(UserError, match="in a row"):
        killed_and_resumed(
            lambda: (decoder(), Poisoned(range(5, 99), torch.nan, "loss")), settings(99), (10, 15, 20), tmp_path
        )
    skipped = [event["step"] for event in read_events(tmp_path / "events.jsonl") if event["kind"] == "skipped"]
    assert skipped == list(range(6, 6 + MOST_SKIPPED))


def test_what_is_reported_adds_up(tmp_path: Path) -> None:
    events: list[Event] = []
    found = train(decoder(), next_token(), settings(7), Ledger(None, [events.append]), tmp_path)
    steps = [event for event in events if event["kind"] == "step"]
    assert [event["step"] for event in steps] == list(range(1, 8))
    tokens = [int((next_token().data.batch(step).documents >= 0).sum()) for step in range(7)]
    assert [event["tokens"] for event in steps] == [sum(tokens[: n + 1]) for n in range(7)]
    assert found["tokens"] == sum(tokens)
    assert found["last_loss"] == pytest.approx(steps[-1]["loss"], rel=1e-4)
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert {"loss", "learning_rate", "gradient_norm", "tokens_per_second"} <= steps[0].keys()
    assert json.dumps(found)


def test_speed_is_that_of_training_alone_and_has_its_share_of_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks at the model on the way take a thousand seconds each here, and do not count."""
    clock = {"now": 0.0}

    def look(model: nn.Module, step: int) -> dict[str, float]:
        clock["now"] += 1000.0
        return {}

    def monotonic() -> float:
        clock["now"] += 0.5
        return clock["now"]

    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=monotonic))
    events: list[Event] = []
    how = settings(5, limit=1e3, checkpoint_seconds=1e9)
    found = train(decoder(), next_token(hook=look), how, Ledger(None, [events.append]), tmp_path)
    assert found["train_seconds"] < 50
    for reported in (found, events[-1], next(event for event in events if event["kind"] == "step")):
        assert 1 < reported["tokens_per_second"] < 200
        assert reported["share_of_limit"] == pytest.approx(reported["tokens_per_second"] / 1e3, abs=1e-4)
    assert "share_of_limit" not in train(decoder(), next_token(), settings(1), Ledger(), tmp_path / "other")


def test_it_learns(tmp_path: Path) -> None:
    """A sequence that always goes the same way is soon known by heart."""
    model = decoder(scale=0.1)
    found = train(model, next_token(), settings(150, learning_rate=2e-2, checkpoint_seconds=1e9), Ledger(), tmp_path)
    assert found["last_loss"] < 0.7, "4 rows of 24 tokens, seen many times"


def test_the_loop_trains_in_train_mode_and_leaves_eval_mode(tmp_path: Path) -> None:
    modes: list[bool] = []

    def hook(model: nn.Module, step: int) -> dict[str, float]:
        modes.append(model.training)
        return {"looked": 1.0}

    model = decoder()
    found = train(model, next_token(hook=hook), settings(3), Ledger(), tmp_path)
    assert modes == [True] * 3
    assert not model.training
    assert found["last_looked"] == 1.0
