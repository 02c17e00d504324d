"""Files that a crash can't halve, and files that nobody vouches for.

Written: to a temporary file in the same folder, brought to the disk, and renamed. So at every moment the name stands
for the whole old content or the whole new one, also when the process is killed or the power fails.

Read: only regular files (a pipe or a device could last for ever), and no array is made room for before its size was
held against the length of its file. Nothing that is read is evaluated or unpickled.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import re
import stat
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..backend import Array
from ..errors import InputError

MOST_UNPACKED = 100
"""A compressed file may hold this many times its length. Digits shrink about 6-fold; zeros, as in a bomb, 1000-fold."""
ALWAYS_UNPACKED = 2**20
"""As many bytes may come out of any compressed file: a small set of nearly empty images is no bomb."""

# ---- writing


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` once the block has ended and all is on the disk.

    Until then `path` is as it was, and so it stays if anything fails. A link is replaced, not written through. Raises
    InputError, one line, where the file system doesn't let it.
    """
    path = Path(path)
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.unlink(missing_ok=True)  # of a run that was killed
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _take_the_place(temporary, path)
        sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(
                f"{path}: could not be written ({error.strerror or error}); what was there is kept"
            ) from None
        raise


PATIENCE = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds to wait before each new try, 3 in all."""


def _take_the_place(temporary: Path, path: Path) -> None:
    """Rename, with patience: on Windows a virus scanner or a viewer may hold the old file open for a moment."""
    for seconds in PATIENCE:
        try:
            return os.replace(temporary, path)
        except PermissionError:
            time.sleep(seconds)
    os.replace(temporary, path)


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to the disk: without it, a rename may be lost when the power fails."""
    if os.name == "nt":
        return  # Windows can't open a folder; NTFS keeps a journal of renames
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # what file systems say (some over a network) that can't sync folders
            raise
    finally:
        os.close(descriptor)


# ---- reading


@contextmanager
def opened(path: str | Path) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file to read from, and its length in bytes. Links are followed.

    Raises InputError where there is none, or what is there is a folder, pipe, socket or device.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits until somebody writes to it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise InputError(f"{path}: expected a regular file, found a folder, pipe or device")
            yield file, found.st_size
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def read_all(path: str | Path, *, at_most: int) -> bytes:
    """The content of a regular file. Raises InputError where it is longer than `at_most` bytes."""
    with opened(path) as (file, length):
        if length > at_most:
            raise InputError(f"{path}: expected at most {at_most:,} bytes, found {length:,}")
        return file.read(length)


def unpacks_to(unpacked: int, length: int) -> bool:
    """Whether `length` compressed bytes may become `unpacked`; where not, the file is a bomb."""
    return unpacked <= max(MOST_UNPACKED * length, ALWAYS_UNPACKED)


# What NumPy, and whoever follows its description, writes for arrays of numbers or text.
NPY_HEADER = re.compile(
    rb"\{\s*'descr':\s*'([<>|=]?(?:[biuf]\d{1,2}|U\d{1,9}))',\s*'fortran_order':\s*(True|False),"
    rb"\s*'shape':\s*\(([\d, ]{0,200})\),?\s*\}\s*"
)


def read_npy(file: BinaryIO, length: int) -> Array:
    """The array in `length` bytes of NumPy's .npy format. Raises ValueError where they hold anything else.

    The format: b"\\x93NUMPY", two bytes of version, the header's length, the header (a line of text, which is matched,
    never evaluated), the numbers. Objects, which would have to be unpickled, don't match.
    """
    magic = file.read(8)
    size = {b"\x01\x00": 2, b"\x02\x00": 4}.get(magic[6:])
    if magic[:6] != b"\x93NUMPY" or size is None:
        raise ValueError("no array in NumPy's .npy format")
    header_length = int.from_bytes(file.read(size), "little")
    header = NPY_HEADER.fullmatch(file.read(min(header_length, 10_000)))
    if header is None:
        raise ValueError("its header is damaged, or it holds objects")
    try:
        dtype, shape = np.dtype(header[1].decode()), tuple(int(n) for n in header[3].split(b",") if n.strip())
    except TypeError as error:
        raise ValueError(f"its header is damaged ({error})") from None
    count = math.prod(shape)
    if max(shape, default=0) >= 2**48 or 8 + size + header_length + count * dtype.itemsize != length:
        raise ValueError(
            f"its header says {dtype} of shape {shape}, which takes {count * dtype.itemsize:,} bytes, but it has "
            f"{length - 8 - size - header_length:,}; the file is truncated or damaged"
        )
    content = file.read(count * dtype.itemsize)
    return np.frombuffer(content, dtype, count).reshape(shape, order="F" if header[2] == b"True" else "C")


class Arrays:
    """The arrays in an .npz file, a zip of .npy files: `names`, and `read(name)`. Raises ValueError on damage.

    unpacked: how many bytes all members say they have.
    """

    def __init__(self, file: BinaryIO, length: int) -> None:
        self.length = length
        with damage_as_value_error():
            self.zip = zipfile.ZipFile(file)
        self.members = {member.filename.removesuffix(".npy"): member for member in self.zip.infolist()}
        self.names = list(self.members)
        self.unpacked = sum(member.file_size for member in self.members.values())

    def read(self, name: str) -> Array:
        if name not in self.members:
            raise ValueError(f"it holds no array called {name}")
        member = self.members[name]
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is compressed in another way than NumPy's")
        if not unpacks_to(member.file_size, min(member.compress_size, self.length)):
            raise ValueError(f"{name} would unpack to {member.file_size:,} bytes, more than images or weights ever do")
        with damage_as_value_error(), self.zip.open(member) as packed:
            return read_npy(packed, member.file_size)  # type: ignore[arg-type]


@contextmanager
def damage_as_value_error() -> Iterator[None]:
    """Everything that zipfile and zlib raise on damaged files, as ValueError."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, LookupError, ArithmeticError) as error:
        raise ValueError(str(error) or "the file is cut off") from None
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
