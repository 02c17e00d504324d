"""Spectral normalisation: a layer that can't stretch any difference between its inputs (Miyato et al. 2018)."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from .backend import Array, Backend, Shape
from .errors import InputError
from .initializers import zeros
from .layer import Declared, Layer, Memory
from .settings import check_fields


def has_matrix(layer: Layer) -> bool:
    """Whether it has weights W that stretch; a `Projection` has vectors instead, one for each class."""
    W = layer.declare().get("W")
    return W is not None and len(W.shape) == 2


@dataclass
class SpectralNorm(Layer):
    """y = layer(x), with W / sigma in place of its W      sigma = |W u|: the largest singular value of W

    W: (n, F), as Linear, Maxout and Conv2d have it   u: (F,), the unit vector that W stretches most

    u is state: exact at first, then improved by one power iteration in every forward pass in training, which is enough
    to follow a W that moves slowly:  u <- W^T W u / |W^T W u|.
    """

    layer: Layer

    def __post_init__(self) -> None:
        check_fields(self)
        if not isinstance(self.layer, Layer) or not has_matrix(self.layer):
            raise InputError(f"SpectralNorm: expected a layer with weights W, such as Linear(2, 3), got {self.layer!r}")

    def declare(self) -> dict[str, Declared]:
        own = self.layer.declare()
        return {**own, "u": Declared((own["W"].shape[1],), zeros, False)}

    def output_shape(self, input_shape: Shape) -> Shape:
        return self.layer.output_shape(input_shape)

    def bind(self, backend: Backend, dtype: Any, rng: np.random.Generator, memory: Memory) -> None:
        """The inner layer shares b; its W and dW, those of W / sigma, are work arrays."""
        super().bind(backend, dtype, rng, memory)
        self.u[...] = backend.asarray(np.linalg.svd(backend.to_host(self.W), full_matrices=False)[2][0])
        self.inner = copy(self.layer)
        self.inner._use(backend, dtype)
        arrays = {"W": self.buffer("W / sigma", self.W.shape), "dW": self.buffer("d(W / sigma)", self.W.shape)}
        if "b" in self.param_names():
            arrays |= {"b": self.b, "db": self.db}
        vars(self.inner).update(arrays)

    def forward(self, x: Array, training: bool = True) -> Array:
        product, u = self.xp.matmul, self.u[:, None]
        if training:
            stretched = product(self.W.T, product(self.W, u))
            u[...] = stretched / self.xp.sqrt((stretched * stretched).sum())
        left = product(self.W, u)
        self.sigma = self.xp.sqrt((left * left).sum())
        self.left = left / self.sigma
        self.xp.divide(self.W, self.sigma, out=self.inner.W)
        return self.inner.forward(x, training)

    def backward_params(self, dy: Array) -> None:
        """dW = (dW' - sum of (dW' W') left u^T) / sigma, where W' = W / sigma and left = W u / sigma

        The second term is W's effect on sigma: d(sigma)/dW = left u^T.
        """
        self.inner.backward_params(dy)
        inner, dW = self.inner, self.dW
        self.xp.multiply(inner.dW, inner.W, out=dW)
        self.xp.multiply(dW.sum() * self.left, self.u, out=dW)
        self.xp.subtract(inner.dW, dW, out=dW)
        dW /= self.sigma

    def backward_input(self, dy: Array) -> Array:
        return self.inner.backward_input(dy)

    def forward_tangent(self, v: Array) -> Array:
        return self.inner.forward_tangent(v)
