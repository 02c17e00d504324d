"""Mixtures of Gaussians in the plane, where the modes that a GAN loses can be counted: the data, and the count.

The ring and the grid of VEEGAN and PacGAN; `examples/ring.py` trains on them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..backend import Array
from ..errors import InputError, ShapeError
from ..settings import generator
from .samples import squared_distances


class Mixture(NamedTuple):
    """Equal round Gaussians in the plane: centres (K, 2) and their common standard deviation."""

    centres: Array
    sigma: float

    def sample(self, n: int, rng: np.random.Generator | int) -> Array:
        """n points (n, 2): a random centre, plus noise. rng: a generator, or a seed."""
        rng = generator(rng)
        return self.centres[rng.integers(len(self.centres), size=n)] + self.sigma * rng.standard_normal((n, 2))


_ANGLES = 2 * math.pi * np.arange(8) / 8
RING = Mixture(np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1), 0.01)
GRID = Mixture(np.stack(np.meshgrid(np.arange(-4.0, 5, 2), np.arange(-4.0, 5, 2)), axis=-1).reshape(25, 2), 0.05)


class Modes(NamedTuple):
    """What `modes` returns: modes hit, and the share of high-quality samples in [0, 1]."""

    hit: int
    high_quality: float


def modes(mixture: Mixture, samples: Array) -> Modes:
    """How many modes of a mixture the samples (N, 2) hit, and how many samples are good.

    A sample is of high quality within 3 sigma of the nearest centre, in the plane a perfect sampler's share of
    1 - exp(-9/2) = 98.89 %. A mode counts if it is nearest to at least one high-quality sample.
    Raises ShapeError or InputError on anything but finite points.

    Source: Srivastava et al. 2017 (VEEGAN), section 4.1; Lin et al. 2018 (PacGAN), with 2,500 samples: ring, a plain
    GAN 6.3 +- 0.5 modes and 98.2 +- 0.2 %, PacGAN2 7.9 +- 0.1 and 95.6 +- 2.0; grid, a plain GAN 17.3 +- 0.8
    and 94.8 +- 0.7, PacGAN4 24.8 +- 0.2 and 93.6 +- 0.6.
    """
    if samples.ndim != 2 or samples.shape[1] != 2 or len(samples) == 0:
        raise ShapeError(f"modes: expected samples of shape (N, 2), got {samples.shape}")
    if not np.isfinite(samples).all():
        raise InputError("modes: NaN or infinity among the samples; the generator has diverged")
    distances = squared_distances(samples.astype(np.float64), mixture.centres)
    nearest = distances.argmin(axis=1)
    good = distances.min(axis=1) <= (3 * mixture.sigma) ** 2
    return Modes(len(np.unique(nearest[good])), float(good.mean()))
