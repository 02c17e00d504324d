"""The two kinds of pictures of a run without pairs, a and b: from two folders, or made by a task of `tasks.py`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ..backend import Array, Shape
from ..data.folders import files_below, is_picture
from ..data.images import load_mnist, read_images
from ..data.pictures import Fitting, decode_picture
from ..errors import InputError
from ..io.files import one_line, read_all
from ..pix2pix.pairs import describe_shape, split_by_content
from . import tasks

FEWEST = 10
"""Pictures of a kind: fewer can't be set apart into what is trained on and what is looked at."""
TESTED = 0.2
"""The share of a folder's pictures that is set aside."""
IDENTITY_WEIGHT = 5.0
"""Half of the usual cycle_weight, as in the paper, if both kinds have as many channels."""


@dataclass(frozen=True)
class Sides:
    """a: (N, H, W, A) and b: (M, H, W, B), float32 in [0, 1]. labels_a, labels_b: (N,) and (M,), if they are digits.

    task: what is to be learned, by name. suits: options of `unpaired` that suit these pictures. description: where they
    come from. skipped: what could not be read.
    """

    task: str
    a: Array
    b: Array
    labels_a: Array | None = None
    labels_b: Array | None = None
    suits: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    skipped: str = ""


def load_sides(
    task: str | None, a: str | None, b: str | None, *, seed: int, size: int | None = None, **options: Any
) -> tuple[Sides, Sides]:
    """What to train on, and what to look at: of a task, or of the folders a and b.

    size: of pictures from folders, the side of the square they are made to fit; None leaves them as they are. options:
    as for `read_images`. Raises InputError, saying what to do, on anything that can't be trained on.
    """
    if a is None and b is None:
        return TASKS[task or "ink"](seed)
    if task is not None:
        raise InputError(f"--task {task}: makes pictures of its own; leave it out, or --a and --b")
    if a is None or b is None:
        raise InputError(f"--{'a' if b else 'b'}: a folder is missing; a style needs two, --a FOLDER and --b FOLDER")
    return read_sides(Path(a), Path(b), seed=seed, size=size, **options)


# ---- two folders


def read_sides(a: Path, b: Path, *, seed: int, size: int | None = None, **options: Any) -> tuple[Sides, Sides]:
    """The pictures of two folders, a fifth of each set aside by `seed`; equal pictures stay together."""
    _expect_different(a, b)
    wanted: Callable[[Shape], Shape] | None = None if size is None else lambda natural: (size, size, natural[2])
    found = [read_images(folder, wanted, **options) for folder in (a, b)]
    for folder, images in zip((a, b), found, strict=True):
        if len(images) < FEWEST:
            raise InputError(f"{one_line(folder)}: holds {len(images)} pictures; a style needs at least {FEWEST}")
    shape_a, shape_b = (images.shape for images in found)
    if shape_a[:2] != shape_b[:2]:
        raise InputError(
            f"{one_line(a)} holds {describe_shape(shape_a)}, {one_line(b)} {describe_shape(shape_b)}; make them "
            "one size, as --size 64 does"
        )
    described = "; ".join(f"{name}: {images.description}" for name, images in zip("ab", found, strict=True))
    skipped = "; ".join(images.warning for images in found if images.warning)
    task, pixels = f"{a.name} and {b.name}", [images.scaled((0, 1)) for images in found]
    parts = zip(*(split_by_content(images, seed, test=TESTED) for images in pixels), strict=True)
    made: dict[str, Any] = {"description": described, "skipped": skipped}
    made["suits"] = {"identity_weight": IDENTITY_WEIGHT} if shape_a == shape_b else {}
    train, test = (Sides(task, pixels[0][of_a], pixels[1][of_b], **made) for of_a, of_b in parts)
    return train, test


def _expect_different(a: Path, b: Path) -> None:
    """Raise InputError if the folders are one, or one lies in the other, or a file is in both, whatever its name."""
    here, there = a.expanduser().resolve(), b.expanduser().resolve()
    if here == there:
        raise InputError(f"--a and --b are one folder, {one_line(a)}; a style needs two kinds of pictures")
    for inner, outer in ((here, there), (there, here)):
        if outer in inner.parents:
            raise InputError(f"{one_line(inner)} lies in {one_line(outer)}: its pictures would be of both kinds")
    known: dict[str, Path] = {}
    for folder in (here, there):
        for file in filter(is_picture, files_below(folder) if folder.is_dir() else []):
            first = known.setdefault(hashlib.sha256(read_all(file, at_most=2**28)).hexdigest(), file)
            if folder == there and here in first.parents:
                raise InputError(f"{one_line(first)} and {one_line(file)} are one picture; keep it in one folder")


