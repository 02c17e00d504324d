"""All metrics of one set of generated digits, beside those of real ones: what `python -m nanogan evaluate` prints.

The protocol, the same for every figure in this project: 10,000 generated digits against MNIST. FD-mnist, precision,
recall, density and coverage compare them with the 10,000 test images, in the features of `classifier.py`. NDB's bins
are fitted on train[10000:60000]. Parzen's window width is chosen on train[50000:51000], its score is that of the test
images. So train[0:10000] is free to stand in for a perfect generator: the column REAL.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..backend import Array
from ..data.images import load_mnist
from ..errors import InputError, ShapeError
from ..layers import Linear, ReLU
from ..network import Network
from .by_class import format_by_class, scores_by_class
from .classifier import features_and_digits, predict, train_classifier
from .neighbours import nearest
from .samples import (
    Bins,
    different_bins,
    digit_shares,
    distance_from_uniform,
    fit_bins,
    frechet_distance,
    parzen_log_likelihood,
    precision_recall_density_coverage,
)

PROTOCOL_SIZE = 10_000
COVERED_SHARE = 0.01  # a digit counts as drawn from a tenth of its fair share on; fewer may be misread other digits

ROWS = {
    "fd_mnist": ("FD-mnist", "lower"),
    "precision": ("precision (k = 5)", "higher"),
    "recall": ("recall (k = 5)", "higher"),
    "density": ("density (k = 5)", "1"),
    "coverage": ("coverage (k = 5)", "higher"),
    "digits_covered": ("digits drawn (at least 1 %)", "10"),
    "rarest_digit": ("share of the rarest digit", "0.1"),
    "distance_from_uniform": ("digits' distance from uniform", "lower"),
    "parzen": ("Parzen log-likelihood, nats", "higher"),
    "parzen_error": ("  its standard error", ""),
    "ndb": ("different bins of 100 (NDB)", "lower"),
    "js": ("bins' Jensen-Shannon, nats", "lower"),
    "train_on_generated": ("real digits read after training on these", "higher"),
}
"""What the table shows, in order: the score's name, what it says, and which value is good."""

REAL: dict[str, float] = {
    "fd_mnist": 0.0984,
    "precision": 0.9363,
    "recall": 0.9347,
    "density": 0.9426,
    "coverage": 0.9498,
    "digits_covered": 10,
    "rarest_digit": 0.0863,
    "distance_from_uniform": 0.0252,
    "parzen": 241.19,
    "parzen_error": 2.13,
    "ndb": 7,
    "js": 0.0036,
    "train_on_generated": 0.931,
}
"""What `evaluate_samples` gives for train[0:10000]: the floor of FD-mnist, the ceiling of most others."""


class _Reference(NamedTuple):
    """What samples are compared with: images (N, 28, 28, 1), labels, features (N, 64), digits read, NDB's bins."""

    validation: Array
    test: Array
    test_labels: Array
    test_features: Array
    test_digits: Array
    bins: Bins


@cache
def _reference() -> _Reference:
    """The same for every set of samples, so computed once."""
    train, _ = load_mnist("train", scale=(0, 1))
    test, test_labels = load_mnist("test", scale=(0, 1))
    bins = fit_bins(train[10_000:], np.random.default_rng(0))
    return _Reference(train[50_000:51_000].copy(), test, test_labels, *features_and_digits(test), bins)


NEIGHBOURS = 1000
"""Samples whose nearest training images are looked for: all pixels of 60,000 images are compared with each."""


class Neighbours(NamedTuple):
    """Images (N, 28, 28, 1), the nearest training image of each, (N, 28, 28, 1), and the distance (N,)."""

    images: Array
    nearest: Array
    distance: Array


def training_neighbours(images: Array) -> Neighbours:
    """The training digits nearest to the first NEIGHBOURS of some digits, (N, 28, 28, 1) in [0, 1]."""
    train, _ = load_mnist("train", scale=(0, 1))
    index, distance = nearest(images[:NEIGHBOURS], train)
    return Neighbours(images[:NEIGHBOURS], train[index], distance)


@cache
def real_neighbours() -> Neighbours:
    """Those of test images, which no generator has seen."""
    return training_neighbours(_reference().test)


