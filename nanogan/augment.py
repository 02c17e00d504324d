"""Differentiable augmentation: layers that move, cut and tint the images that a discriminator sees (Zhao et al. 2020).

With few training images D learns them by heart: it calls them real and all else fake, and G learns nothing more. So D
never sees an image as it is. The first of its layers change it by a few numbers, drawn anew for each image in every
forward pass in training, of real and of generated images alike. G must not learn to draw moved and cut images, and
doesn't, because what D compares are the changed ones of both kinds. For that, G's gradient has to flow through the
change: each is linear in x, but for a constant, so each has a transpose, which stands under it.

In evaluation y = x: what is asked of D about an image is about the image itself. Read `recipes/cures.py` next, which
puts these layers in front of any recipe's D.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from .backend import Array, Shape
from .errors import InputError, ShapeError
from .layer import Layer
from .settings import check_fields


class Augmentation(Layer):
    """Base of these layers: y = x in evaluation; in training, fresh numbers for each image, `self.drawn`.

    x, y: (N, H, W, C). A layer says what it draws (`draw`), and computes y and dx from that (`change`, `transpose`).
    """

    drawn_as: Any = None  # their dtype; None: the network's

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 3:
            raise ShapeError(f"{self}: expected images of shape (height, width, channels), got {input_shape}")
        return input_shape

    def forward(self, x: Array, training: bool = True) -> Array:
        self.active = training
        if not training:
            return x
        shape = x.shape
        self.drawn = self.backend.fresh(lambda: self._fresh(shape))
        return self.change(x, self.buffer("y", shape))

    def backward_input(self, dy: Array) -> Array:
        return self.transpose(dy, self.buffer("dx", dy.shape)) if self.active else dy

    def forward_tangent(self, v: Array) -> Array:
        return self.tangent(v, self.buffer("tangent", v.shape)) if self.active else v

    def _fresh(self, shape: Shape) -> Array:
        """What `draw` makes of two numbers per image, uniform in [0, 1): in double precision, so that every dtype gets
        the same, and for the whole batch, of which this worker takes its rows.
        """
        whole = self.buffer("uniform", (self.shard.whole(shape[0]), 2), np.float64, xp=np)
        self.rng.random(out=whole)
        return self.draw(self.shard.take(whole), shape)

    def _host(self, shape: Shape) -> Array:
        """A work array on the host for what is drawn."""
        return self.buffer("drawn", shape, self.drawn_as, xp=np)

    def draw(self, u: Array, shape: Shape) -> Array:
        """Host array of the numbers for a batch of this shape, from u, (N, 2), which may be overwritten."""
        raise NotImplementedError(f"{type(self).__name__} has no draw")

    def change(self, x: Array, y: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} has no change")

    def transpose(self, dy: Array, dx: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} has no transpose")

    def tangent(self, v: Array, t: Array) -> Array:
        """How y moves if x moves along v: `change` without its constant."""
        raise NotImplementedError(f"{type(self).__name__} has no tangent")


@dataclass
class Brightness(Augmentation):
    """y[n] = x[n] + b[n], with b uniform in [-most, most), in units of a pixel"""

    most: float = 0.5  # Zhao et al.: for pixels in [-1, 1]

    def __post_init__(self) -> None:
        check_fields(self)
        expect_below(self, "most", self.most, np.inf)

    def draw(self, u: Array, shape: Shape) -> Array:
        b = self._host((len(u), 1, 1, 1))
        b[:, 0, 0, 0] = u[:, 0]
        b -= 0.5
        b *= 2 * self.most
        return b

    def change(self, x: Array, y: Array) -> Array:
        return self.xp.add(x, self.drawn, out=y)

    def transpose(self, dy: Array, dx: Array) -> Array:
        """dx = dy"""
        return dy

    def tangent(self, v: Array, t: Array) -> Array:
        """v, because b doesn't move"""
        return v


