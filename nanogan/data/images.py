"""Images: the bundled MNIST, and whatever else a user hands over, as one array with black and white where they belong.

Every source takes the same way: what is it (this file), which axis and which value is what (`pixels.py`), and how it
fits the shape that is wanted. Files are read with care: what is truncated, mislabelled or empty raises an InputError
of one line that names the file and says what to do. `docs/data.md` has all that can be read. Next: `folders.py`.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array, Shape
from ..errors import InputError
from ..io.files import one_line
from . import arrays, idx
from .folders import PictureFiles, arranged, broken_line, files_below, is_picture
from .pictures import Fitting
from .pixels import Found, is_grey, opaque, range_of

MNIST_FOLDER = Path(__file__).parent / "mnist"
PixelRange = tuple[float, float]
FEW = 16
"""So many pictures are the data, whatever lies beside them; fewer may be pictures of the data."""
WANTED = "a folder of pictures or IDX files, or a .npy, .npz or .csv file"


@dataclass(frozen=True)
class Images:
    """Pictures, and what is known of them.

    pixels: (N, H, W, C), C = 1 (grey) or 3 (colour), uint8 or floating point; `black` and `white` are the values of
    black and white. labels: (N,), integers from 0, each an index of class_names; None if the data have none.
    description: one line on what was found and assumed. skipped: what could not be read, each with the reason, of
    `total` pictures.
    """

    pixels: Array
    black: float
    white: float
    description: str
    labels: Array | None = None
    class_names: tuple[str, ...] | None = None
    skipped: tuple[str, ...] = ()
    total: int = 0

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> Shape:
        """Of one picture: (height, width, channels)."""
        return self.pixels.shape[1:]

    @property
    def warning(self) -> str | None:
        """3 of 2,000 pictures could not be read: ..., or None if all could."""
        return broken_line(self.skipped, self.total) if self.skipped else None

    def scaled(self, scale: PixelRange = (-1.0, 1.0), dtype: Any = np.float32) -> Array:
        """The pixels with black at scale[0] and white at scale[1]."""
        return rescale(self.pixels, (self.black, self.white), scale, dtype)


def read_images(
    path: str | Path,
    image_shape: Shape | Callable[[Shape], Shape] | None = None,
    *,
    fit: str = "crop",
    background: str = "white",
    invert: bool = False,
    quiet: bool = False,
) -> Images:
    """The pictures in a folder or file of any kind that docs/data.md lists, all of one shape.

    image_shape: the (height, width, channels) to make of them; None keeps what they are (of pictures of many sizes, the
    commonest); a function is given what they are and returns what to make of them.
    fit: how they come to it: "crop", "pad" or "squeeze". background: "white", "black" or "#rrggbb", below transparent
    pixels and beside padded pictures. invert: swap black and white. quiet: no progress bar.

    Raises InputError if there are no pictures, more than 5 % can't be read, or their numbers can't be made sense of.
    """
    path, fitting = Path(path).expanduser(), Fitting(fit, background)
    try:
        source = _source(path, quiet=quiet)
        natural = _natural_shape(source, fitting)
        shape = natural if image_shape is None else image_shape(natural) if callable(image_shape) else image_shape
        shape = (int(shape[0]), int(shape[1]), int(shape[2]))
        if isinstance(source, Found):
            source.pixels = fitting.fitted(source.pixels, shape, source.black, source.white)
        else:
            source = source.read(shape, fitting, quiet=quiet)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{one_line(path)}: {one_line(error)}") from None
    return Images(
        source.pixels,
        source.white if invert else source.black,
        source.black if invert else source.white,
        _description(source, natural, shape, fitting) + "; inverted" * invert,
        source.labels,
        source.class_names,
        tuple(source.broken),
        source.total,
    )


def load_images(
    path: str | Path,
    image_shape: Shape | Callable[[Shape], Shape] | None = (28, 28, 1),
    *,
    scale: PixelRange = (-1.0, 1.0),
    dtype: Any = np.float32,
    **options: Any,
) -> Array:
    """The pixels alone of `read_images`: (N, *image_shape), black at scale[0], white at scale[1]."""
    return read_images(path, image_shape, **options).scaled(scale, dtype)


def image_shape_of(path: str | Path) -> Shape:
    """What the pictures in a folder or file are: (height, width, channels) of most, 3 channels if any is colour.

    To read them as well, `read_images` with a function for `image_shape` does both at once.
    """
    path = Path(path)
    try:
        return _natural_shape(_source(path, quiet=True), Fitting())
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{one_line(path)}: {one_line(error)}") from None


def load_mnist(
    split: str = "train",
    *,
    scale: PixelRange = (-1.0, 1.0),
    dtype: Any = np.float32,
    folder: str | Path = MNIST_FOLDER,
) -> tuple[Array, Array]:
    """Images (N, 28, 28, 1) scaled to `scale`, and labels (N,), uint8, of the "train" or the "test" part.

    folder: where the IDX files lie, gzipped or not: MNIST, Fashion-MNIST, KMNIST, or one split of EMNIST, which is
    turned upright. Raises InputError naming the file that is missing or not what its name says.
    """
    if split not in idx.PARTS:
        raise InputError(f"split {split!r} is unknown: choose train or test")
    file = idx.find_images(files_below(Path(folder)), split)
    if file is None:
        raise InputError(f"{folder}: expected a file named like {idx.PARTS[split][0]}-images-idx3-ubyte.gz, found none")
    images = idx.read_images(file)
    labels = idx.read_labels_of(file, len(images))
    if labels is None:
        raise InputError(f"{file}: expected the file of its labels beside it, found none")
    return rescale(images[..., np.newaxis], (0.0, 255.0), scale, dtype), labels


def rescale(pixels: Array, was: PixelRange, scale: PixelRange, dtype: Any = np.float32) -> Array:
    """A copy in which the values was[0] and was[1] have become scale[0] and scale[1].

    Floating point values that a rounding error took past either are put onto it.
    """
    (low, high), scaled = was, pixels.astype(dtype, order="C")
    if (low, high) != tuple(scale):
        scaled *= (scale[1] - scale[0]) / (high - low)
        scaled += scale[0] - low * (scale[1] - scale[0]) / (high - low)
    return scaled.clip(*scale, out=scaled) if pixels.dtype.kind == "f" else scaled


# ---- what it is


def _source(path: Path, *, quiet: bool) -> Found | PictureFiles:
    """What a path holds: arrays, read, or pictures, not read yet."""
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except FileNotFoundError:
        raise InputError(f"{one_line(path)}: no such file or folder; expected {WANTED}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{one_line(path)}: cannot be read ({one_line(reason)})") from None
    if not is_folder:
        return arrays.read_file(path, quiet=quiet)
    files = files_below(path)
    file = idx.find_images(files, "train")
    if file is not None:
        return arrays.read_idx_file(file)
    pictures = [file for file in files if is_picture(file)]
    if len(pictures) >= FEW or (pictures and not arrays.held_in(files, arrays.IN_FOLDERS[:2])):
        return arranged(path, pictures)
    for endings in arrays.IN_FOLDERS:
        if held := arrays.held_in(files, [endings]):
            if pictures:
                names = ", ".join(map(one_line, held))
                raise ValueError(f"holds {len(pictures)} pictures and arrays ({names}); give the file that you mean")
            return arrays.read_files(held, path, quiet=quiet)
    raise ValueError(_nothing_in(files))


def _nothing_in(files: list[Path]) -> str:
    """Why a folder's files are no data, and what to do."""
    if not files:
        return f"found none: the folder is empty; expected {WANTED}"
    if any(idx.NAME.fullmatch(file.name) for file in files):
        names = ", ".join(one_line(file.name) for file in files[:6])
        return f"expected one file named like train-images-idx3-ubyte.gz, found {names}; give the file that you mean"
    endings = Counter(file.suffix.lower() or "without ending" for file in files)
    found = ", ".join(f"{count:,} {one_line(ending)}" for ending, count in endings.most_common(5))
    advice = next(filter(None, map(arrays.advice_on, files[:100])), f"expected {WANTED}")
    return f"found none: the folder holds {found}; {advice}"


