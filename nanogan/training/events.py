"""Event files for TensorBoard: scalars and pictures of a run, for those who keep all their runs there.

They are written by tensorboard or tensorboardX, whichever is installed; both have the same protocol. Nothing of them is
loaded unless a run asks for it.
"""

from __future__ import annotations

import math
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.files import read_all
from ..io.page import picture
from ..io.streams import worth_a_line
from .run_folder import RunFolder
from .trainer import BaseTrainer

FORMS = (
    ("tensorboard.compat.proto", "tensorboard.summary.writer.event_file_writer"),
    ("tensorboardX.proto", "tensorboardX.event_file_writer"),
)
"""Where each library has its messages, and where the writer of a file."""


def event_library() -> tuple[Any, Any, Any]:
    """The messages Event and Summary and the class EventFileWriter. Raises InputError if there is no library."""
    for messages, writer in FORMS:
        try:
            event, summary = (import_module(f"{messages}.{name}_pb2") for name in ("event", "summary"))
            return event.Event, summary.Summary, import_module(writer).EventFileWriter
        except ImportError:
            continue
    raise InputError('--tensorboard: needs tensorboard or tensorboardX; pip install "nanogan[tensorboard]"')


class Events:
    """What a run leaves for `tensorboard --logdir RUN`: `update` writes an epoch, leaving the block ends it."""

    def __init__(self, trainer: BaseTrainer, folder: RunFolder) -> None:
        self.trainer, self.folder = trainer, folder
        self.Event, self.Summary, writer = event_library()
        self.path, self.said = folder.path / "tensorboard", set[Path]()
        self.writer = writer(str(self.path))

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *exception: object) -> None:
        self.writer.close()

    def update(self) -> None:
        """Write the last row of the log, without what is NaN, and the picture of its epoch, at the row's step."""
        with worth_a_line(self.path, self.said):
            self._write()

    def _write(self) -> None:
        row, Value = self.trainer.rows[-1], self.Summary.Value
        numbers = {
            name: value for name, value in row.items() if name not in ("epoch", "step") and not math.isnan(value)
        }
        values = [Value(tag=name, simple_value=value) for name, value in numbers.items()]
        samples = self.folder.samples / f"epoch-{self.trainer.epoch:04}.png"
        if samples.is_file():
            png = read_all(samples, at_most=2**26)
            size = picture(png, "")
            image = self.Summary.Image(height=size.height, width=size.width, colorspace=3, encoded_image_string=png)
            values.append(Value(tag="samples", image=image))
        summary = self.Summary(value=values)
        self.writer.add_event(self.Event(wall_time=time.time(), step=int(row["step"]), summary=summary))
        self.writer.flush()
