"""Checkpoints on disk: whole, checked, few."""

from pathlib import Path

import pytest
import torch

from anatomia.train.checkpoint import KEPT, load_checkpoint, save_checkpoint


def save(directory: Path, *steps: int) -> None:
    for step in steps:
        save_checkpoint(
            directory, step, {"values": torch.full((50,), float(step)), "plain": {"step": step, "no": None}}
        )


def test_the_newest_is_read_back(tmp_path: Path) -> None:
    save(tmp_path, 3, 20, 100)
    step, state = load_checkpoint(tmp_path) or (0, {})
    assert step == 100
    assert torch.equal(state["values"], torch.full((50,), 100.0))
    assert state["plain"] == {"step": 100, "no": None}


def test_only_a_few_are_kept(tmp_path: Path) -> None:
    for step in range(1, 30):
        save(tmp_path, step)
        assert len(list(tmp_path.iterdir())) <= KEPT
    assert sorted(int(path.stem.removeprefix("step-")) for path in tmp_path.iterdir()) == [28, 29]


@pytest.mark.parametrize("damage", ["cut", "empty", "changed", "header", "longer"])
def test_a_damaged_one_gives_way_to_the_one_before(tmp_path: Path, damage: str) -> None:
    save(tmp_path, 1, 2)
    newest = max(tmp_path.iterdir())
    data = newest.read_bytes()
    middle = len(data) // 2
    newest.write_bytes({
        "cut": data[:middle],
        "empty": b"",
        "changed": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "header": bytes([data[0] ^ 1]) + data[1:],
        "longer": data + b"\0",
    }[damage])  # fmt: skip
    step, state = load_checkpoint(tmp_path) or (0, {})
    assert step == 1
    assert state["values"][0] == 1.0
    assert not newest.exists()
    save(tmp_path, 2)
    assert (load_checkpoint(tmp_path) or (0,))[0] == 2


def test_none_left_means_from_the_beginning(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path) is None
    save(tmp_path, 1)
    next(tmp_path.iterdir()).write_bytes(b"x" * 100)
    assert load_checkpoint(tmp_path) is None


def test_a_kill_while_writing_leaves_the_old_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 1, 2)

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            save(tmp_path, 3)
    assert (load_checkpoint(tmp_path) or (0,))[0] == 2
    save(tmp_path, 3)
    assert (load_checkpoint(tmp_path) or (0,))[0] == 3
    assert not list(tmp_path.glob("*.partial"))
