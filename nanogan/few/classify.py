"""The classifier that few pictures are judged by, what it is trained on, and small shifts and rotations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..backend import Array, Shape
from ..conv import Conv2d
from ..layers import Dropout, Linear, ReLU
from ..metrics.classifier import predict, train_classifier
from ..network import Network
from ..norm import BatchNorm
from ..reshape import Flatten
from .parts import Part

BATCH = 50
MOST_SHIFT = 2 / 28
"""Of the height or width: 2 pixels of MNIST's 28."""
MOST_DEGREES = 12.0
"""A 6 turned farther looks less and less like one."""

Change = Callable[[Array, np.random.Generator], Array]


def classifier(shape: Shape, classes: int, rng: np.random.Generator) -> Network:
    """Two convolutions that halve the image, a hidden layer with dropout, a logit for each class."""
    height, width = (math.ceil(math.ceil(size / 2) / 2) for size in shape[:2])
    layers = [
        *(Conv2d(shape[-1], 16, 5, stride=2, padding=2), BatchNorm(16), ReLU()),
        *(Conv2d(16, 32, 5, stride=2, padding=2), BatchNorm(32), ReLU()),
        *(Flatten(), Dropout(0.5), Linear(height * width * 32, 64), ReLU(), Linear(64, classes)),
    ]
    return Network(layers, shape, rng=rng)


def trained(
    parts: Sequence[Part],
    classes: int,
    *,
    lr: float,
    steps: int,
    rng: np.random.Generator,
    change: Change | None = None,
) -> Network:
    """A classifier after so many steps on each of these parts in turn. change: what pictures go through, each time."""
    network = classifier(parts[0].images.shape[1:], classes, rng)
    for part in parts:
        batch = min(BATCH, len(part))
        epochs = max(1, steps // (len(part) // batch))
        train_classifier(network, part.images, part.labels, epochs=epochs, lr=lr, rng=rng, batch=batch, change=change)
    return network


def accuracy(network: Network, part: Part) -> float:
    """The share of the part that is told right."""
    return float((predict(network, part.images) == part.labels).mean())


def mixture(real: Part, generated: Part, share: float, size: int, rng: np.random.Generator) -> Part:
    """`size` pictures, of which this share is generated; the real ones are repeated as often as it takes."""
    count = round(share * size)
    rows = rng.choice(len(generated), count, replace=count > len(generated))
    again = np.resize(rng.permutation(len(real)), size - count)
    chosen = (real.take(again), generated.take(rows))
    return Part(np.concatenate([part.images for part in chosen]), np.concatenate([part.labels for part in chosen]))


def shifted_and_turned(images: Array, rng: np.random.Generator) -> Array:
    """Images (N, H, W, C), each shifted by up to MOST_SHIFT of its sides and turned by up to MOST_DEGREES.

    A pixel is read between four others (bilinear); beyond the edge, the pixels of the edge go on.
    """
    n, height, width, _ = images.shape
    angle = np.radians(rng.uniform(-MOST_DEGREES, MOST_DEGREES, (n, 1, 1)))
    down, right = rng.uniform(-MOST_SHIFT, MOST_SHIFT, (2, n, 1, 1)) * np.array([height, width]).reshape(2, 1, 1, 1)
    i, j = np.arange(height)[:, None] - (height - 1) / 2, np.arange(width) - (width - 1) / 2  # from the middle
    rows = np.cos(angle) * i - np.sin(angle) * j + (height - 1) / 2 - down
    columns = np.sin(angle) * i + np.cos(angle) * j + (width - 1) / 2 - right
    rows, columns = rows.clip(0, height - 1), columns.clip(0, width - 1)
    top, left = (np.minimum(place.astype(int), size - 2) for place, size in ((rows, height), (columns, width)))
    y, x = (rows - top)[..., None], (columns - left)[..., None]
    at = np.arange(n)[:, None, None]
    upper = images[at, top, left] * (1 - x) + images[at, top, left + 1] * x
    lower = images[at, top + 1, left] * (1 - x) + images[at, top + 1, left + 1] * x
    return (upper * (1 - y) + lower * y).astype(images.dtype)
