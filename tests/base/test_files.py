"""Files that were cut short are told as what they are; paths are said as a shell takes them."""

from pathlib import Path

import pytest

from anatomia.base.errors import DamagedFile, UserError
from anatomia.base.files import read_json, read_jsonl, typed, write_json, write_jsonl


def test_a_file_that_was_cut_short_is_named_with_its_line(tmp_path: Path) -> None:
    write_json(tmp_path / "whole.json", {"żółw": [1, 2]})
    assert read_json(tmp_path / "whole.json") == {"żółw": [1, 2]}
    (tmp_path / "cut.json").write_bytes((tmp_path / "whole.json").read_bytes()[:-4])
    with pytest.raises(UserError, match=r"cut\.json is damaged \(.*\); put a copy in its place"):
        read_json(tmp_path / "cut.json")
    write_jsonl(tmp_path / "rows.jsonl", [{"a": 1}, {"b": "\u2028"}])
    with open(tmp_path / "rows.jsonl", "ab") as handle:
        handle.write(b'{"c": "\xff')
    rows = read_jsonl(tmp_path / "rows.jsonl")
    assert [next(rows), next(rows)] == [{"a": 1}, {"b": "\u2028"}]
    with pytest.raises(DamagedFile, match=r"rows\.jsonl:3 is damaged"):
        next(rows)


def test_whoever_expects_a_bad_value_still_catches_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="damaged"):
        read_json(tmp_path / "bad.json")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("runs/świat", "runs/świat"),
        ("runs/my run", "'runs/my run'"),
        ("runs/a&b", "'runs/a&b'"),
        ("~/x-1.5", "~/x-1.5"),
    ],
)
def test_paths_are_typed_as_a_shell_takes_them(path: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.name", "posix")
    assert typed(Path(path)) == said
