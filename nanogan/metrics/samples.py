"""Numbers for the quality of samples: pure functions on NumPy arrays on the host.

Each compares samples with real data, and none knows where the samples came from: `evaluation.py` runs them all on one
set of generated digits. Where a formula needs every pair of a sample and a real point, the pairs are taken in blocks of
rows, each one matrix product, so 10,000 against 10,000 takes seconds and never more than `BLOCK` distances of memory.

One number alone misleads: the Frechet distance mixes quality and variety, precision sees quality only, coverage and NDB
see lost variety, and a high Parzen likelihood can be had with bad samples (Theis et al. 2016). Read them together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..backend import Array
from ..errors import InputError, ShapeError
from ..settings import generator

BLOCK = 2**23
"""Distances held at a time: 64 MiB in float64."""


# ---- distances


def squared_distances(x: Array, y: Array) -> Array:
    """|x_i - y_j|^2 for rows x (N, d) and y (M, d): an (N, M) array in the precision of the input.

    |x - y|^2 = |x|^2 - 2 x.y + |y|^2 makes it one matrix product; what rounding takes below 0 is set to 0.
    """
    distances: Array = x @ y.T
    distances *= -2
    distances += np.einsum("id,id->i", x, x)[:, None]
    distances += np.einsum("jd,jd->j", y, y)
    return np.maximum(distances, 0, out=distances)


def _blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Slices of rows, such that one block of rows x columns holds at most BLOCK numbers."""
    rows = max(1, BLOCK // n_columns)
    for start in range(0, n_rows, rows):
        yield slice(start, min(start + rows, n_rows))


def _points(name: str, points: Array, dtype: type, at_least: int = 1) -> Array:
    """Points as rows (N, d): finite numbers, images flattened. Raises ShapeError or InputError."""
    if points.ndim < 2 or len(points) < at_least:
        raise ShapeError(f"{name}: expected at least {at_least} points as rows (N, ...), got shape {points.shape}")
    rows: Array = np.asarray(points, dtype=dtype).reshape(len(points), -1)
    if not np.isfinite(rows).all():
        raise InputError(f"{name}: NaN or infinity among the values; the network that made them has diverged")
    return rows


def _pair(real: Array, fake: Array, dtype: type, at_least: int = 1) -> tuple[Array, Array]:
    """Two sets of points of the same dimension, as rows."""
    x, y = _points("real", real, dtype, at_least), _points("fake", fake, dtype, at_least)
    if x.shape[1] != y.shape[1]:
        raise ShapeError(f"real and fake points differ in dimension: {x.shape[1]} and {y.shape[1]}")
    return x, y


# ---- in a feature space


def frechet_distance(real: Array, fake: Array) -> float:
    """The squared Frechet distance of two Gaussians with the means m and covariances S of two point sets:

        |m_r - m_f|^2 + tr(S_r) + tr(S_f) - 2 tr((S_r S_f)^(1/2))

    real: (N, d)   fake: (M, d)   result: in squared units of the points; 0 for equal sets, and biased upwards by small
    sets, so compare only figures from equally many points.

    S_r S_f isn't symmetric, but it has the eigenvalues of R S_f R, R = S_r^(1/2), which is: so the last trace is the
    sum of their square roots. R is Q L^(1/2) Q^T, where S_r = Q L Q^T.

    Source: Dowson and Landau 1982; as a score for GANs Heusel et al. 2017, eq. 6, on Inception's features: FID. On the
    features of `classifier.py` it is called FD-mnist.
    """
    x, y = _pair(real, fake, np.float64, at_least=2)
    shift = x.mean(axis=0) - y.mean(axis=0)
    cov_real, cov_fake = np.atleast_2d(np.cov(x, rowvar=False)), np.atleast_2d(np.cov(y, rowvar=False))
    values, Q = np.linalg.eigh(cov_real)
    root = (Q * np.sqrt(np.maximum(values, 0))) @ Q.T
    cross = np.linalg.eigvalsh(root @ cov_fake @ root)
    overlap = np.sqrt(np.maximum(cross, 0)).sum()
    return float(max(0.0, shift @ shift + np.trace(cov_real) + np.trace(cov_fake) - 2 * overlap))


class Coverage(NamedTuple):
    """What `precision_recall_density_coverage` returns, each without a unit."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall_density_coverage(real: Array, fake: Array, *, k: int = 5) -> Coverage:
    """How much of the fake set looks real, and how much of the real set it reaches. real: (N, d)   fake: (M, d)

    B(p) is the ball around a point p that reaches to its k-th nearest neighbour in p's own set.

        precision  share of fake points that lie in at least one real ball           in [0, 1]
        recall     share of real points that lie in at least one fake ball           in [0, 1]
        density    mean over fake points of (real balls that hold it) / k            1 for equal distributions
        coverage   share of real points whose ball holds at least one fake point     in [0, 1]

    Density and coverage are the forms that one outlier can't inflate. Two samples of the same distribution, N = M, have
    an expected coverage of about 1 - 2^-k: 0.969 for k = 5.

    Source: Kynkaanniemi et al. 2019, eq. 1 and 2 (precision, recall); Naeem et al. 2020, section 3 (density, coverage,
    k = 5, the expectations).
    """
    x, y = _pair(real, fake, np.float64, at_least=k + 1)
    real_radius, fake_radius = _neighbour_distances(x, k), _neighbour_distances(y, k)
    balls_with = np.zeros(len(y), dtype=np.int64)  # for each fake point, the real balls that hold it
    recalled, covered = np.zeros(len(x), dtype=bool), np.zeros(len(x), dtype=bool)
    for rows in _blocks(len(x), len(y)):
        distances = squared_distances(x[rows], y)
        in_real_ball = distances <= real_radius[rows, None]
        balls_with += in_real_ball.sum(axis=0)
        covered[rows] = in_real_ball.any(axis=1)
        recalled[rows] = (distances <= fake_radius).any(axis=1)
    precision, density = (balls_with > 0).mean(), balls_with.mean() / k
    return Coverage(float(precision), float(recalled.mean()), float(density), float(covered.mean()))


def _neighbour_distances(x: Array, k: int) -> Array:
    """The squared distance from each point to its k-th nearest other point: (N,)."""
    radius = np.empty(len(x), dtype=x.dtype)
    for rows in _blocks(len(x), len(x)):
        distances = squared_distances(x[rows], x)
        distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = 0  # itself: exactly nearest
        radius[rows] = np.partition(distances, k, axis=1)[:, k]
    return radius


def digit_shares(digits: Array) -> Array:
    """The share of each digit among predicted labels 0 ... 9: (N,) integers -> (10,), sum 1."""
    return np.bincount(digits, minlength=10) / len(digits)


def distance_from_uniform(shares: Array) -> float:
    """Total variation distance of shares (K,) from uniform: (1/2) sum |p_k - 1/K|, in [0, 1 - 1/K].

    It is the share of samples that would have to change class to make all classes equal. One digit only: 0.9. The MNIST
    test set itself: 0.021.
    """
    return float(np.abs(shares - 1 / len(shares)).sum() / 2)


# ---- in pixel space


class LogLikelihood(NamedTuple):
    """What `parzen_log_likelihood` returns: mean and its standard error in nats, and the window width chosen."""

    mean: float
    error: float
    sigma: float


PARZEN_SIGMAS = np.logspace(-1, 0, 10)


def parzen_log_likelihood(samples: Array, validation: Array, test: Array) -> LogLikelihood:
    """Mean log-density of test images under a Gaussian window around each sample (Parzen 1962), in nats.

        log p(x) = log (1/M) sum_j exp(-|x - s_j|^2 / (2 sigma^2)) - d log(sigma sqrt(2 pi))

    samples: (M, ...), validation and test: (N, ...), all with d pixels in [0, 1]. sigma is the best for the validation
    images among PARZEN_SIGMAS. The error is the standard deviation over the test images / sqrt(N).

    Source: Goodfellow et al. 2014, section 5: 225 +- 2 for adversarial nets, from 10,000 samples, 1,000 validation and
    all 10,000 test images. 10,000 real training images score 241.9 +- 2.3 (Sohl-Dickstein et al. 2015, Table 2).
    Theis et al. 2016 show that the estimate is far from the true likelihood and ranks models wrongly, and advise
    against it; it is kept because it is the one number that the first paper published.
    """
    s, v = _pair(samples, validation, np.float32)
    _, x = _pair(samples, test, np.float32)
    sigmas = [float(sigma) for sigma in PARZEN_SIGMAS]
    best = int(_log_densities(v, s, sigmas).mean(axis=1).argmax())
    (densities,) = _log_densities(x, s, sigmas[best : best + 1])
    return LogLikelihood(float(densities.mean()), float(densities.std() / math.sqrt(len(x))), sigmas[best])


def _log_densities(x: Array, samples: Array, sigmas: list[float]) -> Array:
    """log p(x) for each window width and each row of x: (len(sigmas), N) in float64."""
    n_samples, d = samples.shape
    result = np.empty((len(sigmas), len(x)))
    for rows in _blocks(len(x), n_samples):
        distances = squared_distances(x[rows], samples)
        nearest = distances.min(axis=1, keepdims=True)
        distances -= nearest  # the largest term of the sum becomes exp(0): no underflow to log 0
        for row, sigma in zip(result, sigmas, strict=True):
            scale = -1 / (2 * sigma**2)
            total = np.exp(distances * np.float32(scale)).sum(axis=1, dtype=np.float64)
            norm = d * math.log(sigma * math.sqrt(2 * math.pi))
            row[rows] = np.log(total / n_samples) + scale * nearest[:, 0] - norm
    return result


class Bins(NamedTuple):
    """k-means bins of real points: centres (K, d), and how many real points lie nearest to each (K,)."""

    centres: Array
    counts: Array


def fit_bins(real: Array, rng: np.random.Generator | int, *, n_bins: int = 100, iterations: int = 20) -> Bins:
    """Lloyd's k-means: centres start at random points, then `iterations` times move to the mean of their points.

    real: (N, ...). A centre that has lost all its points stays where it is.
    """
    x = _points("real", real, np.float32, at_least=n_bins)
    centres = x[generator(rng).choice(len(x), n_bins, replace=False)]
    for _ in range(iterations):
        nearest = _nearest(x, centres)
        counts = np.bincount(nearest, minlength=n_bins)
        sums = np.add.reduceat(x[nearest.argsort(kind="stable")], np.cumsum(counts[counts > 0]) - counts[counts > 0])
        centres[counts > 0] = sums / counts[counts > 0, None]
    return Bins(centres, np.bincount(_nearest(x, centres), minlength=n_bins))


def _nearest(x: Array, centres: Array) -> Array:
    """For each row of x (N, d) the index of the nearest of centres (K, d): (N,) integers."""
    return np.concatenate(
        [squared_distances(x[rows], centres).argmin(axis=1) for rows in _blocks(len(x), sum(centres.shape))]
    )


class BinScores(NamedTuple):
    """What `different_bins` returns: the number of bins, and nats in [0, ln 2]."""

    ndb: int
    js: float


def different_bins(bins: Bins, fake: Array, *, z: float = 3.0) -> BinScores:
    """NDB, the number of statistically different bins, and JS, the Jensen-Shannon divergence of the bins' shares.

    In each bin, the share p of n real points and the share q of m fake ones are compared by the two-proportion test;
    the bin differs where

        |p - q| > z sqrt(s (1 - s) (1/n + 1/m))        s = (n p + m q) / (n + m)

        JS = (1/2) sum p log(p / a) + (1/2) sum q log(q / a)        a = (p + q) / 2

    Source: Richardson and Weiss 2018. Published with the authors' code, for bins of 50,000 random training images and
    z = 3: the other 10,000 differ in 0 bins, JS 0.0014; the test images in 4, 0.0041; the other 10,000 without the
    digit 9 in 11, 0.016. k-means depends on its start: 20 starts here give 0 to 2 bins, JS 0.0015 (mean); 4 to 12,
    0.0041; 9 to 14, 0.0139. At the authors' usual 5 % level, z = 1.96, 5 of 100 bins differ by chance alone.
    """
    y = _points("fake", fake, np.float32)
    fake_counts = np.bincount(_nearest(y, bins.centres), minlength=len(bins.counts))
    n, m = bins.counts.sum(), len(y)
    p, q, pooled = bins.counts / n, fake_counts / m, (bins.counts + fake_counts) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    a = (p + q) / 2
    return BinScores(int((np.abs(p - q) > z * error).sum()), (_divergence(p, a) + _divergence(q, a)) / 2)


def _divergence(p: Array, q: Array) -> float:
    """Kullback-Leibler: sum p log(p / q) over the bins where p > 0, in nats."""
    held = p > 0
    return float((p[held] * np.log(p[held] / q[held])).sum())
