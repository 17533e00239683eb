"""The command line: parse, call, print. What a command does lives in other rooms, imported when it is called."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from anatomia import __version__
from anatomia.base.errors import UserError

Set = Annotated[
    list[str] | None, Parameter("--set", negative=(), help="Override a setting, section.key=value; repeatable.")
]
Json = Annotated[bool, Parameter("--json", negative=(), help="Print JSON instead.")]
RunPath = Annotated[Path, Parameter(help="The directory that anatomia run wrote.")]
ModelPath = Annotated[Path, Parameter(help="A model's directory, or a run's (its best model is taken).")]

app = App(
    name="anatomia",
    help="Train a language model from end to end, from raw text to learning from people, and see what happens inside.",
    version=__version__,
    help_format="markdown",
    result_action="return_value",
)


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    debug: Annotated[bool, Parameter(negative=(), help="Show where an error came from.")] = False,
    language: Annotated[
        Literal["en", "pl"] | None, Parameter(help="Of messages; otherwise that of the locale.")
    ] = None,
) -> Any:
    if language is not None:
        os.environ["LC_ALL"] = {"en": "en_US.UTF-8", "pl": "pl_PL.UTF-8"}[language]
    return app(tokens, exit_on_error=False, print_error=False)


@app.command
def run(
    recipe: Annotated[str, Parameter(help="A .toml file, or the name of a recipe that comes with it.")] = "world",
    *,
    out: Annotated[Path | None, Parameter(help="The run's directory; runs/NAME if not given.")] = None,
    settings: Set = None,
    until: Annotated[str | None, Parameter(help="Stop after this stage.")] = None,
    start_from: Annotated[str | None, Parameter("--from", help="Make this stage and all after it again.")] = None,
) -> None:
    """Run a recipe from text to report. Given again, it does only what changed; killed, it goes on.

    **Examples**

    - `anatomia run` – the small made-up world, on this computer, in minutes
    - `anatomia run own-texts.toml --out runs/mine` – your own files
    - `anatomia run --set pretrain.steps=200 --until pretrain` – a short base model only
    - `anatomia run --from align` – reinforcement learning once more
    """
    from anatomia import pipeline, runs, stages, terminal
    from anatomia import recipe as recipes
    from anatomia.messages import Messages, preferred_language

    modules = stages.modules()
    path = recipes.find(recipe)
    typed = recipes.read(path, recipes.section_classes(modules), settings or ())
    root = recipes.root_of(path)
    every = stages.stages()
    request = pipeline.Request(typed, root, out or Path("runs") / typed.name, until, start_from)
    try:
        recipes.check(typed, root, pipeline.select(request, every))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    messages = Messages(preferred_language())
    console = _console()
    try:
        with terminal.Terminal(console, messages) as listener:
            pipeline.run(request, every, [listener])
    except KeyboardInterrupt:
        print("\n" + messages("Stopped. The same command goes on from here."), file=sys.stderr)
        raise SystemExit(130) from None
    terminal.farewell(console, request.out, runs.standings(request.out), messages)


@app.command
def status(run: RunPath, *, as_json: Json = False) -> None:
    """How far a run is and what each stage achieved.

    **Examples**

    - `anatomia status runs/world`
    - `anatomia status runs/world --json` – every metric of every stage
    """
    from anatomia import runs, terminal
    from anatomia.messages import Messages, preferred_language

    found = runs.standings(run)
    if as_json:
        _print_json({"run": str(run), "stages": [standing.to_json() for standing in found]})
    else:
        _console().print(terminal.summary(found, Messages(preferred_language())))


@app.command
def doctor(
    *, as_json: Json = False, again: Annotated[bool, Parameter(negative=(), help="Measure again.")] = False
) -> None:
    """What this computer can do, and what is chosen for it.

    **Examples**

    - `anatomia doctor`
    - `anatomia doctor --again` – measure again, after a change to the computer
    """
    from anatomia import diagnosis

    rows = diagnosis.diagnose(again)
    if as_json:
        _print_json(rows)
    else:
        _console().print(diagnosis.table(rows))


def main() -> None:
    """The command `anatomia`: exit code 0 when all went well, 2 for a mistake that can be put right, 130 for Ctrl-C."""
    arguments = sys.argv[1:]
    if "run" in arguments[:4]:
        _restart_with_levers()
    try:
        app.meta(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        _fail(f"{' '.join(str(error).split())}; see anatomia --help", error, "--debug" in arguments)
    except UserError as error:
        _fail(str(error), error, "--debug" in arguments)
    except BrokenPipeError:  # the reader, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _fail(message: str, error: Exception, debug: bool) -> None:
    print(f"error: {message}", file=sys.stderr)
    if debug:
        raise error
    raise SystemExit(2) from None


def _restart_with_levers() -> None:
    """Start the same command over with settings of the C library that only count before a process begins.

    Training frees and takes the same large blocks at every step. Kept instead of handed back, and on huge pages, they
    save 13 to 16% of the time of eager training steps (measured with a 5 M and a 34 M parameter model).
    """
    levers = {
        "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
        "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
        "MALLOC_TOP_PAD_": str(64 << 20),
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    }
    if not sys.platform.startswith("linux") or any(name in os.environ for name in levers):
        return  # no glibc, or the user (or this very function) has set them
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **levers})


def _console() -> Any:
    from rich.console import Console

    return Console()


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1))
