"""Tables of numbers as text, a picture in every row: what Kaggle publishes MNIST as, and what numpy.savetxt writes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

import numpy as np

from ..backend import Array
from ..io.files import Content, most_unpacked
from .folders import progress

LABELS = ("label", "labels", "class", "y", "target", "digit", "character", "letter")
INDICES = ("", "id", "index", "unnamed0")
MOST_CLASSES = 1000


def read_table(content: Content, *, quiet: bool) -> tuple[Array, Array | None, list[str]]:
    """Flat pictures (N, D), their labels (N,) or None, and what was assumed.

    The first row may be a header. Of one column more than the pixels need, it is told which holds the labels.
    Raises ValueError if the rows aren't numbers, or aren't of one length.
    """
    lines = [line for line in _lines(content) if line.strip()]
    if not lines:
        raise ValueError("expected a picture in every row, found an empty file")
    most_frequent = max(",;\t", key=lines[0].count)
    separator = most_frequent if most_frequent in lines[0] else None  # None: spaces
    names, *more = [[cell.strip(" \t\r\n\"'") for cell in line.strip().split(separator)] for line in lines[:2]]
    below = more[0] if more else ["0"] * len(names)
    header = names == [str(number) for number in range(len(names))] or any(
        not _is_number(cell) and _is_number(other) for cell, other in zip(names, below, strict=False)
    )
    rows = lines[1:] if header else lines
    if not rows:
        raise ValueError("expected a picture in every row, found a header alone")
    rows, names, words = _without_words(rows, names, separator)
    try:
        table = np.loadtxt(
            progress(rows, quiet=quiet, unit=" rows"),
            np.float32,
            delimiter=separator,
            ndmin=2,
            comments=None,
            quotechar='"',
        )
    except ValueError as error:
        raise ValueError(
            f"expected numbers alone, the label and the pixels of a picture in every row ({error}); if these are names "
            "of pictures, give their folder"
        ) from None
    pixels, labels, notes = _columns(table, names if header and len(names) == table.shape[1] else [])
    if words is not None:
        labels, notes = words, [*notes, "labels from the column of words"]
    if 0 <= pixels.min() and pixels.max() < 2**16 and (pixels % 1 == 0).all():
        pixels = pixels.astype(np.uint8 if pixels.max() < 2**8 else np.uint16)
    return pixels, labels, notes


def _without_words(
    rows: list[str], names: list[str], separator: str | None
) -> tuple[list[str], list[str], Array | None]:
    """Rows whose first or last column is words, such as "cat", without it; its name gone as well; and the words."""
    cells = rows[0].strip().split(separator)
    first, last = _is_number(cells[0].strip(" \"'")), _is_number(cells[-1].strip(" \"'"))
    if first == last or len(cells) < 3:
        return rows, names, None
    halves = [row.strip().split(separator, 1) if last else row.strip().rsplit(separator, 1) for row in rows]
    if any(len(half) < 2 for half in halves):
        return rows, names, None
    words = np.array([half[0 if last else 1].strip(" \"'") for half in halves])
    return [half[1 if last else 0] for half in halves], names[1:] if last else names[:-1], words


def _lines(content: Content) -> Iterator[str]:
    """The lines of a text, no more of them than a gzipped file of its length may become."""
    left = most_unpacked(content.length) if content.packed else content.length
    while line := content.file.readline(left + 1):
        left -= len(line)
        if left < 0:
            raise ValueError("would unpack to more than pictures ever do; the file is damaged")
        yield line.decode("utf-8-sig", "replace")


def _is_number(text: str) -> bool:
    try:
        float(text)
        return True
    except ValueError:
        return False


def _columns(table: Array, names: Sequence[str]) -> tuple[Array, Array | None, list[str]]:
    """The table's pixels and labels: by the names of its columns, else by what is in them."""
    plain = [re.sub("[^a-z0-9]", "", name.lower()) for name in names]
    indices = [column for column, name in enumerate(plain) if name in INDICES]
    labels = [column for column, name in enumerate(plain) if name in LABELS]
    pixels = np.delete(table, indices + labels[:1], axis=1)
    if labels:
        return pixels, table[:, labels[0]], [f"labels from column {names[labels[0]]}"]
    if _is_square(pixels.shape[1]):
        return pixels, None, []
    if len(table) > 1 and np.array_equal(
        pixels[:, 0], np.arange(len(table))
    ):  # the rows' numbers, as pandas saves them
        pixels = pixels[:, 1:]
    if _is_square(pixels.shape[1] - 1):
        column, where = min((0, "first"), (-1, "last"), key=lambda end: _classes(pixels[:, end[0]]))
        if _classes(pixels[:, column]) <= MOST_CLASSES:
            return np.delete(pixels, column, axis=1), pixels[:, column], [f"labels from the {where} column"]
    return pixels, None, []


def _is_square(count: int) -> bool:
    return count > 1 and math.isqrt(count) ** 2 == count


def _classes(column: Array) -> float:
    """How many classes a column of labels has; infinity if it can't be one. One class is as unlikely as very many."""
    if not (np.isfinite(column).all() and (column % 1 == 0).all() and column.min() >= 0):
        return math.inf
    classes = len(np.unique(column))
    return classes if classes > 1 else MOST_CLASSES
