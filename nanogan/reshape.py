"""Layers that compute nothing: they reshape inputs (Reshape, Flatten), join them (Pack) or repeat them (Upsample)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .backend import Array, Shape
from .errors import ShapeError
from .layer import Layer
from .settings import check_fields


class _Relayout(Layer):
    """y = x, with each input in another shape; its values keep their order."""

    def forward(self, x: Array, training: bool = True) -> Array:
        self.input_shape = x.shape
        return x.reshape(len(x), *self.output_shape(x.shape[1:]))

    def backward_input(self, dy: Array) -> Array:
        """dx = dy, in the shape of x"""
        return dy.reshape(self.input_shape)

    def forward_tangent(self, v: Array) -> Array:
        return self.forward(v)


@dataclass
class Reshape(_Relayout):
    """(N, ...) -> (N, *shape)"""

    shape: Shape

    def __post_init__(self) -> None:
        check_fields(self)

    def output_shape(self, input_shape: Shape) -> Shape:
        if (given := math.prod(input_shape)) != (wanted := math.prod(self.shape)):
            raise ShapeError(f"{self}: expected {wanted} values per input, got {given} {input_shape}")
        return self.shape


@dataclass
class Flatten(_Relayout):
    """Each input as one row: (N, H, W, C) -> (N, H W C)"""

    def output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)


@dataclass
class Pack(Layer):
    """y = every `size` consecutive inputs joined into one along the last axis: (N, ..., C) -> (N / size, ..., size C)

    At the head of a discriminator it makes a packed GAN: D judges `size` samples at once, all real or all generated, so
    that it can see what no single sample shows: generated samples that are too much alike (Lin et al. 2018, PacGAN).
    """

    size: int

    def __post_init__(self) -> None:
        check_fields(self, at_least_one=("size",))
        self.depends_on_batch = self.size > 1

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.size * input_shape[-1])

    def forward(self, x: Array, training: bool = True) -> Array:
        if len(x) % self.size:
            raise ShapeError(f"{self}: expected a batch of a multiple of {self.size} inputs, got {len(x)}")
        return self._packed(x, "y")

    def forward_tangent(self, v: Array) -> Array:
        return self._packed(v, "tangent")

    def _packed(self, x: Array, name: str) -> Array:
        n, shape = len(x) // self.size, x.shape[1:]
        y = self.buffer(name, (n, *shape[:-1], self.size, shape[-1]))
        y[...] = self.xp.moveaxis(x.reshape(n, self.size, *shape), 1, -2)
        return y.reshape(n, *self.output_shape(shape))

    def backward_input(self, dy: Array) -> Array:
        """dx = dy, split into each input's part"""
        n, channels = len(dy), dy.shape[-1] // self.size
        inputs = dy.reshape(*dy.shape[:-1], self.size, channels)
        dx = self.buffer("dx", (n, self.size, *dy.shape[1:-1], channels))
        dx[...] = self.xp.moveaxis(inputs, -2, 1)
        return dx.reshape(n * self.size, *dy.shape[1:-1], channels)


@dataclass
class Upsample(Layer):
    """y[n, i, j] = x[n, i // factor, j // factor]: each pixel becomes a square of equal pixels (nearest neighbour).

    x: (N, H, W, C)   y: (N, factor H, factor W, C)
    """

    factor: int

    def __post_init__(self) -> None:
        check_fields(self, at_least_one=("factor",))

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 3:
            raise ShapeError(f"{self}: expected inputs of shape (height, width, channels), got {input_shape}")
        height, width, channels = input_shape
        return (self.factor * height, self.factor * width, channels)

    def forward(self, x: Array, training: bool = True) -> Array:
        self.input_shape = x.shape
        return self._repeated(x, "y")

    def forward_tangent(self, v: Array) -> Array:
        return self._repeated(v, "tangent")

    def _repeated(self, x: Array, name: str) -> Array:
        y = self.buffer(name, (len(x), *self.output_shape(x.shape[1:])))
        for pixels in self._of_each_square(y):
            pixels[...] = x
        return y

    def backward_input(self, dy: Array) -> Array:
        """dx = sum of dy over each square"""
        dx = self.buffer("dx", self.input_shape)
        dx[...] = 0
        for pixels in self._of_each_square(dy):
            dx += pixels
        return dx

    def _of_each_square(self, y: Array) -> list[Array]:
        """The first pixel of every square, then the second, ...: factor^2 views, each shaped like x."""
        return [y[:, i :: self.factor, j :: self.factor] for i in range(self.factor) for j in range(self.factor)]
