"""Every layer and loss as a textbook writes it: the oracle that the fast forms are compared with.

Nothing here is fast, and nothing here is shared with the library. A layer's textbook form is a function

    plain(layer, p, x, rng) -> y

of the layer's description, its parameters by name, a batch and a random generator in the state in which the layer's own
was before its forward pass. All arrays are NumPy's.
"""

from __future__ import annotations

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


def spectral_norm(plain: Any) -> Any:
    """The layer within, with W divided by its largest singular value."""

    def normalised(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
        return plain(layer.layer, {**p, "W": p["W"] / np.linalg.svd(p["W"])[1][0]}, x, rng)

    return normalised


def maxout(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """y[n, j] = the largest over p of the sum over i of x[n, i] W[i, p, j], + b[p, j]"""
    W = p["W"].reshape(layer.n_in, layer.pieces, layer.n_out)
    b = p["b"].reshape(layer.pieces, layer.n_out)
    y = np.zeros((len(x), layer.n_out))
    for n, j in np.ndindex(y.shape):
        y[n, j] = max(sum(x[n, i] * W[i, q, j] for i in range(layer.n_in)) + b[q, j] for q in range(layer.pieces))
    return y


def upsample(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    n, height, width, channels = x.shape
    y = np.zeros((n, layer.factor * height, layer.factor * width, channels))
    for m, i, j, c in np.ndindex(y.shape):
        y[m, i, j, c] = x[m, i // layer.factor, j // layer.factor, c]
    return y


def pack(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """The channels of a pack's first input, then those of its second ..., at every pixel."""
    packs = [x[start : start + layer.size] for start in range(0, len(x), layer.size)]
    return np.array([np.concatenate(list(inputs), axis=-1) for inputs in packs])


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


def conv2d(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """y[n, i, j, f] = sum over a, b, c of x[n, i s + a - padding, j s + b - padding, c] W[a, b, c, f], + b[f]

    What lies outside x is 0; W has shape (k k c_in, c_out), its rows counting a, b and c, the last fastest.
    """
    n, height, width, channels = x.shape
    k, s, pad = layer.kernel, layer.stride, layer.padding
    W = p["W"].reshape(k, k, channels, layer.c_out)
    y = np.zeros((n, (height + 2 * pad - k) // s + 1, (width + 2 * pad - k) // s + 1, layer.c_out))
    for m, i, j, f in np.ndindex(y.shape):
        for a, b in np.ndindex(k, k):
            row, column = i * s + a - pad, j * s + b - pad
            if 0 <= row < height and 0 <= column < width:
                for c in range(channels):
                    y[m, i, j, f] += x[m, row, column, c] * W[a, b, c, f]
        if layer.bias:
            y[m, i, j, f] += p["b"][f]
    return y


def conv_transpose2d(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """Every x[n, i, j, f] adds x W[a, b, c, f] to y[n, i s + a - padding, j s + b - padding, c], for all a, b and c.

    What falls outside y is lost; W has shape (k k c_out, c_in).
    """
    n, height, width, features = x.shape
    k, s, pad = layer.kernel, layer.stride, layer.padding
    W = p["W"].reshape(k, k, layer.c_out, features)
    more = k + layer.output_padding - 2 * pad
    y = np.zeros((n, (height - 1) * s + more, (width - 1) * s + more, layer.c_out))
    for m, i, j, f in np.ndindex(x.shape):
        for a, b in np.ndindex(k, k):
            row, column = i * s + a - pad, j * s + b - pad
            if 0 <= row < y.shape[1] and 0 <= column < y.shape[2]:
                for c in range(layer.c_out):
                    y[m, row, column, c] += x[m, i, j, f] * W[a, b, c, f]
    return y + p["b"] if layer.bias else y


def batch_norm(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """Channel by channel, in training."""
    y = np.zeros(x.shape)
    for c in range(layer.channels):
        numbers = [float(number) for number in x[..., c].flat]
        mean = sum(numbers) / len(numbers)
        var = sum((number - mean) ** 2 for number in numbers) / len(numbers)
        y[..., c] = (x[..., c] - mean) / (var + layer.eps) ** 0.5 * p["gamma"][c] + p["beta"][c]
    return y


def instance_norm(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """Image by image, and channel by channel."""
    y = np.zeros(x.shape)
    for n, _, _, c in np.ndindex(x.shape):
        numbers = [float(number) for number in x[n, ..., c].flat]
        mean = sum(numbers) / len(numbers)
        var = sum((number - mean) ** 2 for number in numbers) / len(numbers)
        y[n, ..., c] = (x[n, ..., c] - mean) / (var + layer.eps) ** 0.5
    return y


def classes(count: int, known: int) -> list[int]:
    """The labels of every test's batch: each class twice in a row, then again from the first."""
    return [n // 2 % known for n in range(count)]


def embedding(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """y[n] = x[n], then E[c[n]]"""
    return np.array([[*row, *p["E"][c]] for row, c in zip(x, classes(len(x), layer.classes), strict=True)])


def projection(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """y[n] = sum over i of x[n, i] (W[i] + E[c[n], i] / sqrt(n_in)), + b"""
    y = np.zeros((len(x), 1))
    for n, c in enumerate(classes(len(x), layer.classes)):
        for i in range(layer.n_in):
            y[n, 0] += x[n, i] * (p["W"][i] + p["E"][c, i] / layer.n_in**0.5)
        y[n, 0] += p["b"][0]
    return y


def conditional_batch_norm(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """Normalised over the whole batch, then scaled and shifted row by row."""
    nothing = {"gamma": np.ones(layer.channels), "beta": np.zeros(layer.channels)}
    y = batch_norm(layer, nothing, x, rng)
    for n, c in enumerate(classes(len(x), layer.classes)):
        y[n] = y[n] * p["gamma"][c] + p["beta"][c]
    return y


def brightness(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """One number for each image, and one that isn't used."""
    y = np.zeros(x.shape)
    for n, (u, _) in enumerate(rng.random((len(x), 2))):
        y[n] = x[n] + layer.most * (2 * u - 1)
    return y


def contrast(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    y = np.zeros(x.shape)
    for n, (u, _) in enumerate(rng.random((len(x), 2))):
        c = 1 + layer.most * (2 * u - 1)
        y[n] = x[n].mean() + c * (x[n] - x[n].mean())
    return y


def translation(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """y[n, i, j] = x[n, i - d, j - e] where there is such a pixel."""
    n, height, width, _ = x.shape
    m, k = (int(layer.ratio * size + 0.5) for size in (height, width))
    y = np.full(x.shape, layer.fill)
    for at, (u, v) in enumerate(rng.random((n, 2))):
        d, e = int(u * (2 * m + 1)) - m, int(v * (2 * k + 1)) - k
        for i, j in np.ndindex(height, width):
            if 0 <= i - d < height and 0 <= j - e < width:
                y[at, i, j] = x[at, i - d, j - e]
    return y


def cutout(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
    """As in the authors' code: the first row is chosen such that the centre lies anywhere in the image."""
    n, height, width, _ = x.shape
    y = x.astype(np.float64)
    for at, drawn in enumerate(rng.random((n, 2))):
        rows, columns = (
            range(first, first + cut)
            for u, size in zip(drawn, (height, width), strict=True)
            for cut in [int(layer.ratio * size + 0.5)]
            for first in [int(u * (size + 1 - cut % 2)) - cut // 2]
        )
        for i, j in np.ndindex(height, width):
            if i in rows and j in columns:
                y[at, i, j] = layer.fill
    return y


def in_order(*forms: Any) -> Any:
    """The textbook form of a Sequential, from those of its layers."""

    def sequential(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
        for position, form in enumerate(forms):
            own = {name.split(".", 1)[1]: value for name, value in p.items() if name.startswith(f"{position}.")}
            x = form(layer.layers[position], own, x, rng)
        return x

    return sequential


def skip(*forms: Any) -> Any:
    """The textbook form of a Skip, from those of its layers."""
    inner = in_order(*forms)

    def around(layer: Any, p: Params, x: Host, rng: np.random.Generator) -> Host:
        y = inner(layer, p, x, rng)
        return np.array([list(a) + list(b) for a, b in zip(_pixels(x), _pixels(y), strict=True)]).reshape(
            *x.shape[:-1], -1
        )

    return around


def _pixels(x: Host) -> Host:
    return x.reshape(-1, x.shape[-1])


# ---- losses: one term of the sum, and its slope, in so many digits that nothing is lost


def _decimal(f: Any) -> Any:
    """f in 400 digits, for arguments and results that are floats: enough to tell 1 + 1e-308 from 1."""

    def exact(*arguments: float) -> float:
        with localcontext() as context:
            context.prec = 400
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
