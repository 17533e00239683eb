"""Live progress of a run in a terminal: a line per finished stage, a bar for the one at work, and a table at the end.

Where the output is no terminal (a file, a pipe, CI) the same is said in plain lines, one in ten seconds at most.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.box import ROUNDED
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.table import Column, Table
from rich.text import Text

from anatomia.base.events import Event
from anatomia.base.files import read_json, typed
from anatomia.headlines import headline
from anatomia.messages import Messages, duration
from anatomia.runs import MODELS, Standing, report_page

QUIET = 10.0  # seconds between plain lines of one stage
WATCHED = ("loss", "bits_per_byte", "accuracy", "reward", "score", "kl")  # shown beside the bar, when there are any
BAR = 24  # characters of the bar; fewer where the terminal is narrow
BESIDE = 64  # characters beside it
WIDTH = 10  # of the column of stages' names


class Terminal:
    """A listener to a run's events. Use it as a context manager, so that the bar is put away whatever happens."""

    def __init__(self, console: Console, messages: Messages, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self.messages = messages
        self.clock = clock
        self.watched: dict[str, float] = {}
        self.view: _Bar | _Lines = _Bar(self) if console.is_terminal else _Lines(self)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *error: object) -> None:
        self.view.stop()

    def __call__(self, event: Event) -> None:
        kind = event["kind"]
        if kind == "stage" and event["state"] == "begin":
            self.watched = {}
            self.view.begin(event["stage"])
        elif kind == "stage":
            self.view.stop()
            self.console.print(self._finished(event))
        elif kind == "note":
            said = self.messages.sentence(event["text"], event.get("polish"))
            self.console.print(f"[yellow]{self.messages('note')}:[/] {escape(said)}")
        elif kind == "sample":
            self._sample(event)
        elif kind in ("step", "validation"):
            self.watch(event)
        elif kind == "progress":
            self.watch(event)
            self.view.progress(event)

    def watch(self, event: Event) -> None:
        """Take over the watched figures of an event. Those of a look at validation stay until the next one, but for its
        loss, which is not that of the steps."""
        kept = [name for name in WATCHED if not (name == "loss" and event["kind"] == "validation")]
        self.watched |= {name: event[name] for name in kept if isinstance(event.get(name), int | float)}

    def figures(self, event: Mapping[str, Any]) -> str:
        """What share of the machine's limit is used, where the event says it, and the watched figures, in one line."""
        say, present = self.messages, [name for name in WATCHED if name in self.watched]
        found = [f"{say(name.replace('_', ' '))} {say.number(float(self.watched[name]))}" for name in present]
        if "share_of_limit" in event:
            found.insert(0, say("{share} of the machine's limit", share=f"{100 * event['share_of_limit']:.0f}%"))
        return "  ".join(found)

    def speed(self, event: Mapping[str, Any], rate: float) -> str:
        """Tokens a second, where the event says them; else the `rate` of whatever is counted."""
        say = self.messages
        if "tokens_per_second" in event:
            return say("{number} tokens/s", number=say.number(round(event["tokens_per_second"])))
        return f"{say.number(float(f'{rate:.3g}'))}/s"

    def _finished(self, event: Event) -> Table:
        fresh = event["state"] == "fresh"
        row = Table.grid(padding=(0, 2))
        row.add_column(width=WIDTH + 2)
        row.add_column(width=9, justify="right")
        row.add_column(overflow="fold")
        mark = "[dim]·[/]" if fresh else "[green]✓[/]"
        took = f"[dim]{self.messages('unchanged')}[/]" if fresh else duration(event["seconds"])
        row.add_row(
            f"{mark} [bold]{event['stage']}[/]", took, headline(event["stage"], event["metrics"], self.messages)
        )
        return row

    def _sample(self, event: Event) -> None:
        start = Text(f"  {self.messages('step {step}', step=event['step'])}  " if "step" in event else "  ", "dim")
        prompt, text = (" ".join(str(event.get(key, "")).split()) for key in ("prompt", "text"))
        line = start + Text(prompt, "cyan") + Text((" " if prompt else "") + text, "italic")
        line.truncate(2 * max(40, self.console.width) - 4, overflow="ellipsis")
        self.console.print(line)


class _Progress(Progress):
    """A bar, and below it a line of figures."""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        for task in self.tasks:
            if task.fields["figures"]:
                yield Text(f"  {task.fields['figures']}", "cyan", no_wrap=True, overflow="ellipsis")


