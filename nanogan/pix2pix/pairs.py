"""Pairs of pictures, a condition and its target: made from digits, or read from a folder; and their split."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array, Shape
from ..data import idx
from ..data.batches import train_test_split
from ..data.folders import broken_line, decode_all, files_below, is_picture, part_of
from ..data.images import load_mnist, read_images, rescale
from ..data.pictures import Decoder, Fitting
from ..data.pixels import range_of
from ..errors import InputError
from ..io.files import one_line
from .tasks import TASKS


@dataclass(frozen=True)
class Pairs:
    """conditions: (N, H, W, A), targets: (N, H, W, B), float32 in [0, 1]. labels: (N,), where the targets are digits.

    task: what is to be learned, by name. is_test: (N,), which of them to set aside, if their folders say so.
    description: where they come from, in one line. skipped: what could not be read, in one line.
    """

    task: str
    conditions: Array
    targets: Array
    labels: Array | None = None
    is_test: Array | None = None
    description: str = ""
    skipped: str = ""

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: Array | slice) -> Pairs:
        """Some of the pairs, in the order of `rows`."""
        labels, is_test = (None if of is None else of[rows] for of in (self.labels, self.is_test))
        return replace(
            self, conditions=self.conditions[rows], targets=self.targets[rows], labels=labels, is_test=is_test
        )


def split(pairs: Pairs, seed: int, *, test: float = 0.2) -> tuple[Pairs, Pairs]:
    """A training and a test part: the share `test` of the targets that differ, drawn by `seed`, is set aside.

    Pairs with the same target, to the last bit, count as one and stay together: no test image is trained on, not even
    under another name. If their folders say which are for testing (`is_test`), nothing is drawn. Raises InputError if a
    part would be empty.
    """
    if pairs.is_test is not None:
        return pairs.take(np.flatnonzero(~pairs.is_test)), pairs.take(np.flatnonzero(pairs.is_test))
    train, tested = split_by_content(pairs.targets, seed, test=test)
    return pairs.take(train), pairs.take(tested)


def split_by_content(images: Array, seed: int, *, test: float) -> tuple[Array, Array]:
    """The rows of a training and of a test part, both in order; images that are equal to the last bit stay together.

    test: the share of the images that differ, drawn by `seed`. Raises InputError if a part would be empty.
    """
    contents = np.array([hashlib.sha256(image.tobytes()).hexdigest() for image in images])
    _, tested = train_test_split(np.unique(contents), test, rng=np.random.default_rng(seed))
    is_tested = np.isin(contents, tested)
    return np.flatnonzero(~is_tested), np.flatnonzero(is_tested)


def digit_pairs(task: str, digits: Array, labels: Array | None, seed: int) -> Pairs:
    """Pairs of one of TASKS made from digits (N, 28, 28, 1) in [0, 1]; what is random in it is drawn by `seed`."""
    # Not default_rng(seed) itself, which draws the weights: noise and weights would be the same numbers.
    conditions, targets = TASKS[task](digits, np.random.default_rng([seed, 1]))
    return Pairs(task, conditions, targets, labels)


def load_pairs(
    path: str | Path | None,
    *,
    task: str | None,
    direction: str | None,
    seed: int,
    fit: str | None = None,
    background: str = "white",
    invert: bool = False,
    quiet: bool = False,
) -> Pairs:
    """Pairs for training: a task made from digits, by default `restore`; or the pairs in a folder of pictures.

    path: None takes the 10,000 digits of MNIST's test file, which the classifier that reads the outputs has never seen;
    otherwise a folder of pairs for `read_pairs`, or digits in IDX files or arrays, as `load_images` takes them.
    fit, background, invert: as for `read_images`. quiet: no progress bar.
    Raises InputError if the path holds none of these, or a task is asked for of a folder that holds pairs already.
    """
    if path is not None and holds_pictures(Path(path)):
        if task is not None:
            raise InputError(f"{path}: holds pictures, which are taken as pairs; leave --task {task} out")
        options: dict[str, Any] = {"fit": fit, "background": background, "invert": invert, "quiet": quiet}
        return read_pairs(Path(path), direction or "AtoB", **options)
    if direction is not None:
        raise InputError(f"--direction {direction}: is for a folder of pairs; --task says what is made from digits")
    task = task or "restore"
    if path is None:
        digits, labels = load_mnist("test", scale=(1, 0) if invert else (0, 1))
        return digit_pairs(task, digits, labels, seed)
    images = read_images(path, (28, 28, 1), fit=fit or "crop", background=background, invert=invert, quiet=quiet)
    return replace(digit_pairs(task, images.scaled((0, 1)), None, seed), description=images.description)


# ---- pairs in a folder

SIDES = {
    "A": {"a", "input", "inputs", "source", "sources", "image", "images", "lr"},
    "B": {"b", "output", "outputs", "target", "targets", "mask", "masks", "hr"},
}
"""What folders of the two halves of pairs are called, alone or behind a part's name: trainA, test_B."""


