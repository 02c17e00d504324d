"""Charts as SVG: lines over a number, bars, bands and levels, for the pages of `page.py`.

Drawn here and not by matplotlib, because these follow the page into dark and onto paper through its style, take a
tenth of the bytes and the time, and are the same with every version of a library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..backend import Array
from .page import Table, number, thinned

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 10, 38
"""In units of the drawing, which is as wide as there is room: at 320 px, letters of 11 units are still 9 px high."""
MOST_ROWS = 100
"""Of a chart's table. Longer logs are thinned evenly."""


@dataclass(frozen=True)
class Line:
    """One value per x. NaN leaves a gap. band: two more, between which an area is filled, and what it is."""

    label: str
    values: Sequence[float]
    band: tuple[Sequence[float], Sequence[float]] | None = None


@dataclass(frozen=True)
class Chart:
    """A chart and the table of its numbers.

    text: what it shows, in a sentence or two. x: numbers, or names if `bars`. levels: horizontal lines, by label.
    log: a logarithmic axis of values; those up to 0 are left out. limits: what the axis of values must show.
    """

    title: str
    text: str
    x_label: str
    x: Sequence[Any]
    lines: Sequence[Line]
    levels: dict[str, float] = field(default_factory=dict)
    limits: tuple[float, ...] = ()
    log: bool = False
    bars: bool = False

    @property
    def table(self) -> Table:
        """The numbers that are drawn."""
        columns, values = [self.x_label], [self.x]
        for line in self.lines:
            low, high = line.band or ((), ())
            columns += [line.label, *([f"{line.label}, from", "to"] if line.band else [])]
            values += [line.values, *([low, high] if line.band else [])]
        rows = list(zip(*values, strict=True))
        left_out = f" ({MOST_ROWS} of {len(rows):,} rows)" if len(rows) > MOST_ROWS else ""
        return Table(f"{self.title}{left_out}", columns, thinned(rows, MOST_ROWS))

    @property
    def drawing(self) -> dict[str, Any]:
        """What templates/chart.svg draws: coordinates of ticks and levels, and the paths of each line."""
        places = np.arange(len(self.x), dtype=float) if self.bars else np.asarray(self.x, float)
        margin = 0.5 if self.bars or places.min() == places.max() else 0.0
        across = Axis(places.min() - margin, places.max() + margin, LEFT, WIDTH - RIGHT)
        up = self._values_axis()
        whole = not self.bars and bool((places % 1 == 0).all())
        x_ticks = list(enumerate(self.x)) if self.bars else [(tick, tick) for tick in across.ticks(whole=whole)]
        return {
            "width": WIDTH,
            "height": HEIGHT,
            "left": LEFT,
            "right": WIDTH - RIGHT,
            "bottom": HEIGHT - BOTTOM,
            "x_ticks": [(across(x), number(text)) for x, text in x_ticks],
            "y_ticks": [(up(y), number(y)) for y in up.ticks()],
            "levels": [up(value) for value in self.levels.values()],
            "lines": [self._drawn(line, across, up, places) for line in self.lines],
        }

    def _drawn(self, line: Line, across: Axis, up: Axis, places: Array) -> dict[str, Any]:
        values = drawable(line.values)
        if self.bars:
            return {"path": "", "dots": "", "area": "", "bars": bars(across, up, values)}
        area = ""
        if line.band:
            low, high = map(drawable, line.band)
            there = np.isfinite(low + high)
            around = np.concatenate([places[there], places[there][::-1]])
            area = path(across, up, around, np.concatenate([high[there], low[there][::-1]]))
        curve = {"path": path(across, up, places, values), "dots": dots(across, up, places, values)}
        return {**curve, "area": area, "bars": []}

    def _values_axis(self) -> Axis:
        parts = [drawable(part) for line in self.lines for part in (line.values, *(line.band or ()))]
        values = np.concatenate([*parts, [*self.levels.values(), *self.limits]])
        values = values[np.isfinite(values) & ((values > 0) | (not self.log))]
        low, high = (values.min(), values.max()) if len(values) else (1.0, 1.0)
        if self.log:
            low, high = 10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high))
        if low == high:
            around = max(0.5, abs(low) / 2)
            low, high = (low / 10, high * 10) if self.log else (low - around, high + around)
        return Axis(low, high, HEIGHT - BOTTOM, TOP, log=self.log)


def drawable(values: Sequence[float]) -> Array:
    """The values as floats, NaN for those of no use in a chart: an axis as long as 1e100 shows nothing else."""
    found = np.array(values, float)
    found[~(np.abs(found) < 1e100)] = math.nan
    return found


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` in places from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Where a value is drawn; NaN if it can't be."""
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low) if value > 0 else math.nan
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, *, whole: bool = False) -> list[float]:
        """About six round values: 1, 2 or 5 times a power of ten apart. whole: no fractions, as of epochs."""
        if self.log:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1, max(1, (last - first + 4) // 5))]
        rough = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
        step = max(step, 1.0) if whole else step
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(n * step, 12) for n in range(first, last + 1)]


def path(across: Axis, up: Axis, places: Array, values: Array) -> str:
    """The d of a <path> through the points. It begins anew after what can't be drawn."""
    steps, pen = [], "M"
    for x, y in zip(places, map(up, values), strict=True):
        if math.isnan(y):
            pen = "M"
        else:
            steps.append(f"{pen}{across(x):g} {y:g}")
            pen = "L"
    return "".join(steps)


def dots(across: Axis, up: Axis, places: Array, values: Array) -> str:
    """The same for points without neighbours, of which a line shows nothing: strokes of no length, with round ends."""
    heights = [math.nan, *map(up, values), math.nan]
    lone = [math.isnan(heights[n]) and math.isnan(heights[n + 2]) for n in range(len(values))]
    points = zip(places, heights[1:-1], lone, strict=True)
    return "".join(f"M{across(x):g} {y:g}h0" for x, y, alone in points if alone and not math.isnan(y))


def bars(across: Axis, up: Axis, values: Array) -> list[tuple[float, float, float, float]]:
    """x, y, width and height of each bar."""
    floor, width = up(max(up.low, 0.0)), round(0.8 * (across(1) - across(0)), 1)
    tops = [up(value) if math.isfinite(value) else floor for value in values]
    return [(round(across(n) - width / 2, 1), top, width, round(floor - top, 1)) for n, top in enumerate(tops)]
