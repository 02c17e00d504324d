"""The contract that every layer keeps.

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
from typing import Any, NamedTuple

import numpy as np

from .backend import Array, Backend, Shape, Workspace
from .errors import ShapeError
from .initializers import Draw, zeros


class Declared(NamedTuple):
    """An array that a layer wants to have: its shape, and how its first values are drawn."""

    shape: Shape
    first: Draw = zeros

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class Layer(Workspace):
    """Base of all layers: no parameters, and outputs shaped like inputs, unless a layer says otherwise.

    A layer is created as a description (`Linear(64, 256)`: its fields and nothing else) and becomes useful when a
    `Network` binds it, that is, gives it a backend, a dtype, a random generator and views into the flat vectors of
    parameters, gradients and state. A declared parameter `W` is then `self.W`, and its gradient `self.dW`.

    Rules, each held by a test: a layer writes only its own work arrays and gradients, never `x` or `dy`; what it
    returns is valid until it computes the same thing again; batches may shrink and grow.
    """

    rng: np.random.Generator
    depends_on_batch = False
    """True if the output for one row depends on the other rows of the batch (batch statistics, packs)."""

    def __getattr__(self, name: str) -> Array:
        """Only called if `name` was never set: a typing mistake, or too early."""
        raise AttributeError(f"{type(self).__name__} has no {name!r} (W, dW and so on exist once a Network binds it)")

    # ---- what the layer declares

    def declare_params(self) -> dict[str, Declared]:
        """The learned arrays by name, in their order in the flat vector."""
        return {}

    def declare_state(self) -> dict[str, Declared]:
        """The arrays that are kept and saved but not learned (running statistics)."""
        return {}

    def output_shape(self, input_shape: Shape) -> Shape:
        """Shape of one output for one input (no batch axis). Raises ShapeError if the input doesn't fit."""
        return input_shape

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
        return sum(declared.size for declared in self.declare_params().values())

    @property
    def state_count(self) -> int:
        return sum(declared.size for declared in self.declare_state().values())

    def bind(
        self, backend: Backend, dtype: Any, rng: np.random.Generator, params: Array, grads: Array, state: Array
    ) -> None:
        """Take views of the three flat vectors, which have exactly this layer's sizes, and fill in first values."""
        self._use(backend, dtype)
        self.rng = rng
        learned, kept = self.declare_params(), self.declare_state()
        views = _views(params, learned) | _views(state, kept)
        for name, (shape, first) in (learned | kept).items():
            views[name][...] = backend.asarray(first(rng, shape).astype(self.dtype))
        views |= {"d" + name: gradient for name, gradient in _views(grads, learned).items()}
        for name, view in views.items():
            setattr(self, name, view)

    def arrays(self) -> dict[str, Array]:
        """Every declared parameter and state by name, as live views."""
        return {name: getattr(self, name) for name in (*self.declare_params(), *self.declare_state())}


def _views(flat: Array, declared: dict[str, Declared]) -> dict[str, Array]:
    """`flat` cut into consecutive pieces of the declared shapes."""
    views, start = {}, 0
    for name, array in declared.items():
        views[name] = flat[start : start + array.size].reshape(array.shape)
        start += array.size
    return views


def expect_shape(layer: Layer, input_shape: Shape, expected: Shape) -> None:
    """Raise ShapeError unless one input of `layer` has the expected shape."""
    if input_shape != expected:
        raise ShapeError(f"{layer}: expected inputs of shape {expected}, got {input_shape}")