class _Bar:
    """The stage at work as a bar at the bottom of the terminal."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.bar: _Progress | None = None
        self.task: TaskID | None = None
        self.unit = ""
        self.stage = ""

    def begin(self, stage: str) -> None:
        self.stop()
        self.stage, self.unit = stage, ""
        width = max(4, min(BAR, self.terminal.console.width - BESIDE))
        self.bar = _Progress(
            SpinnerColumn("dots", style="cyan"),
            TextColumn("[bold]{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=width, complete_style="cyan", finished_style="green"),
            _Done(self.terminal.messages),
            _Speed(self.terminal),
            console=self.terminal.console,
            transient=True,
        )
        self.task = self.bar.add_task(stage, total=None, figures="", unit="", event={})
        self.bar.start()

    def progress(self, event: Event) -> None:
        if self.bar is None or self.task is None:
            return
        if event["unit"] != self.unit:  # another kind of work, or the first: its speed is measured afresh
            self.unit = event["unit"]
            self.bar.remove_task(self.task)
            self.task = self.bar.add_task(
                self.stage, total=event["total"], completed=event["done"], unit=self.unit, figures="", event=event
            )
        figures = self.terminal.figures(event)
        self.bar.update(self.task, completed=event["done"], total=event["total"], figures=figures, event=event)

    def stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
        self.bar, self.task = None, None


class _Done(ProgressColumn):
    def __init__(self, messages: Messages) -> None:
        super().__init__(Column(no_wrap=True))
        self.messages = messages

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text(duration(task.elapsed or 0), "dim")
        return Text(self.messages.progress(task.completed, task.total, task.fields["unit"]))


class _Speed(ProgressColumn):
    def __init__(self, terminal: Terminal) -> None:
        super().__init__(Column(no_wrap=True))
        self.terminal = terminal

    def render(self, task: Task) -> Text:
        if task.total is None or not task.speed or task.time_remaining is None:
            return Text("")
        left = self.terminal.messages("{time} left", time=duration(task.time_remaining))
        return Text(f"{self.terminal.speed(task.fields['event'], task.speed)}  {left}", "dim")


class _Lines:
    """The stage at work as a plain line now and then."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.stage = ""
        self.unit = ""
        self.begun = (0.0, 0.0)
        self.said = 0.0

    def begin(self, stage: str) -> None:
        self.stage, self.unit = stage, ""
        self.said = self.terminal.clock()
        self.terminal.console.print(f"{stage} ...")

    def progress(self, event: Event) -> None:
        now = self.terminal.clock()
        if event["unit"] != self.unit:
            self.unit, self.begun = event["unit"], (now, event["done"])
        if now - self.said < QUIET:
            return
        self.said = now
        say = self.terminal.messages
        parts = [say.progress(event["done"], event["total"], self.unit)]
        rate = (event["done"] - self.begun[1]) / max(now - self.begun[0], 1e-9)
        if rate > 0:
            left = duration((event["total"] - event["done"]) / rate)
            parts += [self.terminal.speed(event, rate), say("{time} left", time=left)]
        if figures := self.terminal.figures(event):
            parts.append(figures)
        self.terminal.console.print(f"{self.stage} {', '.join(parts)}", soft_wrap=True)

    def stop(self) -> None:
        pass


def summary(standings: list[Standing], messages: Messages) -> Table:
    """The table of what each stage achieved, without stages that the run went past."""
    table = Table(title=messages("What each stage achieved"), title_justify="left", title_style="bold", box=ROUNDED)
    table.add_column(messages("stage"), style="bold")
    table.add_column(messages("state"))
    table.add_column(messages("time"), justify="right")
    table.add_column(messages("result"), overflow="fold")
    colors = {"done": "green", "outdated": "yellow", "unfinished": "yellow", "absent": "dim"}
    last = max((n for n, standing in enumerate(standings) if standing.state == "done"), default=0)
    for number, standing in enumerate(standings):
        if standing.state == "absent" and number < last:
            continue
        made = standing.artifact
        table.add_row(
            standing.stage,
            f"[{colors[standing.state]}]{messages(standing.state)}[/]",
            duration(made.seconds) if made else "",
            headline(standing.stage, made.metrics, messages) if made else "",
        )
    return table


def example_question(run: Path) -> str:
    """A question that this run's evaluation asked, short enough for a command line; "" if there is none."""
    path = run / "evaluate" / "specimens.json"
    asked = read_json(path).get("questions", []) if path.is_file() else []
    fitting = [
        entry["prompt"] for entry in asked if len(entry["prompt"]) < 80 and not set(entry["prompt"]) & set('"\n$`')
    ]
    return fitting[0] if fitting else ""


def program_name() -> str:
    """How this program is called from here: its name where the shell finds it, else its path."""
    beside = Path(sys.executable).with_name("anatomia")
    if shutil.which("anatomia") or not beside.exists():
        return "anatomia"
    return os.path.relpath(beside)


def farewell(console: Console, run: Path, standings: list[Standing], messages: Messages) -> None:
    """What each stage achieved, where the report is, and what to type next."""
    console.print()
    console.print(summary([standing for standing in standings if standing.state != "absent"], messages))
    done = {standing.stage for standing in standings if standing.state == "done"}
    page = report_page(run)
    if page is not None and "report" in done:
        console.print(f"\n[bold]{messages('Report')}[/]  {escape(str(page))}", soft_wrap=True)
    models = [stage for stage in reversed(MODELS) if stage in done]
    if not models:
        return
    question = example_question(run) or messages("How are you?")
    program = program_name()
    paths = " ".join(typed(run / stage) for stage in models)
    commands = [(f"{program} chat {typed(run)}", "talk to the model")]
    if len(models) > 1:
        commands.append(
            (f'{program} compare {paths} --prompt "{question}"', "the same question to every stage's model")
        )
    if "sample" in done:
        commands.append((f"{program} rank {typed(run)}", "rank its answers yourself"))
    commands.append((f"{program} status {typed(run)} --json", "all metrics"))
    console.print(f"\n[bold]{messages('What to type next')}[/]")
    for command, what in commands:
        console.print(f"  [cyan]{escape(command)}[/]  [dim]{messages(what)}[/]", soft_wrap=True, highlight=False)
