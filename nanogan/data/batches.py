"""A data set in parts, and in shuffled batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..backend import Array
from ..errors import InputError
from ..settings import generator, setting


def train_test_split(images: Array, test: float = 0.2, *, rng: np.random.Generator | int) -> tuple[Array, Array]:
    """Two disjoint random parts of `images`, in random order: all but the share `test`, and that share."""
    if not 0 < test < 1 or not 0 < round(len(images) * test) < len(images):
        raise InputError(f"train_test_split: a share of {test} leaves one part of {len(images)} images empty")
    order = generator(rng).permutation(len(images))
    held_out = round(len(images) * test)
    return images[order[held_out:]], images[order[:held_out]]


class Batches:
    """Shuffled batches of indices 0..count-1, epoch after epoch; the last, partial batch of an epoch is dropped.

    The position is two attributes, `order` (this epoch's shuffle) and `position` (indices already given), so it can be
    saved in the middle of an epoch and continued exactly. Raises InputError if there are fewer images than a batch has.
    """

    def __init__(self, count: int, batch_size: int, rng: np.random.Generator | int) -> None:
        batch_size, rng = setting("int", "batch size", batch_size), generator(rng)
        if batch_size < 1:
            raise InputError(f"batch size {batch_size}: expected at least 1")
        if batch_size > count:
            raise InputError(
                f"batch size {batch_size} is larger than the data set of {count} images: choose a smaller one"
            )
        self.batch_size, self.rng = batch_size, rng
        self.steps_per_epoch = count // batch_size
        self.order = rng.permutation(count)
        self.position = 0

    def __iter__(self) -> Iterator[Array]:
        while True:
            yield self.next()

    def next(self) -> Array:
        """Indices (batch_size,) of the next batch; shuffles when an epoch is over."""
        if self.position + self.batch_size > len(self.order):
            self.order = self.rng.permutation(len(self.order))
            self.position = 0
        rows = self.order[self.position : self.position + self.batch_size]
        self.position += self.batch_size
        return rows

    def stand_after(self, steps: int) -> None:
        """Take the position that so many calls of `next` lead to."""
        of_epoch = steps - max(steps - 1, 0) // self.steps_per_epoch * self.steps_per_epoch
        self.position = of_epoch * self.batch_size
