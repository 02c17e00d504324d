"""Every layer, loss and optimizer as a textbook writes it: the oracle that the fast forms are compared with.

Nothing here is fast, and nothing here is shared with the library. A layer's textbook form is a function

    plain(layer, p, x, rng) -> y

of the layer's description, its parameters by name, a batch and a random generator in the state in which the layer's own
was before its forward pass. All arrays are NumPy's.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

Host = NDArray[Any]
Params = dict[str, Host]


# ---- layers


def linear(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """y[n, j] = sum over i of x[n, i] W[i, j], + b[j]"""
    y = np.zeros((len(x), layer.n_out))
    for n in range(len(x)):
        for j in range(layer.n_out):
            for i in range(layer.n_in):
                y[n, j] += x[n, i] * p["W"][i, j]
            if layer.bias:
                y[n, j] += p["b"][j]
    return y


def relu(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    return np.where(x > 0, x, 0.0)


def leaky_relu(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    return np.where(x > 0, x, layer.slope * x)


def tanh(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """(e^x - e^-x) / (e^x + e^-x)"""
    return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))


def sigmoid(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """1 / (1 + e^-x)"""
    return 1 / (1 + np.exp(-x))


def reshape(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """The k-th number of an input, last axis fastest, is the k-th number of its output."""
    y = np.zeros((len(x), *layer.shape))
    for n in range(len(x)):
        y[n].flat = list(x[n].flat)
    return y


def flatten(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    return np.array([list(one.flat) for one in x])


def dropout(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """One uniform number an element; those below p drop it, and what stays grows by 1 / (1 - p)."""
    y = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        if rng.random(dtype=x.dtype) >= layer.p:
            y[at] = x[at] / (1 - layer.p)
    return y


def in_order(*forms: Any) -> Any:
    """The textbook form of a Sequential, from those of its layers."""

    def sequential(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
        for position, form in enumerate(forms):
            own = {name.split(".", 1)[1]: value for name, value in p.items() if name.startswith(f"{position}.")}
            x = form(layer.layers[position], own, x, rng)
        return x

    return sequential


# ---- losses: one term of the sum, and its slope, in 60 decimal digits so that no magnitude is too large or too small


def _decimal(f: Any) -> Any:
    """f in 60 digits, for arguments and results that are floats."""

    def exact(*arguments: float) -> float:
        with localcontext() as context:
            context.prec = 60
            return float(f(*map(Decimal, arguments)))

    return exact


@_decimal
def bce_with_logits(x: Decimal, t: Decimal) -> Decimal:
    """-t log p - (1 - t) log(1 - p), where p = 1 / (1 + e^-x) and so 1 - p = 1 / (1 + e^x)"""
    return t * (1 + (-x).exp()).ln() + (1 - t) * (1 + x.exp()).ln()


@_decimal
def bce_with_logits_slope(x: Decimal, t: Decimal) -> Decimal:
    """p - t"""
    return 1 / (1 + (-x).exp()) - t


@_decimal
def bce(p: Decimal, t: Decimal) -> Decimal:
    """-t log p - (1 - t) log(1 - p), each log at least -100"""

    def log(q: Decimal) -> Decimal:
        return max(q.ln(), Decimal(-100)) if q else Decimal(-100)

    return -t * log(p) - (1 - t) * log(1 - p)


@_decimal
def bce_slope(p: Decimal, t: Decimal) -> Decimal:
    """-t / p + (1 - t) / (1 - p), with p (1 - p) at least 1e-12"""
    return (p - t) / max(p * (1 - p), Decimal("1e-12"))


@_decimal
def l1(x: Decimal, t: Decimal) -> Decimal:
    return abs(x - t)


@_decimal
def l1_slope(x: Decimal, t: Decimal) -> Decimal:
    return Decimal((x > t) - (x < t))


@_decimal
def mse(x: Decimal, t: Decimal) -> Decimal:
    return (x - t) ** 2


@_decimal
def mse_slope(x: Decimal, t: Decimal) -> Decimal:
    return 2 * (x - t)


# ---- optimizers: the path of one parameter


def sgd(
    p: float, gradients: list[float], *, lr: float, momentum: float = 0.0, weight_decay: float = 0.0
) -> list[float]:
    """The parameter's values after each step of gradient descent with momentum."""
    velocity, path = 0.0, []
    for g in gradients:
        velocity = momentum * velocity + (g + weight_decay * p)
        p = p - lr * velocity
        path.append(p)
    return path


def adam(
    p: float,
    gradients: list[float],
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> list[float]:
    """The parameter's values after each step of Adam. The t-th moments are written out as the sums that they are."""
    path: list[float] = []
    seen: list[float] = []
    for t, gradient in enumerate(gradients, start=1):
        seen.append(gradient + weight_decay * p)
        m, v = (
            sum((1 - beta) * beta ** (t - i) * g**power for i, g in enumerate(seen, start=1))
            for beta, power in zip(betas, (1, 2), strict=True)
        )
        p = p - lr * (m / (1 - betas[0] ** t)) / (math.sqrt(v / (1 - betas[1] ** t)) + eps)
        path.append(p)
    return path
