"""The layers of a fully connected GAN, each with its formula, its forward pass and its derivative.

Results go to reused work arrays with `out=`, one call per line, so that a step allocates nothing; the plain expression
stands to the right or in the docstring. `tests/textbook.py` has the textbook form of each. Layers that
only rearrange values are in `reshape.py`. Read `network.py` next, which runs layers in order.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from .backend import Array, Shape, fusible
from .errors import InputError
from .initializers import DEFAULT_INIT, Init
from .layer import Declared, Layer, expect_shape
from .settings import check_fields


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

    def __post_init__(self) -> None:
        check_fields(self, at_least_one=("n_in", "n_out"))

    def declare(self) -> dict[str, Declared]:
        W = Declared((self.n_in, self.n_out), self.init.weight(self.n_in, self.n_out))
        b = Declared((self.n_out,), self.init.bias(self.n_in))
        return {"W": W, "b": b} if self.bias else {"W": W}

    def output_shape(self, input_shape: Shape) -> Shape:
        expect_shape(self, input_shape, (self.n_in,))
        return (self.n_out,)

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
        return self.xp.dot(dy, self.W.T, out=dx)  # dy @ W.T (if n_out = 1, matmul takes five times as long)

    def forward_tangent(self, v: Array) -> Array:
        """v W, because b doesn't move"""
        self.x = v
        return self.xp.matmul(v, self.W, out=self.buffer("tangent", (len(v), self.n_out)))


@dataclass
class ReLU(Layer):
    """y = max(x, 0), elementwise."""

    def forward(self, x: Array, training: bool = True) -> Array:
        self.x = x
        return self.xp.maximum(x, 0, out=self.buffer("y", x.shape))

    @fusible
    def backward_input(self, dy: Array) -> Array:
        """dx = dy [x > 0]      (the derivative at the kink, x = 0, is taken as 0)"""
        dx = self.buffer("dx", dy.shape)
        self.xp.greater(self.x, 0, out=dx)  # 1 if x > 0, else 0
        dx *= dy
        return dx

    def forward_tangent(self, v: Array) -> Array:
        """v [x > 0]: each value has a slope of its own, so the way forward is the way back"""
        return self.backward_input(v)


@dataclass
class LeakyReLU(Layer):
    """y = x if x > 0, else slope x; that is max(x, slope x), because 0 <= slope <= 1."""

    _: KW_ONLY
    slope: float = 0.2  # DCGAN, section 4

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.slope <= 1:
            raise InputError(f"{self}: slope must lie in [0, 1]")

    @fusible
    def forward(self, x: Array, training: bool = True) -> Array:
        self.x = x
        y = self.buffer("y", x.shape)
        self.xp.multiply(x, self.slope, out=y)  # slope x
        return self.xp.maximum(x, y, out=y)

    @fusible
    def backward_input(self, dy: Array) -> Array:
        """dx = dy if x > 0, else slope dy"""
        dx = self.buffer("dx", dy.shape)
        self.xp.greater(self.x, 0, out=dx)  # 1 if x > 0, else 0
        dx *= 1 - self.slope
        dx += self.slope  # 1 or slope
        dx *= dy
        return dx

    def forward_tangent(self, v: Array) -> Array:
        """v if x > 0, else slope v"""
        return self.backward_input(v)


@dataclass
class Tanh(Layer):
    """y = tanh(x), elementwise; in (-1, 1)."""

    def forward(self, x: Array, training: bool = True) -> Array:
        self.y = self.buffer("y", x.shape)
        return self.xp.tanh(x, out=self.y)

    @fusible
    def backward_input(self, dy: Array) -> Array:
        """dx = dy (1 - y^2)"""
        dx = self.buffer("dx", dy.shape)
        self.xp.multiply(self.y, self.y, out=dx)
        self.xp.subtract(1, dx, out=dx)  # 1 - y^2
        dx *= dy
        return dx


@dataclass
class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)), elementwise; in (0, 1). `numerics.sigmoid` explains why it is computed in this form."""

    def forward(self, x: Array, training: bool = True) -> Array:
        y, e = self.buffer("y", x.shape), self.buffer("e", x.shape)
        self.xp.abs(x, out=e)
        self.xp.negative(e, out=e)
        self.xp.exp(e, out=e)  # exp(-|x|)
        self.xp.greater_equal(x, 0, out=y)  # 1 if x >= 0, else 0
        self.xp.maximum(e, y, out=y)  # 1 if x >= 0, else e
        e += 1
        y /= e
        self.y = y
        return y

    def backward_input(self, dy: Array) -> Array:
        """dx = dy y (1 - y)"""
        dx = self.buffer("dx", dy.shape)
        self.xp.subtract(1, self.y, out=dx)  # 1 - y
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
        check_fields(self, at_least_one=("n_in", "n_out", "pieces"))

    def declare(self) -> dict[str, Declared]:
        outputs = self.pieces * self.n_out
        W = Declared((self.n_in, outputs), self.init.weight(self.n_in, outputs))
        return {"W": W, "b": Declared((outputs,), self.init.bias(self.n_in))}

    def output_shape(self, input_shape: Shape) -> Shape:
        expect_shape(self, input_shape, (self.n_in,))
        return (self.n_out,)

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

    def forward_tangent(self, v: Array) -> Array:
        """v W_p, for the piece p that is the maximum at x"""
        self.x = v
        one = self.buffer("one", self.y.shape)
        one[...] = 1
        moved = self.xp.matmul(v, self.W, out=self.buffer("lines moved", (len(v), self.pieces * self.n_out)))
        moved *= self._dlines(one)  # 1 for the piece that is the maximum, else 0
        return moved.reshape(self.lines.shape).sum(axis=1, out=self.buffer("tangent", self.y.shape))

    def _dlines(self, dy: Array) -> Array:
        """d(loss)/d(x W + b), (N, pieces n_out): dy for the piece that is the maximum (on a tie, the first), else 0"""
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
class Dropout(Layer):
    """In training y = x m / (1 - p), each m 0 with probability p, else 1; in evaluation y = x.

    Dividing by 1 - p keeps the expectation of y equal to x (Srivastava et al. 2014, section 10; PyTorch does the same).
    The mask is drawn on the CPU by the network's random generator, so a seed gives the same mask on every backend.
    """

    p: float

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.p < 1:
            raise InputError(f"{self}: p, the share of inputs dropped, must lie in [0, 1)")

    def forward(self, x: Array, training: bool = True) -> Array:
        self.active = training and self.p > 0
        if not self.active:
            return x
        shape = (self.shard.whole(len(x)), *x.shape[1:])
        self.scale = self.backend.fresh(lambda: self.shard.take(self._draw(shape)))
        return self.xp.multiply(x, self.scale, out=self.buffer("y", x.shape))

    def _draw(self, shape: Shape) -> Array:
        """m / (1 - p), freshly drawn, on the host."""
        host = self.buffer("mask on the host", shape, xp=np)
        self.rng.random(out=host, dtype=host.dtype)  # uniform in [0, 1)
        np.greater_equal(host, self.p, out=host)
        host /= 1 - self.p
        return host

    def backward_input(self, dy: Array) -> Array:
        """dx = dy m / (1 - p)"""
        if not self.active:
            return dy
        return self.xp.multiply(dy, self.scale, out=self.buffer("dx", dy.shape))

    def forward_tangent(self, v: Array) -> Array:
        """v m / (1 - p)"""
        return self.backward_input(v)
