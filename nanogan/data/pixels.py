"""What the numbers of an array of pictures mean: which axis is which, and which value is black and which white.

Both are told from the array itself, said in the description of the data, and refused if they can't be told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..backend import Array, Shape

LEAST_CONTRAST = 0.05
"""What a data set's values must span, as a share of black to white: below, the scale was surely another."""
ROUNDING = 1e-5
"""How far past a bound a value may lie, as a share of black to white: float32 rounds to 1e-7, a few operations more."""
OVERSHOOT = 0.1
"""Values from -1 to 1 whose least is above minus this are more likely 0..1 with an interpolation that swung over."""
CHANNELS = (1, 2, 3, 4)
"""Grey, grey and transparency, colour, colour and transparency."""


@dataclass
class Found:
    """Pictures as they were found.

    pixels: (N, H, W, C) in black..white, or NaN for the ground. where: what they came from, in words. sizes: their
    sizes in words, if they differ from that of `pixels`. labels: (N,), each an index of class_names. notes: what was
    assumed. broken: what could not be read, and why, of `total`.
    """

    pixels: Array
    where: str
    black: float = 0.0
    white: float = 255.0
    sizes: str = ""
    labels: Array | None = None
    class_names: tuple[str, ...] | None = None
    notes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    total: int = 0


# ---- axes

READINGS = {3: ("NHW", "HWN"), 4: ("NHWC", "NCHW", "HWCN")}
SAVE_AS = "save it as (N, height, width) or (N, height, width, channels)"


def layout(shape: Shape) -> str:
    """Which axis is which: "ND" (flat), "NHW", "HWN", "NHWC", "NCHW" or "HWCN" (as MATLAB has them).

    Raises ValueError if the shape has no such reading, or more than one.
    """
    if len(shape) == 2:
        if shape[1] > 1 and math.isqrt(shape[1]) ** 2 == shape[1]:
            return "ND"
        found = f"found an array of shape {shape}: {shape[1]} values per picture are no square"
        if math.isqrt(abs(shape[1] - 1)) ** 2 == shape[1] - 1 > 1:
            raise ValueError(f"{found}, but {shape[1] - 1} are; if one is the label, save the labels as another array")
        raise ValueError(f"{found}; {SAVE_AS}")
    readings = [reading for reading in READINGS.get(len(shape), ()) if _is_possible(shape, reading)]
    if len(readings) > 1:  # pictures are square more often than not
        square = [reading for reading in readings if shape[reading.index("H")] == shape[reading.index("W")]]
        readings = square or readings
    if len(readings) == 1:
        return readings[0]
    found = f"found an array of shape {shape}"
    if len(readings) > 1:
        raise ValueError(f"{found}, which may be {' or '.join(_spelled(reading) for reading in readings)}; {SAVE_AS}")
    if len(shape) == 3 and shape[-1] in CHANNELS:
        raise ValueError(f"{found}, one picture; expected many: {SAVE_AS}")
    raise ValueError(f"{found}, which isn't one of pictures; {SAVE_AS}")


def _is_possible(shape: Shape, reading: str) -> bool:
    length = dict(zip(reading, shape, strict=True))
    channels = length.get("C", shape[-1])  # (N, H, W) whose last axis has 3 is one picture in colour
    if reading.endswith("N") and (length["H"] != length["W"] or length["N"] == length["H"]):
        return False
    return (channels in CHANNELS) == ("C" in reading)


def _spelled(reading: str) -> str:
    names = {"N": "N", "H": "height", "W": "width", "C": "channels"}
    return f"({', '.join(names[axis] for axis in reading)})"


def as_pictures(array: Array) -> tuple[Array, list[str]]:
    """The same pictures as (N, H, W, C), and what was assumed of their axes. Raises ValueError as `layout` does."""
    reading = layout(array.shape)
    if reading == "ND":
        side = math.isqrt(array.shape[1])
        return array.reshape(-1, side, side, 1), [f"each of {array.shape[1]} values in rows"]
    channels = [] if "C" in reading else [np.newaxis]
    pictures = array.transpose([reading.index(axis) for axis in "NHWC" if axis in reading])[(..., *channels)]
    unusual = [] if reading in ("NHW", "NHWC") else [f"taken as {_spelled(reading)}"]
    return np.ascontiguousarray(pictures), unusual


# ---- values

SCALE = "scale them: (x - x.min()) / (x.max() - x.min())"


