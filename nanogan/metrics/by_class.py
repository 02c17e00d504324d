"""Whether a conditional generator draws the digit that it is asked for, and draws it in all its forms.

Alignment alone can be bought: the same good 7, over and over, is read as a 7. So it stands beside density and coverage
within the class, and the Frechet distance of the class alone. The real column: train[0:10000], by its labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..backend import Array
from ..errors import InputError
from ..recipes.conditional import DIGITS
from .samples import frechet_distance, precision_recall_density_coverage

LEAST = 20
"""Samples of a class below which a covariance of 64 features means nothing."""

Scores = dict[str, list[float]]


def scores_by_class(
    features: Array, read: Array, labels: Array, test_features: Array, test_read: Array, test_labels: Array
) -> Scores:
    """Each score as ten numbers, one per digit.

    features (N, 64), read (N,), labels (N,): of the samples, what the frozen classifier sees in them, reads them as,
    and what they were asked to be; and the same of the real test images. Raises InputError if a class has too few.
    """
    scores: Scores = {name: [] for name in NAMES}
    for digit in range(len(DIGITS)):
        mine, real = labels == digit, test_labels == digit
        if mine.sum() < LEAST:
            raise InputError(f"evaluate: {mine.sum()} samples of {digit} are too few; choose a larger --count")
        shape = precision_recall_density_coverage(test_features[real], features[mine])
        scores["alignment"].append(float((read[mine] == digit).mean()))
        scores["real_accuracy"].append(float((test_read[real] == digit).mean()))
        scores["density"].append(shape.density)
        scores["coverage"].append(shape.coverage)
        scores["fd_mnist"].append(frechet_distance(test_features[real], features[mine]))
    return scores


NAMES = {
    "alignment": ("read as asked, %", 100, 1),
    "real_accuracy": ("real test digits read right, %", 100, 1),
    "density": ("density (k = 5)", 1, 2),
    "coverage": ("coverage (k = 5)", 1, 2),
    "fd_mnist": ("FD-mnist", 1, 2),
}
"""Each score's title in the table, its factor and its decimal places."""

REAL: Scores = {
    "density": [0.960, 0.978, 0.915, 0.930, 0.896, 0.922, 1.034, 0.900, 0.918, 0.970],
    "coverage": [0.955, 0.957, 0.941, 0.958, 0.945, 0.938, 0.954, 0.958, 0.955, 0.938],
    "fd_mnist": [0.149, 0.148, 0.420, 0.211, 0.214, 0.182, 0.391, 0.208, 0.481, 0.240],
}
"""What `scores_by_class` gives for train[0:10000] and its labels: about a thousand images per digit."""


def format_by_class(scores: Mapping[str, Sequence[float]]) -> str:
    """The scores as a plain table, a column per digit; below some of them, those of real images."""
    lines = [f"{'digit':32}" + "".join(f"{digit:>7}" for digit in DIGITS)]
    for name, (title, factor, places) in NAMES.items():
        for row, values in ((title, scores[name]), ("  real", REAL.get(name, ()))):
            if values:
                lines.append(f"{row:32}" + "".join(f"{factor * value:7.{places}f}" for value in values))
    return "\n".join(lines)
