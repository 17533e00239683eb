"""Values of config.json, of the kind that is wanted."""

from typing import Any

from anatomia.base.errors import UserError


def whole(value: Any, key: str, where: str) -> int:
    """A whole number above 0: a size, a count.

    Raises:
        UserError: it is something else, or not there (None).
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{where}: {key} = {shown(value)} is not a whole number above 0; the file is not complete")
    return value


def positive(value: Any, key: str, where: str) -> float:
    """A number above 0, as it stands there; errors as `whole`'s."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise UserError(f"{where}: {key} = {shown(value)} is not a number above 0; the file is not complete")
    return value


def token(value: Any, key: str, where: str) -> int | None:
    """A token's id, or None where there is no such token (some files say -1 for that); errors as `whole`'s."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise UserError(f"{where}: {key} = {shown(value)} is no token's id; the file is not complete")
    return value if value is not None and value >= 0 else None


def shown(value: Any) -> str:
    """A value as it would stand in code, not longer than half a line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
