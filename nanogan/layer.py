"""The contract that every layer keeps.

A layer has three methods, written so that each derivative stands directly below its function:

    forward(x, training=True) -> y      computes y, keeps what the backward pass needs
    backward_params(dy)                 writes dW, db ... (overwrites: there is nothing to zero)
    backward_input(dy) -> dx            returns d(loss)/dx

`backward(dy)` does both. The split is what makes a GAN cheap: the generator's gradient flows *through* the
discriminator by `backward_input`, and the discriminator's own gradients are never computed.

In every formula dx, dy, dW, db mean d(loss)/d(that).

A layer is created as a description (`Linear(64, 256)`: its fields and nothing else) and becomes useful when a `Network`
binds it, that is, gives it a backend, a dtype, a random generator and views into the network's flat vectors of
parameters, of gradients, and of state, which is kept but not learned, such as running means. A declared parameter `W`
is then `self.W`, and its gradient `self.dW`.

`self.xp` is the array module, NumPy or CuPy, and `self.buffer(name, shape)` a work array that the layer reuses in every
step (`backend.py`). So a layer's next such call overwrites what it has returned: copy what you keep. Two more rules,
each held by a test: a layer never writes to `x` or `dy`, and the batch size may change. Read `layers.py` next.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .backend import Array, Backend, Shape, Workspace
from .errors import InputError, ShapeError
from .initializers import Draw, zeros
from .workers import WHOLE, Shard


class Declared(NamedTuple):
    """An array that a layer asks for: its shape, how its initial values are drawn, and whether it is learned."""

    shape: Shape
    first: Draw = zeros
    learned: bool = True


Memory: TypeAlias = "Iterator[tuple[Array, Array]]"
"""For each declared array in turn, the memory for its values and its gradient: slices of the flat vectors."""


class Layer(Workspace):
    """Base of all layers: no parameters, and outputs shaped like inputs, unless a layer says otherwise."""

    rng: np.random.Generator
    classes: int
    labels: Array
    depends_on_batch = False  # True if a row's output depends on other rows of the batch (batch statistics, packs)
    uses_labels = False  # True if it needs the class of each row: its network then sets `self.labels`, (N,)
    shard: Shard = WHOLE  # which rows of a batch this process has

    def __getattr__(self, name: str) -> Array:
        """Only called if `name` was never set: a misspelled name, or a layer that isn't bound yet."""
        raise AttributeError(f"{type(self).__name__} has no {name!r} (W, dW and so on exist once a Network binds it)")

    def declare(self) -> dict[str, Declared]:
        """The arrays of this layer by name: parameters, and state that is kept and saved but not learned."""
        return {}

    def output_shape(self, input_shape: Shape) -> Shape:
        """Shape of one output for one input (no batch axis). Raises ShapeError if the input doesn't fit."""
        return input_shape

    def forward(self, x: Array, training: bool = True) -> Array:
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward_params(self, dy: Array) -> None:
        """Nothing to do for a layer without parameters."""

    def backward_input(self, dy: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} has no backward_input")

    def backward(self, dy: Array) -> Array:
        self.backward_params(dy)
        return self.backward_input(dy)

    def forward_tangent(self, v: Array) -> Array:
        """How y moves if x moves along v, at the x of the last `forward`: for gradient penalties (`penalties.py`).

        For layers that are linear in x between kinks: a slope that changes with x would add a term. From here on
        `backward_params` takes v for x.
        """
        raise InputError(f"{self}: takes no gradient penalty: it has no forward_tangent, which is for constant slopes")

    def bind(self, backend: Backend, dtype: Any, rng: np.random.Generator, memory: Memory) -> None:
        """Take the next slices of the network's flat vectors and fill in the initial values."""
        self._use(backend, dtype)
        self.rng = rng
        for name, (shape, first, learned) in self.declare().items():
            value, gradient = (piece.reshape(shape) for piece in next(memory))
            value[...] = self.xp.asarray(first(rng, shape).astype(self.dtype))
            setattr(self, name, value)
            if learned:
                setattr(self, "d" + name, gradient)

    def share(self, shard: Shard) -> None:
        """From now on, in training, `forward` gets only these rows of each batch (`workers.py`)."""
        self.shard = shard

    def __reduce_ex__(self, protocol: Any) -> Any:
        """For `pickle` and `copy.deepcopy`. A bound layer's arrays are views, which no copy of it alone could be."""
        if self.is_bound:
            name = type(self).__name__
            raise InputError(f"{name} is part of a network: copy the Network, or take copy.copy({name}), unbound")
        return super().__reduce_ex__(protocol)

    def arrays(self) -> dict[str, Array]:
        """Every declared array by name, as a live view."""
        return {name: getattr(self, name) for name in self.declare()}

    def param_names(self) -> list[str]:
        """The names of the learned arrays."""
        return [name for name, array in self.declare().items() if array.learned]

    def value_count(self, learned: bool = True) -> int:
        """How many learned values there are, or how many of state."""
        return sum(math.prod(array.shape) for array in self.declare().values() if array.learned == learned)

    @property
    def param_count(self) -> int:
        return self.value_count()


def expect_shape(layer: Layer, input_shape: Shape, expected: Shape) -> None:
    """Raise ShapeError unless one input of `layer` has the expected shape."""
    if input_shape != expected:
        raise ShapeError(f"{layer}: expected inputs of shape {expected}, got {input_shape}")
