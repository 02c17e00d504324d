"""Layers in order, and the flat vectors that hold all their values.

A `Network` adds up what its layers declare and allocates three vectors once: `params`, `grads` and `state` (running
statistics). Each layer works on views of its piece. So an optimizer is one update of one vector, a checkpoint is a few
arrays, and clipping or averaging is one line. Read `losses.py` next.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from typing import Any

import numpy as np

from . import settings
from .backend import NUMPY, Array, Backend, Shape
from .errors import ArrayError, InputError, ShapeError
from .layer import Declared, Layer, Memory
from .workers import Shard


def expect_layers(layers: Any) -> list[Layer]:
    """The layers as a list. Raises InputError unless they are some, each made already."""
    listed = list(layers) if hasattr(layers, "__iter__") else []
    if not hasattr(layers, "__iter__") or not all(isinstance(layer, Layer) for layer in listed):
        raise InputError(_no_layers(layers, listed))
    return listed


def _no_layers(layers: Any, listed: list[Any]) -> str:
    """What is wrong with a list of layers that isn't one."""
    for position, layer in enumerate(listed):
        if isinstance(layer, type):
            return f"layers: number {position} is the class {layer.__name__}; write {layer.__name__}(...)"
        if not isinstance(layer, Layer):
            return f"layers: number {position} is no layer: {layer!r}"
    return f"layers must be a list of layers, got {layers!r}; write [...] around it"


def leaves(layers: Iterable[Layer]) -> Iterator[Layer]:
    """The layers, and in place of each Sequential those within it, at any depth."""
    for layer in layers:
        if isinstance(layer, Sequential):
            yield from leaves(layer.layers)
        else:
            yield layer


class Sequential(Layer):
    """y = layer_n(... layer_2(layer_1(x))): a layer that runs layers in order, and their derivatives in reverse.

    The layers are copied, so one layer object can be listed several times without sharing activations.
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        self.layers = [copy(layer) for layer in expect_layers(layers)]
        self.depends_on_batch = any(layer.depends_on_batch for layer in self.layers)
        self.uses_labels = any(layer.uses_labels for layer in self.layers)
        with_params = [position for position, layer in enumerate(self.layers) if layer.value_count()]
        self.first_with_params = min(with_params, default=len(self.layers))

    def __copy__(self) -> Sequential:
        """An unbound description: copies of the layers."""
        return Sequential(self.layers)

    def __repr__(self) -> str:
        return f"{type(self).__name__}([{', '.join(map(repr, self.layers))}])"

    def declare(self) -> dict[str, Declared]:
        """The arrays of all layers, named like "0.W": the layer's position, then its own name."""
        own = enumerate(layer.declare() for layer in self.layers)
        return {f"{position}.{name}": array for position, arrays in own for name, array in arrays.items()}

    def output_shape(self, input_shape: Shape) -> Shape:
        for position, layer in enumerate(self.layers):
            try:
                input_shape = layer.output_shape(input_shape)
            except ShapeError as error:
                raise ShapeError(f"layer {position}, {error}") from None
        return input_shape

    def bind(self, backend: Backend, dtype: Any, rng: np.random.Generator, memory: Memory) -> None:
        self._use(backend, dtype)
        self.rng = rng
        for layer in self.layers:
            layer.bind(backend, dtype, rng, memory)

    def label_layers(self) -> list[Layer]:
        """The layers that use labels, also those within other layers."""
        return [layer for layer in leaves(self.layers) if layer.uses_labels]

    def share(self, shard: Shard) -> None:
        for layer in self.layers:
            layer.share(shard)

    def arrays(self) -> dict[str, Array]:
        """Every declared array as a live view, by the name that `declare` gives it."""
        return {
            f"{position}.{name}": array
            for position, layer in enumerate(self.layers)
            for name, array in layer.arrays().items()
        }

    def forward(self, x: Array, training: bool = True) -> Array:
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward_params(self, dy: Array) -> None:
        """Every layer's gradients. The first layer with parameters needs no dx, so none is computed from there down."""
        for layer in reversed(self.layers[self.first_with_params + 1 :]):
            dy = layer.backward(dy)
        for layer in self.layers[self.first_with_params : self.first_with_params + 1]:
            layer.backward_params(dy)

    def backward_input(self, dy: Array) -> Array:
        """dx alone: the chain rule through every layer, no layer's own gradients."""
        for layer in reversed(self.layers):
            dy = layer.backward_input(dy)
        self.dx = dy  # so that one can see what a discriminator has told the generator
        return dy

    def backward(self, dy: Array) -> Array:
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def forward_tangent(self, v: Array) -> Array:
        for layer in self.layers:
            v = layer.forward_tangent(v)
        return v


