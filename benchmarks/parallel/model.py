"""How long a step takes with 1 to 1,024 workers: a model, fitted and checked with 1 to 4 here.

    python -m benchmarks.parallel.model          measures, and writes benchmarks/results/workers_model.json
    python -m benchmarks.parallel.model --curve  measures nothing, and computes the curve anew from that file

    T(p) = fixed + rows B / p + draws B          computing this worker's rows; what every worker draws for all rows
         + sums log2(p) alpha                    BatchNorm's small sums, and the two messages with a step's decisions
         + 4 (p - 1) alpha + 2 (p - 1) / p bytes beta      two gradients, in blocks: to their owner, and back to all;
                                                           with two workers, who exchange them whole, 2 alpha
         + reports                               rank 0's pictures and checkpoint, at most one in two seconds

Fitted are fixed and rows (one worker's least processor time, several batches), alpha and beta (two workers, sums of
several lengths, the least of 200). Where there are fewer cores than workers, times are multiplied by workers per core.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from nanogan.commands.arguments import Parser
from nanogan.norm import BatchNorm

from .launch import RESULTS, launch, save
from .worker import Job

FILE = "workers_model.json"
CORES = 2
SMALL: dict[str, Any] = {"recipe": "vanilla", "width": 16}
"""What is checked: steps so short that some are undisturbed by other work on the machine."""
BATCHES = (16, 32, 64, 128)
DELAYS = (0.0, 10.0, 100.0)  # us per message
NETWORKS: dict[str, dict[str, Any]] = {
    "the default, 28 x 28": {"recipe": "nanogan"},
    "DCGAN, 64 x 64 colour": {"recipe": "dcgan", "image_shape": [64, 64, 3]},
    "DCGAN, 128 x 128 colour, 4 times the width": {"recipe": "dcgan", "image_shape": [128, 128, 3], "width": 256},
}
BATCHES_AND_STEPS = dict(zip(NETWORKS, (((16, 64), 6), ((4, 16), 3), ((2, 4), 1)), strict=True))
CLUSTERS = {"InfiniBand, 100 Gbit/s": (2e-6, 1 / 12.5e9), "Ethernet, 10 Gbit/s": (30e-6, 1 / 1.25e9)}
"""Seconds per message and per byte: what such networks are sold with, not measured here."""
IMAGES = 60_000


@dataclass
class Step:
    """What a step of one pair of networks consists of, in seconds, and what it sends."""

    fixed: float
    per_row: float
    draws_per_row: float
    sums: float
    bytes: float
    report: float

    def parts(self, workers: int, batch: int, alpha: float, beta: float) -> dict[str, float]:
        """The terms of T, in seconds."""
        small = self.sums * math.ceil(math.log2(workers)) * alpha if workers > 1 else 0.0
        moved = 2 * (workers - 1) / workers * self.bytes * beta
        found = {
            "computes": self.fixed + self.per_row * batch / workers,
            "draws": self.draws_per_row * batch,
            "small sums": small,
            "gradients": (2 if workers == 2 else 4 * (workers - 1)) * alpha + moved,
        }
        epoch = max(IMAGES / batch, 1) * sum(found.values())
        found["reports"] = sum(found.values()) * self.report / max(epoch, 2.0)
        return found

    def seconds(self, workers: int, batch: int, alpha: float, beta: float) -> float:
        return sum(self.parts(workers, batch, alpha, beta).values())


def line(x: list[float], y: list[float]) -> tuple[float, float]:
    """Intercept and slope of the line through the points, neither below 0."""
    slope, intercept = np.polyfit(x, y, 1)
    return max(float(intercept), 0.0), max(float(slope), 0.0)


def fitted(network: dict[str, Any], batches: tuple[int, ...], steps: int) -> tuple[Step, list[dict[str, Any]]]:
    """The step of a network, from one worker and several batches."""
    rows = launch(1, 1, [{**network, "batch_size": batch, "steps": steps} for batch in batches])
    fixed, per_row = line(list(map(float, batches)), [row["cpu_ms"] / 1e3 for row in rows])
    trainer = Job(**network, batch_size=batches[0], steps=1).trainer()
    drawn = np.empty((4096, trainer.recipe.noise_size), np.float32)
    draws = 2 * seconds(lambda: trainer.recipe.draw_noise(trainer.rng, drawn)) / len(drawn)
    norms = [sum(isinstance(layer, BatchNorm) for layer in net.layers) for net in (trainer.G, trainer.D)]
    # A pass is two sums forward and one backward. G: two forward, one back. D: real, fake and G's step, each both ways.
    sums = 5 * norms[0] + 9 * norms[1] + 2
    size = 4 * (trainer.G.param_count + trainer.D.param_count)
    with tempfile.TemporaryDirectory() as folder:

        def report() -> None:
            trainer.sample()
            trainer.save(Path(folder) / "checkpoint.npz")

        step = Step(fixed, max(per_row - draws, 0.0), draws, sums, size, seconds(report))
    return step, rows


def seconds(work: Any) -> float:
    """The least of three."""
    found = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def checked(step: Step, alpha: float, beta: float, batch: int) -> list[dict[str, Any]]:
    """Steps of 1 to 4 workers here, with delays, beside what the model says."""
    rows = []
    for workers in (1, 2, 3, 4):
        jobs = [{**SMALL, "batch_size": batch, "steps": 200, "delay": delay} for delay in DELAYS]
        for found in launch(workers, 1, jobs if workers > 1 else jobs[:1]):
            predicted = step.seconds(workers, batch, alpha + found["delay"] / 1e6, beta) * max(1, workers / CORES)
            rows.append(
                {
                    "workers": workers,
                    "delay_us": found["delay"],
                    "messages": found.get("messages", 0),
                    "measured_ms": found["least_ms"],
                    "model_ms": 1e3 * predicted,
                }
            )
    return rows


def curve(steps: dict[str, Step]) -> list[dict[str, Any]]:
    """For each network, cluster and number of workers: the least batch with 80 % efficiency, and its step."""
    rows = []
    for name, step in steps.items():
        for cluster, (alpha, beta) in CLUSTERS.items():
            for workers in (2**power for power in range(1, 11)):
                rows.append(
                    {"network": name, "cluster": cluster, "workers": workers, **least(step, workers, alpha, beta)}
                )
    return rows


def efficiency(step: Step, workers: int, batch: int, alpha: float, beta: float) -> float:
    return step.seconds(1, batch, 0, 0) / workers / step.seconds(workers, batch, alpha, beta)


def least(step: Step, workers: int, alpha: float, beta: float) -> dict[str, Any]:
    """None if not even a million rows per worker are enough."""
    at_64 = efficiency(step, workers, max(64, workers), alpha, beta)
    for rows in (round(2 ** (power / 4)) for power in range(0, 81)):
        if efficiency(step, workers, rows * workers, alpha, beta) >= 0.8:
            parts = {part: 1e3 * value for part, value in step.parts(workers, rows * workers, alpha, beta).items()}
            return {"efficiency_at_64": at_64, "batch": rows * workers, "parts_ms": parts}
    parts = {part: 1e3 * value for part, value in step.parts(workers, 64 * workers, alpha, beta).items()}
    best = max(efficiency(step, workers, 2**power * workers, alpha, beta) for power in range(20))
    return {"efficiency_at_64": at_64, "batch": None, "best": best, "parts_ms_of_64_rows_each": parts}


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["| network | cluster | 4 workers | 16 | 64 | 256 | 1,024 |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for network in dict.fromkeys(row["network"] for row in rows):
        for cluster in CLUSTERS:
            of = {row["workers"]: row for row in rows if (row["network"], row["cluster"]) == (network, cluster)}
            cells = [
                f"{of[p]['batch']:,}" if of[p]["batch"] else f"never; {of[p]['best']:.0%}"
                for p in (4, 16, 64, 256, 1024)
            ]
            lines.append(f"| {network} | {cluster} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    parser = Parser(prog="python -m benchmarks.parallel.model", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--curve", action="store_true", help="measure nothing, compute the curve anew")
    parser.add_argument("--only", choices=("fit", "check", "networks"), help="measure this part, keep the others")
    args = parser.parse_args()
    path = RESULTS / FILE
    result = json.loads(path.read_text()) if path.exists() else {}
    if not args.curve:
        measure(result, args.only)
    steps = {name: Step(**step) for name, step in result.get("networks", {}).items()}
    result["curve"] = curve(steps)
    save(FILE, result)
    print(table(result["curve"]))
    return 0


def measure(result: dict[str, Any], only: str | None) -> None:
    """Fill in what is measured."""
    if only in (None, "fit"):
        step, rows = fitted(SMALL, BATCHES, 100)
        times = launch(2, 1, [{"recipe": "sums", "batch_size": size, "steps": 200} for size in (256, 2**18, 2**20)])
        alpha = times[0]["least_ms"] / 1e3
        two_blocks = [row["least_ms"] / 1e3 for row in times[1:]]
        beta = (two_blocks[1] - two_blocks[0]) / (4 * (2**20 - 2**18))  # 2 (p - 1) / p = 1 for two
        result["fit"] = {"step": asdict(step), "one worker": rows, "sums": times, "alpha": alpha, "beta": beta}
        result["machine"] = {**machine.facts(1, "numpy"), "load": machine.load(), "cores": os.cpu_count()}
    if only in (None, "check"):
        fit = result["fit"]
        result["check"] = checked(Step(**fit["step"]), fit["alpha"], fit["beta"], 64)
    if only in (None, "networks"):
        for name, network in NETWORKS.items():
            step, rows = fitted(network, *BATCHES_AND_STEPS[name])
            result.setdefault("networks", {})[name] = asdict(step)
            result.setdefault("steps of one worker", {})[name] = rows
            save(FILE, result)


if __name__ == "__main__":
    sys.exit(main())