@dataclass
class Contrast(Augmentation):
    """y[n] = mean + c[n] (x[n] - mean), with mean that of all of x[n], and c uniform in [1 - most, 1 + most)"""

    most: float = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
        expect_below(self, "most", self.most, 1)

    def draw(self, u: Array, shape: Shape) -> Array:
        c = self._host((len(u), 1, 1, 1))
        c[:, 0, 0, 0] = u[:, 0]
        c -= 0.5
        c *= 2 * self.most
        c += 1
        return c

    def change(self, x: Array, y: Array) -> Array:
        mean = x.sum(axis=(1, 2, 3), out=self.buffer("mean", (len(x),)))
        mean /= math.prod(x.shape[1:])
        rest = self.xp.subtract(1, self.drawn, out=self.buffer("rest", self.drawn.shape))
        rest *= mean.reshape(rest.shape)
        self.xp.multiply(x, self.drawn, out=y)  # c x
        y += rest  # + (1 - c) mean
        return y

    def transpose(self, dy: Array, dx: Array) -> Array:
        """dx = c dy + (1 - c) mean of dy: x[i] is in y[i] by c and, through the mean, in every y[j] by (1 - c) / n, and
        so is x[j] in y[i]. The map is its own transpose.
        """
        return self.change(dy, dx)

    def tangent(self, v: Array, t: Array) -> Array:
        """c v + (1 - c) mean of v"""
        return self.change(v, t)


@dataclass
class Translation(Augmentation):
    """y[n, i, j] = x[n, i - d, j - e], or `fill` where that lies outside the image, with d = d[n], e = e[n] whole and
    uniform in -m ... m      m = ratio of the height, of the width, rounded

    An image is put into the middle of a larger one, of a border of m pixels on each side, and read from another place.
    """

    ratio: float = 1 / 14  # 2 of MNIST's 28 pixels; with 4, as Zhao et al. have it, small networks learn more slowly
    _: KW_ONLY
    fill: float = 0.0
    drawn_as = np.int64

    def __post_init__(self) -> None:
        check_fields(self)
        expect_below(self, "ratio", self.ratio, 1)

    def draw(self, u: Array, shape: Shape) -> Array:
        """Where in the array of all bordered images each image begins that is read: y's (N, 1), then dx's (N, 1).

        The middle is at (m, m). y begins d pixels above it, dx as far below.
        """
        m, k = self.border(shape)
        height, width = shape[1] + 2 * m, shape[2] + 2 * k
        u *= (2 * m + 1, 2 * k + 1)
        np.floor(u, out=u)
        u -= (m, k)
        start = self._host((len(u), 2, 1))
        there, back = start[:, 0, 0], start[:, 1, 0]
        there[...] = height * width
        there[:1] = m * width + k
        np.cumsum(there, out=there)  # the middle of each image
        u[:, 0] *= width
        u[:, 0] += u[:, 1]
        back[...] = u[:, 0]  # d rows and e columns, in pixels
        there -= back  # middle - so many
        back *= 2
        back += there  # middle + so many
        return start

    def change(self, x: Array, y: Array) -> Array:
        return self._read(x, self.drawn[:, 0], y, self.fill)

    def transpose(self, dy: Array, dx: Array) -> Array:
        """dx[n, i, j] = dy[n, i + d, j + e], or 0 outside: the shift back, because x[i - d] is in y[i] alone"""
        return self._read(dy, self.drawn[:, 1], dx, 0.0)

    def tangent(self, v: Array, t: Array) -> Array:
        """v, moved as x was; zeros move in"""
        return self._read(v, self.drawn[:, 0], t, 0.0)

    def border(self, shape: Shape) -> tuple[int, int]:
        """How far an image may move along its height and its width."""
        return int(self.ratio * shape[1] + 0.5), int(self.ratio * shape[2] + 0.5)

    def _read(self, x: Array, start: Array, y: Array, fill: float) -> Array:
        """The images at these places of the bordered ones."""
        (n, height, width, channels), (m, k) = x.shape, self.border(x.shape)
        bordered = self.buffer("bordered", (n, height + 2 * m, width + 2 * k, channels))
        bordered[...] = fill
        bordered[:, m : m + height, k : k + width] = x
        xp = self.xp
        window = xp.arange(height)[:, None] * (width + 2 * k) + xp.arange(width)
        places = self.buffer("places", (n, height * width), np.int64)
        xp.add(start, window.reshape(1, -1), out=places)
        pixels = y.reshape(-1, channels)
        self.backend.take_rows(bordered.reshape(-1, channels), places.reshape(-1), out=pixels)
        return y


