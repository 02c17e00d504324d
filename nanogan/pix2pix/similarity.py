"""How near images are to the ones they should be: pure functions on NumPy arrays on the host, one number an image.

x, y: (N, H, W, C), pixels in [0, 1]. L1 and PSNR are best served by blur where the answer is uncertain; SSIM compares
contrast and structure in small windows. Read them together.
"""

from __future__ import annotations

import numpy as np

from ..backend import Array
from ..errors import ShapeError

WINDOW = 11
"""SSIM's window has 11 x 11 pixels, weighted by a Gaussian of standard deviation 1.5."""


def l1(x: Array, y: Array) -> Array:
    """mean |x - y| over each image's pixels: (N,)"""
    return np.abs(_pair(x, y)[0] - y).mean(axis=(1, 2, 3), dtype=np.float64)


def psnr(x: Array, y: Array) -> Array:
    """Peak signal-to-noise ratio, 10 log10(1 / mean (x - y)^2), in dB: (N,). Infinite where an image is exact."""
    error = np.square(_pair(x, y)[0] - y).mean(axis=(1, 2, 3), dtype=np.float64)
    with np.errstate(divide="ignore"):
        return -10 * np.log10(error)


def ssim(x: Array, y: Array) -> Array:
    """Structural similarity: (N,), 1 for equal images. The mean over all windows that lie within the image of

        (2 mx my + c1) (2 sxy + c2) / ((mx^2 + my^2 + c1) (sx^2 + sy^2 + c2))        c1 = 0.01^2, c2 = 0.03^2

    m, s^2 and sxy being a window's weighted means, variances and covariance. Channels are averaged.

    Source: Wang et al. 2004, eq. 13, with their window and constants. Raises ShapeError for images below 11 x 11.
    """
    x, y = (array.astype(np.float64) for array in _pair(x, y))
    if min(x.shape[1:3]) < WINDOW:
        raise ShapeError(f"ssim: expected images of at least {WINDOW} x {WINDOW} pixels, got {x.shape}")
    mx, my = _window_means(x), _window_means(y)
    sxx, syy = _window_means(x * x) - mx * mx, _window_means(y * y) - my * my
    sxy = _window_means(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    similar = (2 * mx * my + c1) * (2 * sxy + c2) / ((mx * mx + my * my + c1) * (sxx + syy + c2))
    return similar.mean(axis=(1, 2, 3))


def _window_means(x: Array) -> Array:
    """The weighted mean of every window: (N, H, W, C) -> (N, H - 10, W - 10, C), as rows x columns of weights."""
    rows, columns = _gaussian_windows(x.shape[1]), _gaussian_windows(x.shape[2])
    return np.einsum("ih,nhwc,jw->nijc", rows, x, columns, optimize=True)


def _gaussian_windows(size: int) -> Array:
    """Row i holds the weights of the window that begins at i: (size - 10, size), each row with sum 1."""
    weights = np.exp(-0.5 * (np.arange(WINDOW) - WINDOW // 2) ** 2 / 1.5**2)
    windows = np.zeros((size - WINDOW + 1, size))
    for i, window in enumerate(windows):
        window[i : i + WINDOW] = weights / weights.sum()
    return windows


def _pair(x: Array, y: Array) -> tuple[Array, Array]:
    if x.shape != y.shape or x.ndim != 4:
        raise ShapeError(f"expected two sets of images of one shape (N, H, W, C), got {x.shape} and {y.shape}")
    return x, y
