"""What kernels that are plain C compute, in NumPy, by name: same arguments, host arrays in place of device's.

`tests/test_kernels.py` runs the C itself on a CPU and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nanogan.numerics import channel_sums, channel_sums_of_products

Array = np.ndarray[Any, Any]


def im2col(image: Array, *sizes_and_patches: Any) -> None:
    """patches (n, h, w, k, k, C) of image (n, H, W, C) with a border of zeros"""
    *sizes, patches = sizes_and_patches
    padded, inside, windows = _windows(image.shape, image.dtype, *sizes)
    padded[inside] = image
    patches.reshape(windows.shape)[...] = windows


def col2im(patches: Array, *sizes_and_image: Any) -> None:
    """Its transpose: each value of a patch added to the pixel that im2col takes it from."""
    *sizes, image = sizes_and_image
    padded, inside, windows = _windows(image.shape, image.dtype, *sizes)
    given = patches.reshape(windows.shape)
    for u, v in np.ndindex(windows.shape[3:5]):
        windows[:, :, :, u, v] += given[:, :, :, u, v]
    image[...] = padded[inside]


def _windows(
    shape: tuple[int, ...],
    dtype: Any,
    height: int,
    width: int,
    channels: int,
    kernel: int,
    stride: int,
    padding: int,
    down: int,
    right: int,
) -> tuple[Array, Any, Array]:
    """A padded image of zeros, the place of the image in it, and its patches as a view."""
    n = int(np.prod(shape)) // (height * width * channels)
    # as high as the patches reach, which may be more than the border or less than the image
    reach = [
        max(size + 2 * padding, (places - 1) * stride + kernel) for size, places in ((height, down), (width, right))
    ]
    padded = np.zeros((n, *reach, channels), dtype)
    a, b, c, d = padded.strides
    windows = as_strided(padded, (n, down, right, kernel, kernel, channels), (a, stride * b, stride * c, b, c, d))
    return padded, (slice(None), slice(padding, padding + height), slice(padding, padding + width)), windows


def channel_statistics(
    x: Array,
    M: Any,
    C: Any,
    eps: Any,
    momentum: Any,
    unbiased: Any,
    mean: Array,
    std: Array,
    running_mean: Array,
    running_var: Array,
) -> None:
    """mean, std and the running averages of each channel of x, (M, C) or (N, H, W, C)"""
    mean[...] = channel_sums(x, work=np.empty_like(x[0])) / int(M)
    deviation = x - mean
    var = channel_sums_of_products(np, deviation, deviation) / int(M)
    std[...] = np.sqrt(var + eps)
    running_mean += momentum * (mean - running_mean)
    running_var += momentum * (unbiased * var - running_var)


def channel_gradients(dy: Array, deviation: Array, std: Array, M: Any, C: Any, dgamma: Array, dbeta: Array) -> None:
    """dgamma = sum of dy deviation / std and dbeta = sum of dy, of each channel"""
    dgamma[...] = channel_sums_of_products(np, dy, deviation) / std
    dbeta[...] = channel_sums(dy, work=np.empty_like(dy[0]))


STAND_INS: dict[str, Callable[..., None]] = {
    "nanogan_im2col": im2col,
    "nanogan_col2im": col2im,
    "channel_statistics": channel_statistics,
    "channel_gradients": channel_gradients,
}
