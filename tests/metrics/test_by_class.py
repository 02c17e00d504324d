"""Scores by class and nearest neighbours: what real images give, and that copies and a single form are seen."""

from __future__ import annotations

import numpy as np
import pytest

from nanogan.backend import Array
from nanogan.data.images import load_mnist
from nanogan.errors import InputError
from nanogan.metrics.by_class import REAL, format_by_class, scores_by_class
from nanogan.metrics.classifier import features_and_digits
from nanogan.metrics.neighbours import copied_share, nearest

TRAIN, TRAIN_LABELS = load_mnist("train", scale=(0, 1))
TEST, TEST_LABELS = load_mnist("test", scale=(0, 1))


@pytest.fixture(scope="module")
def of_test() -> tuple[Array, Array, Array]:
    return (*features_and_digits(TEST), TEST_LABELS)


@pytest.fixture(scope="module")
def of_train() -> tuple[Array, Array]:
    return features_and_digits(TRAIN[:10_000])


def test_real_digits_give_the_row_of_real_ones(
    of_train: tuple[Array, Array], of_test: tuple[Array, Array, Array]
) -> None:
    scores = scores_by_class(*of_train, TRAIN_LABELS[:10_000], *of_test)
    for name, values in REAL.items():
        np.testing.assert_allclose(scores[name], values, atol=0.002)
    assert min(scores["alignment"]) > 0.99 and min(scores["real_accuracy"]) > 0.99
    lines = format_by_class(scores).splitlines()
    assert lines[1].split()[:4] == ["read", "as", "asked,", "%"] and len({len(line) for line in lines}) == 1
    assert sum(line.startswith("  real") for line in lines) == len(REAL)


def test_one_form_over_and_over_is_aligned_but_does_not_cover(
    of_train: tuple[Array, Array], of_test: tuple[Array, Array, Array]
) -> None:
    features, read = of_train
    labels = TRAIN_LABELS[:10_000]
    first = np.array([np.flatnonzero((labels == digit) & (read == digit))[0] for digit in range(10)]).repeat(50)
    asked = np.arange(10).repeat(50)
    scores = scores_by_class(features[first], read[first], asked, *of_test)
    assert min(scores["alignment"]) == 1.0 and max(scores["coverage"]) < 0.2
    swapped = scores_by_class(features[first], read[first], (asked + 1) % 10, *of_test)
    assert max(swapped["alignment"]) == 0.0 and max(swapped["coverage"]) < 0.1
    with pytest.raises(InputError, match="0 samples of 9 are too few; choose a larger --count"):
        scores_by_class(features[first[:450]], read[first[:450]], asked[:450], *of_test)


def test_the_nearest_is_found_and_copies_are_seen() -> None:
    """Among 5,000 training images, in a loop; copies with a little noise all lie nearer than real images do."""
    train, unseen, rng = TRAIN[:5000], TEST[:40], np.random.default_rng(0)
    index, distance = nearest(unseen, train)
    for image, place, far in zip(unseen[:5], index, distance, strict=False):
        every = np.sqrt(((train - image) ** 2).sum(axis=(1, 2, 3)))
        assert place == every.argmin() and far == pytest.approx(every.min(), rel=1e-4)
    copies = train[100:140] + rng.normal(0, 0.001, (40, 28, 28, 1)).astype(np.float32)
    place, near = nearest(copies, train)
    np.testing.assert_array_equal(place, np.arange(100, 140))
    assert copied_share(near, distance) == 1.0
    assert copied_share(distance, distance) <= 0.03, "1 % of 40, rounded up"
    assert copied_share(distance + 1, distance) == 0.0
