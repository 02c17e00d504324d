"""What the networks are trained to make small: each loss as a value and its derivative.

x is what a network gave, t the target (an array like x, or a number for all of it: 1.0 real, 0.0 fake).

    forward(x, t) -> value          a number, as an array of no axes on the backend; float(value) waits for a GPU
    backward(x, t, out) -> dx       d(value)/dx, like x

Neither keeps anything for the other, so they may be called in any order. What `backward` returns is valid until its
next call; `out` keeps two of them apart.
Read `optim.py` next.
"""

from __future__ import annotations

from copy import copy
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from .backend import NUMPY, Array, Backend, Workspace
from .errors import InputError, ShapeError
from .numerics import sigmoid


@dataclass
class Loss(Workspace):
    """Base of the losses: elementwise terms, then their mean over all numbers ("mean") or their sum ("sum")."""

    _: KW_ONLY
    reduction: str = "mean"

    def __post_init__(self) -> None:
        if self.reduction not in ("mean", "sum"):
            raise InputError(f"{self}: reduction is 'mean' or 'sum'")

    def on(self, backend: Backend = NUMPY, dtype: Any = np.float32) -> Loss:
        """This loss, computing on `backend` in `dtype`."""
        bound = copy(self)
        bound._use(backend, dtype)
        return bound

    def forward(self, x: Array, t: Array | float) -> Array:
        terms = self.terms(x, self._target(x, t), self.buffer("terms", x.shape))
        return terms.mean() if self.reduction == "mean" else terms.sum()

    def backward(self, x: Array, t: Array | float, out: Array | None = None) -> Array:
        dx = self.buffer("dx", x.shape) if out is None else out
        self.slopes(x, self._target(x, t), dx)
        if self.reduction == "mean":
            dx /= x.size
        return dx

    def _target(self, x: Array, t: Array | float) -> Array | float:
        """t, if x and t fit the loss and each other: nothing is cast or broadcast in silence."""
        if x.dtype != self.dtype:
            raise TypeError(f"{self}: expected outputs of {self.dtype}, got {x.dtype}; use loss.on(backend, dtype)")
        if not isinstance(t, (int, float)) and t.shape != x.shape:
            raise ShapeError(f"{self}: expected a target of shape {x.shape}, got {t.shape}")
        return t

    def terms(self, x: Array, t: Array | float, out: Array) -> Array:
        """out = each element's share of the loss, before the mean."""
        raise NotImplementedError

    def slopes(self, x: Array, t: Array | float, out: Array) -> Array:
        """out = d(term)/dx, elementwise."""
        raise NotImplementedError

    def probability(self, x: Array) -> Array:
        """What outputs x of the discriminator say: the probability that an image is real. Valid until the next call."""
        return x


class BCEWithLogits(Loss):
    """Binary cross-entropy of the probability sigmoid(x), x being a logit:

        -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x))  =  max(x, 0) - x t + log1p(exp(-|x|))

    The right side is the one computed: it never overflows and never takes the log of 0.
    """

    def terms(self, x: Array, t: Array | float, out: Array) -> Array:
        xp, work = self.xp, self.buffer("work", x.shape)
        xp.abs(x, out=out)
        xp.negative(out, out=out)
        xp.exp(out, out=out)
        xp.log1p(out, out=out)  # log1p(exp(-|x|))
        xp.maximum(x, 0, out=work)
        out += work
        xp.multiply(x, t, out=work)
        out -= work
        return out

    def slopes(self, x: Array, t: Array | float, out: Array) -> Array:
        """sigmoid(x) - t"""
        sigmoid(self.xp, x, out=out, work=self.buffer("work", x.shape))
        out -= t
        return out

    def probability(self, x: Array) -> Array:
        return sigmoid(self.xp, x, out=self.buffer("probability", x.shape), work=self.buffer("work", x.shape))


class BCE(Loss):
    """Binary cross-entropy of a probability x in [0, 1]:  -t log x - (1 - t) log(1 - x)

    Each log is clamped at -100, as PyTorch's BCELoss does, so that x = 0 and x = 1 give a finite loss. Prefer
    BCEWithLogits: a sigmoid that has rounded to 0 or 1 has lost the gradient that this loss would need.
    """

    def terms(self, x: Array, t: Array | float, out: Array) -> Array:
        xp, work, part = self.xp, self.buffer("work", x.shape), self.buffer("part", x.shape)
        self._clamped_log(x, out)
        out *= t  # t log x
        xp.subtract(1, x, out=work)
        self._clamped_log(work, work)
        xp.multiply(work, t, out=part)
        work -= part  # (1 - t) log(1 - x), exactly 0 where t = 1
        out += work
        return xp.negative(out, out=out)

    def _clamped_log(self, x: Array, out: Array) -> None:
        """out = max(log x, -100), without asking for the log of 0."""
        self.xp.maximum(x, float(np.finfo(x.dtype).smallest_subnormal), out=out)
        self.xp.log(out, out=out)
        self.xp.maximum(out, -100, out=out)

    def slopes(self, x: Array, t: Array | float, out: Array) -> Array:
        """(x - t) / max(x (1 - x), 1e-12); the bound is PyTorch's too, and keeps the quotient finite at 0 and 1"""
        xp, work = self.xp, self.buffer("work", x.shape)
        xp.subtract(1, x, out=work)
        work *= x
        xp.maximum(work, 1e-12, out=work)
        xp.subtract(x, t, out=out)
        return xp.divide(out, work, out=out)


