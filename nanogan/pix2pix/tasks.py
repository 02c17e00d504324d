"""What can be learned from digits alone: each task makes a condition of every digit, and a target.

They are functions of the digits and a generator of random numbers, so they are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..backend import Array

Task = Callable[[Array, np.random.Generator], tuple[Array, Array]]
"""Makes conditions and targets of digits (N, 28, 28, 1) in [0, 1]."""

BLOCK = 4
"""Side of the square that `restore` erases, in pixels: as wide as a thick stroke."""
NOISE = 0.25
"""Standard deviation of the noise that `restore` adds, in units of black to white."""


def restore(digits: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """A square of the digit erased, and noise added -> the digit.

    The square lies anywhere within the 20 x 20 pixels that a digit fills.
    """
    n, height, width, _ = digits.shape
    damaged = digits.copy()
    top, left = 4 + rng.integers(0, height - 7 - BLOCK, n), 4 + rng.integers(0, width - 7 - BLOCK, n)
    rows, columns = np.arange(height) - top[:, None], np.arange(width) - left[:, None]  # counted from the corner
    erased = ((rows >= 0) & (rows < BLOCK))[:, :, None] & ((columns >= 0) & (columns < BLOCK))[:, None, :]
    damaged[erased] = 0
    damaged += NOISE * rng.standard_normal(damaged.shape, dtype=np.float32)
    return damaged.clip(0, 1, out=damaged), digits


def super_resolution(digits: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """7 x 7 pixels, each the mean of 4 x 4 and drawn that large -> 28 x 28."""
    n, height, width, channels = digits.shape
    small = digits.reshape(n, height // 4, 4, width // 4, 4, channels).mean(axis=(2, 4))
    return small.repeat(4, axis=1).repeat(4, axis=2), digits


def edges(digits: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """The outline, that is the pixels of the digit that touch one outside it -> the digit."""
    inside = np.pad(digits > 0.5, ((0, 0), (1, 1), (1, 1), (0, 0)))
    core = inside[:, :-2, 1:-1] & inside[:, 2:, 1:-1] & inside[:, 1:-1, :-2] & inside[:, 1:-1, 2:]
    return (inside[:, 1:-1, 1:-1] & ~core).astype(digits.dtype), digits


def colour(digits: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Grey -> coloured, (N, 28, 28, 3): from blue over green to red, the more ink the digit has.

    Every pixel's brightness stays; to know the colour, one has to see the whole digit.
    """
    ink = digits.mean(axis=(1, 2, 3))
    warmth = ((ink - 0.05) / 0.15).clip(0, 1)  # 0.05 to 0.2 of the pixels: 97 % of the digits
    corners = np.array([[0, 0, 1], [0, 1, 1], [0, 1, 0], [1, 1, 0], [1, 0, 0]])  # of the colour wheel
    red, green, blue = (np.interp(warmth, np.linspace(0, 1, 5), corners[:, channel]) for channel in range(3))
    colours = np.stack([red, green, blue], axis=-1).astype(digits.dtype)
    return digits, digits * colours[:, None, None, :]


TASKS: dict[str, Task] = {
    "restore": restore,
    "super-resolution": super_resolution,
    "edges": edges,
    "colour": colour,
}
