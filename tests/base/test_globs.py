"""Globs of a recipe."""

from pathlib import Path

import pytest

from anatomia.base.errors import UserError
from anatomia.base.globs import expand


def test_files_come_once_sorted_within_a_pattern_and_from_below(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "deep/er/c.txt", "odd[1].txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    found = expand(["b.txt", "**/*.txt", "odd[1].txt", str(tmp_path / "a.txt")], tmp_path, "corpus.sources")
    assert [str(path.relative_to(tmp_path)) for path in found] == ["b.txt", "a.txt", "deep/er/c.txt", "odd[1].txt"]


def test_a_pattern_without_files_names_its_key(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"corpus\.sources: 'missing/\*' matches no file"):
        expand(["missing/*"], tmp_path, "corpus.sources")
