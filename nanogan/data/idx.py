"""IDX files, the format of MNIST: found under the names that they are published with, and read.

MNIST: LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/ (format: the section on IDX files).
EMNIST: Cohen et al. 2017, https://arxiv.org/abs/1702.05373; its pictures lie on their side (rows and columns swapped).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..backend import Array
from ..errors import InputError
from ..io.files import one_line, unpacked

NAME = re.compile(r"(?P<prefix>.*?)(?P<part>train|t10k|test)-(?P<kind>images|labels)[-.]idx\d-ubyte(\.gz)?", re.I)
"""train-images-idx3-ubyte.gz, t10k-labels.idx1-ubyte, emnist-letters-test-images-idx3-ubyte ..."""
TURNED = "EMNIST, turned upright"
PARTS = {"train": ("train",), "test": ("t10k", "test")}


def read_idx(path: Path, *, axes: int) -> Array:
    """The uint8 array of an IDX file, gzipped or not: 3 axes for images, 1 for labels.

    An IDX file is a big-endian header (0, 0, 8 for uint8, the number of axes; the length of each axis) and the bytes.
    """
    with unpacked(path) as content:
        header = content.file.read(4 + 4 * axes)
        if len(header) < 4 + 4 * axes or header[:4] != bytes((0, 0, 8, axes)):
            raise ValueError(
                f"expected an IDX file of uint8 with {axes} axes (first bytes 0 0 8 {axes}), "
                f"found {' '.join(str(byte) for byte in header[:4]) or 'an empty file'}"
            )
        shape = tuple(int(n) for n in np.frombuffer(header, ">u4", offset=4))
        if 0 in shape:
            raise ValueError(f"expected images or labels, found none (shape {shape})")
        return np.frombuffer(content.rest(math.prod(shape), str(shape)), np.uint8).reshape(shape)


def read_images(path: Path) -> Array:
    """The pictures (N, H, W) in an IDX file, upright: those of EMNIST are published on their side."""
    images = read_idx(path, axes=3)
    return images.swapaxes(1, 2) if lies_on_its_side(path) else images


def lies_on_its_side(path: Path) -> bool:
    return path.name.lower().startswith("emnist")


def read_labels_of(images: Path, count: int) -> Array | None:
    """The labels (N,) whose file lies beside a file of `count` images, or None if none does."""
    name = NAME.fullmatch(images.name)
    if name is None:
        return None
    wanted = (name["prefix"].lower(), name["part"].lower(), "labels")
    files = [file for file in sorted(images.parent.iterdir()) if _described(file) == wanted and not file.is_dir()]
    if not files:
        return None
    labels = read_idx(files[0], axes=1)
    if len(labels) != count:
        raise InputError(
            f"{one_line(files[0])}: expected {count} labels, one for each image, found {len(labels)}; "
            "fetch both files again"
        )
    return labels


def find_images(files: Iterable[Path], split: str) -> Path | None:
    """The one file of images of the "train" or "test" part among `files`, or None if none is named like one.

    The same file plain and gzipped, or copied into several folders, counts once. Raises ValueError if several differ.
    """
    sets: dict[tuple[str, Path], Path] = {}  # the prefix and the folder tell data sets apart
    for file in sorted(files):  # plain before .gz
        prefix, part, kind = _described(file)
        if kind == "images" and part in PARTS[split]:
            sets.setdefault((prefix, file.parent), file)
    found = sorted(sets.values(), key=lambda file: len(file.parts))
    if len(found) > 1 and len({file.name.removesuffix(".gz").replace(".", "-") for file in found}) == 1:
        first = read_idx(found[0], axes=3)
        found = found[:1] + [file for file in found[1:] if not np.array_equal(read_idx(file, axes=3), first)]
    if len(found) > 1:
        names = ", ".join(one_line(file) for file in found)
        raise ValueError(f"holds several data sets; give the file of the one you mean: {names}")
    return found[0] if found else None


def _described(file: Path) -> tuple[str, str, str]:
    """Prefix, part and kind, as the name has them; empty if it isn't named like an IDX file."""
    name = NAME.fullmatch(file.name)
    return (name["prefix"].lower(), name["part"].lower(), name["kind"].lower()) if name else ("", "", "")
