"""The floor of a training step: how long its matrix products alone take on this machine, and one pass over the moments.

No step of the same networks, batch and optimizer can be faster with the same library of matrix products. So what a step
takes beyond its floor is everything else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any

from ..backend import Array
from ..network import Network
from ..optim import Optimizer
from .gan_trainer import Trainer

Product = tuple[Callable[..., Array], Array, Array, Array]
"""matmul or dot, and a, b and out of out = a @ b. They are work arrays, so they can be multiplied again."""
ROUNDS = 10


class RecordingModule:
    """NumPy or CuPy, keeping the operands of every product."""

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        self.products: list[Product] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.xp, name)

    def matmul(self, a: Array, b: Array, out: Array | None = None) -> Array:
        return self._multiply(self.xp.matmul, a, b, out)

    def dot(self, a: Array, b: Array, out: Array | None = None) -> Array:
        return self._multiply(self.xp.dot, a, b, out)

    def _multiply(self, multiply: Callable[..., Array], a: Array, b: Array, out: Array | None) -> Array:
        product = multiply(a, b, out=out)
        self.products.append((multiply, a, b, product))
        return product


def copied_vectors(network: Network, optimizer: Optimizer) -> tuple[Array, Array]:
    """A source and a target. An update reads parameters, gradients and k moments, and writes parameters and moments:
    3 + 2 k vectors. A copy reads one and writes one.
    """
    size = (3 + 2 * len(optimizer.moment_names)) * network.param_count // 2
    return network.xp.ones(size, dtype=network.dtype), network.xp.zeros(size, dtype=network.dtype)


def floor_ms(trainer: Trainer) -> float:
    """Milliseconds: the best of ROUNDS rounds of a step's products and copies, on NumPy. Takes about twelve steps.

    A trainer like this one makes two steps on a few of its images, so nothing of the run changes.
    """
    recording = copy(trainer.backend)
    recording.xp = module = RecordingModule(trainer.backend.xp)
    batch = trainer.batches.batch_size
    images, labels = trainer.on_device["images"][:batch], trainer.labels
    options: dict[str, Any] = {"seed": 0, "batch_size": batch, "backend": recording, "dtype": trainer.dtype}
    of_images = None if labels is None else labels[:batch]
    like = Trainer(replace(trainer.recipe, images=None), images, labels=of_images, **options)
    like.step()  # work arrays have been allocated, and keep their places
    module.products.clear()
    like.step()
    copies = [copied_vectors(network, trainer.recipe.optimizer) for network in (trainer.D, trainer.G)]
    best = min(_seconds(module.products, copies) for _ in range(ROUNDS))
    return round(1000 * best, 4)


def _seconds(products: list[Product], copies: list[tuple[Array, Array]]) -> float:
    started = time.perf_counter()
    for multiply, a, b, out in products:
        multiply(a, b, out=out)
    for source, target in copies:
        target[...] = source
    return time.perf_counter() - started
