"""Workers that are threads of one process, and add in the order of their ranks: what those of MPI are held to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from nanogan.backend import Array
from nanogan.training.trainer import BaseTrainer
from nanogan.workers import Workers


class ThreadWorkers(Workers):
    """One of several threads that run the same program."""

    def __init__(self, rank: int, size: int, held: list[Any], barrier: threading.Barrier) -> None:
        self.rank, self.size, self.held, self.barrier = rank, size, held, barrier
        self.names = [f"rank {rank}" for rank in range(size)]

    def sum(self, array: Array) -> Array:
        first, *others = self.gather(array.copy())
        total = first.copy()
        for part in others:
            total += part
        array[...] = total
        return array

    def gather(self, value: Any) -> list[Any]:
        self.held[self.rank] = value
        self.barrier.wait()
        everybody = list(self.held)
        self.barrier.wait()
        return everybody


def train(make: Callable[[], BaseTrainer], size: int, steps: int, **options: Any) -> list[BaseTrainer]:
    """The trainers of so many workers, after so many steps."""
    held, barrier = [None] * size, threading.Barrier(size, timeout=60)

    def work(rank: int) -> BaseTrainer:
        try:
            trainer = make()
            trainer.share(ThreadWorkers(rank, size, held, barrier), **options)
            for _ in range(steps):
                trainer.step()
        except BaseException:
            barrier.abort()  # the others would wait for this one
            raise
        return trainer

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(work, range(size)))
