"""The page of a run while it goes on, and once it has ended."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType

from ..io.streams import warn, worth_a_line
from .page import NAME, write_report

SLOW = 0.1
"""Seconds. A page that takes longer, of a log of many thousand rows, is made again after 20 times as long."""


class LivePage:
    """Keeps report.html in a run's folder: `update` after an epoch, 10 ms; leaving the block makes the whole of it.

    A page that can't be written is worth a line, not the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / NAME
        self.said: set[Path] = set()
        self.due = 0.0

    def __enter__(self) -> LivePage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            return
        try:
            self._write()
        except KeyboardInterrupt:  # no reason to wait, nor to lose what the run says at its end
            warn(f"\nthe report is left out; python -m nanogan report {self.folder} makes it")

    def update(self) -> None:
        if (started := time.monotonic()) >= self.due:
            self._write(quick=True)
            took = time.monotonic() - started
            self.due = started + 20 * took if took > SLOW else 0.0

    def _write(self, *, quick: bool = False) -> None:
        with worth_a_line(self.path, self.said):
            write_report([self.folder], self.path, quick=quick)
