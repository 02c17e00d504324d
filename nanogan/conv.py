"""Convolution and its transpose. Forward, a convolution multiplies patches; its dx needs none.

Cut a k x k patch out of an image (N, H, W, C) at every position of the kernel, and make each patch one row of k k C
values. Then a convolution is `Linear` on patches, with the derivatives of `Linear`:

    y = im2col(x) W        dW = im2col(x)^T dy        dx = col2im(dy W^T)

im2col copies every value of the image to the patches it belongs to; col2im, its transpose, adds every patch back to
where it came from. `convolve_transposed` needs neither for dx: it adds up products of shifted dy, which is the same
sum in another order (docs/backprop.md). A transposed convolution runs the three the other way round: its forward pass
is the convolution's dx, and its dx the convolution's y. Read `norm.py` next.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from .backend import Array, Shape, fusible
from .errors import InputError, ShapeError
from .initializers import DEFAULT_INIT, Init
from .layer import Declared, Layer
from .numerics import channel_sums
from .settings import check_fields


def windows(xp: Any, image: Array, kernel: int, stride: int) -> Array:
    """All patches of an image as a view, without copying: (N, H, W, C) -> (N, h, w, k, k, C).

    [n, i, j] is the patch whose corner lies at (i stride, j stride); h = (H - k) // stride + 1, and w likewise.
    """
    n, height, width, channels = image.shape
    places = ((height - kernel) // stride + 1, (width - kernel) // stride + 1)
    over_batch, down, right, over_channels = image.strides
    return xp.lib.stride_tricks.as_strided(
        image,
        (n, *places, kernel, kernel, channels),
        (over_batch, stride * down, stride * right, down, right, over_channels),
    )


def depth_to_space(cells: Array, out: Array, padding: int) -> None:
    """Arrange cells (N, a, b, s, s, C) as an image and crop its padding; out: (N, H, W, C), the cropped image.

    The pixels (i, j) of all cells are every s-th pixel of the image, down and right.
    """
    s = cells.shape[3]
    for i, j in np.ndindex(s, s):
        y, x = (i - padding) % s, (j - padding) % s  # the first of them in `out`, and its cell
        down, right = (y + padding) // s, (x + padding) // s
        pixels = out[:, y::s, x::s]
        pixels[...] = cells[:, down : down + pixels.shape[1], right : right + pixels.shape[2], i, j]


@dataclass
class _Convolution(Layer):
    """The common part. image: (N, H, W, C)   features: (N, h, w, F), a row for each patch   W: (k k C, F)"""

    c_in: int
    c_out: int
    kernel: int
    _: KW_ONLY
    stride: int = 1
    padding: int = 0
    bias: bool = True
    init: Init = DEFAULT_INIT

    def __post_init__(self) -> None:
        check_fields(self, at_least_one=("c_in", "c_out"))
        if self.kernel < 1 or self.stride < 1 or self.padding < 0:
            raise InputError(f"{self}: kernel and stride must be at least 1, padding at least 0")

    def weight_shape(self) -> Shape:
        """(k k C, F)"""
        raise NotImplementedError

    def declare(self) -> dict[str, Declared]:
        """Fans counted like PyTorch's, for the transposed convolution too: fan_in = k k C, fan_out = k k F."""
        fan_in, features = self.weight_shape()
        W = Declared((fan_in, features), self.init.weight(fan_in, self.kernel**2 * features))
        b = Declared((self.c_out,), self.init.bias(fan_in))
        return {"W": W, "b": b} if self.bias else {"W": W}

    def expect_image(self, input_shape: Shape) -> None:
        if len(input_shape) != 3 or input_shape[2] != self.c_in:
            raise ShapeError(f"{self}: expected inputs of shape (height, width, {self.c_in}), got {input_shape}")

    @fusible
    def im2col(self, image: Array) -> Array:
        """The patches of the image, with `padding` zeros on each of its sides, as rows: (N h w, k k C)."""
        p, (n, height, width, channels) = self.padding, image.shape
        padded = self.buffer("padded", (n, height + 2 * p, width + 2 * p, channels), zeroed=True)
        padded[:, p : p + height, p : p + width] = image  # the border stays zero
        patches = windows(self.xp, padded, self.kernel, self.stride)
        by_column = channels <= 2  # a row of a patch is too short for a fast copy: copy along rows of the image instead
        if by_column:
            patches = patches.transpose(3, 4, 5, 0, 1, 2)
        copied = self.buffer("patches", (patches.size,)).reshape(patches.shape)
        copied[...] = patches
        return copied.reshape(len(self.W), -1).T if by_column else copied.reshape(-1, len(self.W))

    @fusible
    def convolve_transposed(self, features: Array, out: Array) -> Array:
        """out = col2im(features W^T), the image, without patches.

        Cut the image into cells of s x s pixels (s: the stride), and the kernel into q x q tiles of that size, with
        zeros beyond its end. A patch then covers q x q whole cells, and a cell gets a share from q x q features:

            cells[a, b] = sum over t, u of features[a - t, b - u] tiles[t, u]^T      tiles[t, u]: (s s C, F)

        That is one product per tile, of all features at once: with q - 1 zero cells after each row and each image,
        moving back by (t, u) is the same row shift everywhere.
        """
        n, h, w, depth = features.shape
        s, q = self.stride, -(-self.kernel // self.stride)  # k / s, rounded up
        sizes = zip((h, w), out.shape[1:3], strict=True)
        down, right = (max(m + q - 1, -(-(self.padding + size) // s)) for m, size in sizes)  # all cells of the image
        padded = self.buffer("padded features", (n, down, right, depth), zeroed=True)
        padded[:, :h, :w] = features
        cells, share = (self.buffer(name, (n, down, right, s, s, out.shape[3])) for name in ("cells", "share of cells"))
        rows, sums, shares = (array.reshape(n * down * right, -1) for array in (padded, cells, share))
        tiles = self._tiles(q)
        self.xp.dot(rows, tiles[0, 0].T, out=sums)  # dot: if F = 1, matmul doesn't use BLAS
        for t, u in list(np.ndindex(q, q))[1:]:
            back = t * right + u
            self.xp.dot(rows[:-back], tiles[t, u].T, out=shares[:-back])
            sums[back:] += shares[:-back]
        depth_to_space(cells, out, self.padding)
        return out

    def _tiles(self, q: int) -> Array:
        """W as q x q tiles of stride x stride positions: (q, q, s s C, F)."""
        k, s, (values, depth) = self.kernel, self.stride, self.W.shape
        padded = self.buffer("padded W", (q * s, q * s, values // k**2, depth), zeroed=True)
        padded[:k, :k] = self.W.reshape(k, k, -1, depth)
        return padded.reshape(q, s, q, s, -1, depth).swapaxes(1, 2).reshape(q, q, -1, depth)

    @fusible
    def add_bias(self, y: Array) -> None:
        """y += b, with b first copied to every pixel of an image, so that NumPy's inner loop is long."""
        if self.bias:
            spread = self.buffer("b of each pixel", y.shape[1:])
            spread[...] = self.b
            y += spread

    def bias_gradient(self, dy: Array) -> None:
        """db = sum of dy over the batch and the image"""
        if self.bias:
            channel_sums(dy, out=self.db, work=self.buffer("db of an image", dy.shape[1:]))


@dataclass
class Conv2d(_Convolution):
    """y = im2col(x) W + b

    x: (N, H, W, c_in)   W: (k k c_in, c_out)   b: (c_out)
    y: (N, h, w, c_out) with h = (H + 2 padding - k) // stride + 1, and w likewise
    """

    def weight_shape(self) -> Shape:
        return (self.kernel**2 * self.c_in, self.c_out)

    def output_shape(self, input_shape: Shape) -> Shape:
        self.expect_image(input_shape)
        free = [size + 2 * self.padding - self.kernel for size in input_shape[:2]]
        if min(free) < 0:
            raise ShapeError(f"{self}: the kernel is larger than an input of shape {input_shape} and its padding")
        return (free[0] // self.stride + 1, free[1] // self.stride + 1, self.c_out)

    def forward(self, x: Array, training: bool = True) -> Array:
        self.input_shape = x.shape
        y = self._convolved(x, "y")
        self.add_bias(y)
        return y

    def backward_params(self, dy: Array) -> None:
        """dW = im2col(x)^T dy      db = sum of dy over the batch and the image"""
        self.xp.matmul(self.patches.T, dy.reshape(-1, self.c_out), out=self.dW)  # patches.T @ dy
        self.bias_gradient(dy)

    def backward_input(self, dy: Array) -> Array:
        """dx = col2im(dy W^T)"""
        return self.convolve_transposed(dy, out=self.buffer("dx", self.input_shape))

    def forward_tangent(self, v: Array) -> Array:
        """im2col(v) W, because b doesn't move"""
        return self._convolved(v, "tangent")

    def _convolved(self, x: Array, name: str) -> Array:
        """im2col(x) W, in the work array `name`; the patches are kept for dW."""
        self.patches = self.im2col(x)
        y = self.buffer(name, (len(x), *self.output_shape(x.shape[1:])))
        self.xp.matmul(self.patches, self.W, out=y.reshape(-1, self.c_out))  # patches @ W
        return y


@dataclass
class ConvTranspose2d(_Convolution):
    """y = col2im(x W^T) + b: what a convolution from y's shape to x's computes as its dx.

    x: (N, h, w, c_in)   W: (k k c_out, c_in)   b: (c_out)
    y: (N, H, W, c_out) with H = (h - 1) stride - 2 padding + k + output_padding, and W likewise

    With stride > 1, images of several heights H convolve to the same h; output_padding chooses one of them.
    """

    _: KW_ONLY
    output_padding: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.output_padding < self.stride:
            raise InputError(f"{self}: output_padding must lie in [0, stride)")

    def weight_shape(self) -> Shape:
        return (self.kernel**2 * self.c_out, self.c_in)

    def output_shape(self, input_shape: Shape) -> Shape:
        self.expect_image(input_shape)
        more = self.kernel + self.output_padding - 2 * self.padding
        height, width = ((size - 1) * self.stride + more for size in input_shape[:2])
        if min(height, width) < 1:
            raise ShapeError(f"{self}: nothing is left of an input of shape {input_shape} without its padding")
        return (height, width, self.c_out)

    def forward(self, x: Array, training: bool = True) -> Array:
        self.x = x
        y = self.buffer("y", (len(x), *self.output_shape(x.shape[1:])))
        self.convolve_transposed(x, out=y)
        self.add_bias(y)
        return y

    def backward_params(self, dy: Array) -> None:
        """dW = im2col(dy)^T x      db = sum of dy over the batch and the image"""
        self._params_gradient(self.im2col(dy), dy)

    def backward_input(self, dy: Array) -> Array:
        """dx = im2col(dy) W"""
        return self._input_gradient(self.im2col(dy))

    def backward(self, dy: Array) -> Array:
        """Both from the same patches."""
        patches = self.im2col(dy)
        self._params_gradient(patches, dy)
        return self._input_gradient(patches)

    def forward_tangent(self, v: Array) -> Array:
        """col2im(v W^T), because b doesn't move"""
        self.x = v
        return self.convolve_transposed(v, out=self.buffer("tangent", (len(v), *self.output_shape(v.shape[1:]))))

    def _params_gradient(self, patches: Array, dy: Array) -> None:
        self.xp.matmul(patches.T, self.x.reshape(-1, self.c_in), out=self.dW)  # patches.T @ x
        self.bias_gradient(dy)

    def _input_gradient(self, patches: Array) -> Array:
        dx = self.buffer("dx", self.x.shape)
        self.xp.matmul(patches, self.W, out=dx.reshape(-1, self.c_in))  # patches @ W
        return dx