def pixel_range(smallest: float, largest: float, *, integers: bool) -> tuple[float, float]:
    """The values of black and white, for pixels from `smallest` to `largest`.

    0..1, -1..1 or 0..255; for integers above that, up to 16 bits, 0 to the largest that there is. Raises ValueError if
    the pixels fit none, or use so little of it that it can't be the one that was meant.
    """
    for black, white in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
        slack = 0 if integers else ROUNDING * (white - black)
        if black - slack <= smallest and largest <= white + slack:
            break
    else:
        black, white = 0.0, largest
        if not (integers and 0 <= smallest and largest < 2**16):  # also if one is NaN
            raise ValueError(
                f"expected pixels in 0..1, -1..1 or 0..255, found {smallest:g} to {largest:g}; undo a normalisation, "
                f"or {SCALE}"
            )
    if black < 0 and smallest > -OVERSHOOT:
        raise ValueError(
            f"found pixels from {smallest:g} to {largest:g}, neither 0..1 nor -1..1; clip them: x.clip(0, 1)"
        )
    if smallest == largest:
        raise ValueError(f"every pixel is {smallest:g}: there is nothing to learn; look at the data")
    if largest - smallest < LEAST_CONTRAST * (white - black):
        raise ValueError(
            f"found pixels from {smallest:g} to {largest:g} only, less than {LEAST_CONTRAST:.0%} of "
            f"{black:g}..{white:g}; {SCALE}"
        )
    return black, white


def range_of(pixels: Array, *, integers: bool | None = None) -> tuple[float, float]:
    """The values of black and white: `pixel_range` of the smallest and the largest pixel. NaN is no pixel."""
    smallest, largest = np.nanmin(pixels), np.nanmax(pixels)
    return pixel_range(
        float(smallest), float(largest), integers=pixels.dtype.kind != "f" if integers is None else integers
    )


def expect_numbers(pixels: Array) -> None:
    """Raise ValueError, naming the first picture concerned, if any pixel is NaN or infinite, or no number at all."""
    if pixels.dtype.kind not in "buif":
        raise ValueError(f"expected pixels as numbers, found {pixels.dtype}")
    if pixels.dtype.kind == "f" and not np.isfinite([pixels.min(), pixels.max()]).all():
        bad = int(np.argmin(np.isfinite(pixels).all(axis=tuple(range(1, pixels.ndim)))))
        raise ValueError(f"picture number {bad}, counted from 0, holds NaN or infinity; leave it out or repair it")


# ---- channels and labels


def opaque(pixels: Array, black: float, white: float, ground: Sequence[float]) -> Array:
    """Pictures with transparency as the last channel, painted on a ground (red, green, blue), in 0..255."""
    alpha = (pixels[..., -1:].astype(np.float32) - black) / (white - black)
    colours = pixels[..., :-1].astype(np.float32)
    below = black + (white - black) / 255 * np.asarray(ground, np.float32)
    painted = below + alpha * (colours - below)
    return np.rint(painted).astype(pixels.dtype) if pixels.dtype.kind in "ui" else painted


GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601-2, as Pillow makes grey of colour


def with_channels(pixels: Array, channels: int) -> Array:
    """Pictures with 1 channel or 3, as grey or colour."""
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    grey = pixels.astype(np.float32) @ GREY[:, np.newaxis]
    return np.rint(grey).astype(pixels.dtype) if pixels.dtype.kind in "ui" else grey


def is_grey(pixels: Array) -> bool:
    """Whether pictures (..., 3) hold the same red, green and blue everywhere."""
    return bool(np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 1], pixels[..., 2]))


def as_classes(labels: Array, count: int) -> tuple[Array, tuple[str, ...]] | None:
    """Labels (N,), (N, 1) or one-hot (N, K) as indices (N,) and the classes that they point to; None if they are none.

    Classes are in ascending order, named by their value; one-hot ones by their column.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if (
        labels.ndim == 2
        and labels.dtype.kind in "biuf"
        and (labels.sum(axis=1) == 1).all()
        and (labels.max(axis=1) == 1).all()
    ):
        labels = labels.argmax(axis=1)
    if labels.ndim != 1 or len(labels) != count:
        return None
    if labels.dtype.kind == "f":
        if not (np.isfinite(labels).all() and (labels % 1 == 0).all()):
            return None
        labels = labels.astype(np.int64)
    classes, indices = np.unique(labels, return_inverse=True)
    return indices, tuple(str(name) for name in classes)
