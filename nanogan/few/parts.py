"""Labelled pictures in three parts that never meet: a pool to train on, a validation part to choose by, a test part.

The parts are the same for every seed; a seed chooses its few pictures from the pool.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array, Shape
from ..data import idx
from ..data.folders import files_below
from ..data.images import MNIST_FOLDER, Images, load_mnist, read_images
from ..errors import InputError
from ..io.files import one_line

TEST, VALIDATION = 0.3, 0.1
"""The shares of each class that are for the test and for validation, if the data have no test part of their own."""
MOST_VALIDATION = 50
"""Pictures of a class to choose by; more make a choice slow, and nobody who has few has many of them."""
SPLIT_SEED = 0


@dataclass(frozen=True)
class Part:
    """images: (N, H, W, C), float32 in [0, 1]. labels: (N,), whole numbers from 0."""

    images: Array
    labels: Array

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Array) -> Part:
        return Part(self.images[rows], self.labels[rows])


@dataclass(frozen=True)
class Parts:
    """description: one line on what was found, and how it was split. warning: what could not be read, or None."""

    pool: Part
    validation: Part
    test: Part
    class_names: tuple[str, ...]
    description: str
    warning: str | None = None

    @property
    def shape(self) -> Shape:
        return self.pool.images.shape[1:]

    def expect(self, per_class: int) -> None:
        """Raise InputError, naming the class, if one has fewer pictures in the pool."""
        counts = np.bincount(self.pool.labels, minlength=len(self.class_names))
        for name, count in zip(self.class_names, counts, strict=True):
            if count < per_class:
                raise InputError(
                    f"class {one_line(name)!r}: {count} pictures are left to train on, after those for validation and "
                    f"test, and --per-class asks for {per_class}; choose fewer, or leave out the class"
                )

    def few(self, per_class: int, rng: np.random.Generator) -> Part:
        """So many pictures of each class, drawn from the pool, which has them."""
        of_classes = (np.flatnonzero(self.pool.labels == label) for label in range(len(self.class_names)))
        return self.pool.take(np.concatenate([rng.permutation(rows)[:per_class] for rows in of_classes]))


def read_parts(path: str | None, wanted: Callable[[Shape], Shape], **options: Any) -> Parts:
    """The pictures at `path`, or MNIST, in parts. wanted: from their natural shape to that which they are to have.

    options: of `read_images`. Raises InputError if there are no pictures, no labels, or fewer than two classes.
    """
    folder = str(MNIST_FOLDER) if path is None else path
    found = read_images(folder, wanted, **options)
    if found.labels is None or found.class_names is None or len(found.class_names) < 2:
        raise InputError(
            f"{one_line(folder)}: no classes found, and a classifier needs at least two: a folder for each class, or "
            "labels beside the images"
        )
    everything = Part(found.scaled((0, 1)), found.labels.astype(np.int64))
    test = _own_test_part(Path(folder), found)
    train, tested = (everything, test) if test else _split(everything, TEST)
    pool, validation = _split(train, VALIDATION if test else VALIDATION / (1 - TEST), at_most=MOST_VALIDATION)
    how = f"{len(pool):,} to train on, {len(validation):,} to choose by, {len(tested):,} for the test" + (
        "" if test else " (drawn by chance, the same for every seed)"
    )
    return Parts(pool, validation, tested, found.class_names, f"{found.description}; {how}", found.warning)


def _own_test_part(folder: Path, found: Images) -> Part | None:
    """The test part of MNIST, or of files like its, if they are there and the pictures were taken as they are."""
    if not folder.is_dir() or idx.find_images(files_below(folder), "test") is None:
        return None
    images, labels = load_mnist("test", scale=(0, 1), folder=folder)
    return Part(images, labels.astype(np.int64)) if images.shape[1:] == found.shape else None


def _split(part: Part, share: float, *, at_most: int | None = None) -> tuple[Part, Part]:
    """All but this share of each class, and this share, of which at least one picture and at most `at_most`."""
    rng, kept, taken = np.random.default_rng(SPLIT_SEED), [], []
    for label in np.unique(part.labels):
        rows = rng.permutation(np.flatnonzero(part.labels == label))
        count = min(max(1, round(share * len(rows))), at_most or len(rows))
        taken.append(rows[:count])
        kept.append(rows[count:])
    return part.take(np.sort(np.concatenate(kept))), part.take(np.sort(np.concatenate(taken)))
