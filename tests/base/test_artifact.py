"""Artifacts: whole or absent, and known by what is in them."""

from pathlib import Path
from typing import Any

import pytest

from anatomia.base.artifact import Artifact, is_complete, publish, read_artifact, workspace, workspace_of
from anatomia.base.errors import UserError
from anatomia.base.events import Ledger, read_events


def make(final: Path, text: str = "one", fingerprint: str = "f", **more: Any) -> Artifact:
    work = workspace(final, fingerprint)
    (work / "deep").mkdir(exist_ok=True)
    (work / "deep" / "text.txt").write_text(text, encoding="utf-8")
    (work / "events.jsonl").write_text(more.get("events", ""), encoding="utf-8")
    return publish(
        work, final, kind="texts", fingerprint=fingerprint, settings={}, parents={}, metrics={"n": 1}, seconds=1.0
    )


def test_published_whole_with_nothing_else(tmp_path: Path) -> None:
    work = workspace(tmp_path / "texts", "f")
    (work / ".resume" / "checkpoint.bin").write_bytes(b"x")
    (work / "half.bin.partial").write_bytes(b"x")
    made = make(tmp_path / "texts")
    assert sorted(made.files) == ["deep/text.txt", "events.jsonl"]
    assert sorted(path.name for path in made.path.iterdir()) == ["artifact.json", "deep", "events.jsonl"]
    assert [path.name for path in tmp_path.iterdir()] == ["texts"]
    assert read_artifact(tmp_path / "texts") == made
    made.verify()


def test_hash_is_of_the_bytes_and_not_of_clock_or_fingerprint(tmp_path: Path) -> None:
    first = make(tmp_path / "texts").hash
    assert make(tmp_path / "texts", fingerprint="g", events="12:00").hash == first
    assert make(tmp_path / "texts", text="two").hash != first


def test_workspace_is_kept_for_the_same_and_emptied_for_another(tmp_path: Path) -> None:
    work = workspace(tmp_path / "texts", "f")
    (work / "part").touch()
    assert (workspace(tmp_path / "texts", "f") / "part").exists()
    assert not (workspace(tmp_path / "texts", "g") / "part").exists()
    assert not is_complete(workspace_of(tmp_path / "texts"), "g")


@pytest.mark.parametrize("record", ["{", "[]", '{"kind": "texts"}'])
def test_a_record_that_cannot_be_read_is_said(tmp_path: Path, record: str) -> None:
    make(tmp_path / "texts")
    (tmp_path / "texts" / "artifact.json").write_text(record, encoding="utf-8")
    with pytest.raises(UserError, match=r"artifact.json cannot be read \((?!.*damaged).*\); delete"):
        read_artifact(tmp_path / "texts")
    with pytest.raises(UserError, match="holds no artifact"):
        read_artifact(tmp_path)


def test_damage_is_named(tmp_path: Path) -> None:
    made = make(tmp_path / "texts")
    made.file("deep/text.txt").write_text("onn", encoding="utf-8")
    with pytest.raises(UserError, match=r"deep/text.txt is missing or damaged"):
        made.verify()


def test_ledger_rewinds_to_a_step_and_drops_a_cut_line(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "events.jsonl")
    for step in range(1, 6):
        ledger.event("step", step=step)
    with open(tmp_path / "events.jsonl", "a", encoding="utf-8") as handle:
        handle.write('{"kind": "st')
    ledger.rewind(3)
    assert [event["step"] for event in read_events(tmp_path / "events.jsonl")] == [1, 2, 3]
