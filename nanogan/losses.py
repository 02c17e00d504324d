"""The losses that training minimises, each with its value and its derivative.

x is the network's output, t the target: an array like x, or one number for all of x (1.0 real, 0.0 fake).

    forward(x, t) -> value      a 0-d array on the backend; float(value) waits for a GPU
    backward(x, t) -> dx        d(value)/dx, like x

Neither stores anything for the other, so they can be called in any order. Read `optim.py` next.
"""

from __future__ import annotations

from copy import copy
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from .backend import NUMPY, Array, Backend, Workspace, fusible
from .errors import InputError, ShapeError
from .numerics import sigmoid
from .settings import check_fields


@dataclass
class Loss(Workspace):
    """Base of the losses: one term per value of x, then their mean over all values ("mean") or their sum ("sum")."""

    _: KW_ONLY
    reduction: str = "mean"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.reduction not in ("mean", "sum"):
            raise InputError(f"{self}: reduction is 'mean' or 'sum'")
        self._use(NUMPY, np.float32)

    def bind(self, backend: Backend = NUMPY, dtype: Any = np.float32) -> Loss:
        """A copy of this loss that computes on `backend` in `dtype`. One just made computes in float32 on NumPy."""
        bound = copy(self)
        bound._use(backend, dtype)
        return bound

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickled or deep-copied, it is bound anew, with work arrays of its own."""
        return (Loss.bind, (copy(self), self.backend, self.dtype)) if self.is_bound else super().__reduce_ex__(protocol)

    @fusible
    def forward(self, x: Array, t: Array | float) -> Array:
        terms = self.terms(x, self.checked(x, t))
        return terms.mean() if self.reduction == "mean" else terms.sum()

    @fusible
    def backward(self, x: Array, t: Array | float) -> Array:
        """The terms' gradient, divided by their number if the loss is their mean. Valid until the next call."""
        dx = self.gradient(x, self.checked(x, t))
        if self.reduction == "mean":
            dx /= x.size
        return dx

    # ---- as a GAN's loss: real and fake are D's outputs for real and for generated images

    compares = False
    """True for a loss of pairs, one real and one fake output, which G's step has to know, too."""
    is_score = False
    """True if D's outputs are scores without bounds, and no probabilities."""

    def discriminator_forward(self, real: Array, fake: Array, real_label: float = 1.0) -> Array:
        return self.forward(real, real_label) + self.forward(fake, 0.0)

    def discriminator_backward(self, real: Array, fake: Array, real_label: float = 1.0) -> Array:
        """The gradient for real, then for fake, as one array."""
        dlogits = self.buffer("dlogits", (len(real) + len(fake), *real.shape[1:]))
        dlogits[: len(real)] = self.backward(real, real_label)
        dlogits[len(real) :] = self.backward(fake, 0.0)
        return dlogits

    def generator_forward(self, fake: Array, real: Array | None = None) -> Array:
        return self.forward(fake, 1.0)

    def generator_backward(self, fake: Array, real: Array | None = None) -> Array:
        """The gradient for fake; of a loss that compares, for real, then for fake."""
        return self.backward(fake, 1.0)

    def mean_opinions(self, real: Array, fake: Array) -> tuple[Array, Array]:
        """The means of what D says of real and of generated images, as probabilities unless they are scores."""
        return self.mean_probability(real), self.mean_probability(fake)

    def terms(self, x: Array, t: Array | float) -> Array:
        """Each value's share of the loss, before the mean."""
        raise NotImplementedError

    def gradient(self, x: Array, t: Array | float) -> Array:
        """d(term)/dx, elementwise."""
        raise NotImplementedError

    def probability(self, x: Array) -> Array:
        """The probability that an image is real, according to the discriminator's outputs x."""
        return x

    @fusible
    def mean_probability(self, x: Array) -> Array:
        return self.probability(x).mean()

    def checked(self, x: Array, t: Array | float) -> Array | float:
        """t. Raises ArrayError or ShapeError if x and t don't fit the loss and each other: nothing is broadcast."""
        self.expect_array(x, "outputs")
        if isinstance(t, (int, float, np.number)):
            return float(t)  # a NumPy number would promote float32 to float64
        self.expect_array(t, "a target")
        if t.shape != x.shape:
            raise ShapeError(f"{self}: expected a target of shape {x.shape}, got {t.shape}")
        return t

    def misfit(self, x: Any, what: str) -> str:
        message = f"{self}: {super().misfit(x, what)}"
        return message.replace(f"x.astype({self.dtype})", "loss.bind(backend, dtype)")


class BCEWithLogits(Loss):
    """Binary cross-entropy of the probability sigmoid(x), where x is a logit:

        -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x))  =  max(x, 0) - x t + log1p(exp(-|x|))

    The right side is the one computed: it never overflows and never takes the log of 0.
    """

    def terms(self, x: Array, t: Array | float) -> Array:
        return self.xp.maximum(x, 0) - x * t + self.xp.log1p(self.xp.exp(-abs(x)))

    def gradient(self, x: Array, t: Array | float) -> Array:
        """sigmoid(x) - t"""
        return sigmoid(self.xp, x) - t

    def probability(self, x: Array) -> Array:
        return sigmoid(self.xp, x)


