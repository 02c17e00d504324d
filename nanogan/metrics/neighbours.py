"""Nearest training images: whether a generator draws what it has seen, or something new.

A generator that has learned its training set by heart gets the best of scores in all else. Its samples then lie nearer
to training images than real images that it hasn't seen do.
"""

from __future__ import annotations

import numpy as np

from ..backend import Array
from .samples import _blocks, _pair, squared_distances

PERCENT = 1.0
"""Of real images: so many lie nearer to a training image than the distance below which samples count as copies."""


def nearest(images: Array, train: Array) -> tuple[Array, Array]:
    """For each image (N, ...) the index of the nearest of the training images (M, ...), and its distance: (N,) both.

    The distance is Euclidean, in pixels in [0, 1].
    """
    x, y = _pair(images, train, np.float32)
    index, distance = np.empty(len(x), np.int64), np.empty(len(x))
    for rows in _blocks(len(x), len(y)):
        squares = squared_distances(x[rows], y)
        index[rows] = squares.argmin(axis=1)
        distance[rows] = np.sqrt(squares.min(axis=1))
    return index, distance


def copied_share(distances: Array, real_distances: Array) -> float:
    """The share of samples that lie nearer to a training image than 99 % of real, unseen images do.

    distances, real_distances: (N,), from samples, and from real images, to the nearest training image. The share is
    0.01 for samples as far away as real images are, and 1 for copies.
    """
    return float((distances < np.percentile(real_distances, PERCENT)).mean())
