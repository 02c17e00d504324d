"""What several seeds of the experiment say together: a table, a line of advice, and a plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..io.plots import new_figure, save_figure
from .experiment import ARMS

NAMES = {
    "real": "real pictures",
    "shifts": "real + shifts and small rotations",
    "generated": "real + generated",
    "all": "all three",
}


class Mean(NamedTuple):
    """Of some seeds, with its standard error; NaN of one seed."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.1f}" if math.isnan(self.error) else f"{self.value:.1f} +- {self.error:.1f}"


def mean(values: Sequence[float]) -> Mean:
    array = np.asarray(values, float)
    error = float(array.std(ddof=1) / math.sqrt(len(array))) if len(array) > 1 else math.nan
    return Mean(float(array.mean()), error)


def percent(seeds: Sequence[dict[str, Any]], arm: str, of: str = "test") -> list[float]:
    """Of each seed, what an arm told right."""
    return [100 * seed["arms"][arm][of] for seed in seeds]


def table(seeds: Sequence[dict[str, Any]]) -> str:
    """A line per arm: test accuracy of each seed and their mean, and what validation chose."""
    lines = [
        f"| trained on | {' | '.join('seed ' + str(seed['seed']) for seed in seeds)} | mean | generated share |",
        "|" + " --- |" * (len(seeds) + 3),
    ]
    for arm in ARMS:
        shares = sorted({seed["arms"][arm]["share"] for seed in seeds})
        chosen = "" if shares == [0] else ", ".join(f"{share:g}" for share in shares)
        each = " | ".join(f"{value:.1f}" for value in percent(seeds, arm))
        lines.append(f"| {NAMES[arm]} | {each} | {mean(percent(seeds, arm))} % | {chosen} |")
    return "\n".join(lines)


def gain(seeds: Sequence[dict[str, Any]]) -> tuple[Mean, str, str]:
    """What the better mixture with generated pictures gains over the better without, in points, seed by seed; and which
    arms these are. Which mixture is better, validation says; which of the others is, the test itself, so that a doubt
    never speaks for the generated pictures.
    """
    with_generated, without = (
        max(arms, key=lambda arm: mean(percent(seeds, arm, of)).value)
        for arms, of in ((ARMS[2:], "validation"), (ARMS[:2], "test"))
    )
    differences = np.subtract(percent(seeds, with_generated), percent(seeds, without))
    return mean(differences.tolist()), with_generated, without


def advice(seeds: Sequence[dict[str, Any]]) -> str:
    """One line: whether to use generated pictures."""
    found, with_generated, without = gain(seeds)
    between = f"{NAMES[with_generated]}, against {NAMES[without]}"
    instead = "use shifts and small rotations" if without == "shifts" else "use the real pictures alone"
    if math.isnan(found.error):
        return f"one seed says nothing yet: {found.value:+.1f} points ({between}); run more"
    if found.value > found.error:
        return f"generated pictures helped by {found} points ({between})"
    if found.value >= -found.error:
        return f"generated pictures made no difference that could be told: {found} points ({between}); {instead}"
    return f"generated pictures did not help: {found} points ({between}); {instead}"


def save_plot(path: Path, seeds: Sequence[dict[str, Any]], title: str) -> None:
    """A point per seed, the mean and its standard error, arm by arm."""
    figure = new_figure(7, 3)
    axes = figure.subplots()
    for place, arm in enumerate(reversed(ARMS)):
        values, (middle, error) = percent(seeds, arm), mean(percent(seeds, arm))
        axes.plot(values, [place] * len(values), "o", color="0.7", markersize=5)
        axes.errorbar(middle, place, xerr=0 if math.isnan(error) else error, fmt="o", color=f"C{3 - place}", capsize=4)
    axes.set_yticks(range(len(ARMS)), [NAMES[arm] for arm in reversed(ARMS)])
    axes.set(title=title, xlabel="test pictures told right, %; a grey point is a seed")
    axes.grid(axis="x", alpha=0.3)
    save_figure(path, figure)
