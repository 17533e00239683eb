"""Functions of one's own that a recipe names: "reward.py:score" in a file, or "package.module:score" in a module."""

import importlib
import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anatomia.base.errors import UserError
from anatomia.objectives.scoring import where


def function_file(name: str, root: Path, key: str) -> Path:
    """The file that a function called `name` stands in.

    Args:
        root: what relative paths start from. key: the setting, for errors.

    Raises:
        UserError: the name is none of a function, or there is no such file or module.
    """
    place, colon, function = name.rpartition(":")
    if not colon or not place or not function.isidentifier():
        raise UserError(f'{key} = "{name}" names no function; write "reward.py:score" or "package.module:score"')
    if place.endswith(".py"):
        path = root / Path(place).expanduser()
        if not path.is_file():
            raise UserError(f"{key}: there is no file {path}")
        return path
    try:
        found = importlib.util.find_spec(place)
    except (ImportError, ValueError):
        found = None
    if found is None or not found.origin or not Path(found.origin).is_file():
        raise UserError(f"{key}: there is no module {place}; install it, or name a file such as reward.py:score")
    return Path(found.origin)


def load_function(name: str, root: Path, key: str) -> tuple[Callable[..., object], bool]:
    """The function called `name`, and whether it takes a third argument, the answer that stands in the file.

    Raises:
        UserError: the file cannot be run, has no such function, or it does not take two or three arguments.
    """
    path, (place, _, function) = function_file(name, root, key), name.rpartition(":")
    try:
        module = _from_file(path) if place.endswith(".py") else importlib.import_module(place)
    except Exception as error:  # whatever the user's file raises
        raise UserError(f"{key}: {path} cannot be run: {type(error).__name__}: {error} ({where(error)})") from error
    found = getattr(module, function, None)
    if not callable(found):
        raise UserError(f"{key}: {path} has no function {function}")
    for count in (3, 2):
        try:
            inspect.signature(found).bind(*[""] * count)
        except TypeError:
            continue
        return found, count == 3
    raise UserError(
        f"{key}: {function} in {path} must take two arguments, prompt and completion, or a third, the reference answer"
    )


def _from_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
