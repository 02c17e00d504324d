"""Layers as a NumPy textbook writes them: what nanogan's are compared with in time.

Every layer returns new arrays and keeps its parameters and their gradients as dictionaries. `naive_step.py` makes a
training step of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nanogan import conv, layers, norm, reshape
from nanogan.backend import Array


class Layer:
    """y = forward(x); from dy, backward_params writes the gradients of the parameters, and backward_input gives dx."""

    def __init__(self, layer: Any, arrays: dict[str, Array]) -> None:
        self.layer, self.p = layer, arrays
        self.grads: dict[str, Array] = {}

    def forward(self, x: Array) -> Array:
        raise NotImplementedError

    def backward_params(self, dy: Array) -> None:
        """Nothing to do without parameters."""

    def backward_input(self, dy: Array) -> Array:
        raise NotImplementedError


class Linear(Layer):
    def forward(self, x: Array) -> Array:
        self.x = x
        y = x @ self.p["W"]
        return y + self.p["b"] if "b" in self.p else y

    def backward_params(self, dy: Array) -> None:
        self.grads["W"] = self.x.T @ dy
        if "b" in self.p:
            self.grads["b"] = dy.sum(axis=0)

    def backward_input(self, dy: Array) -> Array:
        return dy @ self.p["W"].T


class TransposedLinear(Linear):
    """The same with W as (out, in), the way PyTorch and textbooks that put data in columns store it."""

    def __init__(self, layer: Any, arrays: dict[str, Array]) -> None:
        super().__init__(layer, {**arrays, "W": arrays["W"].T.copy()})

    def forward(self, x: Array) -> Array:
        self.x = x
        y = x @ self.p["W"].T
        return y + self.p["b"] if "b" in self.p else y

    def backward_params(self, dy: Array) -> None:
        super().backward_params(dy)
        self.grads["W"] = dy.T @ self.x

    def backward_input(self, dy: Array) -> Array:
        return dy @ self.p["W"]


class LeakyReLU(Layer):
    """ReLU is the one with slope 0."""

    def forward(self, x: Array) -> Array:
        self.x, self.slope = x, getattr(self.layer, "slope", 0.0)
        return np.where(x > 0, x, self.slope * x)

    def backward_input(self, dy: Array) -> Array:
        return np.where(self.x > 0, dy, self.slope * dy)


class Tanh(Layer):
    def forward(self, x: Array) -> Array:
        self.y = np.tanh(x)
        return self.y

    def backward_input(self, dy: Array) -> Array:
        return dy * (1 - self.y**2)


class Sigmoid(Layer):
    def forward(self, x: Array) -> Array:
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward_input(self, dy: Array) -> Array:
        return dy * self.y * (1 - self.y)


class Maxout(Layer):
    def forward(self, x: Array) -> Array:
        self.x = x
        lines = (x @ self.p["W"] + self.p["b"]).reshape(len(x), self.layer.pieces, -1)
        self.winner = lines.argmax(axis=1)[:, None]
        return np.take_along_axis(lines, self.winner, axis=1)[:, 0]

    def _dlines(self, dy: Array) -> Array:
        dlines = np.zeros((len(dy), self.layer.pieces, dy.shape[1]), dy.dtype)
        np.put_along_axis(dlines, self.winner, dy[:, None], axis=1)
        return dlines.reshape(len(dy), -1)

    def backward_params(self, dy: Array) -> None:
        dlines = self._dlines(dy)
        self.grads = {"W": self.x.T @ dlines, "b": dlines.sum(axis=0)}

    def backward_input(self, dy: Array) -> Array:
        return self._dlines(dy) @ self.p["W"].T


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
        return self.p["gamma"] * self.xhat + self.p["beta"]

    def backward_params(self, dy: Array) -> None:
        self.grads = {"gamma": (dy * self.xhat).sum(axis=self.axes), "beta": dy.sum(axis=self.axes)}

    def backward_input(self, dy: Array) -> Array:
        dxhat = dy * self.p["gamma"]
        mean, slope = dxhat.mean(axis=self.axes), (dxhat * self.xhat).mean(axis=self.axes)
        return (dxhat - mean - self.xhat * slope) / self.std


class Convolution(Layer):
    """The three products between an image and its features, over the k x k windows of the padded image."""

    @property
    def W(self) -> Array:
        k = self.layer.kernel
        return self.p["W"].reshape(k, k, -1, self.p["W"].shape[1])

    def windows(self, image: Array) -> Array:
        """(N, h, w, C, k, k)"""
        k, s, p = self.layer.kernel, self.layer.stride, self.layer.padding
        padded = np.pad(image, ((0, 0), (p, p), (p, p), (0, 0)))
        return sliding_window_view(padded, (k, k), axis=(1, 2))[:, ::s, ::s]

    def correlate(self, image: Array) -> Array:
        return np.tensordot(self.windows(image), self.W, axes=([4, 5, 3], [0, 1, 2]))

    def correlate_transposed(self, features: Array, shape: tuple[int, ...]) -> Array:
        k, s, p = self.layer.kernel, self.layer.stride, self.layer.padding
        (_, h, w, _), (n, height, width, channels) = features.shape, shape
        padded = np.zeros((n, height + 2 * p, width + 2 * p, channels), features.dtype)
        for i in range(k):
            for j in range(k):
                padded[:, i : i + s * h : s, j : j + s * w : s] += features @ self.W[i, j].T
        return padded[:, p : p + height, p : p + width]

    def weight_gradient(self, image: Array, features: Array) -> None:
        dW = np.tensordot(self.windows(image), features, axes=([0, 1, 2], [0, 1, 2]))  # (C, k, k, F)
        self.grads["W"] = dW.transpose(1, 2, 0, 3).reshape(self.p["W"].shape)


class Conv2d(Convolution):
    def forward(self, x: Array) -> Array:
        self.x = x
        y = self.correlate(x)
        return y + self.p["b"] if "b" in self.p else y

    def backward_params(self, dy: Array) -> None:
        self.weight_gradient(self.x, dy)
        if "b" in self.p:
            self.grads["b"] = dy.sum(axis=(0, 1, 2))

    def backward_input(self, dy: Array) -> Array:
        return self.correlate_transposed(dy, self.x.shape)


class ConvTranspose2d(Convolution):
    def forward(self, x: Array) -> Array:
        self.x = x
        y = self.correlate_transposed(x, (len(x), *self.layer.output_shape(x.shape[1:])))
        return y + self.p["b"] if "b" in self.p else y

    def backward_params(self, dy: Array) -> None:
        self.weight_gradient(dy, self.x)
        if "b" in self.p:
            self.grads["b"] = dy.sum(axis=(0, 1, 2))

    def backward_input(self, dy: Array) -> Array:
        return self.correlate(dy)


FORMS: dict[type, type[Layer]] = {
    layers.Linear: Linear,
    layers.ReLU: LeakyReLU,
    layers.LeakyReLU: LeakyReLU,
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