# ---- tasks

TRAINED, LOOKED_AT = 10_000, 1_000
"""Digits of each kind. The first come from MNIST's training file, the others from its test file."""
INK: Mapping[str, Any] = MappingProxyType({"cycle_weight": 1.0, "epochs": 3})
"""With the paper's 10, strokes became gaps and gaps strokes: bright paper stayed bright, so there and back was short,
though no discriminator took it for real."""


def ink_sides(seed: int) -> tuple[Sides, Sides]:
    """a: digits as drawings in ink. b: other digits, as MNIST has them. The grain of the paper is drawn by `seed`."""
    train, labels = load_mnist("train", scale=(0, 1))
    test, test_labels = load_mnist("test", scale=(0, 1))
    rng = np.random.default_rng([seed, 1])  # default_rng(seed) draws the weights

    def sides(digits: Array, of: Array, a: slice, b: slice) -> Sides:
        of = of.astype(np.int64)
        return Sides("ink", tasks.ink(digits[a], rng), digits[b], labels_a=of[a], labels_b=of[b], suits=INK)

    trained = sides(train, labels, slice(TRAINED, 2 * TRAINED), slice(TRAINED))
    return trained, sides(test, test_labels, slice(1, 2 * LOOKED_AT, 2), slice(0, 2 * LOOKED_AT, 2))


PHOTOGRAPHS, DRAWN, UNSEEN = ("coffee.png", "rocket.jpg"), ("astronaut.png", "motorcycle_left.png"), "chelsea.png"
"""Pictures in scikit-image: those that stay photographs, those that drawings are made of, and the one for testing."""
CROPS, CROP, SHORTEST = 1_000, 64, (160, 320)
"""So many squares of each kind are cut, 64 x 64 pixels, from pictures whose shorter side is between these."""


DRAWINGS: Mapping[str, Any] = MappingProxyType(
    {"cycle_weight": 3.0, "identity_weight": 1.0, "batch_size": 4, "epochs": 8}
)


def photograph_sides(seed: int) -> tuple[Sides, Sides]:
    """a: squares out of photographs. b: squares out of drawings of other photographs. Drawn by `seed`."""
    rng = np.random.default_rng([seed, 1])
    a, b = _crops(PHOTOGRAPHS, CROPS, rng), tasks.pen_and_wash(_crops(DRAWN, CROPS, rng))
    looked_at = _crops((UNSEEN,), FEWEST, rng)
    drawings = tasks.pen_and_wash(_crops((UNSEEN,), FEWEST, rng))
    return Sides("photographs", a, b, suits=DRAWINGS), Sides("photographs", looked_at, drawings)


def _crops(names: tuple[str, ...], count: int, rng: np.random.Generator) -> Array:
    """Squares (count, 64, 64, 3) out of these pictures in turn, at random places, scales, and mirrored or not."""
    from PIL import Image

    pictures = [Image.fromarray(decode_picture(_photograph(name))).convert("RGB") for name in names]
    crops = np.empty((count, CROP, CROP, 3), np.float32)
    for number, crop in enumerate(crops):
        picture = pictures[number % len(pictures)]
        side = CROP * min(picture.size) / rng.integers(*SHORTEST, endpoint=True)
        left, top = (rng.uniform(0, size - side) for size in picture.size)
        square = picture.resize((CROP, CROP), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
        crop[...] = np.asarray(square)[:, :: rng.choice((-1, 1))] / np.float32(255)
    return crops


def square(name: str, side: int) -> Array:
    """The middle of one of these pictures, (side, side, 3) in [0, 1]."""
    fitted = Fitting("crop").fitted(decode_picture(_photograph(name))[np.newaxis], (side, side, 3), 0, 255)
    return fitted[0] / np.float32(255)


def _photograph(name: str) -> Path:
    """A picture that scikit-image brings along. Nothing of it is imported. Raises InputError if it isn't installed."""
    package = find_spec("skimage")
    path = Path(package.origin).parent / "data" / name if package and package.origin else None
    if path is None or not path.is_file():
        raise InputError('the photographs come with scikit-image: pip install "nanogan[photographs]"')
    return path


TASKS: dict[str, Callable[[int], tuple[Sides, Sides]]] = {"ink": ink_sides, "photographs": photograph_sides}
