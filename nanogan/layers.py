"""The layers of a fully connected GAN, Pack and Upsample, each with its formula, its forward and its derivative.

Results go to reused work arrays with `out=`, one call a line, so that a step allocates nothing; the plain expression
stands at the right or in the docstring. `tests/plain.py` has the textbook form of each. Read `network.py` next, which
runs layers in order.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass

import numpy as np

from .backend import Array, Shape
from .errors import InputError, ShapeError
from .initializers import DEFAULT_INIT, Init
from .layer import Layer, expect_shape
from .numerics import sigmoid


@dataclass
class Linear(Layer):
    """y = x W + b

    x: (N, n_in)   W: (n_in, n_out)   b: (n_out)   y: (N, n_out)
    """

    n_in: int
    n_out: int
    _: KW_ONLY
    bias: bool = True
    init: Init = DEFAULT_INIT

    def param_shapes(self) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"W": (self.n_in, self.n_out)}
        if self.bias:
            shapes["b"] = (self.n_out,)
        return shapes

    def output_shape(self, input_shape: Shape) -> Shape:
        expect_shape(self, input_shape, (self.n_in,))
        return (self.n_out,)

    def initial(self, rng: np.random.Generator) -> dict[str, Array]:
        values = {"W": self.init.weight(rng, (self.n_in, self.n_out), self.n_in, self.n_out)}
        if self.bias:
            values["b"] = self.init.bias(rng, (self.n_out,), self.n_in)
        return values

    def forward(self, x: Array, training: bool = True) -> Array:
        self.x = x
        y = self.buffer("y", (len(x), self.n_out))
        self.xp.matmul(x, self.W, out=y)  # x @ W
        if self.bias:
            y += self.b
        return y

    def backward_params(self, dy: Array) -> None:
        """dW = x^T dy      db = sum of dy over the batch"""
        self.xp.matmul(self.x.T, dy, out=self.dW)  # x.T @ dy
        if self.bias:
            dy.sum(axis=0, out=self.db)

    def backward_input(self, dy: Array) -> Array:
        """dx = dy W^T"""
        dx = self.buffer("dx", self.x.shape)
        return self.xp.matmul(dy, self.W.T, out=dx)  # dy @ W.T


@dataclass
class ReLU(Layer):
    """y = max(x, 0), elementwise."""

    def forward(self, x: Array, training: bool = True) -> Array:
        self.y = self.buffer("y", x.shape)
        return self.xp.maximum(x, 0, out=self.y)

    def backward_input(self, dy: Array) -> Array:
        """dx = dy [y > 0]      (the derivative at the kink, x = 0, is taken as 0)"""
        positive = self.buffer("positive", dy.shape, dtype=bool)
        self.xp.greater(self.y, 0, out=positive)
        return self.xp.multiply(dy, positive, out=self.buffer("dx", dy.shape))


@dataclass
class LeakyReLU(Layer):
    """y = x where x > 0, else slope x; that is max(x, slope x), as 0 <= slope <= 1."""

    _: KW_ONLY
    slope: float = 0.2  # DCGAN, section 4

    def __post_init__(self) -> None:
        if not 0 <= self.slope <= 1:
            raise InputError(f"{self}: slope must lie in [0, 1]")

    def forward(self, x: Array, training: bool = True) -> Array:
        self.x = x
        y = self.buffer("y", x.shape)
        self.xp.multiply(x, self.slope, out=y)
        return self.xp.maximum(x, y, out=y)

    def backward_input(self, dy: Array) -> Array:
        """dx = dy where x > 0, else slope dy"""
        dx = self.buffer("dx", dy.shape)
        self.xp.greater(self.x, 0, out=dx)  # 1 or 0
        dx *= 1 - self.slope
        dx += self.slope  # y's slope, 1 or `slope` (maximum with a number would do it in one call of thrice the time)
        dx *= dy
        return dx


@dataclass
class Tanh(Layer):
    """y = tanh(x), elementwise; in (-1, 1)."""

    def forward(self, x: Array, training: bool = True) -> Array:
        self.y = self.buffer("y", x.shape)
        return self.xp.tanh(x, out=self.y)

    def backward_input(self, dy: Array) -> Array:
        """dx = dy (1 - y^2)"""
        dx = self.buffer("dx", dy.shape)
        self.xp.multiply(self.y, self.y, out=dx)
        self.xp.subtract(1, dx, out=dx)
        return self.xp.multiply(dx, dy, out=dx)


@dataclass
class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)), elementwise; in (0, 1)."""

    def forward(self, x: Array, training: bool = True) -> Array:
        self.y = self.buffer("y", x.shape)
        return sigmoid(self.xp, x, out=self.y, work=self.buffer("work", x.shape))

    def backward_input(self, dy: Array) -> Array:
        """dx = dy y (1 - y)"""
        dx = self.buffer("dx", dy.shape)
        self.xp.subtract(1, self.y, out=dx)
        dx *= self.y
        dx *= dy
        return dx


