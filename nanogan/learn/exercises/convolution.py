"""Exercises 12 and 13: col2im, and the transposed convolution."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np

from ...backend import Array
from .. import textbook
from .cut import Cut
from .exercise import Exercise, Mistake, Results, Truth, slopes
from .linear import ACCUMULATED, LayerProbe

RNG = np.random.default_rng(8)
K, STRIDE = 3, 2


class Col2imProbe:
    """Patches of 3 x 3 pixels, 2 apart, so that they overlap: col2im's result is the derivative of im2col."""

    counts: dict[str, int]

    def __init__(self) -> None:
        self.counts = {}
        self.patches = RNG.standard_normal((2, 2, 3, K, K, 1))

    @property
    def given(self) -> Mapping[str, Array]:
        return {"patches": self.patches, "stride": np.array(STRIDE)}

    def observe(self, code: ModuleType) -> Results:
        return {"x": code.col2im(self.patches.copy(), STRIDE)}

    def measure(self, book: ModuleType) -> dict[str, Truth]:
        x = np.zeros((2, 5, 7, 1))
        return {"x": slopes(lambda: float((book.im2col(x, K, STRIDE) * self.patches).sum()), x)}


ADDED = "x[:, i * stride : i * stride + k, j * stride : j * stride + k] += patches[:, i, j]"
COUNTED = """    for i, j in np.ndindex(h, w):
        x[:, i * stride : i * stride + k, j * stride : j * stride + k] += patches[:, i, j]
    times = np.zeros_like(x)
    for i, j in np.ndindex(h, w):
        times[:, i * stride : i * stride + k, j * stride : j * stride + k] += 1
    return x / times"""

COL2IM = Exercise(
    name="col2im",
    title="col2im, the derivative of im2col",
    task="""A convolution is Linear on patches: im2col cuts all k x k patches out of the images, stride apart. Its
derivative col2im is given d(loss)/d(patches) and returns d(loss)/d(images). x is there, filled with zeros.""",
    steps=(
        "im2col copies the pixels of an image to every patch that they lie in.",
        "What is copied forward is summed backward.",
        "Go through the same places (i, j) as im2col does.",
    ),
    example=""">>> ones = np.ones((1, 2, 2, 2, 2, 1))  # four patches of 2 x 2, 1 apart: how often is each pixel copied?
>>> print(col2im(ones, 1)[0, :, :, 0].tolist())
[[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]""",
    cut=Cut(textbook, parts=("im2col", "col2im"), blank=("col2im: for",)),
    probe=Col2imProbe(),
    hints=(
        "What came from a place goes back there, and meets what other patches send there.",
        "x at the place of patch (i, j) grows by patches[:, i, j], for all i < h and j < w",
        "x[:, i * stride : i * stride + k, j * stride : j * stride + k] ____ patches[:, i, j]",
    ),
    mistakes=(
        Mistake(
            ADDED,
            ADDED.replace("+=", "="),
            "overlaps are lost: a pixel that lies in several patches gets the sum of them",
        ),
        Mistake(ADDED, ADDED.replace(" * stride", ""), "the stride is missing: patch (i, j) begins at row i * stride"),
        Mistake(
            ADDED, ADDED.replace("i, j]", "i, j].swapaxes(1, 2)"), "rows and columns are swapped within each patch"
        ),
        Mistake(
            ADDED,
            ADDED.replace("patches[:, i, j]", "patches[:, i, j, ::-1, ::-1]"),
            "each patch is turned around: no flip belongs here",
        ),
        Mistake(
            f"    for i, j in np.ndindex(h, w):\n        {ADDED}\n    return x",
            COUNTED,
            "overlaps are averaged: a copy's derivative is the sum, not the mean",
        ),
        Mistake(
            ADDED,
            ADDED.replace("[:, i, j]", "[:, j, i]"),
            "i and j are swapped: i counts the patches downward, j to the right",
        ),
        Mistake(ADDED, ADDED.replace("+=", "-="), "the sign: a copy has slope 1"),
        Mistake(
            ADDED,
            ADDED.replace("patches[:, i, j]", "patches[0, i, j]"),
            "only the first image's patches are used: keep the batch axis",
        ),
    ),
    also=(
        (
            ADDED,
            "for a, b in np.ndindex(k, k):\n            x[:, i * stride + a, j * stride + b] += patches[:, i, j, a, b]",
        ),
    ),
)


