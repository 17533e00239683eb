"""TensorBoard and Weights & Biases: a run's events shown there too, where its recipe asks for it.

Trackers are listeners like the terminal, so nothing that is computed depends on them. What a killed process told them
of steps that are done again must not stand there twice: how a tracker sees to that is its own affair, the ledger says
which events it has kept (kind `history`).
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol

from anatomia.base.artifact import LEDGER, read_artifact
from anatomia.base.errors import UserError
from anatomia.base.events import Event, Listener, read_events
from anatomia.base.settings import Settings

Beginning = Literal["new", "resumed", "turned"]
"""How a page begins: the stage is made from nothing; it goes on after a kill; it went back to an earlier step, and what
follows differs from what was shown."""


class LogSettings(Settings):
    """The recipe's section [log]: who else gets a run's events. What a run makes does not depend on it.

    Attributes:
        tensorboard: write them for TensorBoard, into RUN/tensorboard.
        wandb: the project of Weights & Biases that gets them.
    """

    tensorboard: bool = False
    wandb: str | None = None


class Page(Protocol):
    """One stage, as a tracker shows it."""

    def add(self, event: Event) -> None:
        """Show an event of the ledger."""

    def finish(self, metrics: Mapping[str, Any], stamp: str) -> None:
        """The stage is done: show its metrics, and remember that all of the artifact known as `stamp` is there."""

    def close(self) -> None:
        """Write what is not written yet; may come twice."""


class Service(Protocol):
    """A tracker: what it is called in the recipe, and where it shows stages."""

    key: str

    def open(self, stage: str, beginning: Beginning) -> Page:
        """The page of a stage. It then gets all events so far, and those to come."""

    def shows(self, stage: str, stamp: str) -> bool:
        """Whether all of the artifact known as `stamp` is there already."""


@contextmanager
def trackers(settings: LogSettings, run: Path, config: Mapping[str, Any], tell: Listener) -> Iterator[list[Listener]]:
    """The listeners that a recipe asks for, while a run goes on in the directory `run`.

    Args:
        config: the recipe, for those who show it.
        tell: gets a note when a tracker fails; the run goes on without it.

    Raises:
        UserError: a package is missing, or nobody is logged in.
    """
    services: list[Service] = []
    if settings.tensorboard:
        from anatomia.base.tensorboard import TensorBoard

        services.append(TensorBoard(run))
    if settings.wandb is not None:
        from anatomia.base.wandb import Wandb

        services.append(Wandb(settings.wandb, run, config))
    with ExitStack() as stack:
        found = [Tracker(service, run, tell) for service in services]
        for tracker in found:
            stack.callback(tracker.close)
        yield list(found)


class Tracker:
    """A listener that keeps a service's pages, one stage at a time."""

    def __init__(self, service: Service, run: Path, tell: Listener) -> None:
        self.service, self.run, self.tell = service, run, tell
        self.failed = False
        self.stage: str | None = None
        self.page: Page | None = None
        self.beginning: Beginning = "new"
        self.past: list[Event] = []
        self.reached = 0

    def __call__(self, event: Event) -> None:
        if not self.failed:
            self._guarded(event)

    def close(self) -> None:
        """Write what is not written yet."""
        if not self.failed:
            self._guarded(None)

    def _guarded(self, event: Event | None) -> None:
        try:
            if event is None:
                self._leave()
            else:
                self._hear(event)
        except Exception as error:  # whatever goes wrong there: days of training do not end because nobody can watch
            self.failed, self.page = True, None
            reason = " ".join(str(error).split()) or type(error).__name__
            text = f"log.{self.service.key} shows nothing more ({reason}); the run goes on without it"
            self.tell({"stage": self.stage or "", "kind": "note", "text": text})

    def _hear(self, event: Event) -> None:
        kind = event["kind"]
        if kind == "stage":
            self._stage(event)
        elif event["stage"] != self.stage or kind == "progress":
            return
        elif kind == "history":
            self._go_back(event["events"])
        else:
            self._open().add(event)
            self.reached = max(self.reached, event.get("step", 0))

    def _stage(self, event: Event) -> None:
        name, state = event["stage"], event["state"]
        if state == "begin":
            self._leave()
            self.stage, self.beginning, self.past, self.reached = name, "new", [], 0
            return
        artifact = read_artifact(self.run / name)
        stamp = f"{artifact.created} {artifact.fingerprint}"
        if state == "fresh":
            if self.service.shows(name, stamp):
                return
            self._leave()
            self.stage, self.beginning, self.past = name, "resumed", read_events(artifact.file(LEDGER))
        self._open().finish(event["metrics"], stamp)
        self._leave()
        self.stage = None

    def _go_back(self, events: list[Event]) -> None:
        """The ledger holds no more than these events: of this process's, or of one that was killed."""
        last = max((event.get("step", 0) for event in events), default=0)
        self._leave()
        if last < self.reached:
            self.beginning = "turned"
        elif self.beginning == "new":
            self.beginning = "resumed"
        self.past, self.reached = events, min(self.reached, last)

    def _open(self) -> Page:
        if self.page is None:
            assert self.stage is not None
            self.page = self.service.open(self.stage, self.beginning)
            for event in self.past:
                self.page.add(event)
            self.past, self.beginning = [], "resumed"
        return self.page

    def _leave(self) -> None:
        page, self.page = self.page, None
        if page is not None:
            page.close()


def figures(event: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of an event by the name a tracker shows them under: those of steps as they are called, of other kinds
    with the kind before it."""
    kind = event["kind"]
    found = {name: value for name, value in event.items() if name not in ("time", "step") and is_number(value)}
    return found if kind == "step" else {f"{kind}/{name}": value for name, value in found.items()}


def results(metrics: Mapping[str, Any], prefix: str = "result/") -> dict[str, float]:
    """The numbers of a stage's metrics, those of metrics in metrics as `result/a.b`."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            found |= results(value, f"{prefix}{name}.")
        elif is_number(value):
            found[prefix + name] = value
    return found


def is_number(value: Any) -> bool:
    """Whether it can be drawn as a curve."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def said(event: Mapping[str, Any]) -> str:
    """The text of a sample or a note, with its prompt if it has one."""
    return " → ".join(str(event[key]) for key in ("prompt", "text") if event.get(key))


def package(name: str, key: str, value: str, test: str = "__name__") -> ModuleType:
    """An optional package, or one module of it.

    Args:
        test: what it must have: a directory of its name, such as W&B makes, can be imported too.

    Raises:
        UserError: it is not installed; `key` and `value` of the recipe ask for it.
    """
    top = name.partition(".")[0]
    try:
        module = import_module(name)
        getattr(module, test)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"log.{key} = {value} needs the package {top}, which is not here; "
            f"{sys.executable} -m pip install {top}, or leave log.{key} out"
        ) from error
    return module
