"""Files of arrays: what kind a file is, by its first bytes; which of its arrays are pictures, which labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..backend import Array, Shape
from ..errors import InputError
from ..io.files import Arrays, Content, one_line, read_npy, read_npy_header, unpacked
from . import idx
from .folders import part_of
from .pictures import PICTURE_ENDINGS, SIGNATURES
from .pixels import Found, as_classes, as_pictures, expect_numbers, layout
from .tables import read_table

TABLES = (".csv", ".csv.gz", ".tsv", ".txt", ".txt.gz")
IN_FOLDERS = ((".npz",), (".npy", ".npy.gz"), (".csv", ".csv.gz"))
"""Endings of files of arrays, in the order in which they are looked for in a folder."""
IMAGES = {"x", "image", "images", "img", "imgs", "picture", "pictures", "pixels", "data", "features"}
LABELS = {"y", "label", "labels", "target", "targets", "class", "classes"}
"""Words that names of arrays have: x_train (Keras), train_images (MedMNIST), images, y_train, train_labels ..."""

UNPACK = "is an archive; unpack it (python -m zipfile -e FILE FOLDER, or tar xf FILE) and give the folder"
SAVE = "and save it: np.save('images.npy', images)"
PICKLE = f"is a pickle, which could run any program when it is read; load it where you trust it, {SAVE}"
OTHER_KINDS: Sequence[tuple[bytes, str]] = (
    (b"\x89HDF", f"is an HDF5 file; read its array with h5py, {SAVE}"),
    (b"MATLAB", f"is a MATLAB file; read its array with scipy.io.loadmat, {SAVE}"),
    (b"PAR1", f"is a Parquet file; write its pictures into a folder, or read them with pandas, {SAVE}"),
    (b"ARROW1", f"is an Arrow file; write its pictures into a folder, or read them with pyarrow, {SAVE}"),
    (b"\x80\x02", PICKLE),
    (b"\x80\x03", PICKLE),
    (b"\x80\x04", PICKLE),
    (b"\x80\x05", PICKLE),
    (b"Rar!", UNPACK),
    (b"7z\xbc\xaf", UNPACK),
    (b"BZh", UNPACK),
    (b"\xfd7zXZ", UNPACK),
    (b"%PDF", "is a PDF; expected a folder of pictures, or a file of arrays"),
    (b"SQLite", "is a database; expected a folder of pictures, or a file of arrays"),
)
"""What other files begin with, and what to do about them."""


def read_file(path: Path, *, quiet: bool) -> Found:
    """The pictures in a file of any kind that holds many. Raises InputError, with what to do, if it is another one."""
    with unpacked(path) as content:
        start = content.file.read(264)
        content.file.seek(0)
        if advice := _advice(start):
            raise ValueError(advice)
        if start.startswith(b"PK"):
            return _from_npz(content, path)
        if start.startswith(b"\x93NUMPY") or _ends(path, (".npy", ".npy.gz")):
            return found(read_npy(content), one_line(path.name))
        if start.startswith(b"\x00\x00"):
            return read_idx_file(path)
        if path.suffix.lower() in PICTURE_ENDINGS or start.startswith(SIGNATURES):
            raise ValueError("is one picture; give a folder of many")
        if _ends(path, TABLES):
            pixels, labels, notes = read_table(content, quiet=quiet)
            result = found(pixels, one_line(path.name), labels, notes)
            if idx.lies_on_its_side(path):
                result.pixels = np.ascontiguousarray(result.pixels.swapaxes(1, 2))
                result.notes.append(idx.TURNED)
            return result
        if _ends(path, (".npz",)):
            raise ValueError("cannot be read as an .npz file, which is a zip; fetch or save it again")
    raise InputError(f"{one_line(path)}: expected a folder, or a file ending in .npy, .npz or .csv, or an IDX file")


def _advice(start: bytes) -> str | None:
    """What to do with a file that begins like this, if it is of a kind that isn't read."""
    if start[257:262] == b"ustar":
        return UNPACK
    return next((advice for signature, advice in OTHER_KINDS if start.startswith(signature)), None)


def advice_on(path: Path) -> str | None:
    """What to do with a file of a kind that isn't read, by name; None if nothing is known of it."""
    try:
        with unpacked(path) as content:
            start = content.file.read(264)
    except InputError:
        return None
    advice = UNPACK if start.startswith(b"PK") else _advice(start)
    return advice and f"{one_line(path.name)} {advice}"


def _ends(path: Path, endings: tuple[str, ...]) -> bool:
    return path.name.lower().endswith(endings)


