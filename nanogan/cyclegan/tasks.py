"""Pictures of two styles, made without a download: digits in ink, and photographs as drawings."""

from __future__ import annotations

import numpy as np

from ..backend import Array

INK = np.array([0.13, 0.10, 0.16])
"""The colour of the line."""
PAPER = np.array([0.96, 0.93, 0.85])
GRAIN = 0.025
"""Standard deviation of the paper's grain, in units of black to white."""
WASHES = np.array([[0.20, 0.38, 0.70], [0.22, 0.58, 0.48], [0.93, 0.70, 0.25], [0.80, 0.30, 0.24]])
"""The wash's colour by how much of the picture a digit fills: blue for a thin 1, over green and yellow, red."""
LEAST, MOST = 0.06, 0.20
"""Shares of white: a thin 1 has the first, a bold 0 the second; most digits lie between."""


def ink(digits: Array, rng: np.random.Generator) -> Array:
    """Digits (N, 28, 28, 1) in [0, 1] as drawings, (N, 28, 28, 3): an outline in ink and a wash of colour, on paper.

    The outline is where the digit's brightness changes. The wash runs a little beyond it; its colour tells how much of
    the picture the digit fills, so that each drawing has one colour that is right, and it is thinner at the top, as a
    brush leaves it. The paper's grain is random.
    """
    n, height, width, _ = digits.shape
    filled = _blurred(digits)
    line = (4.5 * filled * (1 - filled) - 0.25).clip(0, 1)
    fullness = ((digits.mean(axis=(1, 2, 3)) - LEAST) / (MOST - LEAST)).clip(0, 1)
    stops = np.linspace(0, 1, len(WASHES))
    wash = np.stack([np.interp(fullness, stops, WASHES[:, channel]) for channel in range(3)], axis=-1)
    fading = np.linspace(0.55, 1.0, height).reshape(1, height, 1, 1)
    thickness = (1.3 * _blurred(filled)).clip(0, 1) * fading
    paper = PAPER + GRAIN * _grain(n, height, width, rng)
    painted = paper * (1 - thickness) + wash[:, None, None] * paper * thickness
    return (painted * (1 - line) + INK * line).clip(0, 1).astype(digits.dtype)


def _grain(n: int, height: int, width: int, rng: np.random.Generator) -> Array:
    """Random values with standard deviation 1, each like its neighbours, (N, H, W, 1)."""
    grain = _blurred(rng.standard_normal((n, height, width, 1), dtype=np.float32))
    return grain / grain.std()


def _blurred(images: Array) -> Array:
    """Each pixel's mean with its neighbours, by the weights 1/4, 1/2, 1/4 along both axes; the edge is repeated."""
    for axis in (1, 2):
        padding = [(1, 1) if axis == along else (0, 0) for along in range(4)]
        padded = np.pad(images, padding, mode="edge")
        middle, end = images.shape[axis], padded.shape[axis]
        before, at, after = (padded.take(range(start, start + middle), axis) for start in (0, 1, end - middle))
        images = (before + 2 * at + after) / 4
    return images


# ---- photographs as drawings

STRENGTH = 0.55
"""Of the washes: black becomes paper that is darker by this share."""


def pen_and_wash(photographs: Array) -> Array:
    """Photographs (N, H, W, 3) in [0, 1] as drawings of the same shape: lines in ink where brightness changes, and pale
    washes of the photograph's colours, on paper."""
    soft = _blurred(_blurred(photographs))
    brightness = soft.mean(axis=-1, keepdims=True)
    down, right = (np.gradient(brightness, axis=axis) for axis in (1, 2))
    line = (12 * np.sqrt(down**2 + right**2) - 0.3).clip(0, 1)
    wash = PAPER * (1 - STRENGTH * (1 - soft))
    return (wash * (1 - line) + INK * line).astype(photographs.dtype)
