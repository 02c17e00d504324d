"""What `speed.py` and `model.py` start with mpiexec: some steps of each of several trainings, timed.

    mpiexec -n 2 python -m mpi4py -m benchmarks.parallel.worker '[{"recipe": "nanogan", "batch_size": 64, "steps": 20}]'

Rank 0 prints a line of JSON for each: milliseconds of a step, and what it consists of.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nanogan.backend import Array
from nanogan.parallel.mpi import MPIWorkers
from nanogan.parallel.run import follow
from nanogan.parallel.world import world
from nanogan.recipes.mnist import get_recipe
from nanogan.training.gan_trainer import Trainer

WARM_UP = 2


@dataclass
class Job:
    """One training, or if `recipe` is "sums", nothing but sums of `batch_size` values.

    image_shape, width: None are the recipe's. delay: microseconds added to each message.
    apart: measure waiting and sums apart, which takes a barrier before each sum and a little longer.
    """

    recipe: str
    batch_size: int
    steps: int
    image_shape: list[int] | None = None
    width: int | None = None
    delay: float = 0.0
    apart: bool = False

    def trainer(self) -> Trainer:
        shape = tuple(self.image_shape or (28, 28, 1))
        recipe = replace(get_recipe(self.recipe, shape, width=self.width), images=None)
        low, high = recipe.pixels
        images = np.random.default_rng(0).uniform(low, high, (2 * self.batch_size, *shape)).astype(np.float32)
        return Trainer(recipe, images, seed=0, batch_size=self.batch_size)


class MeasuredWorkers(MPIWorkers):
    """MPI's workers with a slower network, who look at the clock and count what they send."""

    def __init__(self, workers: MPIWorkers, job: Job) -> None:
        super().__init__(workers.communicator)
        self.job = job
        self.restart()

    def restart(self) -> None:
        self.waiting = self.adding = 0.0
        self.messages, self.sums, self.bytes = 0, 0, 0

    def sum(self, array: Array) -> Array:
        began = time.perf_counter()
        if self.job.apart:
            self._wait(self.communicator.Ibarrier())
            self.waiting += time.perf_counter() - began
        ready, self.sums, self.bytes = time.perf_counter(), self.sums + 1, self.bytes + array.nbytes
        super().sum(array)
        self.adding += time.perf_counter() - ready
        return array

    def _sum_by_blocks(self, array: Array) -> None:
        super()._sum_by_blocks(array)
        self._delay(2 * (self.size - 1) - 2 * self._rounds)  # `_wait` has counted two rounds

    def _wait(self, *requests: Any) -> None:
        super()._wait(*requests)
        if hasattr(self, "job"):
            self._delay(self._rounds)

    @property
    def _rounds(self) -> int:
        """Messages one after another of a small collective operation: a tree's."""
        return math.ceil(math.log2(self.size))

    def _delay(self, messages: int) -> None:
        self.messages += messages
        until = time.perf_counter() + messages * self.job.delay / 1e6
        while time.perf_counter() < until:
            pass


def measure(job: Job) -> dict[str, Any] | None:
    """On rank 0: the medians of a step, in milliseconds."""
    trainer, workers = job.trainer(), world()
    if isinstance(workers, MPIWorkers):
        workers = MeasuredWorkers(workers, job)
        trainer.share(workers)
        if workers.rank:
            follow(trainer)
            return None
    times, cpu = [], []
    for step in range(WARM_UP + job.steps):
        if step == WARM_UP and isinstance(workers, MeasuredWorkers):
            workers.restart()
        began, used = time.perf_counter(), time.process_time()
        trainer.step()
        times.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    found = {**vars(job), "workers": workers.size, "ms": 1e3 * statistics.median(times[WARM_UP:])}
    found["cpu_ms"] = 1e3 * min(cpu[WARM_UP:])  # the processor's time: other work hardly counts
    found |= least(times[WARM_UP:])
    if isinstance(workers, MeasuredWorkers):
        parts = {"waiting_ms": 1e3 * workers.waiting, "sums_ms": 1e3 * workers.adding, "bytes": workers.bytes}
        parts |= {"sums": workers.sums, "messages": workers.messages}
        found |= {name: value / job.steps for name, value in parts.items()}
        found["mean_ms"] = 1e3 * statistics.fmean(times[WARM_UP:])
    workers.announce("")
    return found


def sums(job: Job) -> dict[str, Any] | None:
    """On rank 0: how long a sum of batch_size float32 values over the workers takes, in milliseconds."""
    workers, values, times = world(), np.zeros(job.batch_size, np.float32), []
    for _ in range(job.steps):
        began = time.perf_counter()
        workers.sum(values)
        times.append(time.perf_counter() - began)
    return None if workers.rank else {**vars(job), **least(times)}


def least(times: list[float]) -> dict[str, float]:
    """Milliseconds that a tenth of the times stay below, and the least: what other work disturbs least."""
    return {"tenth_ms": 1e3 * float(np.percentile(times, 10)), "least_ms": 1e3 * min(times)}


def main() -> None:
    for job in (Job(**options) for options in json.loads(sys.argv[1])):
        if found := sums(job) if job.recipe == "sums" else measure(job):
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
