"""Images: the bundled MNIST, and whatever else a user hands over; splits; shuffled batches.

Everything becomes one array of shape (N, H, W, C), channels last, scaled to the pixel range that a recipe wants. Files
are read with care: what is truncated, mislabelled or empty raises an InputError that names the file and what was
expected of it. MNIST: LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/ (format: the section on IDX files).
"""

from __future__ import annotations

import gzip
import math
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ..backend import Array, Shape
from ..errors import InputError
from ..io.files import Arrays, opened, read_npy, unpacks_to

if TYPE_CHECKING:
    from PIL.Image import Image

MNIST_FOLDER = Path(__file__).parent / "mnist"
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg")
MOST_PIXELS = 2**25
"""Pixels of a picture that may be decoded: 8192 x 4096, which take 128 MiB."""
PixelRange = tuple[float, float]


def load_mnist(
    split: str = "train",
    *,
    scale: PixelRange = (-1.0, 1.0),
    dtype: Any = np.float32,
    folder: str | Path = MNIST_FOLDER,
) -> tuple[Array, Array]:
    """Images (N, 28, 28, 1) scaled to `scale`, and labels (N,), uint8, of the "train" or the "test" part.

    folder: where the IDX files lie, gzipped or not; Fashion-MNIST and KMNIST use the same names, EMNIST with a prefix.
    Raises InputError naming the file that is missing or not what its name says.
    """
    prefix = {"train": "train", "test": "t10k"}.get(split)
    if prefix is None:
        raise InputError(f"split {split!r} is unknown: choose train or test")
    image_file = _idx_file(Path(folder), split, "images")
    label_file = _idx_file(Path(folder), split, "labels")
    images, labels = read_idx(image_file, axes=3), read_idx(label_file, axes=1)
    if len(images) != len(labels):
        raise InputError(f"{label_file}: expected {len(images)} labels, one for each image, found {len(labels)}")
    return rescale(images[..., np.newaxis], scale, dtype), labels


def load_images(
    path: str | Path, image_shape: Shape = (28, 28, 1), *, scale: PixelRange = (-1.0, 1.0), dtype: Any = np.float32
) -> Array:
    """Images (N, *image_shape), scaled to `scale`, from any of:

    - a folder with IDX files (its training images are taken),
    - a .npy file, or an .npz with one array (or one called "images"): (N, H, W) or (N, H, W, C); uint8 in 0..255, or
      floating point in [0, 1] or [-1, 1],
    - a folder of PNG or JPEG pictures, converted to grey or colour and resized to `image_shape`.

    Raises InputError where the path holds none of these or the images have another shape.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; expected IDX files, a .npy or .npz file, or pictures")
    if path.is_dir():
        if any(path.glob("*-ubyte*")):
            images = read_idx(_idx_file(path, "train", "images"), axes=3)
        else:
            images = _read_pictures(path, image_shape)
    elif path.suffix in (".npy", ".npz"):
        images = _read_array(path)
    else:
        raise InputError(f"{path}: expected a folder, or a file ending in .npy or .npz")
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or images.shape[1:] != image_shape:
        raise InputError(f"{path}: expected images of shape {image_shape}, found an array of shape {images.shape}")
    if len(images) == 0:
        raise InputError(f"{path}: expected images, found none")
    try:
        return rescale(images, scale, dtype)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def rescale(images: Array, scale: PixelRange, dtype: Any = np.float32) -> Array:
    """Images with black at scale[0] and white at scale[1].

    images: uint8 (black 0, white 255), or floating point in [0, 1], or in [-1, 1] if any number is negative.
    """
    if images.dtype == np.uint8:
        low, high = 0.0, 255.0
    elif images.dtype.kind == "f":
        smallest, largest = float(images.min()), float(images.max())
        if not (-1 <= smallest and largest <= 1):  # also where one is NaN
            raise InputError(f"expected pixels in [0, 1] or [-1, 1], found {smallest:g} to {largest:g}")
        low, high = (-1.0 if smallest < 0 else 0.0), 1.0
    else:
        raise InputError(f"expected pixels of uint8 or a floating point type, found {images.dtype}")
    if (low, high) == tuple(scale):
        return images.astype(dtype)
    scaled = images.astype(dtype)
    scaled *= (scale[1] - scale[0]) / (high - low)
    scaled += scale[0] - low * (scale[1] - scale[0]) / (high - low)
    return scaled


# ---- reading files


def read_idx(path: Path, *, axes: int) -> Array:
    """The uint8 array of an IDX file, gzipped or not: 3 axes for images, 1 for labels.

    An IDX file is a big-endian header (0, 0, 8 for uint8, the number of axes; the length of each axis) and the bytes.
    """
    with opened(path) as (file, length):
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        content = gzip.GzipFile(fileobj=file) if zipped else file
        try:
            return _idx_array(path, content, axes, length, zipped)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{path}: cannot be read ({error}); fetch the file again") from None


def _idx_array(path: Path, content: IO[bytes] | gzip.GzipFile, axes: int, length: int, zipped: bool) -> Array:
    header = content.read(4 + 4 * axes)
    if len(header) < 4 + 4 * axes or header[:4] != bytes((0, 0, 8, axes)):
        raise InputError(
            f"{path}: expected an IDX file of uint8 with {axes} axes (first bytes 0 0 8 {axes}), "
            f"found {' '.join(str(byte) for byte in header[:4]) or 'an empty file'}"
        )
    shape = tuple(int(n) for n in np.frombuffer(header, ">u4", offset=4))
    if 0 in shape:
        raise InputError(f"{path}: expected images or labels, found none (shape {shape})")
    claimed = math.prod(shape)
    numbers = b""
    if unpacks_to(claimed, length) if zipped else claimed == length - len(header):
        numbers = content.read(claimed + 1)  # one byte more shows whether there is more
    if len(numbers) != claimed:
        raise InputError(
            f"{path}: its header says {shape}, which takes {claimed:,} bytes after it, but a file of {length:,} bytes "
            "holds another number; the file is truncated or damaged"
        )
    return np.frombuffer(numbers, np.uint8).reshape(shape)


def _idx_file(folder: Path, split: str, kind: str) -> Path:
    """The folder's one IDX file of "images" or "labels", whatever its prefix (EMNIST has one) and ending (.gz)."""
    prefix = {"train": "train", "test": "t10k"}[split]
    found = sorted(folder.glob(f"*{prefix}-{kind}?idx*"))
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise InputError(f"{folder}: expected one file named like {prefix}-{kind}-idx3-ubyte.gz, found {names}")
    return found[0]


