"""Pairs of pictures, a condition and its target: made from digits, or read from a folder; and their split.

Tasks made from digits are functions of the digits and a seed, so they are the same everywhere and need no download.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..backend import Array, Shape
from ..data.batches import train_test_split
from ..data.images import PICTURE_ENDINGS, decode_picture, load_images, load_mnist
from ..errors import InputError

Task = Callable[[Array, np.random.Generator], tuple[Array, Array]]


@dataclass(frozen=True)
class Pairs:
    """conditions: (N, H, W, A), targets: (N, H, W, B), float32 in [0, 1]. labels: (N,), where the targets are digits.

    task: what is to be learned, by name.
    """

    task: str
    conditions: Array
    targets: Array
    labels: Array | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: Array | slice) -> Pairs:
        """Some of the pairs, in the order of `rows`."""
        labels = None if self.labels is None else self.labels[rows]
        return Pairs(self.task, self.conditions[rows], self.targets[rows], labels)


def split(pairs: Pairs, seed: int, *, test: float = 0.2) -> tuple[Pairs, Pairs]:
    """A training and a test part: the share `test` of the targets that differ, drawn by `seed`, is set aside.

    Pairs with the same target, to the last bit, count as one and stay together: no test image is trained on, not even
    under another name. Raises InputError where a part would be empty.
    """
    contents = np.array([hashlib.sha256(target.tobytes()).hexdigest() for target in pairs.targets])
    _, tested = train_test_split(np.unique(contents), test, rng=np.random.default_rng(seed))
    is_tested = np.isin(contents, tested)
    return pairs.take(np.flatnonzero(~is_tested)), pairs.take(np.flatnonzero(is_tested))


# ---- tasks made from digits (N, 28, 28, 1) in [0, 1]

BLOCK = 4
"""Side of the square that `restore` erases, in pixels: as wide as a thick stroke."""
NOISE = 0.25
"""Standard deviation of the noise that `restore` adds, in units of black to white."""


def restore(digits: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """A square of the digit erased, and noise added -> the digit.

    The square lies anywhere within the 20 x 20 pixels that a digit fills.
    """
    n, height, width, _ = digits.shape
    damaged = digits.copy()
    top, left = 4 + rng.integers(0, height - 7 - BLOCK, n), 4 + rng.integers(0, width - 7 - BLOCK, n)
    rows, columns = np.arange(height) - top[:, None], np.arange(width) - left[:, None]  # counted from the corner
    erased = ((rows >= 0) & (rows < BLOCK))[:, :, None] & ((columns >= 0) & (columns < BLOCK))[:, None, :]
    damaged[erased] = 0
    damaged += NOISE * rng.standard_normal(damaged.shape, dtype=np.float32)
    return damaged.clip(0, 1, out=damaged), digits


def super_resolution(digits: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """7 x 7 pixels, each the mean of 4 x 4 and drawn that large -> 28 x 28."""
    n, height, width, channels = digits.shape
    small = digits.reshape(n, height // 4, 4, width // 4, 4, channels).mean(axis=(2, 4))
    return small.repeat(4, axis=1).repeat(4, axis=2), digits


def edges(digits: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """The outline, that is the pixels of the digit that touch one outside it -> the digit."""
    inside = np.pad(digits > 0.5, ((0, 0), (1, 1), (1, 1), (0, 0)))
    core = inside[:, :-2, 1:-1] & inside[:, 2:, 1:-1] & inside[:, 1:-1, :-2] & inside[:, 1:-1, 2:]
    return (inside[:, 1:-1, 1:-1] & ~core).astype(digits.dtype), digits


def colour(digits: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Grey -> coloured, (N, 28, 28, 3): from blue over green to red, the more ink the digit has.

    Every pixel's brightness stays; to know the colour, one has to see the whole digit.
    """
    ink = digits.mean(axis=(1, 2, 3))
    warmth = ((ink - 0.05) / 0.15).clip(0, 1)  # 0.05 to 0.2 of the pixels: 97 % of the digits
    corners = np.array([[0, 0, 1], [0, 1, 1], [0, 1, 0], [1, 1, 0], [1, 0, 0]])  # of the colour wheel
    red, green, blue = (np.interp(warmth, np.linspace(0, 1, 5), corners[:, channel]) for channel in range(3))
    colours = np.stack([red, green, blue], axis=-1).astype(digits.dtype)
    return digits, digits * colours[:, None, None, :]


