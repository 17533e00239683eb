"""Options that several commands share, and how they print."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from anatomia.base.errors import UserError
from anatomia.messages import Messages, preferred_language

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[bool, Parameter("--json", negative=(), help="Print JSON instead.")]
RunPath = Annotated[Path, Parameter(help="The directory that anatomia run wrote.")]
ModelPath = Annotated[Path, Parameter(help="A model's directory, or a run's (its best model is taken).")]
Temperature = Annotated[float, Parameter(help="0 always takes the likeliest token; higher is more varied.")]
TopP = Annotated[float, Parameter(help="Draw only from the likeliest tokens that together reach this probability.")]
TopK = Annotated[int, Parameter(help="Draw only from so many likeliest tokens; 0 for all.")]
MinP = Annotated[
    float, Parameter(help="Draw only tokens at least so probable, as a share of the likeliest; 0 for all.")
]
RepetitionPenalty = Annotated[float, Parameter(help="Above 1, tokens that occurred before become less likely.")]
Stop = Annotated[
    tuple[str, ...],
    Parameter("--stop", negative=(), show_default=False, help="End the text before this string; repeatable."),
]
Length = Annotated[int, Parameter("--max-new", help="Stop after so many tokens.")]
Seed = Annotated[int, Parameter(help="The same seed gives the same text.")]


def at_least(option: str, value: int, least: int = 1) -> None:
    """Raise `UserError` if an option's value is too small."""
    if value < least:
        raise UserError(f"{option} {value}: give {least} or more")


def console() -> "Console":
    """Where a command prints."""
    from rich.console import Console

    return Console()


def messages() -> Messages:
    """What is said, in the user's language."""
    return Messages(preferred_language())


def print_json(value: Any) -> None:
    """One JSON value on standard output, for programs."""
    print(json.dumps(value, ensure_ascii=False, indent=1))


def show(value: Any, renderable: Any, as_json: bool) -> None:
    """A result as JSON, or as what a person likes to see."""
    if as_json:
        print_json(value)
    else:
        console().print(renderable)
