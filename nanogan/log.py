"""The log of a run: a row an epoch, each a dictionary of numbers. In the run's folder it is log.csv."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from typing import Any

Row = dict[str, float]

MEASURED = ("epoch", "step", "seconds", "d_loss", "g_loss", "d_real", "d_fake")
"""In every run: losses, D(x) and D(G(z)) are means over the epoch; seconds count training steps alone."""
DIAGNOSED = ("gradient_norm", "digit_entropy", "commonest_share")
"""At the epoch's end, where `diagnosis.py` has looked; else NaN, and empty in log.csv."""
COLUMNS = MEASURED + DIAGNOSED


def complete(row: Row) -> Row:
    """The row with every column, in order; NaN where it had none."""
    return dict.fromkeys(COLUMNS, math.nan) | row


def taken_over(rows: Any) -> list[Row]:
    """The rows in a checkpoint, whose log may have had fewer columns. Raises one of many errors on anything else."""
    for row in rows:
        known = {"epoch", "step"} <= row.keys() <= set(COLUMNS)
        if not known or not all(type(value) in (int, float) for value in row.values()):
            raise ValueError("a row of the log")
    return [complete(row) for row in rows]


def as_csv(rows: Iterable[Row]) -> bytes:
    lines = io.StringIO(newline="")
    writer = csv.DictWriter(lines, COLUMNS, restval="")
    writer.writeheader()
    for row in rows:
        left_out = {name for name in DIAGNOSED if math.isnan(row[name])}
        writer.writerow({name: round(value, 6) for name, value in row.items() if name not in left_out})
    return lines.getvalue().encode()
