"""Training killed anywhere and gone on with from fresh objects ends with the same bits as training never killed."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from model.tiny import decoder, scalar, tokens
from objectives.aligning import alignment
from torch import nn
from train.learning import Killed, killed_and_resumed, next_token, same, settings

from anatomia.base.events import Ledger, read_events
from anatomia.objectives.algorithms import ALGORITHMS
from anatomia.objectives.judged import Judged
from anatomia.objectives.preference import Preference
from anatomia.train.checkpoint import KEPT, load_checkpoint
from anatomia.train.loop import train
from anatomia.train.optimizer import OptimizerSettings

Fresh = Callable[[torch.dtype], tuple[nn.Module, Any]]


def preference(dtype: torch.dtype) -> tuple[nn.Module, Any]:
    items = [
        Judged(
            tuple(tuple(tokens(3 + (n + k) % 6, seed=10 * n + k).tolist()) for k in range(2 + n % 3)),
            (tuple(range(2 + n % 3)), tuple(k % 2 for k in range(2 + n % 3)))[: 1 + n % 2],
        )
        for n in range(9)
    ]
    return scalar(tied=False), Preference(items, 4, 3, "listwise", 1, 1.0)


def aligning(method: str, dtype: torch.dtype) -> tuple[nn.Module, Any]:
    return alignment(method, dtype=dtype)


OBJECTIVES: dict[str, Fresh] = {
    "next token": lambda dtype: (decoder(), next_token(micro=3)),
    "preference": preference,
    **{method: partial(aligning, method) for method in ALGORITHMS},
}
STEPS = 11  # nearly three rollouts of four updates

every = pytest.mark.parametrize("name", ["next token", "preference", "ppo", "grpo"])
every_method = pytest.mark.parametrize("name", OBJECTIVES)
formats = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, torch.dtype], nn.Module]:
    """The model of a run that was never killed nor looked at its disk."""
    known: dict[tuple[str, torch.dtype], nn.Module] = {}

    def find(name: str, dtype: torch.dtype) -> nn.Module:
        if (name, dtype) not in known:
            model, objective = OBJECTIVES[name](dtype)
            directory = tmp_path_factory.mktemp("straight")
            how = settings(STEPS, dtype=dtype, checkpoint_seconds=1e9)
            train(model, objective, how, Ledger(directory / "events.jsonl"), directory)
            assert not same(model, OBJECTIVES[name](dtype)[0])
            known[name, dtype] = model
        return known[name, dtype]

    return find


@every_method
@formats
def test_killed_several_times(tmp_path: Path, name: str, dtype: torch.dtype, straight: Any) -> None:
    """At the first step, inside a rollout, at its end, twice at the same step, and at the last step."""
    model, metrics = killed_and_resumed(
        lambda: OBJECTIVES[name](dtype), settings(STEPS, dtype=dtype), (1, 3, 4, 7, 7, STEPS), tmp_path
    )
    assert same(model, straight(name, dtype))
    assert metrics["steps"] == STEPS
    steps = [event["step"] for event in read_events(tmp_path / "events.jsonl") if event["kind"] == "step"]
    assert steps == list(range(1, STEPS + 1)), "the ledger must tell of each step once"


@every
def test_killed_before_every_single_checkpoint(tmp_path: Path, name: str, straight: Any) -> None:
    """The longest way round: every attempt gets one step further."""
    model, _ = killed_and_resumed(
        lambda: OBJECTIVES[name](torch.float32), settings(STEPS), tuple(range(1, STEPS + 1)), tmp_path
    )
    assert same(model, straight(name, torch.float32))


@every
def test_checkpoints_may_be_written_seldom(tmp_path: Path, name: str, straight: Any) -> None:
    """Killed where nothing was saved for several steps: those are done again."""
    seldom: list[int] = []

    def forget(directory: Path) -> None:
        newest = max(directory.glob("*.checkpoint"))
        seldom.append(int(newest.stem.removeprefix("step-")))
        newest.unlink()

    model, _ = killed_and_resumed(lambda: OBJECTIVES[name](torch.float32), settings(STEPS), (6, 8), tmp_path, forget)
    assert seldom == [5, 7]
    assert same(model, straight(name, torch.float32))


@every
@pytest.mark.parametrize("all_of_them", [False, True])
def test_a_damaged_checkpoint(tmp_path: Path, name: str, all_of_them: bool, straight: Any) -> None:
    """The one before is used; with none left, training starts again; the result is the same in any case."""

    def damage(directory: Path) -> None:
        found = sorted(directory.glob("*.checkpoint"))
        assert len(found) == KEPT
        for path in found if all_of_them else found[-1:]:
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 4
            path.write_bytes(data)
        assert (load_checkpoint(directory) or (0,))[0] == (0 if all_of_them else 4)

    model, _ = killed_and_resumed(lambda: OBJECTIVES[name](torch.float32), settings(STEPS), (6,), tmp_path, damage)
    assert same(model, straight(name, torch.float32))


def test_muon_resumes_too(tmp_path: Path) -> None:
    how = settings(STEPS, dtype=torch.bfloat16, optimizer=OptimizerSettings(muon=True))
    whole = decoder()
    (tmp_path / "whole").mkdir()
    train(whole, next_token(), how, Ledger(), tmp_path / "whole")
    model, _ = killed_and_resumed(lambda: (decoder(), next_token()), how, (2, 9), tmp_path)
    assert same(model, whole)


def test_killed_in_the_middle_of_a_rollout(tmp_path: Path, straight: Any) -> None:
    """While it is being scored, before anything of it was learnt from."""
    numbers: list[int] = []

    def listen(number: int, rollout: Any, prompts: Any) -> None:
        numbers.append(number)
        if numbers == [0, 1]:
            raise Killed

    model, objective = alignment("ppo", listener=listen)
    with pytest.raises(Killed):
        train(model, objective, settings(STEPS), Ledger(tmp_path / "events.jsonl"), tmp_path)
    model, objective = alignment("ppo", listener=listen)
    train(model, objective, settings(STEPS), Ledger(tmp_path / "events.jsonl"), tmp_path)
    assert numbers == [0, 1, 1, 2], "a rollout that was finished is not written again"
    assert same(model, straight("ppo", torch.float32))


@every
def test_the_disk_stays_small(tmp_path: Path, name: str) -> None:
    """However often a checkpoint is written, only the newest few lie there, and each is a few times the weights."""
    model, objective = OBJECTIVES[name](torch.float32)
    largest: list[int] = []

    def listen(event: Any) -> None:
        sizes = []
        for path in tmp_path.iterdir():
            with suppress(FileNotFoundError):  # being renamed or removed just now
                sizes.append(path.stat().st_size)
        assert len(sizes) <= KEPT + 1, "and the one that is being written"
        largest.extend(sizes)

    train(model, objective, settings(STEPS), Ledger(None, [listen]), tmp_path)
    assert not list(tmp_path.glob("*.partial"))
    size = 4 * sum(weight.numel() for weight in model.parameters())
    assert max(largest) < 4 * size + 60_000, "masters, two moments, a rollout"


def test_order_does_not_depend_on_restarts() -> None:
    """What is drawn for a step is a function of the step: asked out of order, or of another object, it is the same."""
    _, one = preference(torch.float32)
    _, two = preference(torch.float32)
    model = scalar()
    ahead = {step: [piece.items for piece in one.micro_batches(model, step)] for step in reversed(range(8))}
    assert all([piece.items for piece in two.micro_batches(model, step)] == ahead[step] for step in range(8))
    _, first = alignment("grpo")
    _, second = alignment("grpo")
    orders = [first.order(number) for number in (5, 2, 0)]
    assert orders == [second.order(number) for number in (5, 2, 0)]
    seen = [index for number in range(11) for index in second.order(number)]
    assert np.bincount(seen).tolist() == [4] * 11, "each epoch visits every prompt once"