@dataclass
class Maxout(Layer):
    """y = max over the pieces p of x W_p + b_p (Goodfellow et al. 2013): a learned activation, convex in x.

    x: (N, n_in)   W: (n_in, pieces n_out), the W_p side by side   b: (pieces n_out)   y: (N, n_out)
    """

    n_in: int
    n_out: int
    pieces: int
    _: KW_ONLY
    init: Init = DEFAULT_INIT

    def __post_init__(self) -> None:
        if self.pieces < 1:
            raise InputError(f"{self}: pieces must be at least 1")

    def param_shapes(self) -> dict[str, Shape]:
        return {"W": (self.n_in, self.pieces * self.n_out), "b": (self.pieces * self.n_out,)}

    def output_shape(self, input_shape: Shape) -> Shape:
        expect_shape(self, input_shape, (self.n_in,))
        return (self.n_out,)

    def initial(self, rng: np.random.Generator) -> dict[str, Array]:
        shapes = self.param_shapes()
        W = self.init.weight(rng, shapes["W"], self.n_in, self.pieces * self.n_out)
        return {"W": W, "b": self.init.bias(rng, shapes["b"], self.n_in)}

    def forward(self, x: Array, training: bool = True) -> Array:
        self.x = x
        lines = self.buffer("lines", (len(x), self.pieces * self.n_out))
        self.xp.matmul(x, self.W, out=lines)  # x @ W
        lines += self.b
        self.lines = lines.reshape(len(x), self.pieces, self.n_out)
        self.y = self.lines.max(axis=1, out=self.buffer("y", (len(x), self.n_out)))
        return self.y

    def backward_params(self, dy: Array) -> None:
        """dW = x^T dlines      db = sum of dlines over the batch"""
        self._params_gradient(self._dlines(dy))

    def backward_input(self, dy: Array) -> Array:
        """dx = dlines W^T"""
        return self._input_gradient(self._dlines(dy))

    def backward(self, dy: Array) -> Array:
        dlines = self._dlines(dy)
        self._params_gradient(dlines)
        return self._input_gradient(dlines)

    def _dlines(self, dy: Array) -> Array:
        """d(loss)/d(x W + b), (N, pieces n_out): dy for the piece that is the maximum (the first of several), else 0"""
        dlines, won = self.buffer("dlines", self.lines.shape), self.buffer("won", dy.shape, dtype=bool)
        left = self.buffer("left", dy.shape)
        left[...] = dy
        for piece in range(self.pieces):
            self.xp.equal(self.lines[:, piece], self.y, out=won)
            self.xp.multiply(left, won, out=dlines[:, piece])
            left -= dlines[:, piece]
        return dlines.reshape(len(dy), -1)

    def _params_gradient(self, dlines: Array) -> None:
        self.xp.matmul(self.x.T, dlines, out=self.dW)
        dlines.sum(axis=0, out=self.db)

    def _input_gradient(self, dlines: Array) -> Array:
        return self.xp.matmul(dlines, self.W.T, out=self.buffer("dx", self.x.shape))


@dataclass
class Reshape(Layer):
    """y = x with every input laid out anew, in the same order: (N, ...) -> (N, *shape)"""

    shape: Shape

    def __post_init__(self) -> None:
        self.shape = tuple(self.shape)

    def output_shape(self, input_shape: Shape) -> Shape:
        if math.prod(input_shape) != math.prod(self.shape):
            raise ShapeError(
                f"{self}: expected {math.prod(self.shape)} numbers an input, got {math.prod(input_shape)} {input_shape}"
            )
        return self.shape

    def forward(self, x: Array, training: bool = True) -> Array:
        self.input_shape = x.shape
        return x.reshape(len(x), *self.shape)

    def backward_input(self, dy: Array) -> Array:
        """dx = dy, laid out as x was"""
        return dy.reshape(self.input_shape)