class L1(Loss):
    """|x - t|: the distance that keeps an image near its target without preferring blur as strongly as MSE."""

    def terms(self, x: Array, t: Array | float, out: Array) -> Array:
        self.xp.subtract(x, t, out=out)
        return self.xp.abs(out, out=out)

    def slopes(self, x: Array, t: Array | float, out: Array) -> Array:
        """sign(x - t)      (0 at the kink, x = t)"""
        self.xp.subtract(x, t, out=out)
        return self.xp.sign(out, out=out)


class MSE(Loss):
    """(x - t)^2: as a GAN loss, least squares (Mao et al. 2017)."""

    def terms(self, x: Array, t: Array | float, out: Array) -> Array:
        self.xp.subtract(x, t, out=out)
        return self.xp.multiply(out, out, out=out)

    def slopes(self, x: Array, t: Array | float, out: Array) -> Array:
        """2 (x - t)"""
        self.xp.subtract(x, t, out=out)
        return self.xp.multiply(out, 2, out=out)


class CrossEntropy(Loss):
    """Cross-entropy of the classes' probabilities p = softmax(x), x being logits, with the true class t of each row:

        -log p_t  =  log(sum_k exp(x_k)) - x_t        p_k = exp(x_k) / sum_j exp(x_j)

    x: (N, K)   t: (N,) integers in 0 ... K - 1. One term a row, so "mean" divides by N. Each row's largest logit is
    subtracted first: p doesn't change, and no exp overflows. Not a GAN's loss: it trains the classifier that judges
    one (`classifier.py`).
    """

    def forward(self, x: Array, t: Array | float) -> Array:
        """The mean (or sum) over the rows of log(sum_k exp(x_k)) - x_t"""
        is_target = self._is_target(x, t)
        shifted, work = self._shifted(x), self.buffer("work", x.shape)
        self.xp.exp(shifted, out=work)
        terms = work.sum(axis=1, out=self.buffer("terms", x.shape[:1]))
        self.xp.log(terms, out=terms)
        self.xp.multiply(shifted, is_target, out=work)  # x_t - max_k x_k in one place of each row, else 0
        total = terms.sum() - work.sum()
        return total / len(x) if self.reduction == "mean" else total

    def backward(self, x: Array, t: Array | float, out: Array | None = None) -> Array:
        """dx_k = (p_k - [k = t]) / N, or without the N for a sum:

        d(log sum_j exp(x_j))/dx_k = exp(x_k) / sum_j exp(x_j) = p_k,   d(x_t)/dx_k = [k = t]
        """
        is_target = self._is_target(x, t)
        dx = self.buffer("dx", x.shape) if out is None else out
        self.xp.exp(self._shifted(x), out=dx)
        dx /= dx.sum(axis=1, keepdims=True, out=self.buffer("row", (len(x), 1)))
        dx -= is_target
        if self.reduction == "mean":
            dx /= len(x)
        return dx

    def _shifted(self, x: Array) -> Array:
        """x - max_k x_k"""
        largest = x.max(axis=1, keepdims=True, out=self.buffer("row", (len(x), 1)))
        return self.xp.subtract(x, largest, out=self.buffer("shifted", x.shape))

    def _is_target(self, x: Array, t: Array | float) -> Array:
        """[k = t] for every row and class, as 1 and 0: (N, K)

        Raises TypeError or ShapeError unless x and t fit the loss and each other. That 0 <= t < K is not looked at, as
        it would wait for a GPU: a label outside belongs to no class.
        """
        if x.dtype != self.dtype:
            raise TypeError(f"{self}: expected outputs of {self.dtype}, got {x.dtype}; use loss.on(backend, dtype)")
        if isinstance(t, (int, float)) or x.ndim != 2 or t.shape != x.shape[:1] or t.dtype.kind not in "iu":
            got = f"{x.shape} and {t if isinstance(t, (int, float)) else f'{t.dtype} {t.shape}'}"
            raise ShapeError(f"{self}: expected logits (N, K) and integer targets (N,), got {got}")
        classes = self.xp.arange(x.shape[1])
        return self.xp.equal(t[:, None], classes, out=self.buffer("is target", x.shape))

    def probability(self, x: Array) -> Array:
        """softmax(x): (N, K), each row with sum 1. A new array."""
        p = self.xp.exp(x - x.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return p
