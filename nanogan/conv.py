"""Convolution and its transpose: Linear on patches.

Cut a k x k patch out of an image (N, H, W, C) wherever the kernel is placed, and let every patch be one row of k k C
numbers. Then a convolution and its derivatives are those of `Linear`, with patches for x:

    y = im2col(x) W        dW = im2col(x)^T dy        dx = col2im(dy W^T)

im2col copies every number of the image to the patches it belongs to; col2im, its transpose, adds every patch back to
where it came from. A transposed convolution runs the same three products the other way round: its forward pass is the
convolution's dx, its dx is the convolution's y. So each product is written once, in `_Convolution`, and the two layers
at the end only say which one is which. Read `norm.py` next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from .backend import Array, Shape
from .errors import InputError, ShapeError
from .initializers import DEFAULT_INIT, Init
from .layer import Declared, Layer
from .numerics import channel_sums


def windows(xp: Any, image: Array, kernel: int, stride: int) -> Array:
    """All patches of an image as a view, nothing copied: (N, H, W, C) -> (N, h, w, k, k, C).

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


def im2col(patches: Array, out: Array) -> Array:
    """out = the patches of an image, given as its `windows`, side by side in memory: (N, h, w, k, k, C)."""
    out[...] = patches
    return out


def col2im(patches: Array, out: Array, stride: int) -> None:
    """Add patches (N, h, w, k, k, C) to where im2col takes them from; out: `windows` of the image that collects them.

    Neighbouring patches overlap, but the same position (i, j) of two patches is never the same pixel: so one position
    at a time. The same holds for a tile of stride x stride positions, which can be added at once: the default recipe's
    step takes a tenth less. With few channels the rows of a tile are too short for NumPy to gain by it.
    """
    kernel, channels = patches.shape[4:]
    tile = stride if kernel % stride == 0 and stride * channels >= 16 else 1
    for i in range(0, kernel, tile):
        for j in range(0, kernel, tile):
            out[:, :, :, i : i + tile, j : j + tile] += patches[:, :, :, i : i + tile, j : j + tile]


