"""An explanation as one HTML page: a drawing of the networks whose boxes are arrays, and each array step by step.

The page needs no script: a box is a link to its array, the style shows the array that the address names, and on paper,
or in an old browser, all of them stand one after the other. A script of a few lines adds the arrow keys.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...io.page import Table, render
from .drawing import BOX, WIDTH, drawn
from .entry import Entry, Explanation, Section, Statistics

PACKAGE = "nanogan.learn.explain"


def as_page(explanation: Explanation) -> bytes:
    sections = [
        {
            "section": section,
            "drawing": drawn(section) if section.key in "DG" else None,
            "steps": steps(section, others),
        }
        for section, others in zip(explanation.sections, counterparts(explanation), strict=True)
    ]
    return render(
        "explain.html",
        package=PACKAGE,
        styles=("explain.css",),
        scripts=("explain.js",),
        explanation=explanation,
        sections=sections,
        width=WIDTH,
        box=BOX,
    )


def counterparts(explanation: Explanation) -> list[dict[str, str]]:
    """For each section, the address of every array that the other step has, too, by its name."""
    D, G = (
        {entry.name: f"{section.key}-{step}" for step, entry in reversed(list(enumerate(section.entries, 1)))}
        for section in explanation.sections[:2]
    )
    return [G, D, *({} for _ in explanation.sections[2:])]


class Step(NamedTuple):
    """What the template shows of an entry. other: the address of the array of this name in the other step."""

    entry: Entry
    shape: str
    own: Table
    gradient: Table | None
    numbers: list[str]
    other: str


def steps(section: Section, others: dict[str, str]) -> list[Step]:
    return [
        Step(
            entry,
            " x ".join(map(str, entry.shape)) or "a number",
            table(entry, entry.values, entry.statistics, entry.name),
            table(entry, entry.gradient, entry.gradient_statistics, entry.gradient_name)
            if entry.gradient_name
            else None,
            numbers(entry) if entry.formula and entry.is_small else [],
            others.get(entry.name, ""),
        )
        for entry in section.entries
    ]


def table(entry: Entry, values: Any, statistics: Statistics | None, name: str) -> Table:
    """The rows of a matrix; a vector is cut into rows, which are called by their first index. Else statistics."""
    if statistics:
        return Table(name, ["of its values", ""], [[what, text] for what, text in statistics.shown().items()])
    columns = values.shape[1] if values.ndim == 2 else min(values.size, VECTOR_COLUMNS)
    texts = [entry.shown(value) for value in values.ravel()]
    starts = range(0, len(texts), columns)
    rows = [[str(start // columns if values.ndim == 2 else start), *texts[start : start + columns]] for start in starts]
    return Table(name, ["row" if values.ndim == 2 else "from", *map(str, range(columns))], rows)


VECTOR_COLUMNS = 3
"""As many as fit a window of 320 pixels."""


def numbers(entry: Entry) -> list[str]:
    """Each value's arithmetic, with the numbers put in."""
    found = ((index, entry.numbers(index)) for index in np.ndindex(*entry.shape))
    return [f"{entry.element(index)} = {text} = {entry.shown_at(index)}" for index, text in found if text]
