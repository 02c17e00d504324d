"""One derivative as a backward pass wrote it and as the loss shows it, and what is said where the two differ.

The bottom of `gradcheck.py`: how a slope is measured, when it counts as right, and what a wrong one usually means.
Read `gradcheck.py` next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

TOLERANCE = 1e-6
"""A derivative passes if written and measured agree to this, relative to the larger of the two."""

STEPS = (1e-3, 1e-4, 1e-5, 1e-6)
"""Distances h, tried in this order. A large one is hurt least by rounding, a small one hits kinks least."""

ROUNDING = 16 * float(np.finfo(np.float64).eps)
"""How far a loss near 1 may be off after the sums of a network: some units of its last place."""

# ---- one derivative


def slope_at_zero(f: Callable[[float], float], centre: float) -> tuple[float, float] | None:
    """f'(0) and how finely the rounding of f lets it be known; None where f has a kink near 0. centre: f(0).

    Two central differences, over h and over h/2, differ by h^2 f'''(0) / 8 where f is smooth; and the second
    difference over h is four times that over h/2. A kink between -h and h breaks one of the two (a kink at 0 exactly
    breaks only the second), and is either left outside by a smaller h or there to stay.

    Where both hold, (4 narrow - wide) / 3 has an error of order h^4 (Richardson's extrapolation).
    """
    if not math.isfinite(centre):
        return math.nan, 0.0
    for h in STEPS:
        right, left, near_right, near_left = f(h), f(-h), f(h / 2), f(-h / 2)
        wide, narrow = (right - left) / (2 * h), (near_right - near_left) / h
        bend = (right - 2 * centre + left) - 4 * (near_right - 2 * centre + near_left)
        noise = ROUNDING * max(1.0, abs(centre)) / h
        if max(abs(wide - narrow), abs(bend / h)) <= TOLERANCE / 4 * abs(narrow) + noise:
            return (4 * narrow - wide) / 3, 4 * noise
    return None


@dataclass(frozen=True)
class Derivative:
    """One derivative, as the backward pass wrote it and as the loss shows it.

    where: its index, or "along a random direction". measured: None at a kink. resolution: what rounding hides.
    """

    where: str
    written: float
    measured: float | None
    resolution: float = 0.0

    @property
    def error(self) -> float:
        """|written - measured| relative to the larger one; differences that rounding hides count as less than 1e-6."""
        if self.measured is None:
            return 0.0
        if not (math.isfinite(self.written) and math.isfinite(self.measured)):
            return math.inf
        scale = max(abs(self.written), abs(self.measured), self.resolution / TOLERANCE)
        return abs(self.written - self.measured) / scale if scale else 0.0

    @property
    def ratio(self) -> float:
        """written / measured"""
        return self.written / self.measured if self.measured else math.inf


# ---- what is said about it


@dataclass(frozen=True)
class Row:
    """The verdict on one array of derivatives.

    counts: numbers that a mix-up of sum and mean would show as a factor, with what each counts.
    """

    words: ClassVar[tuple[str, str]] = ("written", "measured")
    name: str
    size: int
    derivatives: Sequence[Derivative]
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def checked(self) -> int:
        return sum(d.measured is not None for d in self.derivatives)

    @property
    def kinks(self) -> int:
        return len(self.derivatives) - self.checked

    @property
    def worst(self) -> Derivative:
        return max(self.derivatives, key=lambda d: d.error)

    @property
    def verdict(self) -> str:
        """FAIL if any derivative is wrong; KINK if there was nothing but kinks; else OK."""
        if self.derivatives and self.worst.error >= TOLERANCE:
            return "FAIL"
        return "KINK" if self.kinks and not self.checked else "OK"

    @property
    def hint(self) -> str:
        """What the wrong derivatives have in common, and what that usually means."""
        failed = [d for d in self.derivatives if d.error >= TOLERANCE]
        ratio = self.worst.ratio
        if not all(d.measured is not None and math.isfinite(d.measured) for d in failed):
            return "the loss is not a finite number here"
        if not all(math.isfinite(d.written) for d in failed):
            return "not a number: never written, or added to what was there (gradients are overwritten)"
        if not any(d.written for d in failed):
            return "zero: the gradient is not propagated"
        if any(abs(d.ratio - ratio) > 0.01 * abs(ratio) for d in failed):
            return "the ratio varies: a term is missing, or the values of another pass or another axis were used"
        sign = "the sign is wrong" if ratio < 0 else ""
        factor = _meaning(abs(ratio), self.counts)
        return ", and ".join(filter(None, (sign, factor)))

    def __str__(self) -> str:
        line = f"  {self.name:<12} {self.checked:>5} of {self.size:<8} worst {self.worst.error:7.1e}   {self.verdict}"
        if self.kinks:
            line += f"   (left out: {self.kinks} KINK)"
        if self.verdict == "FAIL":
            worst, (written, measured) = self.worst, self.words
            line += (
                f"\n      {worst.where}: {written} {worst.written:.9g}, {measured} {worst.measured:.9g}, "
                f"ratio {worst.ratio:.6g}\n      {self.hint}"
            )
        return line


def _meaning(factor: float, counts: dict[str, int]) -> str:
    """What a derivative that is off by a positive factor suggests."""
    for what, count in counts.items():
        if count > 1 and any(math.isclose(factor, expected, rel_tol=0.01) for expected in (count, 1 / count)):
            return f"off by the {what}, {count}: a sum where a mean belongs, or the reverse"
    if any(math.isclose(factor, expected, rel_tol=0.01) for expected in (2, 0.5)):
        return "a factor of 2 is missing or there twice"
    return "" if math.isclose(factor, 1, rel_tol=1e-4) else f"every one is off by the same factor, {factor:.6g}"


@dataclass(frozen=True)
class Report:
    """A title and a row for every array. `print` it; `passed` is False where any row is a FAIL."""

    title: str
    rows: Sequence[Row]

    @property
    def passed(self) -> bool:
        return all(row.verdict != "FAIL" for row in self.rows)

    def __getitem__(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    def __str__(self) -> str:
        return "\n".join([self.title, *map(str, self.rows)])