@dataclass
class _Convolution(Layer):
    """The three products between an image (N, H, W, C) and what stands for its patches, features (N, h, w, F).

    W: (k k C, F). The patches are made for a few images at a time: they are still in the processor's cache when they
    are multiplied, and no array holds those of a whole batch, which are (k / stride)^2 times as large as its images.
    """

    c_in: int
    c_out: int
    kernel: int
    _: KW_ONLY
    stride: int = 1
    padding: int = 0
    bias: bool = True
    init: Init = DEFAULT_INIT

    def __post_init__(self) -> None:
        if self.kernel < 1 or self.stride < 1 or self.padding < 0:
            raise InputError(f"{self}: kernel and stride must be at least 1, padding at least 0")

    def weight_shape(self) -> Shape:
        """(k k C, F)"""
        raise NotImplementedError

    def declare_params(self) -> dict[str, Declared]:
        """Fans as PyTorch counts them, also for the transposed convolution: fan_in = k k C, fan_out = k k F."""
        fan_in, features = self.weight_shape()
        W = Declared((fan_in, features), self.init.weight(fan_in, self.kernel**2 * features))
        b = Declared((self.c_out,), self.init.bias(fan_in))
        return {"W": W, "b": b} if self.bias else {"W": W}

    def expect_image(self, input_shape: Shape) -> None:
        if len(input_shape) != 3 or input_shape[2] != self.c_in:
            raise ShapeError(f"{self}: expected inputs of shape (height, width, {self.c_in}), got {input_shape}")

    # ---- the three products

    def correlate(self, image_windows: Array, out: Array) -> Array:
        """out = im2col(image) W, the features"""
        for few, patches in self._blocks(image_windows.shape):
            rows = im2col(image_windows[few], out=patches).reshape(-1, len(self.W))
            self.xp.matmul(rows, self.W, out=out[few].reshape(len(rows), -1))
        return out

    def correlate_transposed(self, features: Array, out: Array) -> Array:
        """out = col2im(features W^T), the image"""
        padded = self.buffer("sums", self._padded_shape(out.shape))
        padded[...] = 0
        sums = windows(self.xp, padded, self.kernel, self.stride)
        for few, patches in self._blocks(sums.shape):
            rows = features[few].reshape(-1, self.W.shape[1])
            self.xp.matmul(rows, self.W.T, out=patches.reshape(len(rows), -1))
            col2im(patches, out=sums[few], stride=self.stride)
        out[...] = self._inside(padded, out.shape)
        return out

    def weight_gradient(self, image_windows: Array, features: Array) -> None:
        """dW = im2col(image)^T features, where one of the two is what came in and the other the gradient"""
        share = self.buffer("share of dW", self.dW.shape)
        self.dW[...] = 0
        for few, patches in self._blocks(image_windows.shape):
            rows = im2col(image_windows[few], out=patches).reshape(-1, len(self.W))
            self.xp.matmul(rows.T, features[few].reshape(len(rows), -1), out=share)
            self.xp.add(self.dW, share, out=self.dW)

    def bias_gradient(self, dy: Array) -> None:
        """db = sum of dy over the batch and the image"""
        if self.bias:
            channel_sums(dy, out=self.db, work=self.buffer("db of an image", dy.shape[1:]))

    # ---- padding, and how many images at a time

    def padded_windows(self, image: Array) -> Array:
        """The windows of a copy of the image with `padding` rows and columns of zeros around it."""
        padded = self.buffer("padded", self._padded_shape(image.shape), zeroed=True)  # nobody writes the border
        self._inside(padded, image.shape)[...] = image
        return windows(self.xp, padded, self.kernel, self.stride)

    def _padded_shape(self, image_shape: Shape) -> Shape:
        n, height, width, channels = image_shape
        return (n, height + 2 * self.padding, width + 2 * self.padding, channels)

    def _inside(self, padded: Array, image_shape: Shape) -> Array:
        """The view without its border."""
        p, (_, height, width, _) = self.padding, image_shape
        return padded[:, p : p + height, p : p + width]

    def _blocks(self, shape: Shape) -> Iterator[tuple[slice, Array]]:
        """The batch cut into a few images at a time, each with an array for their patches; shape: of all patches."""
        n, one = shape[0], shape[1:]
        few = max(1, self.backend.patch_block // int(np.prod(one)))
        for start in range(0, n, few):
            end = min(start + few, n)
            yield slice(start, end), self.buffer("patches", (end - start, *one))


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
        self.x_windows = self.padded_windows(x)
        y = self.buffer("y", (len(x), *self.output_shape(x.shape[1:])))
        self.correlate(self.x_windows, out=y)  # im2col(x) @ W
        if self.bias:
            y += self.b
        return y

    def backward_params(self, dy: Array) -> None:
        """dW = im2col(x)^T dy      db = sum of dy over the batch and the image"""
        self.weight_gradient(self.x_windows, dy)
        self.bias_gradient(dy)

    def backward_input(self, dy: Array) -> Array:
        """dx = col2im(dy W^T)"""
        return self.correlate_transposed(dy, out=self.buffer("dx", self.input_shape))


@dataclass
class ConvTranspose2d(_Convolution):
    """y = col2im(x W^T) + b: what a convolution from y's shape to x's would pass back as its dx.

    x: (N, h, w, c_in)   W: (k k c_out, c_in)   b: (c_out)
    y: (N, H, W, c_out) with H = (h - 1) stride - 2 padding + k + output_padding, and W likewise

    With a stride, convolutions of images of several sizes give the same h; output_padding says which of them is meant.
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
        self.correlate_transposed(x, out=y)  # col2im(x @ W.T)
        if self.bias:
            y += self.b
        return y

    def backward_params(self, dy: Array) -> None:
        """dW = im2col(dy)^T x      db = sum of dy over the batch and the image"""
        self.weight_gradient(self.padded_windows(dy), self.x)
        self.bias_gradient(dy)

    def backward_input(self, dy: Array) -> Array:
        """dx = im2col(dy) W"""
        return self.correlate(self.padded_windows(dy), out=self.buffer("dx", self.x.shape))
