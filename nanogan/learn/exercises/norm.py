"""Exercise 11: batch normalisation."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from .. import textbook
from .cut import Cut
from .exercise import Exercise, Mistake
from .linear import LayerProbe


def _batch_norm(code: ModuleType) -> Any:
    layer = code.BatchNorm(2)
    layer.gamma, layer.beta = GAMMA, BETA
    return layer


GAMMA, BETA = np.array([1.7, -0.6]), np.array([0.3, 0.4])
RNG = np.random.default_rng(7)
X, DY = 3 * RNG.standard_normal((5, 2)), RNG.standard_normal((5, 2))
ALL = "(dy - through_mean - through_std)"

BATCH_NORM = Exercise(
    name="batch_norm",
    title="BatchNorm",
    task="""BatchNorm moves each channel of a batch to mean 0 and variance 1, and then scales and shifts it: xhat = (x
- mean) / std, y = gamma xhat + beta. x has shape (M, C); mean, std, gamma and beta have shape (C). Return dx, given
dy.""",
    steps=(
        "If mean and std were constants, dx would be gamma / std dy.",
        "Move one x[i] a little: mean moves by 1 / M, and std by xhat[i] / M.",
        "So every xhat[j] moves: by ([i = j] - 1 / M - xhat[j] xhat[i] / M) / std.",
        "Multiply by gamma dy[j] and sum over j. forward has kept self.std and self.xhat.",
    ),
    example=""">>> layer = BatchNorm(1)
>>> y = layer.forward(np.array([[1.0], [2.0], [6.0]]))
>>> print(np.allclose(layer.backward_input(np.ones((3, 1))), 0))  # shift all by the same: y stays
True
>>> print(np.allclose(layer.backward_input(y), 0, atol=1e-4))  # stretch all by the same: y stays
True""",
    cut=Cut(
        textbook,
        parts=("BatchNorm.__init__", "BatchNorm.forward", "BatchNorm.backward_input"),
        blank=("BatchNorm.backward_input",),
    ),
    probe=LayerProbe(_batch_norm, ("dx",), X, DY, {"gamma": GAMMA, "beta": BETA}),
    hints=(
        "Normalising undoes a shift and a stretch of the whole batch. So those two parts of dy must be taken away.",
        "dx[i] = gamma / std (dy[i] - mean of dy - xhat[i] times the mean of dy xhat), each mean over the batch",
        "return self.gamma / self.std * (dy - dy.mean(axis=0) - self.xhat * ____.mean(axis=0))",
    ),
    mistakes=(
        Mistake(ALL, "dy", "mean and std are taken for constants: every x moves them, and with them the whole batch"),
        Mistake(ALL, "(dy - through_mean)", "the way through std is missing: xhat times the mean of dy xhat"),
        Mistake(ALL, "(dy - through_std)", "the way through the mean is missing: the mean of dy"),
        Mistake(ALL, "(dy + through_mean + through_std)", "the signs: both ways through the statistics are subtracted"),
        Mistake(
            "dy.mean(axis=0)", "dy.sum(axis=0)", "a sum of dy where its mean belongs: x[i] moves the mean by 1 / M"
        ),
        Mistake(
            "(dy * self.xhat).mean",
            "(dy * self.xhat).sum",
            "a sum of dy xhat where its mean belongs: x[i] moves std by xhat[i] / M",
        ),
        Mistake("self.xhat * (dy", "(dy", "the factor xhat[i] is missing in the way through std"),
        Mistake("self.gamma / self.std", "1 / self.std", "gamma is missing"),
        Mistake(
            "self.gamma / self.std", "self.gamma / self.std**2", "divided by the variance: the slope of xhat is 1 / std"
        ),
        Mistake("self.gamma / self.std", "self.gamma", "not divided by std, which forward has divided by"),
    ),
    also=(
        (ALL, "(dy - dy.sum(axis=0) / len(dy) - self.xhat * (dy * self.xhat).sum(axis=0) / len(dy))"),
        ("self.gamma / self.std * ", "self.gamma / (len(dy) * self.std) * len(dy) * "),
    ),
)