def evaluate_samples(images: Array, labels: Array | None = None) -> dict[str, Any]:
    """Every metric of generated digits, as plain numbers and lists that JSON can hold.

    images: (N, 28, 28) or (N, 28, 28, 1), in [0, 1], black is 0. labels: (N,), the digits that a conditional generator
    was asked for, which adds scores by class, and is what the classifier of train_on_generated learns.
    The protocol asks for N = 10,000; figures from fewer don't compare, and "samples" tells. Deterministic: the same
    images give the same numbers. About 10 s on two cores.
    Raises ShapeError or InputError if the images aren't that.
    """
    fake, real = _digits(images), _reference()
    features, digits = features_and_digits(fake)
    shares = digit_shares(digits)
    parzen = parzen_log_likelihood(fake, real.validation, real.test)
    by_class = {}
    if labels is not None:
        of_test = (real.test_features, real.test_digits, real.test_labels)
        by_class = {"by_class": scores_by_class(features, digits, labels, *of_test)}
    return {
        "samples": len(fake),
        "fd_mnist": frechet_distance(real.test_features, features),
        **precision_recall_density_coverage(real.test_features, features)._asdict(),
        "digit_shares": shares.tolist(),
        "digits_covered": int((shares >= COVERED_SHARE).sum()),
        "rarest_digit": float(shares.min()),
        "distance_from_uniform": distance_from_uniform(shares),
        "parzen": parzen.mean,
        "parzen_error": parzen.error,
        "parzen_sigma": parzen.sigma,
        **different_bins(real.bins, fake)._asdict(),
        "train_on_generated": train_on_generated(
            fake, digits if labels is None else labels, real.test, real.test_labels
        ),
        **by_class,
    }


def train_on_generated(fake: Array, fake_digits: Array, test: Array, test_labels: Array) -> float:
    """The share of real test images that a classifier reads right which has only ever seen generated ones.

    fake, test: (N, 28, 28, 1); fake_digits, test_labels: (N,). A generator without labels leaves those of its images to
    the frozen classifier. The one trained here sees pixels only: 784-128-10, ReLU, Adam 1e-3, 10 epochs, one seed. What
    it gets wrong beyond the real images' figure is what the generated ones don't show.

    Source: Ravuri and Vinyals 2019 (classification accuracy score), with a small network.
    """
    rng = np.random.default_rng(0)
    network = Network([Linear(784, 128), ReLU(), Linear(128, 10)], 784, rng=rng)
    train_classifier(network, fake.reshape(-1, 784), fake_digits, epochs=10, lr=1e-3, rng=rng)
    return float((predict(network, test.reshape(-1, 784)) == test_labels).mean())


def format_table(scores: Mapping[str, Any]) -> str:
    """Scores from `evaluate_samples` as a plain table, beside those of 10,000 real training images."""
    title = f"{scores['samples']:,} samples"
    if scores["samples"] != PROTOCOL_SIZE:
        title += f" (the protocol asks for {PROTOCOL_SIZE:,}: don't compare these figures with others)"
    lines = [title, "", f"{'':42}{'samples':>10}{'real':>10}   {'good'}"]
    lines += [
        f"{text:42}{_number(scores[name]):>10}{_number(REAL[name]):>10}   {good}" for name, (text, good) in ROWS.items()
    ]
    lines += ["", "digit    " + "".join(f"{digit:7}" for digit in range(10))]
    lines += ["share, % " + "".join(f"{100 * share:7.1f}" for share in scores["digit_shares"])]
    if "by_class" in scores:
        lines += ["", format_by_class(scores["by_class"])]
    lines += [
        "",
        "real: 10,000 training images. Parzen: for comparison with 2014; Theis et al. 2016 advise against it.",
    ]
    return "\n".join(line.rstrip() for line in lines)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.1f}" if abs(value) >= 100 else f"{value:.4f}"


def _digits(images: Array) -> Array:
    """The images as (N, 28, 28, 1) in float32, checked."""
    if images.shape[1:] not in ((28, 28), (28, 28, 1)) or len(images) < 100:
        raise ShapeError(f"evaluate: expected at least 100 digits of shape (N, 28, 28), got {images.shape}")
    if not np.isfinite(images).all():
        raise InputError("evaluate: NaN or infinity among the pixels; the generator has diverged")
    low, high = float(images.min()), float(images.max())
    if low < 0 or high > 1:
        raise InputError(
            f"evaluate: expected pixels in [0, 1], got [{low:.3g}, {high:.3g}]; map [-1, 1] by (x + 1) / 2"
        )
    return np.ascontiguousarray(images, dtype=np.float32).reshape(-1, 28, 28, 1)
