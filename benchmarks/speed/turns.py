"""Contenders by turns: A B C A B C ..., each in a process of its own, after all were seen to compute the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from .contenders import KERAS, OURS
from .reference import Missing, Setup
from .worker import Worker

TOLERANCE = {
    **dict.fromkeys(KERAS, 1e-2),  # Keras adds Adam's eps before it corrects v's bias, and 1e-7 is not small enough
}
"""How far a contender's losses may be from the reference's, relatively; 1e-3 for all others: float32, three steps."""


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
        self.times: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
        for name in names:
            self._start(name)

    def _start(self, name: str) -> None:
        worker = Worker(name, self.setup)
        try:
            self.facts[name] = worker.ask("start")
            losses = worker.ask("check")
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

    def time(self, rounds: int) -> None:
        for _ in range(rounds):
            for name, worker in self.workers.items():
                self.times[name].append(worker.ask("time"))

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()

    def result(self) -> dict[str, Any]:
        """Milliseconds as [first quartile, median, third quartile]; how often nanogan's step fits into each of the
        others', likewise, from the rounds one by one; nanogan's floor and the share of it that is reached.
        """
        parts: dict[str, dict[str, Any]] = {
            name: {part: quartiles([times[part] for times in rounds]) for part in rounds[0]}
            for name, rounds in self.times.items()
        }
        ours = self.times[OURS]
        return {
            "workload": self.setup.recipe.name,
            "batch_size": self.setup.batch_size,
            "rounds": len(ours),
            "ms": {name: part["step"] for name, part in parts.items()},
            "speedup": {
                name: quartiles([a["step"] / b["step"] for a, b in zip(rounds, ours, strict=True)])
                for name, rounds in self.times.items()
            },
            "floor_ms": quartiles([times["products"] + times["copy"] for times in ours]),
            "share_of_floor": quartiles([(times["products"] + times["copy"]) / times["step"] for times in ours]),
            "parts_ms": {name: part for name, part in parts.items() if len(part) > 1},
            "facts": self.facts[OURS],
            "peak_MB": {name: round(facts["peak_MB"], 1) for name, facts in self.facts.items()},
            "largest_difference": self.differences,
            "left_out": self.left_out,
        }


def quartiles(values: list[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in np.quantile(values, (0.25, 0.5, 0.75))]


def measure(setup: Setup, names: Iterable[str], rounds: int) -> dict[str, Any]:
    """The result for these contenders. Raises OtherLosses."""
    turns = Turns(setup, names)
    try:
        turns.time(rounds)
        return turns.result()
    finally:
        turns.close()
