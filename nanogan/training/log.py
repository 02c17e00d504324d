"""The log of a run: a row an epoch, each a dictionary of numbers. In the run's folder it is log.csv."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..backend import Array

Row = dict[str, float]

COLUMNS = ("epoch", "step", "seconds", "d_loss", "g_loss", "d_real", "d_fake")
"""In every log: losses, D(x) and D(G(z)) are means over the epoch; seconds count training steps alone."""
DIAGNOSED = ("gradient_norm", "digit_entropy", "top_digit_share")
"""At the epoch's end, where `diagnosis.py` has looked."""


def complete(row: Row, columns: Sequence[str]) -> Row:
    """The row with every column, in order; NaN for those that it had not."""
    return dict.fromkeys(columns, math.nan) | row


def taken_over(rows: Any, columns: Sequence[str]) -> list[Row]:
    """The rows in a checkpoint, whose log may have had fewer columns. Raises one of many errors on anything else."""
    for row in rows:
        known = {"epoch", "step"} <= row.keys() <= set(columns)
        if not known or not all(type(value) in (int, float) for value in row.values()):
            raise ValueError("a row of the log")
    return [complete(row, columns) for row in rows]


def as_array(rows: Sequence[Row], columns: Sequence[str]) -> Array:
    """The rows as float64 numbers, (rows, columns): 8 bytes each in a checkpoint, where JSON takes 30."""
    return np.array([[row[name] for name in columns] for row in rows], dtype=np.float64).reshape(-1, len(columns))


def from_array(numbers: Array, columns: Sequence[str]) -> list[Row]:
    """What `as_array` was given. Raises ValueError if the array isn't that."""
    if numbers.dtype != np.float64 or numbers.shape[1:] != (len(columns),):
        raise ValueError(f"a log of shape {numbers.shape}")
    rows = [dict(zip(columns, row, strict=True)) for row in numbers.tolist()]
    return [{**row, "epoch": int(row["epoch"]), "step": int(row["step"])} for row in rows]


def as_csv(rows: Iterable[Row], columns: Sequence[str]) -> bytes:
    """The rows as a file, with a header. What wasn't measured is empty; a loss that is NaN says so."""
    lines = io.StringIO(newline="")
    writer = csv.DictWriter(lines, columns, restval="")
    writer.writeheader()
    for row in rows:
        measured = {name: value for name, value in row.items() if name in COLUMNS or not math.isnan(value)}
        writer.writerow({name: _six_digits(value) for name, value in measured.items()})
    return lines.getvalue().encode()


def _six_digits(value: float) -> float:
    """Behind the point; of a value below 1 its first six, as a gradient may be 1e-9."""
    return round(value, 6) if abs(value) >= 1 or math.isnan(value) else float(f"{value:.6g}")