def _transposed(code: ModuleType) -> Any:
    layer = code.ConvTranspose(2, 1, K, STRIDE, np.random.default_rng(9))
    layer.b[...] = 0.3
    return layer


FORWARD, DW, DX = "x @ self.W.T", "self.rows(dy).T @ pixels", "(self.rows(dy) @ self.W).reshape(self.x.shape)"

TRANSPOSED = Exercise(
    name="transposed_convolution",
    title="the transposed convolution",
    task="""A generator makes large images of small ones. A convolution's dx does that: every pixel of the small image
paints a k x k patch of the large one, col2im(x W^T). Take that as the forward pass, and add its two derivatives.""",
    steps=(
        "forward: the patches that the pixels paint, (N, h, w, k k c_out). W has shape (k k c_out, c_in).",
        "col2im's derivative is im2col: self.rows(dy) is the patches of dy, (N h w, k k c_out), a row per pixel of x.",
        "Between the two stands Linear, from pixels of c_in values to rows, with W.T as its weights.",
        "So write dW, of W's shape, and return dx, of the shape of x (self.x).",
    ),
    example=""">>> layer = ConvTranspose(1, 1, 2, 2, np.random.default_rng(0))
>>> layer.W[...] = [[1], [2], [3], [4]]
>>> print(layer.forward(np.full((1, 1, 1, 1), 10.0))[0, :, :, 0].tolist())
[[10.0, 20.0], [30.0, 40.0]]
>>> print(layer.backward_input(np.ones((1, 2, 2, 1))).tolist())
[[[[10.0]]]]""",
    cut=Cut(
        textbook,
        parts=("ConvTranspose",),
        blank=(
            "ConvTranspose.forward: patches",
            "ConvTranspose.backward_params: self.dW",
            "ConvTranspose.backward_input",
        ),
        imports="from nanogan.learn.textbook import col2im, im2col",
    ),
    probe=LayerProbe(
        _transposed, ("y", "dW", "dx"), RNG.standard_normal((3, 2, 1, 2)), RNG.standard_normal((3, 5, 3, 1))
    ),
    hints=(
        "As a matrix, a convolution is C and its dx is C^T. Here forward is C^T, so backward is C: a convolution.",
        "patches = x W^T;  dW = rows^T pixels;  dx = rows W, with rows = im2col(dy)",
        "patches = x @ ____;  dW[...] = self.rows(dy).T @ ____;  return (self.rows(dy) @ ____).reshape(...)",
    ),
    mistakes=(
        Mistake(
            FORWARD, "x @ self.W", "forward multiplies by W^T: W has the shape of the convolution, (k k c_out, c_in)"
        ),
        Mistake(FORWARD, "x @ self.W.T / self.k**2", "patches are painted, not averaged: no division in forward"),
        Mistake(
            DW, "pixels.T @ self.rows(dy)", "dW is transposed: W has shape (k k c_out, c_in), so the rows come first"
        ),
        Mistake(DW, f"{DW} / len(dy)", "dW: a mean where a sum belongs, the loss has divided by N already"),
        Mistake(
            DW, f"{DW} / len(pixels)", "dW: a mean over pixels where a sum belongs, every pixel of x uses the same W"
        ),
        Mistake(DW, f"-{DW}", "the sign of dW"),
        Mistake("self.dW[...] = ", "self.dW[...] += ", ACCUMULATED),
        Mistake(DX, f"-{DX}", "the sign of dx"),
        Mistake(DX, "self.rows(dy) @ self.W", "dx has to get the shape of x again"),
        Mistake(
            DX, "(self.rows(dy) @ self.W).reshape(self.x.shape) / self.k**2", "dx is a sum over the patch, not a mean"
        ),
        Mistake(
            DX,
            "dy[:, :: self.stride, :: self.stride][:, :2, :1] * self.W[0]",
            "dx looks at one pixel of each patch: it is a sum over all k k of them",
        ),
    ),
    also=((FORWARD, 'np.einsum("nhwi,oi->nhwo", x, self.W)'), (DW, 'np.einsum("ro,ri->oi", self.rows(dy), pixels)')),
)