def found(pixels: Array, where: str, labels: Array | None = None, notes: Sequence[str] = ()) -> Found:
    """An array of pictures in any layout. Raises ValueError if it is none."""
    if len(pixels) == 0 or pixels.size == 0:
        raise ValueError(f"expected pictures, found none: an array of shape {pixels.shape}")
    expect_numbers(pixels)
    pictures, assumed = as_pictures(pixels)
    classes = None if labels is None else as_classes(labels, len(pictures))
    result = Found(pictures, where, notes=[*notes, *assumed], total=len(pictures))
    if classes is not None:
        result.labels, result.class_names = classes
    return result


def read_idx_file(path: Path) -> Found:
    """A file of images in IDX format, and the file of labels beside it, if there is one."""
    images = idx.read_images(path)
    notes = [idx.TURNED] if idx.lies_on_its_side(path) else []
    return found(images, one_line(path.name), idx.read_labels_of(path, len(images)), notes)


def _from_npz(content: Content, path: Path) -> Found:
    if content.packed:
        raise ValueError("is a zip in a gzip; unpack it")
    held = Arrays(content.file, content.length)
    if not any(member.filename.endswith(".npy") for member in held.members.values()):
        raise ValueError(UNPACK)
    return _chosen(held.names, held.shape, held.read, one_line(path.name))


def held_in(files: Sequence[Path], endings: Sequence[tuple[str, ...]]) -> dict[str, Path]:
    """The files with one of these endings, by their names without it; of `a.npy` and `a.npy.gz`, the first."""
    every = tuple(ending for some in endings for ending in some)
    return {file.name.split(".")[0]: file for file in reversed(files) if _ends(file, every)}


def read_files(files: Mapping[str, Path], folder: Path, *, quiet: bool) -> Found:
    """The pictures in a folder of files of arrays, by their names without endings: x_train.npy and y_train.npy ..."""
    arrays = {name: file for name, file in files.items() if _ends(file, (".npy", ".npy.gz"))}
    if len(arrays) < len(files) or len(files) == 1:
        trained = [name for name in files if part_of(name) == "train"] or list(files)
        if len(trained) == 1:
            return read_file(files[trained[0]], quiet=quiet)
        names = ", ".join(one_line(file.name) for file in files.values())
        raise InputError(f"{one_line(folder)}: holds {names}; give the file that you mean")

    def read(name: str) -> Array:
        with unpacked(arrays[name]) as content:
            return read_npy(content)

    def shape(name: str) -> Shape:
        with unpacked(arrays[name]) as content:
            return read_npy_header(content.file)[0]

    try:
        return _chosen(list(arrays), shape, read, one_line(folder.name))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{one_line(folder)}: {one_line(error)}") from None


# ---- which array


def _chosen(names: Sequence[str], shape: Callable[[str], Shape], read: Callable[[str], Array], where: str) -> Found:
    """The pictures among several arrays, and their labels: by shape, and then by name if there is more than one.

    Raises ValueError if none, or more than one, can be meant.
    """
    shapes: dict[str, Shape] = {}
    reasons: dict[str, ValueError] = {}
    for name in names:
        try:
            shapes[name] = shape(name)
            layout(shapes[name])
        except ValueError as error:
            reasons[name] = error
    pictures = [name for name in names if name not in reasons and not _words(name) & LABELS]
    if len(names) == 1 and reasons:
        raise reasons[names[0]]
    for preferred in (lambda name: part_of(name) == "train", lambda name: part_of(name) is None, _is_named_images):
        if len(pictures) > 1:
            pictures = [name for name in pictures if preferred(name)] or pictures
    if len(pictures) != 1:
        listed = ", ".join(f"{one_line(name)} {shapes.get(name, '')}".strip() for name in names[:8]) or "none"
        listed += f" and {len(names) - 8:,} more" if len(names) > 8 else ""
        raise ValueError(
            f"expected one array of pictures, or one that is called images or x_train; found {listed}; "
            "rename it, or save it alone; np.stack makes one array of many"
        )
    name = pictures[0]
    count = _count(shapes[name])
    labels = [
        other
        for other in names
        if other != name
        and part_of(other) == part_of(name)
        and shapes.get(other, ())[:1] == (count,)
        and (_words(other) & LABELS or len(shapes[other]) == 1)
    ]
    labels = [other for other in labels if _words(other) & LABELS] or labels
    source = where if len(names) == 1 else f"{one_line(name)} in {where}"
    return found(read(name), source, read(labels[0]) if len(labels) == 1 else None)


def _count(shape: Shape) -> int:
    return shape[layout(shape).index("N")]


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def _is_named_images(name: str) -> bool:
    return bool(_words(name) & IMAGES)
