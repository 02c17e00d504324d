"""A folder of pictures: which files are meant, what their folders say of them, and all of them in one array."""

from __future__ import annotations

import functools
import math
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..backend import Array, Shape
from ..errors import InputError
from ..io.files import one_line, opened
from .pictures import CAMERA_ENDINGS, PICTURE_ENDINGS, SIGNATURES, Decoder, Fitting, probe, quiet_pillow
from .pixels import Found, range_of

JUNK = ("thumbs.db", "desktop.ini", "__macosx", "@eadir", "lost+found")
"""What operating systems put beside pictures, besides hidden files (.DS_Store, ._1.png)."""
A_RUN = {"config.json", "checkpoint.npz"}
"""A folder below that holds these is one of results, not of data."""
MOST_BROKEN = 0.05
"""The share of pictures that may be left out because they can't be read."""
PROBED = 100
"""How many pictures of a folder are looked at to find out what its pictures are."""
TRAIN = {"train", "training", "trainset", "trn"}
OTHER_PARTS = set(
    "test testing testset tst val valid validation dev eval holdout pred extra unlabeled unlabelled".split()
)


# ---- which files


def files_below(folder: Path) -> list[Path]:
    """Every file in a folder, at any depth, in natural order; hidden ones and an operating system's own are left out.

    Links are followed, each folder is entered once. Raises InputError if one can't be.
    """

    def refuse(error: OSError) -> None:
        raise InputError(f"{one_line(error.filename)}: cannot be read ({error.strerror or error})")

    found: list[Path] = []
    entered = set()
    for where, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        here = os.stat(where)
        if (here.st_dev, here.st_ino) in entered or (Path(where) != folder and set(names) >= A_RUN):
            folders.clear()
            continue
        entered.add((here.st_dev, here.st_ino))
        folders[:] = sorted((name for name in folders if not is_junk(name)), key=natural)
        children = {child.name: child for child in Path(where).iterdir()}  # half the time of Path(where, name) for each
        found += [children[name] for name in sorted(names, key=natural) if name in children and not is_junk(name)]
    return found


def is_junk(name: str) -> bool:
    return name.startswith(".") or name.lower() in JUNK


def natural(name: str) -> list[tuple[float, str]]:
    """A key that sorts 2 before 10, as people number files and classes."""
    return [(int(digits) if digits else math.inf, text) for digits, text in re.findall(r"(\d*)(\D*)", name.lower())]


def is_picture(file: Path) -> bool:
    """By the ending of its name; by its first bytes if it has none."""
    if file.suffix:
        return file.suffix.lower() in (*PICTURE_ENDINGS, *CAMERA_ENDINGS)
    try:
        with opened(file) as (content, _):
            return content.read(4).startswith(SIGNATURES)
    except InputError:
        return False


def part_of(name: str) -> str | None:
    """Whether a folder's or an array's name is that of a "train" part, or of "another" part of a data set."""
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
    return "train" if words & TRAIN else "another" if words & OTHER_PARTS else None


def training_part(names: Iterable[str]) -> str | None:
    """The one of several folders that is to be trained on; None if they are no parts of a data set, but classes."""
    parts = {name: part_of(name) for name in names}
    if not parts or None in parts.values():
        return None
    training = [name for name, part in parts.items() if part == "train"]
    exact = [name for name in training if name.lower() in TRAIN]
    if len(training) != 1 and len(exact) != 1:
        raise ValueError(f"holds {', '.join(map(one_line, sorted(parts)))}; give the one to train on")
    return (exact or training)[0]


def arranged(folder: Path, files: Sequence[Path]) -> PictureFiles:
    """The pictures to train on, with the classes that their folders are named for."""
    root, notes = folder, []
    while True:
        depth = len(root.parts)
        folders = [file.parts[depth] if len(file.parts) > depth + 1 else "" for file in files]  # "": in root itself
        tops, loose = set(folders) - {""}, folders.count("")
        part = training_part(tops) if len(tops) > 1 else tops.pop() if len(tops) == 1 and not loose else None
        if part is None:
            break
        if loose:
            notes.append(f"{loose:,} outside {part} left out")
        files = [file for file, of in zip(files, folders, strict=True) if of == part]
        root /= part
    found = PictureFiles(files, str(root), notes=notes)
    if loose and tops:
        notes.append(f"without labels, because {loose:,} lie outside the folders of classes")
    elif tops:
        found.class_names = tuple(sorted(tops, key=natural))
        index = {name: position for position, name in enumerate(found.class_names)}
        found.labels = np.array([index[name] for name in folders])
        empty = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not is_junk(entry.name))
        empty = [name for name in empty if name not in index]
        if empty:
            notes.append(f"no pictures in {', '.join(map(one_line, empty))}")
    return found


# ---- reading them

