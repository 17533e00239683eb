"""Whether two runs made the same, clock times aside."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from anatomia.base.artifact import LEDGER, RECORD, read_artifact
from anatomia.base.events import read_events
from anatomia.base.files import read_json, sha256, write_json, write_jsonl
from anatomia.explain.report import write_report
from anatomia.stages import ORDER

TIMES = ("time", "seconds", "created", "train_seconds", "tokens_per_second", "share_of_limit")
PAGE = "report.html"


def differences(first: Path, second: Path) -> dict[str, list[str]]:
    """By stage, the files that are not the same in both runs; also what should not be there at all."""
    with TemporaryDirectory() as scratch:
        copies = [timeless(run, Path(scratch) / str(number)) for number, run in enumerate((first, second))]
        contents = [content(copy) for copy in copies]
    names = sorted(contents[0].keys() | contents[1].keys())
    found: dict[str, list[str]] = {}
    for name in names:
        if contents[0].get(name) != contents[1].get(name):
            found.setdefault(name.partition("/")[0], []).append(name.partition("/")[2] or name)
    return found


def content(run: Path) -> dict[str, str]:
    """The hash of each file of a run, by name, but for what concerns only this computer."""
    own = {".lock", ".hashes.json", "machine.json", "recipe.toml"}
    files = (path for path in run.rglob("*") if path.is_file())
    return {path.relative_to(run).as_posix(): sha256(path) for path in files if path.name not in own}


def timeless(run: Path, copy: Path) -> Path:
    """A copy of a run in which no clock time stands; its report is written again from such artifacts."""
    shutil.copytree(run, copy)
    made = [stage for stage in ORDER if (copy / stage).is_dir()]
    for stage in made:
        directory = copy / stage
        events = directory / LEDGER
        if events.is_file():
            write_jsonl(events, [without_times(event) for event in read_events(events)])
        record = read_json(directory / RECORD)
        record["files"] = {name: value for name, value in record["files"].items() if name not in (LEDGER, PAGE)}
        record["metrics"].pop("bytes", None)  # of the page
        write_json(directory / RECORD, without_times(record) | {"seconds": 0, "created": ""})
    before = {stage: read_artifact(copy / stage) for stage in made if stage != "report"}
    write_report(before, copy / "report" / PAGE)
    return copy


def without_times(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record, and those in it, without what a clock said."""
    return {
        key: without_times(value) if isinstance(value, dict) else value
        for key, value in record.items()
        if key not in TIMES
    }
