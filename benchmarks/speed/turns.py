"""Contenders by turns: A B C A B C ..., each in a process of its own, after all were seen to compute the same.

A process is fast or slow for its whole life: where its arrays lie in memory, and which core it has, decide that. So all
are started anew several times, and what is compared are the contenders' processes of the same time, pair by pair.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

from .contenders import BEFORE, KERAS, OURS
from .reference import Missing, Setup
from .worker import Losses, Worker

TOLERANCE = {
    **dict.fromkeys(KERAS, 1e-2),  # Keras adds Adam's eps before it corrects v's bias, and 1e-7 is not small enough
}
"""How far a contender's losses may be from the reference's, relatively; 1e-3 for all others: float32, three steps."""


Times: TypeAlias = dict[str, dict[str, float]]
"""Milliseconds of each part, by contender."""


class OtherLosses(Exception):
    """A contender computes something else. Nothing is timed then."""


class Turns:
    """The contenders that can take part, started and checked; `left_out` says why the others can't."""

    def __init__(self, setup: Setup, names: Iterable[str]) -> None:
        self.setup = setup
        self.workers: dict[str, Worker] = {}
        self.left_out: dict[str, str] = {}
        self.facts: dict[str, dict[str, float]] = {}
        self.differences: dict[str, float] = {}
        for name in names:
            self._start(name)

    def _start(self, name: str) -> None:
        worker = Worker(name, self.setup)
        try:
            self.facts[name] = worker.ask("start")
            losses = self._compared_with_ours(name, worker.ask("check"))
        except Missing as reason:
            self.left_out[name] = str(reason)
            worker.close()
            return
        self.workers[name] = worker
        self.differences[name] = max(
            abs(got - expected) / abs(expected)
            for step_expected, step_got in losses
            for expected, got in zip(step_expected, step_got, strict=True)
        )
        if not self.differences[name] <= TOLERANCE.get(name, 1e-3):
            self.close()
            raise OtherLosses(f"{self.setup.recipe.name}: {name} computes other losses (reference, got): {losses}")

    def _compared_with_ours(self, name: str, losses: list[Losses]) -> list[Losses]:
        """A contender says (losses of the reference, losses got) for every step. Another nanogan's are both its own, so
        the first become those of this one.
        """
        if name == OURS:
            self.ours = [expected for expected, _ in losses]
        if name != BEFORE:
            return losses
        return [(expected, got) for expected, (_, got) in zip(self.ours, losses, strict=True)]

    def time(self, rounds: int) -> Times:
        """The median milliseconds of each contender's parts over the rounds."""
        times: dict[str, list[dict[str, float]]] = {name: [] for name in self.workers}
        for _ in range(rounds):
            for name, worker in self.workers.items():
                times[name].append(worker.ask("time"))
        return {
            name: {part: float(np.median([one[part] for one in found])) for part in found[0]}
            for name, found in times.items()
        }

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()


def measure(setup: Setup, names: Iterable[str], rounds: int, processes: int) -> dict[str, Any]:
    """The result for these contenders: so many processes of each, and in each so many rounds. Raises OtherLosses."""
    first, times = None, []
    for _ in range(processes):
        turns = Turns(setup, names)
        try:
            times.append(turns.time(rounds))
        finally:
            turns.close()
        first = first or turns
        names = list(turns.workers)
    assert first
    return {
        "workload": setup.recipe.name,
        "batch_size": setup.batch_size,
        "processes": processes,
        "rounds": rounds,
        **compared(times),
        "facts": first.facts[OURS],
        "peak_MB": {name: round(facts["peak_MB"], 1) for name, facts in first.facts.items()},
        "largest_difference": first.differences,
        "left_out": first.left_out,
    }


def compared(times: list[Times]) -> dict[str, Any]:
    """Milliseconds as [lowest, median, highest] of the processes; how often nanogan's step fits into each of the
    others', likewise, from processes of the same time; nanogan's floor and the share of it that is reached.
    """
    parts = {
        name: {part: lowest_to_highest([one[name][part] for one in times]) for part in found}
        for name, found in times[0].items()
    }
    ours = [one[OURS] for one in times]
    floors = [one["products"] + one["copy"] for one in ours]
    return {
        "ms": {name: found["step"] for name, found in parts.items()},
        "speedup": {
            name: lowest_to_highest([one[name]["step"] / one[OURS]["step"] for one in times]) for name in parts
        },
        "floor_ms": lowest_to_highest(floors),
        "share_of_floor": lowest_to_highest([floor / one["step"] for floor, one in zip(floors, ours, strict=True)]),
        "parts_ms": {name: found for name, found in parts.items() if len(found) > 1},
    }


def lowest_to_highest(values: list[float]) -> list[float]:
    """[lowest, median, highest]"""
    return [float(f"{value:.4g}") for value in np.quantile(values, (0, 0.5, 1))]
