"""Layers as a NumPy textbook writes them: what nanogan's are compared with in time.

The fully connected ones are those of `nanogan/plain.py`; here are the others, in the same style. Every layer returns
new arrays. `naive_step.py` makes a training step of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nanogan import conv, layers, norm, plain, reshape
from nanogan.backend import Array


class Layer:
    """y = forward(x); from dy, backward_params writes the gradients of the parameters, and backward_input gives dx.

    The textbook form of a layer of nanogan's, and its parameters by name: `self.W` and so on, with gradients `self.dW`.
    """

    def __init__(self, layer: Any, arrays: dict[str, Array]) -> None:
        self.layer, self.names = layer, tuple(arrays)
        for name, array in arrays.items():
            setattr(self, name, array)
            setattr(self, "d" + name, np.zeros_like(array))

    def __getattr__(self, name: str) -> Array:
        raise AttributeError(f"{type(self).__name__} has no {name!r}")

    def forward(self, x: Array) -> Array:
        raise NotImplementedError

    def backward_params(self, dy: Array) -> None:
        """Nothing to do without parameters."""

    def backward_input(self, dy: Array) -> Array:
        raise NotImplementedError

    @property
    def params(self) -> list[Array]:
        return [getattr(self, name) for name in self.names]

    @property
    def grads(self) -> list[Array]:
        return [getattr(self, "d" + name) for name in self.names]


class Linear(plain.Linear, Layer):
    def __init__(self, layer: Any, arrays: dict[str, Array]) -> None:
        Layer.__init__(self, layer, arrays)
        if not layer.bias:
            self.b, self.db = np.zeros((2, layer.n_out), self.W.dtype)


class TransposedLinear(Linear):
    """The same with W as (out, in), the way PyTorch and textbooks that put data in columns store it."""

    def __init__(self, layer: Any, arrays: dict[str, Array]) -> None:
        super().__init__(layer, {**arrays, "W": arrays["W"].T.copy()})

    def forward(self, x: Array) -> Array:
        self.x = x
        return x @ self.W.T + self.b

    def backward_params(self, dy: Array) -> None:
        self.dW[...] = dy.T @ self.x
        self.db[...] = dy.sum(axis=0)

    def backward_input(self, dy: Array) -> Array:
        return dy @ self.W


class ReLU(plain.ReLU, Layer):
    """LeakyReLU, too."""

    def __init__(self, layer: Any, arrays: dict[str, Array]) -> None:
        Layer.__init__(self, layer, arrays)
        self.slope = getattr(layer, "slope", 0.0)


class Tanh(plain.Tanh, Layer):
    pass


class Sigmoid(Layer):
    def forward(self, x: Array) -> Array:
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward_input(self, dy: Array) -> Array:
        return dy * self.y * (1 - self.y)


class Maxout(Layer):
    def forward(self, x: Array) -> Array:
        self.x = x
        lines = (x @ self.W + self.b).reshape(len(x), self.layer.pieces, -1)
        self.winner = lines.argmax(axis=1)[:, None]
        return np.take_along_axis(lines, self.winner, axis=1)[:, 0]

    def _dlines(self, dy: Array) -> Array:
        dlines = np.zeros((len(dy), self.layer.pieces, dy.shape[1]), dy.dtype)
        np.put_along_axis(dlines, self.winner, dy[:, None], axis=1)
        return dlines.reshape(len(dy), -1)

    def backward_params(self, dy: Array) -> None:
        dlines = self._dlines(dy)
        self.dW[...] = self.x.T @ dlines
        self.db[...] = dlines.sum(axis=0)

    def backward_input(self, dy: Array) -> Array:
        return self._dlines(dy) @ self.W.T


class Dropout(Layer):
    rng = np.random.default_rng(0)

    def forward(self, x: Array) -> Array:
        self.scale = ((self.rng.random(x.shape) >= self.layer.p) / (1 - self.layer.p)).astype(x.dtype)
        return x * self.scale

    def backward_input(self, dy: Array) -> Array:
        return dy * self.scale


class Reshape(Layer):
    """Flatten, too."""

    def forward(self, x: Array) -> Array:
        self.input_shape = x.shape
        return x.reshape(len(x), *self.layer.output_shape(x.shape[1:]))

    def backward_input(self, dy: Array) -> Array:
        return dy.reshape(self.input_shape)


class BatchNorm(Layer):
    def forward(self, x: Array) -> Array:
        self.axes = tuple(range(x.ndim - 1))
        self.std = np.sqrt(x.var(axis=self.axes) + self.layer.eps)
        self.xhat = (x - x.mean(axis=self.axes)) / self.std
        return self.gamma * self.xhat + self.beta

    def backward_params(self, dy: Array) -> None:
        self.dgamma[...] = (dy * self.xhat).sum(axis=self.axes)
        self.dbeta[...] = dy.sum(axis=self.axes)

    def backward_input(self, dy: Array) -> Array:
        dxhat = dy * self.gamma
        mean, slope = dxhat.mean(axis=self.axes), (dxhat * self.xhat).mean(axis=self.axes)
        return (dxhat - mean - self.xhat * slope) / self.std


class Convolution(Layer):
    """The three products between an image and its features, over the k x k windows of the padded image."""

    @property
    def kernels(self) -> Array:
        k = self.layer.kernel
        return self.W.reshape(k, k, -1, self.W.shape[1])

    def windows(self, image: Array) -> Array:
        """(N, h, w, C, k, k)"""
        k, s, p = self.layer.kernel, self.layer.stride, self.layer.padding
        padded = np.pad(image, ((0, 0), (p, p), (p, p), (0, 0)))
        return sliding_window_view(padded, (k, k), axis=(1, 2))[:, ::s, ::s]

    def correlate(self, image: Array) -> Array:
        return np.tensordot(self.windows(image), self.kernels, axes=([4, 5, 3], [0, 1, 2]))

    def correlate_transposed(self, features: Array, shape: tuple[int, ...]) -> Array:
        k, s, p = self.layer.kernel, self.layer.stride, self.layer.padding
        (_, h, w, _), (n, height, width, channels) = features.shape, shape
        padded = np.zeros((n, height + 2 * p, width + 2 * p, channels), features.dtype)
        for i in range(k):
            for j in range(k):
                padded[:, i : i + s * h : s, j : j + s * w : s] += features @ self.kernels[i, j].T
        return padded[:, p : p + height, p : p + width]

    def weight_gradient(self, image: Array, features: Array) -> None:
        dW = np.tensordot(self.windows(image), features, axes=([0, 1, 2], [0, 1, 2]))  # (C, k, k, F)
        self.dW[...] = dW.transpose(1, 2, 0, 3).reshape(self.W.shape)


class Conv2d(Convolution):
    def forward(self, x: Array) -> Array:
        self.x = x
        y = self.correlate(x)
        return y + self.b if self.layer.bias else y

    def backward_params(self, dy: Array) -> None:
        self.weight_gradient(self.x, dy)
        if self.layer.bias:
            self.db[...] = dy.sum(axis=(0, 1, 2))

    def backward_input(self, dy: Array) -> Array:
        return self.correlate_transposed(dy, self.x.shape)


class ConvTranspose2d(Convolution):
    def forward(self, x: Array) -> Array:
        self.x = x
        y = self.correlate_transposed(x, (len(x), *self.layer.output_shape(x.shape[1:])))
        return y + self.b if self.layer.bias else y

    def backward_params(self, dy: Array) -> None:
        self.weight_gradient(dy, self.x)
        if self.layer.bias:
            self.db[...] = dy.sum(axis=(0, 1, 2))

    def backward_input(self, dy: Array) -> Array:
        return self.correlate(dy)


FORMS: dict[type, type[Layer]] = {
    layers.Linear: Linear,
    layers.ReLU: ReLU,
    layers.LeakyReLU: ReLU,
    layers.Tanh: Tanh,
    layers.Sigmoid: Sigmoid,
    layers.Maxout: Maxout,
    layers.Dropout: Dropout,
    reshape.Reshape: Reshape,
    reshape.Flatten: Reshape,
    norm.BatchNorm: BatchNorm,
    conv.Conv2d: Conv2d,
    conv.ConvTranspose2d: ConvTranspose2d,
}
"""Which class is the textbook form of which layer of nanogan's."""
