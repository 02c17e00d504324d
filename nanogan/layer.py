"""The contract that every layer keeps, and how its weights start.

A layer is three verbs, written so that each derivative stands directly under its function:

    forward(x, training=True) -> y      computes y, keeps what the backward pass needs
    backward_params(dy)                 writes dW, db ... (overwrites: there is nothing to zero)
    backward_input(dy) -> dx            returns d(loss)/dx

`backward(dy)` is the two together. The split is what makes a GAN cheap: the generator's gradient flows *through* the
discriminator by `backward_input`, and the discriminator's own gradients are never computed.

In every formula dx, dy, dW, db mean d(loss)/d(that). Read `layers.py` next.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .backend import Array, Backend, Shape, Workspace
from .errors import ShapeError


class Layer(Workspace):
    """Base of all layers: no parameters, and outputs shaped like inputs, unless a layer says otherwise.

    A layer is created as a description (`Linear(64, 256)`: its fields and nothing else) and becomes useful when a
    `Network` binds it, that is, hands it a backend, a dtype, a random generator and views into the flat vectors of
    parameters, gradients and state. A declared parameter `W` is then `self.W`, and its gradient `self.dW`.

    Rules, each held by a test: a layer writes only its own work arrays and gradients, never `x` or `dy`; what it
    returns is valid until it computes the same thing again; batches may shrink and grow.
    """

    rng: np.random.Generator
    couples_batch = False
    """True where one row's output depends on other rows (batch statistics, packs)."""

    def __getattr__(self, name: str) -> Array:
        """Only reached where `name` was never set: by a typing mistake, or too early."""
        raise AttributeError(
            f"{type(self).__name__} has no {name!r} (W, dW and the like exist once a Network binds it)"
        )

    # ---- what the layer declares

    def param_shapes(self) -> dict[str, Shape]:
        """Names and shapes of the learned arrays, in the order in which they lie in the flat vector."""
        return {}

    def state_shapes(self) -> dict[str, Shape]:
        """Names and shapes of arrays that are kept and saved but not learned (running statistics)."""
        return {}

    def output_shape(self, input_shape: Shape) -> Shape:
        """Shape of one output for one input (no batch axis). Raises ShapeError where the input doesn't fit."""
        return input_shape

    def initial(self, rng: np.random.Generator) -> dict[str, Array]:
        """First values, on the host, of every declared parameter and state."""
        return {}

    # ---- what it does

    def forward(self, x: Array, training: bool = True) -> Array:
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward_params(self, dy: Array) -> None:
        """Nothing to do for a layer without parameters."""

    def backward_input(self, dy: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} has no backward_input")

    def backward(self, dy: Array) -> Array:
        self.backward_params(dy)
        return self.backward_input(dy)

    # ---- how a network takes it over

    @property
    def param_count(self) -> int:
        return sum(math.prod(shape) for shape in self.param_shapes().values())

    @property
    def state_count(self) -> int:
        return sum(math.prod(shape) for shape in self.state_shapes().values())

    def bind(
        self,
        backend: Backend,
        dtype: Any,
        rng: np.random.Generator,
        params: Array,
        grads: Array,
        state: Array,
    ) -> None:
        """Take views of the three flat vectors, which have exactly this layer's sizes, and fill in first values."""
        self._use(backend, dtype)
        self.rng = rng
        for name, view in _views(params, self.param_shapes()).items():
            setattr(self, name, view)
        for name, view in _views(grads, self.param_shapes()).items():
            setattr(self, "d" + name, view)
        for name, view in _views(state, self.state_shapes()).items():
            setattr(self, name, view)
        for name, value in self.initial(rng).items():
            getattr(self, name)[...] = backend.asarray(value.astype(self.dtype))

    def arrays(self) -> dict[str, Array]:
        """Every declared parameter and state by name, as live views."""
        return {name: getattr(self, name) for name in (*self.param_shapes(), *self.state_shapes())}


def _views(flat: Array, shapes: dict[str, Shape]) -> dict[str, Array]:
    """`flat` cut into consecutive pieces of the given shapes."""
    views, start = {}, 0
    for name, shape in shapes.items():
        end = start + math.prod(shape)
        views[name] = flat[start:end].reshape(shape)
        start = end
    return views


def expect_shape(layer: Layer, input_shape: Shape, expected: Shape) -> None:
    """Raise ShapeError unless one input of `layer` has the expected shape."""
    if input_shape != expected:
        raise ShapeError(f"{layer}: expected inputs of shape {expected}, got {input_shape}")