class Skip(Sequential):
    """y = x and inner(x), side by side on the last axis: x goes through the layers and also around them.

    Nested Skips, each halving the image on the way in and doubling it on the way out, make a U-Net
    (Ronneberger et al. 2015), which image-to-image networks use.
    """

    def __copy__(self) -> Skip:
        return Skip(self.layers)

    def output_shape(self, input_shape: Shape) -> Shape:
        inner = super().output_shape(input_shape)
        if inner[:-1] != input_shape[:-1]:
            raise ShapeError(f"Skip: its layers must keep all axes but the last: they turn {input_shape} into {inner}")
        return (*inner[:-1], input_shape[-1] + inner[-1])

    def forward(self, x: Array, training: bool = True) -> Array:
        inner = super().forward(x, training)
        self.around = x.shape[-1]
        y = self.buffer("y", (*x.shape[:-1], self.around + inner.shape[-1]))
        y[..., : self.around] = x
        y[..., self.around :] = inner
        return y

    def backward_params(self, dy: Array) -> None:
        """The inner layers' gradients."""
        super().backward_params(self._inner(dy))

    def backward_input(self, dy: Array) -> Array:
        """dx = dy of x + inner.backward_input(dy of inner(x)): the gradients of the two paths add up."""
        return self._joined(dy, super().backward_input(self._inner(dy)))

    def backward(self, dy: Array) -> Array:
        return self._joined(dy, super().backward(self._inner(dy)))

    def forward_tangent(self, v: Array) -> Array:
        """v and the inner layers' tangent, side by side"""
        return self.xp.concatenate([v, super().forward_tangent(v)], axis=-1)

    def _inner(self, dy: Array) -> Array:
        """dy of inner(x), copied, because a matrix product of a strided slice would copy it anyway."""
        part = dy[..., self.around :]
        inner = self.buffer("dy of inner", part.shape)
        inner[...] = part
        return inner

    def _joined(self, dy: Array, dx_inner: Array) -> Array:
        return self.xp.add(dy[..., : self.around], dx_inner, out=self.buffer("dx", dx_inner.shape))


