"""What is said of one array of a training step: name, values, gradient, formula, and the lines of code that made it.

An `Explanation` is a list of sections (D's step, G's step, an answer to a question), each a list of entries in the
order in which they ran. `text.py` and `page.py` are two views of it. Read `trace.py` next, which makes the entries.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from ...backend import Array, Shape
from .arithmetic import tidy, with_numbers

MOST_SHOWN = 24
"""Values of an array that is shown. Of a larger one there are statistics."""
DIGITS = 4
"""Significant digits of a number that is shown."""

TINY = 1e-14
"""What rounding leaves of a sum that is 0."""


def shown(value: float, digits: int = DIGITS) -> str:
    """A number as both views print it, which Python reads again: with all digits if it is rounded, else as it is."""
    if abs(value) < TINY:
        return "0"
    short = f"{value:.{digits}g}"
    exact = abs(float(short) - value) <= 1e-13 * abs(value)
    return short if exact else f"{value:#.{digits}g}"


@dataclass(frozen=True)
class Line:
    """A line of source. path: as seen from beside the package, "nanogan/layers.py"."""

    path: str
    number: int
    code: str

    @property
    def place(self) -> str:
        return f"{self.path}:{self.number}"


@dataclass(frozen=True)
class Statistics:
    """What is kept of an array too large to be shown."""

    mean: float
    std: float
    low: float
    high: float

    def shown(self) -> dict[str, str]:
        return {
            "mean": f"{self.mean:.3g}",
            "deviation": f"{self.std:.3g}",
            "from": f"{self.low:.3g}",
            "to": f"{self.high:.3g}",
        }

    def __str__(self) -> str:
        return ", ".join(f"{what} {text}" for what, text in self.shown().items())


@dataclass
class Entry:
    """One array, at the moment when it was made.

    name, formula: Python, with the names of other entries: "D0.y", "images @ D0.W + D0.b"; of given arrays the formula
    is "". what: in words. part: the part of the step that it belongs to, as "forward". values, operands: copies, of
    this array and of those in the formula; None if it is large. gradient: of the loss with respect to this array, if
    the step computes it, and the name of the entry that has it.
    """

    name: str
    what: str
    part: str
    shape: Shape
    values: Any
    formula: str
    lines: tuple[Line, ...]
    operands: dict[str, Array] = field(default_factory=dict)
    statistics: Statistics | None = None
    gradient: Any = None
    gradient_name: str = ""
    gradient_statistics: Statistics | None = None
    words: str = ""
    """What its docstring says of it, instead of a formula."""
    digits: int = DIGITS
    fingerprint: bytes = b""
    no_gradient: str = ""
    """Why the step computes no gradient of it, if one may expect one."""

    def has_gradient(self, name: str, values: Any, statistics: Statistics | None) -> None:
        self.gradient_name, self.gradient, self.gradient_statistics = name, values, statistics

    @property
    def is_small(self) -> bool:
        """Whether its values are shown, not only their statistics."""
        return math.prod(self.shape) <= MOST_SHOWN

    @property
    def tidy_formula(self) -> str:
        return tidy(self.formula)

    def shown(self, value: float) -> str:
        return shown(value, self.digits)

    def shown_at(self, index: Shape) -> str:
        """One value, as it is printed."""
        return self.shown(self.values[index])

    def element(self, index: Shape) -> str:
        """The name of one value: "D0.y[0, 1]"."""
        return f"{self.name}[{', '.join(map(str, index))}]" if index else self.name

    def numbers(self, index: Shape) -> str:
        """The formula of one value with the numbers put in, "0.5*0.3 + (-0.2)*0.1"; "" if that would say nothing."""
        if not self.is_small or any(array.size > MOST_SHOWN for array in self.operands.values()):
            return ""
        numbers = with_numbers(self.formula, self.operands, index, self.shown)
        return "" if numbers in (self.tidy_formula, self.shown_at(index)) else numbers


@dataclass
class Section:
    """Some entries in their order. key: for names and addresses, "D". text: what to say first."""

    key: str
    title: str
    text: str
    entries: list[Entry]

    def __getitem__(self, name: str) -> Entry:
        return next(entry for entry in self.entries if entry.name == name)


@dataclass
class Explanation:
    title: str
    text: str
    sections: list[Section]


def gradient_of(name: str) -> str:
    """The name of an array's gradient: "D0.y" -> "D0.dy", "fake" -> "dfake"."""
    return re.sub(r"(\w+)$", r"d\1", name, count=1)
