"""A run's events as TensorBoard reads them: RUN/tensorboard/STAGE, written anew from the ledger when that was cut back.

Written record by record by this process itself, with no thread in between, so that a kill loses nothing and a full disk
is noticed where it happens.
"""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anatomia.base.events import Event
from anatomia.base.trackers import Beginning, figures, package, results, said

DIRECTORY = "tensorboard"
WHOLE = "whole"  # beside a finished stage's records: which artifact they are of


class TensorBoard:
    """Writes for `tensorboard --logdir RUN/tensorboard`.

    Raises:
        UserError: the package is missing.
    """

    key = "tensorboard"

    def __init__(self, run: Path) -> None:
        self.directory = run / DIRECTORY
        package("tensorboard.summary.writer.record_writer", self.key, "true")

    def open(self, stage: str, beginning: Beginning) -> "Records":
        """An empty page, whatever stood there: it gets all that still holds."""
        shutil.rmtree(self.directory / stage, ignore_errors=True)
        return Records(self.directory / stage)

    def shows(self, stage: str, stamp: str) -> bool:
        """Whether all of the artifact known as `stamp` is there already."""
        path = self.directory / stage / WHOLE
        return path.is_file() and path.read_text(encoding="utf-8") == stamp


class Records:
    """One stage's file of records: figures as scalars, samples and notes as text."""

    def __init__(self, directory: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event as Record
        from tensorboard.summary.writer.record_writer import RecordWriter

        directory.mkdir(parents=True)
        self.directory = directory
        self.steps = 0
        self.record = Record
        name = f"events.out.tfevents.{int(time.time())}.anatomia"
        self.file = open(directory / name, "wb")  # noqa: SIM115
        self.writer = RecordWriter(self.file)
        self._write(Record(wall_time=time.time(), file_version="brain.Event:2"))

    def add(self, event: Event) -> None:
        """Append an event; a reader sees it at once."""
        step = event.get("step", self.steps)
        self.steps = max(self.steps, step)
        record = self.record(wall_time=event["time"], step=step)
        for tag, value in figures(event).items():
            record.summary.value.add(tag=tag, simple_value=value)
        if event["kind"] in ("sample", "note"):
            self._text(record, event["kind"] + "s", said(event))
        if record.summary.value:
            self._write(record)

    def finish(self, metrics: Mapping[str, Any], stamp: str) -> None:
        """The metrics as scalars of the last step."""
        record = self.record(wall_time=time.time(), step=self.steps)
        for tag, value in results(metrics).items():
            record.summary.value.add(tag=tag, simple_value=value)
        self._write(record)
        (self.directory / WHOLE).write_text(stamp, encoding="utf-8")

    def close(self) -> None:
        """Nothing is left to write."""
        self.file.close()

    def _text(self, record: Any, tag: str, text: str) -> None:
        from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
        from tensorboard.compat.proto.types_pb2 import DT_STRING
        from tensorboard.plugins.text.metadata import create_summary_metadata

        value = record.summary.value.add(tag=tag, metadata=create_summary_metadata(display_name=tag, description=""))
        value.tensor.dtype = DT_STRING
        value.tensor.tensor_shape.CopyFrom(TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]))
        value.tensor.string_val.append(text.encode())

    def _write(self, record: Any) -> None:
        self.writer.write(record.SerializeToString())
        self.writer.flush()