@dataclass
class Flatten(Layer):
    """y = x with every input as one row: (N, H, W, C) -> (N, H W C)"""

    def output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)

    def forward(self, x: Array, training: bool = True) -> Array:
        self.input_shape = x.shape
        return x.reshape(len(x), -1)

    def backward_input(self, dy: Array) -> Array:
        """dx = dy, laid out as x was"""
        return dy.reshape(self.input_shape)


@dataclass
class Pack(Layer):
    """y = every `size` inputs in a row as one, side by side on their last axis: (N, ..., C) -> (N / size, ..., size C)

    At the head of a discriminator it makes a packed GAN: D judges `size` samples at once, all real or all generated, so
    that it sees what no single sample shows, that the generated ones are too much alike (Lin et al. 2018, PacGAN).
    """

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InputError(f"{self}: size must be at least 1")
        self.couples_batch = self.size > 1

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.size * input_shape[-1])

    def forward(self, x: Array, training: bool = True) -> Array:
        if len(x) % self.size:
            raise ShapeError(f"{self}: expected a batch of a multiple of {self.size} inputs, got {len(x)}")
        n, shape = len(x) // self.size, x.shape[1:]
        y = self.buffer("y", (n, *shape[:-1], self.size, shape[-1]))
        y[...] = self.xp.moveaxis(x.reshape(n, self.size, *shape), 1, -2)
        return y.reshape(n, *self.output_shape(shape))

    def backward_input(self, dy: Array) -> Array:
        """dx = dy, cut into what each input gave it"""
        n, channels = len(dy), dy.shape[-1] // self.size
        inputs = dy.reshape(*dy.shape[:-1], self.size, channels)
        dx = self.buffer("dx", (n, self.size, *dy.shape[1:-1], channels))
        dx[...] = self.xp.moveaxis(inputs, -2, 1)
        return dx.reshape(n * self.size, *dy.shape[1:-1], channels)


@dataclass
class Upsample(Layer):
    """y[n, i, j] = x[n, i // factor, j // factor]: each pixel becomes a square of them (nearest neighbour).

    x: (N, H, W, C)   y: (N, factor H, factor W, C)
    """

    factor: int

    def __post_init__(self) -> None:
        if self.factor < 1:
            raise InputError(f"{self}: factor must be at least 1")

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 3:
            raise ShapeError(f"{self}: expected inputs of shape (height, width, channels), got {input_shape}")
        height, width, channels = input_shape
        return (self.factor * height, self.factor * width, channels)

    def forward(self, x: Array, training: bool = True) -> Array:
        self.input_shape = x.shape
        y = self.buffer("y", (len(x), *self.output_shape(x.shape[1:])))
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
        """The first pixels of all squares, the second ones, ...: factor^2 views like x."""
        return [y[:, i :: self.factor, j :: self.factor] for i in range(self.factor) for j in range(self.factor)]


@dataclass
class Dropout(Layer):
    """In training y = x m / (1 - p), each m 0 with probability p, else 1; in evaluation y = x.

    Dividing by 1 - p keeps the expectation of y equal to x (Srivastava et al. 2014, section 10, as PyTorch does it).
    The mask is drawn on the host, from the network's generator, so that a seed means the same on every backend.
    """

    p: float

    def __post_init__(self) -> None:
        if not 0 <= self.p < 1:
            raise InputError(f"{self}: p, the share of inputs dropped, must lie in [0, 1)")

    def forward(self, x: Array, training: bool = True) -> Array:
        self.active = training and self.p > 0
        if not self.active:
            return x
        self.scale = self._draw(x.shape)
        return self.xp.multiply(x, self.scale, out=self.buffer("y", x.shape))

    def _draw(self, shape: Shape) -> Array:
        """m / (1 - p), freshly drawn."""
        host = self.host_buffer("mask", shape)
        self.rng.random(out=host, dtype=host.dtype)  # uniform in [0, 1)
        np.greater_equal(host, self.p, out=host)
        host /= 1 - self.p
        return self.backend.asarray(host)

    def backward_input(self, dy: Array) -> Array:
        """dx = dy m / (1 - p)"""
        if not self.active:
            return dy
        return self.xp.multiply(dy, self.scale, out=self.buffer("dx", dy.shape))
