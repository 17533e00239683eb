"""Commands that run a recipe and say how a run stands: run, status, report, doctor."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from anatomia.base.errors import UserError
from anatomia.cli import launching
from anatomia.cli.options import Json, RunPath, console, messages, print_json, show


def run(
    recipe: Annotated[str, Parameter(help="A .toml file, or the name of a recipe that comes with it.")] = "world",
    /,
    *,
    out: Annotated[Path | None, Parameter(help="The run's directory; runs/NAME if not given.")] = None,
    settings: Annotated[
        list[str] | None, Parameter("--set", negative=(), help="Override a setting, section.key=value; repeatable.")
    ] = None,
    until: Annotated[str | None, Parameter(help="Stop after this stage.")] = None,
    start_from: Annotated[str | None, Parameter("--from", help="Make this stage and all after it again.")] = None,
    processes: Annotated[int, Parameter(help="Train with so many processes, which share the cores or the GPUs.")] = 1,
) -> None:
    """Run a recipe from text to report. Given again, it does only what changed; killed, it goes on.

    **Examples**

    - `anatomia run` – the small made-up world, on this computer, in minutes
    - `anatomia run own-texts.toml --out runs/mine` – your own files
    - `anatomia run --set pretrain.steps=200 --until pretrain` – a short base model only
    - `anatomia run --from align` – reinforcement learning once more
    - `anatomia run --processes 4` – four processes train together
    """
    from anatomia import pipeline, runs, stages, terminal
    from anatomia import recipe as recipes
    from anatomia.base import trackers
    from anatomia.stages.memory import check_memory
    from anatomia.train import parallel

    path, root = recipes.find(recipe), recipes.root_of(recipe)
    typed = recipes.read(path, recipes.section_classes(stages.modules()), settings or (), root)
    request = pipeline.Request(typed, root, out or Path("runs") / typed.name, until, start_from)
    wanted = pipeline.select(request, stages.stages())
    try:
        recipes.check(typed, request.root, wanted)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    if processes < 1:
        raise UserError(f"--processes {processes} is too few; 1 or more make sense")
    if not launching.launched():
        check_memory(typed, request.root, request.out, wanted, max(processes, parallel.expected()))
    if processes > 1 and parallel.expected() == 1 and not launching.launched():
        raise SystemExit(launching.launch(processes))
    screen, say = console(), messages()
    try:
        with launching.together():
            if parallel.rank() > 0:
                pipeline.follow(request, stages.stages())
                return
            with (
                terminal.Terminal(screen, say) as listener,
                trackers.trackers(typed.log, request.out, typed.to_json(), listener) as others,
            ):
                pipeline.run(request, stages.stages(), [listener, *others])
    except KeyboardInterrupt:
        if parallel.rank() > 0:
            raise
        print(f"\n{say('Stopped. The same command goes on from here.')}", file=sys.stderr)
        raise SystemExit(130) from None
    terminal.farewell(screen, request.out, runs.standings(request.out), say)


def status(run: RunPath, /, *, as_json: Json = False) -> None:
    """How far a run is and what each stage achieved.

    **Examples**

    - `anatomia status runs/world`
    - `anatomia status runs/world --json` – every metric of every stage
    """
    from anatomia import runs, terminal

    found = runs.standings(run)
    value = {"run": str(run), "stages": [standing.to_json() for standing in found]}
    show(value, terminal.summary(found, messages()), as_json)


def report(
    run: RunPath,
    /,
    *,
    out: Annotated[Path | None, Parameter(help="The page to write; RUN/report.html if not given.")] = None,
) -> None:
    """Write the run's report as one self-contained web page, of whatever stages are done.

    **Examples**

    - `anatomia report runs/world`
    - `anatomia report runs/world --out page.html`
    """
    from anatomia import runs
    from anatomia.explain.report import write_report

    if not runs.is_run(run):
        raise UserError(f"{run} is no run (no recipe.toml in it); give the directory that anatomia run wrote")
    page = out or run / "report.html"
    if not page.parent.is_dir():
        raise UserError(f"--out {page}: there is no directory {page.parent}; make it, or choose another")
    write_report(run, page)
    print(page)


def doctor(
    *, as_json: Json = False, again: Annotated[bool, Parameter(negative=(), help="Measure again.")] = False
) -> None:
    """What this computer can do, what is chosen for it, and which versions are at work.

    **Examples**

    - `anatomia doctor`
    - `anatomia doctor --again` – measure again, after a change to the computer
    """
    from anatomia import diagnosis

    rows = diagnosis.diagnose(again)
    if as_json:
        print_json(rows)
    else:
        console().print(diagnosis.table(rows, messages()))