class Network(Sequential):
    """A sequence of layers with its memory: `params`, `grads` and `state`, one flat vector each.

    input_shape: shape of one input, without the batch axis; an int n means (n,).
    backend, dtype: where and in what precision to compute; float64 is for gradient checks.
    rng: the generator, on the host, of first weights and dropout masks, or its seed.

    Raises ShapeError if the layers don't fit, InputError, naming the argument, on anything else. What a network returns
    is a work array: `[G.forward(z) for z in batches]` is the last batch many times. Copy what you keep.
    """

    def __init__(
        self,
        layers: Iterable[Layer],
        input_shape: int | Shape,
        *,
        backend: Backend = NUMPY,
        dtype: Any = np.float32,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__(layers)
        self.input_shape = settings.setting("Shape", "input_shape", input_shape)
        self.shape = self.output_shape(self.input_shape)  # of one output
        self.classes = self._common_classes() if self.uses_labels else 0
        self._use(backend, dtype)
        sizes = (self.value_count(learned) for learned in (True, True, False))
        self.params, self.grads, self.state = (self.xp.zeros(size, dtype=self.dtype) for size in sizes)
        self.bind(backend, dtype, settings.generator(rng), self._memory())
        self.lock = threading.Lock()  # for threads that share a generator (`training.generate`)

    def _memory(self) -> Memory:
        """The flat vectors, cut into the declared arrays."""
        end = {True: 0, False: 0}
        for shape, _, learned in self.declare().values():
            start, end[learned] = end[learned], end[learned] + math.prod(shape)
            vectors = (self.params, self.grads) if learned else (self.state, self.state)
            yield tuple(vector[start : end[learned]] for vector in vectors)

    def forward(self, x: Array, training: bool = True, labels: Array | None = None) -> Array:
        """The output for a batch x of shape (N, *input_shape), valid until the next forward.

        labels: the class of each row, (N,) whole numbers in 0 ... classes - 1, if its layers use them.
        """
        self.expect_input(x, labels)
        if labels is not None:
            for layer in self.label_layers():
                layer.labels = labels
        return super().forward(x, training)

    def expect_input(self, x: Array, labels: Array | None = None) -> None:
        """Raise ShapeError or ArrayError unless x is a batch that this network takes, and labels are those it needs."""
        self.expect_array(x, "inputs")
        if x.shape[1:] != self.input_shape:
            raise ShapeError(f"network: expected a batch of inputs of shape {self.input_shape}, got {x.shape}")
        if self.uses_labels or labels is not None:
            self._expect_labels(x, labels)

    def _common_classes(self) -> int:
        """How many classes its layers tell apart. Raises InputError if they differ."""
        found = sorted({layer.classes for layer in self.label_layers()})
        if len(found) > 1:
            raise InputError(f"network: its layers tell different numbers of classes apart: {found}; make them one")
        return found[0]

    def _expect_labels(self, x: Array, labels: Array | None) -> None:
        """Whether they lie in 0 ... classes - 1 is checked on the host alone: a GPU would have to be waited for."""
        if labels is None:
            raise InputError(f"network: it tells {self.classes} classes apart: give that of each row, labels=(N,)")
        if not self.uses_labels:
            raise InputError("network: labels were given, but none of its layers uses them; leave them out")
        if not isinstance(labels, self.xp.ndarray) or labels.dtype.kind not in "iu":
            raise ArrayError(f"network: expected labels as an array of {self.backend.name} of whole numbers")
        if labels.shape != x.shape[:1]:
            raise ShapeError(f"network: expected a label for each row, {x.shape[:1]}, got {labels.shape}")
        if self.xp is np and len(x) and not 0 <= labels.min() <= labels.max() < self.classes:
            raise InputError(
                f"network: expected labels in 0 ... {self.classes - 1}, got {labels.min()} ... {labels.max()}"
            )

    def misfit(self, x: Any, what: str) -> str:
        return f"network: {super().misfit(x, what)}"

    def __reduce_ex__(self, protocol: Any) -> Any:
        """For `pickle` and `copy.deepcopy`: how it was made, and its numbers. What `forward` kept is left behind."""
        vectors = [self.backend.to_host(vector) for vector in (self.params, self.grads, self.state)]
        layers = [copy(layer) for layer in self.layers]
        return _again, (type(self), layers, self.input_shape, self.backend, self.dtype, self.rng, *vectors)

    def state_dict(self) -> dict[str, Array]:
        """A copy of every parameter and state on the host, named like "0.W"."""
        return {name: np.array(self.backend.to_host(array)) for name, array in self.arrays().items()}

    def load_state_dict(self, values: Mapping[str, Array]) -> None:
        """Load what `state_dict` returned. Raises ShapeError, and changes nothing, if names or shapes differ."""
        own = self.arrays()
        if differing := own.keys() ^ values.keys():
            raise ShapeError(f"state_dict: {', '.join(sorted(differing))} in only one of the network and the values")
        for name, array in own.items():
            if values[name].shape != array.shape:
                raise ShapeError(f"state_dict: {name}: expected shape {array.shape}, got {values[name].shape}")
        for name, array in own.items():
            array[...] = self.backend.asarray(np.asarray(values[name], dtype=self.dtype))


def _again(
    kind: type[Network],
    layers: list[Layer],
    shape: Shape,
    backend: Backend,
    dtype: Any,
    rng: np.random.Generator,
    *vectors: Array,
) -> Network:
    """The network that `Network.__reduce_ex__` describes, with vectors of its own and layers that are views of them."""
    network, before = object.__new__(kind), rng.bit_generator.state
    Network.__init__(network, layers, shape, backend=backend, dtype=dtype, rng=rng)
    rng.bit_generator.state = before  # from before the first weights, which aren't wanted
    for own, vector in zip((network.params, network.grads, network.state), vectors, strict=True):
        own[...] = backend.asarray(vector)
    return network