# ---- what its numbers mean


def _paint(found: Found, fitting: Fitting) -> None:
    """Find out which values of an array are black and white, and paint what is transparent."""
    colours = found.pixels.shape[-1] in (1, 3)
    if found.pixels.dtype == bool:
        found.pixels = found.pixels.view(np.uint8)
    found.black, found.white = range_of(found.pixels if colours else found.pixels[..., :-1])
    if not colours:
        found.pixels = opaque(found.pixels, found.black, found.white, fitting.ground)
        found.notes.append(f"transparency painted on {fitting.background}")


def _natural_shape(source: Found | PictureFiles, fitting: Fitting) -> Shape:
    """What the pictures are: (height, width, channels). Those of an array are made sense of for that."""
    if isinstance(source, PictureFiles):
        return source.shape()
    _paint(source, fitting)
    height, width, channels = source.pixels.shape[1:]
    return height, width, 1 if channels == 3 and is_grey(source.pixels) else channels


def _description(found: Found, natural: Shape, shape: Shape, fitting: Fitting) -> str:
    """70,000 pictures of 28 x 28, grey, 0..255, from x_train in mnist.npz; 10 classes: 0, 1, 2 ... 9"""
    size = found.sizes or f"{natural[1]} x {natural[0]}"
    kind = "grey" if natural[2] == 1 else "colour"
    values = f"{found.black:g}..{found.white:g}"
    pictures = "picture" if len(found.pixels) == 1 else "pictures"
    parts = [f"{len(found.pixels):,} {pictures} of {size}, {kind}, {values}, from {found.where}"]
    if found.sizes or shape != natural:
        how = {"crop": ", cropped in the middle", "pad": f", on {fitting.background}", "squeeze": ", squeezed"}
        same_aspect = not found.sizes and shape[0] * natural[1] == shape[1] * natural[0]
        resized = f"{shape[1]} x {shape[0]}, " if found.sizes or shape[:2] != natural[:2] else ""
        kind = "grey" if shape[2] == 1 else "colour"
        parts.append(f"made {resized}{kind}{'' if same_aspect else how[fitting.fit]}")
    if found.class_names is not None:
        names = [one_line(name) for name in found.class_names]
        listed = ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} ... {names[-1]}"
        parts.append(f"{len(names):,} classes: {listed}" if len(names) > 1 else f"one class: {listed}")
    return "; ".join([*parts, *found.notes])
