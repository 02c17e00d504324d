"""Exercises 6 and 7: binary cross-entropy on logits, and what a mean is a mean of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from ... import plain
from ...backend import Array
from .. import textbook
from .cut import Cut
from .exercise import Exercise, Mistake, Results, Truth, exact, slopes


@dataclass(frozen=True)
class LossProbe:
    """A loss at some outputs x, for three targets; and its value where e^x overflows."""

    function: str
    x: Array
    counts: dict[str, int]
    large: float
    targets = (1.0, 0.0, 0.9)

    @property
    def given(self) -> Mapping[str, Array]:
        return {"x": self.x}

    def observe(self, code: ModuleType) -> Results:
        loss, found = getattr(code, self.function), {}
        for t in self.targets:
            found[f"loss (t = {t:g})"], found[f"dx (t = {t:g})"] = loss(self.x.copy(), t)
        found["loss of large x"] = loss(self._large_x, 1.0)[0]
        return found

    def measure(self, book: ModuleType) -> dict[str, Truth]:
        loss, x = getattr(book, self.function), self.x.copy()
        truths = {}
        for t in self.targets:
            truths[f"loss (t = {t:g})"] = exact(loss(x, t)[0])
            truths[f"dx (t = {t:g})"] = slopes(lambda t=t: loss(x, t)[0], x)  # type: ignore[misc]
        return truths | {"loss of large x": exact(loss(self._large_x, 1.0)[0])}

    @property
    def _large_x(self) -> Array:
        return np.array([[self.large], [-self.large]])


VALUE, SLOPE = "np.logaddexp(0, x) - t * x", "(p - t) / len(x)"
NAIVE = "this overflows where x is large, e^800: np.logaddexp(0, x) is log(1 + e^x) for every x"

BCE = Exercise(
    name="bce",
    title="binary cross-entropy on logits",
    task="""D's last value is a logit x: it takes the image for real with probability p = sigmoid(x) = 1 / (1 + e^-x).
If the truth is t (1 real, 0 fake), the loss of one image is -t log p - (1 - t) log(1 - p), and that of a batch is the
mean. x has shape (N, 1). Return the loss, and dx, which is d(loss)/dx, of the shape of x.""",
    steps=(
        "Put p into the loss of one image. With -log(1 - p) = log(1 + e^x), it becomes log(1 + e^x) - t x.",
        "e^x overflows for large x. np.logaddexp(0, x) is log(e^0 + e^x), and never does. Write the mean.",
        "Differentiate log(1 + e^x) - t x: what is left is simple in p.",
        "Each image counts 1 / N in the mean, and so does its slope.",
    ),
    example=""">>> loss, dx = bce_with_logits(np.array([[0.0], [0.0]]), 1)
