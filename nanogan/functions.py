"""Functions that layers and losses share, in the forms that neither overflow nor lose digits."""

from __future__ import annotations

from typing import Any

from .backend import Array


def sigmoid(xp: Any, x: Array, out: Array, work: Array) -> Array:
    """out = 1 / (1 + exp(-x)), elementwise. `work` is an array like x, and is overwritten.

    exp(-x) overflows for large negative x, so both signs are written with e = exp(-|x|) <= 1:

        x >= 0:  1 / (1 + e)        x < 0:  e / (1 + e)

    As e <= 1, both numerators are max(e, [x >= 0]).
    """
    xp.abs(x, out=work)
    xp.negative(work, out=work)
    xp.exp(work, out=work)  # e
    xp.greater_equal(x, 0, out=out)  # [x >= 0], as 0.0 or 1.0
    xp.maximum(work, out, out=out)
    work += 1
    out /= work
    return out


def channel_sums(x: Array, out: Array, work: Array) -> Array:
    """out = the sum over all axes but the last. x: (N, C) or (N, H, W, C)   work: like x[0]   out: (C,)

    Two short sums, first over the batch, then over the image, instead of one of N H W terms: NumPy adds along a first
    axis one term after another, so that in float32 the error grows with the number of terms. (For 64 images of 14 x 14
    x 32 it is a tenth of that of the one sum, and the time a fifth.)
    """
    x.sum(axis=0, out=work)
    return work.reshape(-1, len(out)).sum(axis=0, out=out)
