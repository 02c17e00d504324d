"""An explanation as text: 80 columns, in colours if it is read on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from itertools import zip_longest

from ...backend import Array
from .entry import Entry, Explanation, Section

WIDTH = 80
INDENT = " " * 5
COLUMN = 11
"""As wide as a number may be, -1.234e-05, and a space."""
BOLD, DIM, FORMULA, GRADIENT = "1", "2", "36", "33"
"""Codes of a terminal: for names, for code, for formulas and for gradients."""

Paint = Callable[[str, str], str]


def as_text(explanation: Explanation, coloured: bool) -> str:
    paint: Paint = painted if coloured else plain
    lines = [paint(explanation.title, BOLD), "", *textwrap.wrap(explanation.text, WIDTH)]
    for section in explanation.sections:
        lines += ["", "", *of_section(section, paint)]
    return "\n".join(lines) + "\n"


def painted(text: str, code: str) -> str:
    return f"\033[{code}m{text}\033[0m"


def plain(text: str, code: str) -> str:
    return text


def of_section(section: Section, paint: Paint) -> Iterator[str]:
    yield paint(section.title.upper(), BOLD)
    yield ""
    yield from textwrap.wrap(section.text, WIDTH)
    part = ""
    for number, entry in enumerate(section.entries, 1):
        if entry.part != part:
            part = entry.part
            yield ""
            yield paint(f"-- {part} ".ljust(WIDTH, "-"), BOLD)
        yield ""
        yield from of_entry(number, entry, paint)


def of_entry(number: int, entry: Entry, paint: Paint) -> Iterator[str]:
    head, shape = f"{number:>3}  {entry.name}", " x ".join(map(str, entry.shape)) or "a number"
    yield paint(head, BOLD) + cut(f"  {shape}: {entry.what}", WIDTH - len(head))
    yield from of_values(entry, paint) if entry.is_small else of_statistics(entry, paint)
    if entry.no_gradient:
        yield paint(f"{INDENT}gradient: {entry.no_gradient}", GRADIENT)
    for line in calculation(entry) if entry.formula else WRAPPER.wrap(entry.words):
        yield paint(line, FORMULA)
    for source in entry.lines:
        yield paint(cut(f"{INDENT}{source.place}  {source.code}", WIDTH), DIM)


def of_values(entry: Entry, paint: Paint) -> Iterator[str]:
    """The values, and beside them their gradient, if there is one."""
    values, gradient = rows(entry, entry.values), rows(entry, entry.gradient)
    if gradient:
        left = max(COLUMN * len(entry.shape and values[0]), len("value"))
        titles = [f"{INDENT}{'value':<{left}}   ", f"gradient {entry.gradient_name}"]
        yield titles[0] + paint(titles[1], GRADIENT)
        for own, other in zip_longest(values, gradient):
            yield f"{INDENT}{''.join(own):<{left}}   " + paint("".join(other), GRADIENT)
    else:
        yield from (INDENT + "".join(row) for row in values)


def of_statistics(entry: Entry, paint: Paint) -> Iterator[str]:
    yield f"{INDENT}{entry.statistics}"
    if entry.gradient_statistics:
        yield from (
            paint(line, GRADIENT) for line in WRAPPER.wrap(f"{entry.gradient_name}: {entry.gradient_statistics}")
        )


def rows(entry: Entry, values: Array | None) -> list[list[str]]:
    """The numbers of an array in rows of columns; a long vector takes several rows."""
    if values is None:
        return []
    texts = [entry.shown(value) for value in values.ravel()]
    columns = values.shape[1] if values.ndim == 2 else 3 if entry.gradient_name else 6
    return [[text.rjust(COLUMN) for text in texts[start : start + columns]] for start in range(0, len(texts), columns)]


def calculation(entry: Entry) -> list[str]:
    """The formula, and its first value with the numbers put in."""
    index = (0,) * len(entry.shape)
    lines = [f"{entry.name} = {entry.tidy_formula}"]
    if numbers := entry.numbers(index):
        lines.append(f"{entry.element(index)} = {numbers} = {entry.shown_at(index)}")
    return [line for long in lines for line in WRAPPER.wrap(long)]


WRAPPER = textwrap.TextWrapper(
    WIDTH, initial_indent=INDENT, subsequent_indent=INDENT + " " * 4, break_long_words=False, break_on_hyphens=False
)


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