def _read_array(path: Path) -> Array:
    """The images in a .npy or .npz file."""
    with opened(path) as (file, length):
        try:
            if path.suffix == ".npy":
                return read_npy(file, length)
            held = Arrays(file, length)
            name = "images" if "images" in held.names else held.names[0] if len(held.names) == 1 else None
            if name is None:
                raise InputError(f"expected one array, or one called images; found {', '.join(held.names) or 'none'}")
            return held.read(name)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except ValueError as error:
            raise InputError(f"{path}: cannot be read as an array of images ({error})") from None


def _read_pictures(folder: Path, image_shape: Shape) -> Array:
    """Every PNG and JPEG picture of a folder as uint8 (N, *image_shape), in the order of the names."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURE_ENDINGS)
    if not files:
        raise InputError(f"{folder}: expected IDX files or pictures ({', '.join(PICTURE_ENDINGS)}), found none")
    pictures = np.empty((len(files), *image_shape), np.uint8)
    for picture, path in zip(pictures, files, strict=True):
        picture[...] = read_picture(path, image_shape)
    return pictures


def read_picture(path: Path, image_shape: Shape) -> Array:
    """One PNG or JPEG picture as uint8 (H, W, C), converted to grey (C = 1) or colour (3) and resized.

    Raises InputError where it is damaged, or too large to be taken into memory unseen.
    """
    height, width, channels = image_shape
    with _opened_picture(path) as picture:
        converted = picture.convert("L" if channels == 1 else "RGB").resize((width, height))
        return np.asarray(converted).reshape(image_shape)


def decode_picture(path: Path) -> Array:
    """One PNG or JPEG picture as it is: uint8 (H, W, C), grey (C = 1) or colour (3).

    Raises InputError where it is damaged, too large, or has another number of channels: transparency.
    """
    with _opened_picture(path) as picture:
        bands = picture.getbands()
        if "A" in bands:
            raise InputError(f"{path}: has {len(bands)} channels, one of them transparency; save it as grey or RGB")
        converted = picture.convert("L" if picture.mode in ("1", "L") else "RGB")
        return np.asarray(converted).reshape(converted.height, converted.width, -1)


@contextmanager
def _opened_picture(path: Path) -> Iterator[Image]:
    """A picture with 8 bits a channel, checked for its size; all that goes wrong with it is an InputError."""
    from PIL import Image

    with opened(path) as (file, _), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a palette's transparency and the like: the pixels are what counts
        try:
            # By its content; no other decoder is started.
            picture: Image.Image = Image.open(file, formats=("PNG", "JPEG"))
            if math.prod(picture.size) > MOST_PIXELS:
                raise InputError(f"{path}: its {picture.width} x {picture.height} pixels are too many; make it smaller")
            if picture.mode.startswith("I"):  # 16 bits a pixel, which `convert` would clip at 255
                picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
            yield picture
        except InputError:
            raise
        except Exception as error:  # on damaged pictures Pillow raises anything from SyntaxError to struct.error
            raise InputError(f"{path}: cannot be read as a picture ({error})") from None
