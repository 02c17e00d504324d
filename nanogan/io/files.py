"""Files that a crash can't halve, and files that nobody vouches for.

Written: to a temporary file in the same folder, brought to the disk, and renamed. So at every moment the name stands
for the whole old content or the whole new one, also when the process is killed or the power fails.

Read: only regular files (a pipe or a device could last for ever), and no array is made room for before its size was
held against the length of its file. Nothing that is read is evaluated or unpickled.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import math
import os
import stat
import time
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np
from numpy.lib import format as npy_format

from ..backend import Array, Shape
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
    InputError, one line, if the file system doesn't let it.
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

    Raises InputError if there is none, or what is there is a folder, pipe, socket or device.
    """
    try:
        file = open_regular(path)
        with file:
            yield file, os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise InputError(f"{one_line(path)}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{one_line(path)}: cannot be read ({one_line(error.strerror or error)})") from None


# Without O_NONBLOCK, opening a pipe waits until somebody writes to it.
FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def open_regular(path: str | Path) -> BinaryIO:
    """A regular file to read from. Raises InputError if it is something else, OSError if it can't be opened."""
    file = open(os.open(path, FLAGS), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise InputError(f"{one_line(path)}: expected a regular file, found a folder, pipe or device")
    return file


def read_all(path: str | Path, *, at_most: int) -> bytes:
    """The content of a regular file. Raises InputError if it is longer than `at_most` bytes."""
    with opened(path) as (file, length):
        if length > at_most:
            raise InputError(f"{path}: expected at most {at_most:,} bytes, found {length:,}")
        return file.read(length)


def most_unpacked(length: int) -> int:
    """As many bytes `length` compressed bytes may become; a file that becomes more is a bomb."""
    return max(MOST_UNPACKED * length, ALWAYS_UNPACKED)


class Content(NamedTuple):
    """What a file holds, gunzipped if it was gzipped.

    file: to read from. length: of the file on the disk, in bytes. packed: whether it is gzipped.
    """

    file: BinaryIO
    length: int
    packed: bool = False

    def rest(self, claimed: int, what: str) -> bytes:
        """All bytes from here to the end, which `what`, as the header has it, says are `claimed`.

        Raises ValueError if they are more or fewer: before memory is taken, if the file can't hold so many.
        """
        possible = claimed <= most_unpacked(self.length) if self.packed else self.file.tell() + claimed == self.length
        content = self.file.read(claimed + 1) if possible else b""  # one byte more shows whether there is more
        if len(content) != claimed:
            raise ValueError(
                f"its header says {what}, which takes {claimed:,} bytes after it, but a file of {self.length:,} bytes "
                "holds another number; the file is truncated or damaged"
            )
        return content


@contextmanager
def unpacked(path: str | Path) -> Iterator[Content]:
    """A regular file to read from, gunzipped if need be. A ValueError inside becomes an InputError that names it."""
    with opened(path) as (file, length):
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            yield Content(cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file, length, packed)
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"{path}: {one_line(error)}") from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{path}: cannot be read ({one_line(error)}); fetch the file again") from None


def one_line(text: object) -> str:
    """A message or a name as one line that can be printed, whatever a file system or a library puts into it."""
    known = str(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in known)


MOST_HEADER = 10_000
"""Bytes of the header of an array, which names its type and shape: NumPy's own bound."""


class _Header:
    """A file of which no more is read at a time than a header has."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def read(self, size: int) -> bytes:
        if size > MOST_HEADER:
            raise ValueError("its header is too long")
        return self.file.read(size)


def read_npy_header(file: BinaryIO) -> tuple[Shape, bool, np.dtype]:
    """Shape, whether in Fortran's order, and type of an array in NumPy's .npy format; the numbers come next.

    Raises ValueError if there is none, or one of anything but numbers or text. Objects, which would have to be
    unpickled, are never read.
    """
    header = cast(BinaryIO, _Header(file))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers from Python 2
        try:
            version = npy_format.read_magic(header)
            read = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}[version]
        except (ValueError, LookupError):
            raise ValueError("no array in NumPy's .npy format") from None
        try:
            shape, fortran_order, dtype = read(header, max_header_size=MOST_HEADER)
        except (EOFError, zlib.error, OSError):
            raise
        except Exception:  # NumPy's parser lets through what Python's tokenizer and parser raise
            raise ValueError("its header is damaged") from None
    if dtype.hasobject:
        raise ValueError(
            "it holds Python objects, which could run any program when they are unpickled; save one array of numbers "
            "(np.stack makes one of a list)"
        )
    if dtype.kind not in "biufU" or dtype.shape:
        raise ValueError(f"it holds values of type {dtype}; expected numbers")
    if any(type(n) is not int or not 0 <= n < 2**48 for n in shape):
        raise ValueError(f"its header is damaged: it says shape {shape}")
    return shape, fortran_order, dtype


def read_npy(content: Content) -> Array:
    """The array in a file in NumPy's .npy format. Raises ValueError if it holds anything else."""
    shape, fortran_order, dtype = read_npy_header(content.file)
    count = math.prod(shape)
    numbers = content.rest(count * dtype.itemsize, f"{dtype} of shape {shape}")
    return np.frombuffer(numbers, dtype, count).reshape(shape, order="F" if fortran_order else "C")


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

    @contextmanager
    def opened(self, name: str) -> Iterator[Content]:
        """One of the members, to be read."""
        if name not in self.members:
            raise ValueError(f"it holds no array called {name}")
        member = self.members[name]
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is compressed in another way than NumPy's")
        if member.file_size > most_unpacked(min(member.compress_size, self.length)):
            raise ValueError(f"{name} would unpack to {member.file_size:,} bytes, more than images or weights ever do")
        with damage_as_value_error(), self.zip.open(member) as packed:
            yield Content(cast(BinaryIO, packed), member.file_size)

    def read(self, name: str) -> Array:
        with self.opened(name) as content:
            return read_npy(content)

    def shape(self, name: str) -> Shape:
        """Of an array, without reading it."""
        with self.opened(name) as content:
            return read_npy_header(content.file)[0]


@contextmanager
def damage_as_value_error() -> Iterator[None]:
    """Everything that zipfile and zlib raise on damaged files, as ValueError."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, LookupError, ArithmeticError) as error:
        raise ValueError(str(error) or "the file is cut off") from None
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