>>> print(f"{loss:.4f}")
0.6931
>>> print(dx.round(4).tolist())
[[-0.25], [-0.25]]""",
    cut=Cut(plain, parts=("bce_with_logits",), blank=("bce_with_logits",)),
    probe=LossProbe("bce_with_logits", np.array([[0.3], [-1.2], [2.0]]), {"batch size": 3}, large=800.0),
    hints=(
        "All that D learns from an image is how far its probability is from the truth.",
        "loss = mean of log(1 + e^x) - t x;  dx = (p - t) / N",
        "return np.mean(np.logaddexp(0, x) - t * x), (____ - t) / len(x)     with p = 1 / (1 + np.exp(-x))",
    ),
    mistakes=(
        Mistake(f"np.mean({VALUE})", VALUE, "the loss of a batch is one number: the mean over its images"),
        Mistake(SLOPE, "p - t", "dx isn't divided by N: the loss is a mean, so each image counts 1 / N"),
        Mistake(
            "np.mean(", "np.sum(", "the value is a sum: the loss of a batch is the mean, and dx is right for the mean"
        ),
        Mistake(SLOPE, "(t - p) / len(x)", "the sign of dx: it is p - t; where D says too much, the loss grows with x"),
        Mistake(VALUE, "np.logaddexp(0, x) + t * x", "the sign of t x: the loss is log(1 + e^x) - t x"),
        Mistake(VALUE, "np.log(1 + np.exp(x)) - t * x", NAIVE),
        Mistake(
            VALUE,
            "-t * np.log(p) - (1 - t) * np.log(1 - p)",
            f"p rounds to 0 or 1 there, and log gives infinity; {NAIVE}",
        ),
        Mistake("np.logaddexp(0, -x)", "np.logaddexp(0, -2 * x)", "this p is sigmoid(2x): sigmoid(x) = 1 / (1 + e^-x)"),
        Mistake(
            "    p =", "    t = 1 - t\n    p =", "real and fake are swapped: t = 1 is real, and asks for a large x"
        ),
        Mistake(
            SLOPE, "(p - t) / (p * (1 - p)) / len(x)", "this is d(loss)/dp: times dp/dx = p (1 - p) it is d(loss)/dx"
        ),
        Mistake(
            SLOPE, "np.mean(p - t)", "dx is averaged into one value: each image has a slope of its own, (p - t) / N"
        ),
    ),
    also=(
        (VALUE, "np.maximum(x, 0) - t * x + np.log1p(np.exp(-np.abs(x)))"),
        ("np.exp(-np.logaddexp(0, -x))", "1 / (1 + np.exp(-x))"),
        (VALUE, "t * np.logaddexp(0, -x) + (1 - t) * np.logaddexp(0, x)"),
    ),
)

X = np.random.default_rng(4).standard_normal((3, 4))
LINE = "2 * (x - t) / x.size"

MEAN = Exercise(
    name="mean_or_sum",
    title="a mean against a sum",
    task="""Least squares is another loss for GANs: the mean of (x - t)^2 over all values in x, here four per image,
of shape (N, 4). The value is there. Return dx, too.""",
    steps=(
        "Differentiate (x - t)^2.",
        "Ask how much one value counts in the mean: by how many is the sum divided?",
        "If the checker shows a ratio of 3, 4 or 12, you know what you have counted.",
    ),
    example=""">>> loss, dx = mse(np.array([[3.0, 1.0], [1.0, 1.0]]), 1)
>>> print(loss, dx.tolist())
1.0 [[1.0, 0.0], [0.0, 0.0]]""",
    cut=Cut(textbook, parts=("mse",), blank=("mse",)),
    probe=LossProbe("mse", X, {"batch size": 3, "values per image": 4, "count of values": 12}, large=20.0),
    hints=(
        "A mean divides by the number of values, and so does its derivative; a sum doesn't.",
        "loss = (1 / (4 N)) sum of (x - t)^2;  dx = 2 (x - t) / (4 N)",
        "return ((x - t) ** 2).mean(), 2 * (x - t) / ____",
    ),
    mistakes=(
        Mistake(
            LINE, "2 * (x - t)", "this is the gradient of the sum: the loss is a mean over all values, x.size of them"
        ),
        Mistake(LINE, "2 * (x - t) / len(x)", "divided by N alone: the mean is over all 4 N values, which is x.size"),
        Mistake(
            LINE, "2 * (x - t) / x.shape[1]", "divided by the values per image alone: the mean is over images, too"
        ),
        Mistake(LINE, "(x - t) / x.size", "the 2 of the square is missing"),
        Mistake(LINE, "2 * (t - x) / x.size", "the sign: where x is above t, the loss grows with x"),
        Mistake(LINE, "2 * np.mean(x - t)", "the slopes are averaged: each value has its own, 2 (x - t) / x.size"),
        Mistake(
            "((x - t) ** 2).mean()",
            "((x - t) ** 2).sum()",
            "the value is a sum, and dx is that of the mean",
        ),
        Mistake(LINE, "2 * np.abs(x - t) / x.size", "the sign is lost: below t, the slope is negative"),
    ),
    also=((LINE, "(x - t) / (x.size / 2)"), (LINE, "2 * (x - t) / np.prod(x.shape)")),
)