@dataclass(frozen=True)
class _Pair:
    """One picture, or two; and the part that their folders say they are of: "train", "test", "val" or ""."""

    files: tuple[Path, ...]
    part: str


def holds_pictures(path: Path) -> bool:
    """Whether a path is a folder of pictures, at any depth, and not of digits in IDX files."""
    if not path.is_dir():
        return False
    files = files_below(path)
    return any(map(is_picture, files)) and not any(idx.NAME.fullmatch(file.name) for file in files)


def read_pairs(
    folder: Path,
    direction: str,
    *,
    fit: str | None = None,
    background: str = "white",
    invert: bool = False,
    quiet: bool = False,
) -> Pairs:
    """The pairs in a folder of pictures: each two of one size side by side, A left and B right, as for pix2pix; or the
    two in folders A and B, under the same name. Folders train, test and val, above or below those, are the split.

    direction: "AtoB", A is the condition and B the target, or "BtoA". fit: how pictures of several sizes become as
    large as the first; None refuses them. background, invert: as for `read_images`. quiet: no progress bar.
    Raises InputError, naming the file, if one is of an odd width, has no partner, or is unlike the first.
    """
    where = one_line(folder)
    try:
        found, notes = _chosen_parts(_paired(folder))
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None
    decoder = Decoder(Fitting(fit or "crop", background))
    broken: list[str] = []
    kept, sides = _decoded(found, decoder, where, broken, alike=fit is None, quiet=quiet)
    a, b = (_as_one(side, decoder, where, invert=invert) for side in sides)
    if a.shape[1:3] != b.shape[1:3]:
        raise InputError(f"{where}: A is {describe_shape(a.shape[1:])}, B is {describe_shape(b.shape[1:])}; resize one")
    parts = [pair.part for pair in kept]
    is_test = np.array([part != "train" for part in parts]) if "train" in parts and len(set(parts)) > 1 else None
    condition, target = (a, b) if direction == "AtoB" else (b, a)
    how = "side by side" if len(kept[0].files) == 1 else "in A and B"
    described = [f"{len(a):,} pairs of {describe_shape(a.shape[1:])} and {describe_shape(b.shape[1:])}, {how}"]
    described[0] += f", from {where}"
    if is_test is not None:
        described.append(f"{np.count_nonzero(is_test):,} of them in the folder of the test part")
    description = "; ".join([*described, *notes, *decoder.notes()])
    skipped = broken_line(broken, len(found)) if broken else ""
    return Pairs(folder.name, condition, target, None, is_test, description, skipped)


def _decoded(
    pairs: list[_Pair], decoder: Decoder, where: str, broken: list[str], *, alike: bool, quiet: bool
) -> tuple[list[_Pair], list[list[Array]]]:
    """The pairs that can be read, and the pictures of side A and of side B; `alike`: refuse those of several sizes."""
    sides: list[list[Array]] = [[], []]
    kept: list[_Pair] = []
    firsts: list[tuple[Path, Shape]] = []

    def decode(pair: _Pair) -> list[Array]:
        return [decoder.decode(file) for file in pair.files]

    for index, pictures in decode_all(pairs, decode, where, broken, quiet=quiet):
        files = pairs[index].files
        firsts = firsts or [(file, picture.shape) for file, picture in zip(files, pictures, strict=True)]
        if alike:
            _expect_alike(files, pictures, firsts)
        halves = pictures if len(pictures) == 2 else _split(files[0], pictures[0])
        for side, half in zip(sides, halves, strict=True):
            side.append(half)
        kept.append(pairs[index])
    return kept, sides