class BCE(Loss):
    """Binary cross-entropy of a probability x in [0, 1]:  -t log x - (1 - t) log(1 - x)

    Each log is clamped at -100, as in PyTorch's BCELoss, so that x = 0 and x = 1 give a finite loss. Prefer
    BCEWithLogits: a sigmoid that has rounded to 0 or 1 has lost the gradient that this loss would need.
    """

    def terms(self, x: Array, t: Array | float) -> Array:
        return -(t * self._log(x) + (1 - t) * self._log(1 - x))

    def _log(self, x: Array) -> Array:
        """max(log x, -100), without taking the log of 0"""
        positive = self.xp.maximum(x, float(np.finfo(x.dtype).smallest_subnormal))
        return self.xp.maximum(self.xp.log(positive), -100)

    def gradient(self, x: Array, t: Array | float) -> Array:
        """(x - t) / max(x (1 - x), 1e-12); the bound is PyTorch's too, and keeps the quotient finite at 0 and 1"""
        return (x - t) / self.xp.maximum(x * (1 - x), 1e-12)


class L1(Loss):
    """|x - t|: pulls an image towards its target, and favours blur less than MSE does.

    L1 and MSE compare whole images, so they write into reused work arrays.
    """

    def terms(self, x: Array, t: Array | float) -> Array:
        terms = self.buffer("terms", x.shape)
        self.xp.subtract(x, t, out=terms)
        return self.xp.abs(terms, out=terms)  # abs(x - t)

    def gradient(self, x: Array, t: Array | float) -> Array:
        """sign(x - t)      (0 at the kink, x = t)"""
        dx = self.buffer("dx", x.shape)
        self.xp.subtract(x, t, out=dx)
        return self.xp.sign(dx, out=dx)  # sign(x - t)


class MSE(Loss):
    """(x - t)^2: as a GAN loss, least squares (Mao et al. 2017)."""

    def terms(self, x: Array, t: Array | float) -> Array:
        terms = self.buffer("terms", x.shape)
        self.xp.subtract(x, t, out=terms)
        return self.xp.multiply(terms, terms, out=terms)  # (x - t)**2

    def gradient(self, x: Array, t: Array | float) -> Array:
        """2 (x - t)"""
        dx = self.buffer("dx", x.shape)
        self.xp.subtract(x, t, out=dx)
        return self.xp.multiply(dx, 2, out=dx)  # 2 * (x - t)


class CrossEntropy(Loss):
    """Cross-entropy of the classes' probabilities p = softmax(x) with the true class t of each row:

        -log p_t  =  log(sum_k exp(x_k)) - x_t        p_k = exp(x_k) / sum_j exp(x_j)

    x: (N, K) logits   t: (N,) integers in 0 ... K - 1. There is one term per row. Each row's largest logit is
    subtracted first: p doesn't change, and no exp overflows. Not a GAN's loss: it trains the classifier that judges
    one (`metrics/classifier.py`).
    """

    def terms(self, x: Array, t: Array | float) -> Array:
        shifted = x - x.max(axis=1, keepdims=True)
        x_t = (shifted * self._is_target(x, t)).sum(axis=1)
        return self.xp.log(self.xp.exp(shifted).sum(axis=1)) - x_t

    def gradient(self, x: Array, t: Array | float) -> Array:
        """p_k - [k = t], because d(log sum_j exp(x_j))/dx_k = exp(x_k) / sum_j exp(x_j) = p_k"""
        return self.probability(x) - self._is_target(x, t)

    def backward(self, x: Array, t: Array | float) -> Array:
        """See `Loss`. Here a term belongs to a row, so there are N of them."""
        dx = self.gradient(x, self.checked(x, t))
        return dx / len(x) if self.reduction == "mean" else dx

    def probability(self, x: Array) -> Array:
        """softmax(x): (N, K), each row with sum 1."""
        p = self.xp.exp(x - x.max(axis=1, keepdims=True))
        return p / p.sum(axis=1, keepdims=True)

    def _is_target(self, x: Array, t: Any) -> Array:
        """[k = t] for every row and class: (N, K) of True and False"""
        return t[:, None] == self.xp.arange(x.shape[1])

    def checked(self, x: Array, t: Array | float) -> Array | float:
        """See `Loss`. That 0 <= t < K is not checked, because that would wait for a GPU: a bad t matches no class."""
        self.expect_array(x, "outputs")
        if isinstance(t, (int, float)) or x.ndim != 2 or t.shape != x.shape[:1] or t.dtype.kind not in "iu":
            got = f"{x.shape} and {t if isinstance(t, (int, float)) else f'{t.dtype} {t.shape}'}"
            raise ShapeError(f"{self}: expected logits (N, K) and integer targets (N,), got {got}")
        return t