@dataclass
class Cutout(Augmentation):
    """y[n, i, j] = x[n, i, j] keep + fill (1 - keep), with keep[n, i, j] = 0 in a rectangle, else 1

    The rectangle has `ratio` of the height and of the width, and its centre anywhere in the image, so it may lie partly
    outside.
    """

    ratio: float = 0.5
    _: KW_ONLY
    fill: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        expect_below(self, "ratio", self.ratio, 1)

    def draw(self, u: Array, shape: Shape) -> Array:
        """For each image 1 in the rows of its rectangle, else 0, then the same of its columns: (N, H + W)."""
        height, width = shape[1:3]
        cut = self._host((len(u), height + width))
        for axis, (size, part) in enumerate(((height, cut[:, :height]), (width, cut[:, height:]))):
            cut_size = int(self.ratio * size + 0.5)
            first = u[:, axis]
            first *= size + 1 - cut_size % 2
            np.floor(first, out=first)
            first -= cut_size // 2
            part[...] = np.arange(size)
            part -= first[:, None]  # how far each row lies below the first of the rectangle
            part -= (cut_size - 1) / 2
            np.abs(part, out=part)
            np.less(part, cut_size / 2, out=part)
        return cut

    def change(self, x: Array, y: Array) -> Array:
        self.keep = self._keep(x.shape)
        self.xp.subtract(x, self.fill, out=y)
        y *= self.keep
        y += self.fill  # fill + (x - fill) keep
        return y

    def transpose(self, dy: Array, dx: Array) -> Array:
        """dx = dy keep"""
        return self.xp.multiply(dy, self.keep, out=dx)

    def tangent(self, v: Array, t: Array) -> Array:
        """v keep"""
        return self.xp.multiply(v, self.keep, out=t)

    def _keep(self, shape: Shape) -> Array:
        """1 - (in one of the rows) (in one of the columns)      (N, H, W, 1)"""
        rows, columns = self.drawn[:, : shape[1]], self.drawn[:, shape[1] :]
        keep = self.buffer("keep", (*shape[:3], 1))
        self.xp.multiply(rows[:, :, None, None], columns[:, None, :, None], out=keep)
        return self.xp.subtract(1, keep, out=keep)


def expect_below(layer: Layer, name: str, value: float, limit: float) -> None:
    """Raise InputError unless 0 <= value < limit."""
    if not 0 <= value < limit:
        below = f" and below {limit}" if np.isfinite(limit) else ""
        raise InputError(f"{layer}: {name} must be at least 0{below}")


AUGMENTATIONS = ("brightness", "contrast", "translation", "cutout")
"""By name, in the order in which Zhao et al. apply them."""


def augmentations(kinds: Any, pixels: tuple[float, float] = (-1.0, 1.0)) -> tuple[Layer, ...]:
    """The layers of these names, for pixels from black to white, which is their fill.

    Raises InputError on another name.
    """
    if unknown := [kind for kind in kinds if kind not in AUGMENTATIONS]:
        raise InputError(f"augmentation {unknown[0]!r} is unknown: choose among {', '.join(AUGMENTATIONS)}")
    black, white = pixels
    made: dict[str, Layer] = {
        "brightness": Brightness((white - black) / 4),
        "contrast": Contrast(),
        "translation": Translation(fill=black),
        "cutout": Cutout(fill=black),
    }
    return tuple(layer for kind, layer in made.items() if kind in kinds)