TASKS: dict[str, Task] = {
    "restore": restore,
    "super-resolution": super_resolution,
    "edges": edges,
    "colour": colour,
}


def digit_pairs(task: str, digits: Array, labels: Array | None, seed: int) -> Pairs:
    """Pairs of one of TASKS made from digits (N, 28, 28, 1) in [0, 1]; what is random in it is drawn by `seed`."""
    # Not default_rng(seed) itself, which draws the weights: noise and weights would be the same numbers.
    conditions, targets = TASKS[task](digits, np.random.default_rng([seed, 1]))
    return Pairs(task, conditions, targets, labels)


def load_pairs(path: str | Path | None, *, task: str | None, direction: str | None, seed: int) -> Pairs:
    """Pairs for training: a task made from digits, by default `restore`; or the pairs in a folder of pictures.

    path: None takes the 10,000 digits of MNIST's test file, which the classifier that reads the outputs has never seen;
    otherwise IDX files, a .npy or .npz file, as `load_images` takes them, or a folder of pictures for `read_pairs`.
    Raises InputError where the path holds none of these, or a task is asked for of a folder that holds pairs already.
    """
    if path is not None and _holds_pictures(Path(path)):
        if task is not None:
            raise InputError(f"{path}: holds pictures, which are taken as pairs; leave --task {task} out")
        return read_pairs(Path(path), direction or "AtoB")
    if direction is not None:
        raise InputError(f"--direction {direction}: is for a folder of pairs; --task says what is made from digits")
    if path is None:
        digits, labels = load_mnist("test", scale=(0, 1))
        return digit_pairs(task or "restore", digits, labels, seed)
    return digit_pairs(task or "restore", load_images(path, (28, 28, 1), scale=(0, 1)), None, seed)


def _holds_pictures(path: Path) -> bool:
    return path.is_dir() and any(file.suffix.lower() in PICTURE_ENDINGS for file in path.iterdir())


# ---- pairs in a folder


def read_pairs(folder: Path, direction: str) -> Pairs:
    """Every PNG and JPEG picture of a folder, each two of one size side by side: A left, B right, as for pix2pix.

    direction: "AtoB", A is the condition and B the target, or "BtoA".
    Raises InputError, naming the file, where one is damaged, of an odd width, or unlike the first in size or channels.
    """
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURE_ENDINGS)
    pictures = [decode_picture(file) for file in files]
    first = pictures[0]
    for file, picture in zip(files, pictures, strict=True):
        if picture.shape[1] % 2:
            raise InputError(
                f"{file}: is {describe_shape(picture.shape)}; expected two pictures side by side, so an even width"
            )
        if picture.shape != first.shape:
            raise InputError(
                f"{file}: is {describe_shape(picture.shape)}, but {files[0].name} is {describe_shape(first.shape)}; "
                "all pairs of a folder have to be alike"
            )
    both = np.stack(pictures).astype(np.float32) / 255
    half = both.shape[2] // 2
    a, b = np.ascontiguousarray(both[:, :, :half]), np.ascontiguousarray(both[:, :, half:])
    return Pairs(folder.name, a, b) if direction == "AtoB" else Pairs(folder.name, b, a)


def describe_shape(shape: Shape) -> str:
    """A picture's (H, W, C) as "28 x 28 pixels, grey"."""
    height, width, channels = shape
    return f"{width} x {height} pixels, {'grey' if channels == 1 else 'colour'}"
