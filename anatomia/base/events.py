"""One ledger for everything that happens: metrics, progress, notices. Files, terminal, pages read the same."""

import errno
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Event = dict[str, Any]
Listener = Callable[[Event], None]
FULL = (errno.ENOSPC, errno.EDQUOT)


class Ledger:
    """Appends events to a JSON Lines file and passes them on to listeners (the terminal, a page).

    An event is a flat dictionary with `time` (seconds since the epoch), `kind` and values. Kinds: `step` (a training
    step and its metrics; has `step`), `sample` (a text the model wrote on the way), `progress` (only to listeners:
    `done` of `total` `unit`s), `note` (a sentence for the user: `text`), `history` (only to listeners, when events were
    dropped or a killed stage goes on: the `events` that are still there).
    """

    def __init__(self, path: Path | None = None, listeners: Sequence[Listener] = ()) -> None:
        self.path = path
        self.listeners = tuple(listeners)
        self._held = b""  # lines that the disk had no room for

    def event(self, kind: str, **values: Any) -> None:
        """Write one event and pass it on. On a full disk it is held back, and written with a later one."""
        event = {"time": round(time.time(), 3), "kind": kind, **values}
        if self.path is not None:
            self._held += (json.dumps(event, ensure_ascii=False) + "\n").encode()
            try:
                self.flush()
            except OSError as error:
                if error.errno not in FULL:
                    raise
        self._tell(event)

    def flush(self) -> None:
        """Write what was held back.

        Raises:
            OSError: it cannot be written now either; it is still held.
        """
        if self.path is None or not self._held:
            return
        with open(self.path, "ab", buffering=0) as handle:
            end = handle.seek(0, os.SEEK_END)
            try:
                if handle.write(self._held) < len(self._held):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            except OSError:
                handle.truncate(end)  # no line cut short stays behind
                raise
        self._held = b""

    def progress(self, done: float, total: float, unit: str, **values: Any) -> None:
        """Tell the listeners how far the stage is; nothing is written."""
        self._tell({"time": time.time(), "kind": "progress", "done": done, "total": total, "unit": unit, **values})

    def note(self, text: str, **values: Any) -> None:
        """A sentence for the user."""
        self.event("note", text=text, **values)

    def begin(self) -> None:
        """Drop what a killed stage will say again however far it came: what has no step; and a line cut short."""
        self._keep(lambda event: "step" in event, always=True)

    def rewind(self, step: int) -> None:
        """Drop the events of steps after `step`: they are about to happen again."""
        self._keep(lambda event: event.get("step", 0) <= step)

    def _keep(self, wanted: Callable[[Event], bool], always: bool = False) -> None:
        if self.path is None or not self.path.exists():
            return
        self.flush()
        there = read_events(self.path)
        kept = [event for event in there if wanted(event)]
        partial = self.path.with_name(self.path.name + ".partial")
        partial.write_text("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in kept), encoding="utf-8")
        os.replace(partial, self.path)
        if always or len(kept) < len(there):
            self._tell({"time": time.time(), "kind": "history", "events": kept})

    def _tell(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)


def read_events(path: Path) -> list[Event]:
    """The events of a ledger; a last line cut short by a kill is left out."""
    events = []
    if path.exists():
        for line in path.read_bytes().split(b"\n"):
            try:
                events.append(json.loads(line))
            except ValueError:
                continue
    return events