Item = TypeVar("Item")
Pixels = TypeVar("Pixels")


def progress(items: Sequence[Item], *, quiet: bool, unit: str = " pictures") -> Iterator[Item]:
    """The items, under a progress bar if they take longer than a moment and somebody watches (a terminal)."""
    from tqdm import tqdm

    silent = True if quiet or sys.stderr is None else None
    yield from tqdm(items, desc="reading", unit=unit, leave=False, delay=0.5, disable=silent)


def decode_all(
    files: Sequence[Item], decode: Callable[[Item], Pixels], where: str, broken: list[str], *, quiet: bool
) -> Iterator[tuple[int, Pixels]]:
    """Each picture's index and pixels, but for those that can't be read, whose reasons join `broken`.

    Raises InputError if these are more than MOST_BROKEN of all.
    """
    with quiet_pillow():
        for index, file in enumerate(progress(files, quiet=quiet)):
            try:
                pixels = decode(file)
            except InputError as error:
                broken.append(str(error))
                if len(broken) > MOST_BROKEN * len(files):
                    raise InputError(
                        f"{where}: {broken_line(broken, len(files))}; more than {MOST_BROKEN:.0%}: look at the folder"
                    ) from None
            else:
                yield index, pixels


def broken_line(broken: Sequence[str], total: int) -> str:
    """3 of 2,000 pictures could not be read: the first few, each with the reason."""
    more = f"; and {len(broken) - 3:,} more" if len(broken) > 3 else ""
    return f"{len(broken):,} of {total:,} pictures could not be read: {'; '.join(broken[:3])}{more}"


@dataclass
class PictureFiles:
    """The pictures of a folder, not read yet, and what their folders say of them."""

    files: Sequence[Path]
    where: str
    labels: Array | None = None
    class_names: tuple[str, ...] | None = None
    notes: list[str] = field(default_factory=list)

    def shape(self) -> Shape:
        """What most pictures are, (height, width, channels), told from PROBED of them: colour if any of those is."""
        sizes: Counter[tuple[int, int]] = Counter()
        channels = 1
        for file in self.files[:: -(-len(self.files) // PROBED)]:
            try:
                height, width, found = probe(file, look_for_colour=channels == 1)
            except InputError:
                continue  # `read` says so
            sizes[height, width] += 1
            channels = max(channels, found)
        if not sizes:
            return (1, 1, 1)  # nothing can be read: `read` says so
        return (*sizes.most_common(1)[0][0], channels)

    def read(self, shape: Shape, fitting: Fitting, *, quiet: bool) -> Found:
        """All pictures, made to fit `shape`, in the order of the files."""
        decoder, where = Decoder(fitting), one_line(self.where)
        kept: list[int] = []
        found = Found(np.empty((len(self.files), *shape), np.uint8), where, total=len(self.files))
        wide = np.zeros(len(self.files), bool)  # those of more than 8 bits a pixel
        decode = functools.partial(decoder.decode, shape=shape)
        for index, picture in decode_all(self.files, decode, where, found.broken, quiet=quiet):
            if picture.dtype != np.uint8 and not wide.any():
                found.pixels = found.pixels.astype(np.float32)
            wide[len(kept)] = picture.dtype != np.uint8
            found.pixels[len(kept)] = picture
            kept.append(index)
        found.pixels, wide = found.pixels[: len(kept)], wide[: len(kept)]
        found.labels, found.class_names = None if self.labels is None else self.labels[kept], self.class_names
        found.sizes = _sizes(decoder.sizes) if len(decoder.sizes) > 1 else ""
        found.notes = [*self.notes, *decoder.notes()]
        self._find_range(found, wide, decoder)
        return found

    def _find_range(self, found: Found, wide: Array, decoder: Decoder) -> None:
        """Black and white, for all alike; of the `wide` ones, of more than 8 bits a pixel, by what all of them hold."""
        if not wide.any():
            found.black, found.white = range_of(found.pixels)
            return
        pictures = found.pixels[wide]
        black, white = range_of(pictures, integers=not decoder.fractions)
        found.pixels[wide] = np.nan_to_num(pictures, nan=black + (white - black) * decoder.fitting.grey / 255)
        if not wide.all():  # the others in the same units
            found.pixels[~wide] = black + found.pixels[~wide] * (white - black) / 255
            found.notes.append(f"white is {white:g} in {np.count_nonzero(wide):,} of more than 8 bits a pixel")
        found.black, found.white = black, white


def _sizes(sizes: set[tuple[int, int]]) -> str:
    """{(28, 28), (400, 300)} as "28 x 28 to 400 x 300", by their number of pixels."""
    (width, height), (wide, high) = min(sizes, key=math.prod), max(sizes, key=math.prod)
    return f"{width} x {height} to {wide} x {high}"
