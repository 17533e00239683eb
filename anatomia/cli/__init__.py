"""The command line: parse, call, print. What a command does lives in other rooms, imported when it is called."""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from anatomia import __version__
from anatomia.base.errors import UserError
from anatomia.cli import running, showing, talking
from anatomia.cli.help import Formatter
from anatomia.cli.launching import end
from anatomia.cli.options import messages
from anatomia.messages import LANGUAGE

app = App(
    name="anatomia",
    help="Train a language model from end to end, from raw text to learning from people, and see what happens inside.",
    version=__version__,
    help_format="markdown",
    help_formatter=Formatter(),
    result_action="return_value",
)
COMMANDS: tuple[Callable[..., Any] | App, ...] = (  # in the order of the help page
    running.run,
    running.status,
    talking.chat,
    talking.complete,
    talking.compare,
    showing.app,
    talking.rank,
    running.report,
    running.doctor,
)
for place, command in enumerate(COMMANDS):
    if isinstance(command, App):
        command.sort_key = place
        app.command(command)
    else:
        app.command(command, sort_key=place)


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    debug: Annotated[bool, Parameter(negative=(), help="Show where an error came from.")] = False,
    language: Annotated[Literal["en", "pl"] | None, Parameter(help="Of messages; if not given, the locale's.")] = None,
) -> Any:
    return app(tokens, exit_on_error=False, print_error=False)


LEVERS = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
    "MALLOC_TOP_PAD_": str(64 << 20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "GOMP_SPINCOUNT": "20000",
}
"""What training gains from: large blocks, taken and freed at every step, are kept and lie on huge pages; waiting
threads give way soon, so that another busy program costs its share of the processor and not everything.
`python -m bench.pretraining` measures it."""


BARRED = (errno.EACCES, errno.EPERM, errno.EROFS)


def main() -> None:
    """The command `anatomia`: exit code 0 when all went well, 2 for a mistake that can be put right, 130 for Ctrl-C."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    if (language := _language(arguments)) is not None:
        os.environ[LANGUAGE] = language
    if "run" in arguments[:4]:
        _restart_with_levers()
    try:
        app.meta(arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        _fail(" ".join(str(error).split()).rstrip(" .,"), error, debug, "; see anatomia --help")
    except UserError as error:
        _fail(str(error), error, debug)
    except BrokenPipeError:  # the reader, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.errno not in BARRED or error.filename is None:
            raise
        _fail(
            f"{error.filename} may not be read or written by you; choose another place, or change its rights",
            error,
            debug,
        )
    except KeyboardInterrupt:
        end(130)


def _language(arguments: Sequence[str]) -> str | None:
    """What `--language` asks for, known before anything is parsed, because help and mistakes come before the rest."""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        name, _, value = argument.partition("=")
        if name == "--language" and (value or following) in ("en", "pl"):
            return value or following
    return None


def _fail(message: str, error: Exception, debug: bool, hint: str = "") -> None:
    say = messages()
    print(f"{say('error')}: {say.sentence(message)}{say(hint)}", file=sys.stderr)
    if debug:
        raise error
    end(2)


def _restart_with_levers() -> None:
    """Start the same command over with settings of the system's libraries that only count before a process begins."""
    if not sys.platform.startswith("linux") or any(name in os.environ for name in LEVERS):
        return  # no glibc, or the user (or this very function) has set them
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **LEVERS})