def _paired(folder: Path) -> list[_Pair]:
    """The pictures of a folder, as pairs. Raises ValueError if one has no partner, or two have one name."""
    halves: dict[tuple[str, ...], dict[str, Path]] = {}
    for file in filter(is_picture, files_below(folder)):
        part, side, key = "", "", []
        for name in file.relative_to(folder).parts[:-1]:
            words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)] or [""]
            sides = [] if side else [of for of, names in SIDES.items() if words[-1] in names]
            is_test = any(word.startswith("test") for word in words)
            of = part_of(name) and ("train" if part_of(name) == "train" else "test" if is_test else "val")
            part, side = part or of or "", sides[0] if sides else side
            key += [] if of or sides else [name]
        pair = halves.setdefault((part, *key, file.stem), {})
        if side in pair:
            raise ValueError(
                f"{one_line(pair[side].relative_to(folder))} and {one_line(file.relative_to(folder))} have one name; "
                "put the halves of pairs into folders A and B, or side by side into one picture"
            )
        pair[side] = file
    if not all(any(side in pair for pair in halves.values()) for side in SIDES):
        return [_Pair((file,), part) for (part, *_), pair in halves.items() for file in pair.values()]
    for pair in halves.values():
        if pair.keys() != SIDES.keys():
            alone = one_line(next(iter(pair.values())).relative_to(folder))
            raise ValueError(f"{alone} has no partner of the same name; expected one in A and one in B")
    return [_Pair((pair["A"], pair["B"]), part) for (part, *_), pair in halves.items()]


def _chosen_parts(pairs: list[_Pair]) -> tuple[list[_Pair], list[str]]:
    """Those to train on and those to test on, if there are both; and what was left out."""
    parts = {pair.part for pair in pairs}
    if "train" not in parts:
        return pairs, []
    chosen = [pair for pair in pairs if pair.part in ("train", "test" if "test" in parts else "val")]
    left = len(pairs) - len(chosen)
    return chosen, [f"{left:,} in other folders left out"] if left else []


def _expect_alike(files: Sequence[Path], pictures: Sequence[Array], firsts: Sequence[tuple[Path, Shape]]) -> None:
    """Raise InputError unless pictures are of the same size and channels as the first pair's."""
    for file, picture, (first, shape) in zip(files, pictures, firsts, strict=True):
        if picture.shape != shape and (picture.shape[1] % 2 == 0 or len(files) == 2):
            raise InputError(
                f"{one_line(file)}: is {describe_shape(picture.shape)}, but {one_line(first.name)} is "
                f"{describe_shape(shape)}; all pairs of a folder have to be alike, as --fit crop makes them"
            )


def _split(file: Path, picture: Array) -> list[Array]:
    """The left and the right half of a picture."""
    if picture.shape[1] % 2:
        raise InputError(
            f"{one_line(file)}: is {describe_shape(picture.shape)}; expected two pictures side by side, so an even "
            "width"
        )
    return np.split(picture, 2, axis=1)


def _as_one(pictures: list[Array], decoder: Decoder, where: str, *, invert: bool) -> Array:
    """One side of all pairs as an array in [0, 1]; white is what all of them hold, as in `read_images`."""
    if len({picture.dtype for picture in pictures}) > 1:
        raise InputError(f"{where}: some pictures have more than 8 bits a pixel, some not; save all in the same way")
    shape = pictures[0].shape
    side = np.concatenate([decoder.fitting.fitted(picture[np.newaxis], shape, 0, 255) for picture in pictures])
    try:
        black, white = range_of(side, integers=not decoder.fractions)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None
    return rescale(side, (white, black) if invert else (black, white), (0.0, 1.0))


def describe_shape(shape: Shape) -> str:
    """A picture's (H, W, C) as "28 x 28 pixels, grey"."""
    height, width, channels = shape
    return f"{width} x {height} pixels, {'grey' if channels == 1 else 'colour'}"
