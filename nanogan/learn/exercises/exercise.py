"""What an exercise is: lines cut from the book, how their results are measured, and the mistakes people make."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...backend import Array
from ...gradcheck.derivative import slope_at_zero
from .cut import Cut

Results = dict[str, Array]
"""What the learner's code computes, by name."""


class Truth(NamedTuple):
    """What a result should be: by finite differences (NaN at a kink), or by definition (resolution 0)."""

    values: Array
    resolution: Array

    @property
    def is_numeric(self) -> bool:
        return bool(self.resolution.any())


def exact(values: Any) -> Truth:
    """A result that isn't a derivative, from its definition."""
    values = np.array(values, np.float64)
    return Truth(values, np.zeros(values.shape))


def slopes(loss: Callable[[], float], values: Array) -> Truth:
    """d(loss)/d(values) by central differences, value by value. loss: evaluates it as `values` are now."""
    found, centre = np.zeros((2, *values.shape)), loss()
    for at in np.ndindex(values.shape):
        start = values[at]

        def moved(h: float, at: tuple[int, ...] = at, start: float = float(start)) -> float:
            values[at] = start + h
            return float(loss())

        found[(slice(None), *at)] = slope_at_zero(moved, float(centre)) or (np.nan, 0.0)
        values[at] = start
    return Truth(found[0], found[1])


class Probe(Protocol):
    """A small fixed case in float64."""

    @property
    def given(self) -> Mapping[str, Array]:
        """The case, to be shown."""
        ...

    @property
    def counts(self) -> dict[str, int]:
        """Numbers that a mix-up of sum and mean shows as a ratio, with what each counts."""
        ...

    def observe(self, code: ModuleType) -> Results:
        """Run the learner's code on the case."""
        ...

    def measure(self, book: ModuleType) -> dict[str, Truth]:
        """The same results, from the book's forward pass or from a definition. Those that matter most come first."""
        ...


@dataclass(frozen=True)
class Mistake:
    """A wrong form that people write: the solution with `old` replaced by `new`. It is told by what it computes."""

    old: str
    new: str
    hint: str


@dataclass(frozen=True)
class Exercise:
    """One file of the learner's.

    task, steps, example: the head of the file; example is a doctest, which the solution passes.
    hints: the idea, the formula, the line with a gap. also: other right forms, each as (old, new) of the solution.
    """

    name: str
    title: str
    task: str
    steps: tuple[str, ...]
    example: str
    cut: Cut
    probe: Probe
    hints: tuple[str, str, str]
    mistakes: tuple[Mistake, ...]
    also: tuple[tuple[str, str], ...] = field(default=())

    def file(self, number: int) -> str:
        return f"{number:02}_{self.name}.py"

    def starter(self, number: int, count: int) -> str:
        """The text of the learner's file."""
        steps = (_wrapped(f"{n}. {step}", "   ") for n, step in enumerate(self.steps, 1))
        head = [f"Exercise {number} of {count}: {self.title}", _wrapped(self.task), "\n".join(steps)]
        head += ["For example:", self.example, HOW_TO_GO_ON]
        return '"""' + "\n\n".join(head) + f'\n"""\n\n{self.cut.starter}'


HOW_TO_GO_ON = """\
Replace the line that raises NotImplementedError, save, and run in this folder: python -m nanogan learn check
If you are stuck: python -m nanogan learn hint"""


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(" ".join(text.split()), 110, subsequent_indent=indent, break_on_hyphens=False)
