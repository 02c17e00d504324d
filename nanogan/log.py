"""The log of a run: a row an epoch, each a dictionary of numbers. In the run's folder it is log.csv."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

Row = dict[str, float]

COLUMNS = ("epoch", "step", "seconds", "d_loss", "g_loss", "d_real", "d_fake")
"""In every log: losses, D(x) and D(G(z)) are means over the epoch; seconds count training steps alone."""
DIAGNOSED = ("gradient_norm", "digit_entropy", "commonest_share")
"""At the epoch's end, where `diagnosis.py` has looked."""


def complete(row: Row, columns: Sequence[str]) -> Row:
    """The row with every column, in order; NaN where it had none."""
    return dict.fromkeys(columns, math.nan) | row


def taken_over(rows: Any, columns: Sequence[str]) -> list[Row]:
    """The rows in a checkpoint, whose log may have had fewer columns. Raises one of many errors on anything else."""
    for row in rows:
        known = {"epoch", "step"} <= row.keys() <= set(columns)
        if not known or not all(type(value) in (int, float) for value in row.values()):
            raise ValueError("a row of the log")
    return [complete(row, columns) for row in rows]


def as_csv(rows: Iterable[Row], columns: Sequence[str]) -> bytes:
    """The rows as a file, with a header. What wasn't measured is empty; a loss that is NaN says so."""
    lines = io.StringIO(newline="")
    writer = csv.DictWriter(lines, columns, restval="")
    writer.writeheader()
    for row in rows:
        measured = {name: value for name, value in row.items() if name in COLUMNS or not math.isnan(value)}
        writer.writerow({name: round(value, 6) for name, value in measured.items()})
    return lines.getvalue().encode()
