"""From the globs in a recipe to the files they name."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from anatomia.base.errors import UserError


def expand(patterns: Sequence[str], root: Path, key: str) -> list[Path]:
    """The files that `patterns` name, each once, pattern by pattern and sorted within one.

    Patterns start from `root` unless absolute; `~` is the home directory, `**` any number of directories. Hidden files
    are not matched by `*`. A name that exists as it stands is taken as it stands, brackets and all. `key` is the
    recipe's key, for the error.

    Raises:
        UserError: a pattern matches no file.
    """
    files: dict[Path, None] = {}
    for pattern in patterns:
        plain = root / os.path.expanduser(pattern)
        full = os.path.join(glob.escape(str(root)), os.path.expanduser(pattern))
        found = [plain] if plain.is_file() else map(Path, glob.glob(full, recursive=True))
        matches = sorted(path for path in found if path.is_file())
        if not matches:
            raise UserError(f"{key}: {pattern!r} matches no file; paths start from {root.resolve()}")
        files.update(dict.fromkeys(matches))
    return list(files)
