"""Good files as bytes, and hypothesis strategies for what damage, mistakes and malice make of them. For `fuzz.py`."""

from __future__ import annotations

import copy
import functools
import gzip
import io
import json
import struct
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image
from tiny import tiny_trainer

from nanogan.io import checkpoint
from nanogan.recipes.mnist import get_recipe
from nanogan.training.gan_trainer import Trainer

# ---- good files to begin with

DIGITS = (np.arange(5 * 28 * 28) % 251).astype(np.uint8).reshape(5, 28, 28)


def idx(claim: tuple[int, ...], numbers: bytes) -> bytes:
    """An IDX file whose header claims a shape."""
    return bytes((0, 0, 8, len(claim))) + struct.pack(f">{len(claim)}I", *claim) + numbers


def npy(array: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def claimed_npy(descr: str, claim: list[int], numbers: bytes) -> bytes:
    """An .npy file whose header claims a type and a shape."""
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': ({', '.join(map(str, claim))},), }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + numbers


def npz(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, member in members.items():
            archive.writestr(f"{name}.npy", member)
    return content.getvalue()


def table(separator: str = ",") -> bytes:
    rows = np.c_[np.arange(5) % 2, DIGITS.reshape(5, -1)]
    return "\n".join(separator.join(map(str, row)) for row in rows).encode()


def picture(kind: str, mode: str, size: tuple[int, int] = (9, 7)) -> bytes:
    content = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(content, kind)
    return content.getvalue()


def checkpoint_of(trainer: Trainer) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        trainer.save(path := Path(folder) / "c.npz")
        return path.read_bytes()


@functools.cache
def good_checkpoint() -> bytes:
    return checkpoint_of(tiny_trainer(steps=4))


def vanilla_checkpoint() -> bytes:
    return checkpoint_of(Trainer(get_recipe("vanilla"), np.zeros((64, 28, 28, 1), np.float32), seed=0))


@functools.cache
def good_content() -> tuple[dict[str, Any], dict[str, Any]]:
    """Arrays and meta data of the good checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder) / "c.npz").write_bytes(good_checkpoint())
        return checkpoint.load(path)


def many(count: int = 20_000) -> np.ndarray[Any, Any]:
    """Digits in the size of a real data set."""
    return np.random.default_rng(0).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


# ---- what may be done to them


@st.composite
def damaged(draw: st.DrawFn, *good: bytes) -> bytes:
    """A good file in which some pieces were overwritten, removed, repeated or cut off."""
    content = bytearray(draw(st.sampled_from(good)))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        end = start + draw(st.sampled_from((0, 1, 1, 2, 4, 8, 40)))
        how = draw(st.sampled_from(("bit", "bytes", "remove", "repeat", "cut")))
        if how == "bit" and start < len(content):
            content[start] ^= 1 << draw(st.integers(0, 7))
        elif how == "bytes":
            content[start:end] = draw(st.binary(min_size=end - start, max_size=end - start) | st.just(b"\xff" * 4))
        elif how == "repeat":
            content[start:start] = content[start:end] * draw(st.integers(1, 3))
        else:
            del content[start : end if how == "remove" else None]
    return bytes(content)


claims = st.integers(0, 40) | st.sampled_from((28, 784, 2**16, 2**31 - 1, 2**32 - 1))
zeros = st.sampled_from((0, 1, 5 * 784, 2**20, 2**22)).map(bytes)  # compressed, they are bombs
bodies = st.binary(max_size=64) | zeros
idx_files = st.builds(idx, st.lists(claims, min_size=1, max_size=4).map(tuple), bodies)
npy_files = st.builds(
    claimed_npy,
    st.sampled_from(("|u1", "<f4", ">f8", "|O", "<U3", "<U999999999", "|V8", "<c8", "<M8[s]", "<f3", "[]")),
    st.lists(claims | st.sampled_from((-1, 10**12, 10**30)), max_size=5),
    bodies,
)
npz_files = st.builds(
    npz,
    st.dictionaries(
        st.sampled_from(("images", "a", "../a", "")), npy_files | damaged(npy(DIGITS)) | bodies, max_size=3
    ),
    st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)),
)
cells = st.integers(-1, 300).map(str) | st.sampled_from(
    (
        "",
        " ",
        "label",
        "id",
        "0.5",
        "1e999",
        "nan",
        "-inf",
        '"',
        "1_0",
        "0x10",
        "a.png",
        "9" * 400,
        "\0",
        "\ufeff",
        "\u0664",
    )
)
tables = st.builds(
    lambda rows, separator, end: end.join(separator.join(row) for row in rows).encode(),
    st.lists(st.lists(cells, max_size=6) | st.lists(cells, min_size=5, max_size=5), max_size=8),
    st.sampled_from((",", ";", "\t", " ", "|")),
    st.sampled_from(("\n", "\r\n", "\r", "\n\n")),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from((0, -1, 1, 10**9, 10**40, 1.5)) | st.floats()
    | st.text(max_size=5) | st.sampled_from(("Linear", "ReLU", "Recipe", "Adam", "float32", "PCG64")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("type", "rng")), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@st.composite
def altered(draw: st.DrawFn, good: Any) -> Any:
    """A good JSON value in which some parts, at any depth, are others or missing."""
    value = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        at, place = value, None
        while isinstance(at, (dict, list)) and at and (place is None or draw(st.integers(0, 3))):
            parent, place = at, draw(st.sampled_from(list(at if isinstance(at, dict) else range(len(at)))))
            at = parent[place]
        if place is None:
            return draw(json_values)
        if draw(st.booleans()):
            parent[place] = draw(json_values)
        else:
            del parent[place]
    return value


@st.composite
def signed_checkpoints(draw: st.DrawFn) -> bytes:
    """A checkpoint whose arrays or meta data are wrong, but whose SHA-256 is right."""
    arrays, meta = good_content()
    arrays = dict(arrays)
    for name in draw(st.lists(st.sampled_from(sorted(arrays)), max_size=3, unique=True)):
        array = np.zeros(draw(st.lists(st.integers(0, 5), max_size=3)), draw(st.sampled_from(("f4", "f8", "i8", "U2"))))
        arrays[name] = draw(st.sampled_from((array, arrays[name][:-1], arrays[name].astype("f8"))))
    for name in draw(st.lists(st.sampled_from(sorted(arrays)), max_size=2)):
        arrays.pop(name, None)
    altered_meta = draw(altered(meta) | st.just(meta))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.npz"
        checkpoint.save(path, arrays, altered_meta if isinstance(altered_meta, dict) else {"all": altered_meta})
        return path.read_bytes()


@functools.cache
def bomb(kind: str) -> bytes:
    """A small file that is what it says, and would become hundreds of MB: it must be refused by its size alone."""
    if kind == "PNG":
        content = io.BytesIO()
        Image.new("1", (30_000, 30_000)).save(content, "PNG")
        return content.getvalue()
    if kind == "CSV":
        return gzip.compress(b"0," * 50_000_000, 1)
    if kind == "header":  # of 100 MB, says the file
        return gzip.compress(b"\x93NUMPY\x02\x00" + struct.pack("<I", 10**8) + bytes(10**8), 1)
    black = np.zeros((160_000, 28, 28), np.uint8)
    if kind == "npy":
        return gzip.compress(npy(black), 1)
    return npz({"images": npy(black)}) if kind == "npz" else gzip.compress(idx(black.shape, black.tobytes()), 1)


def bombs(kind: str) -> st.SearchStrategy[bytes]:
    return st.builds(bomb, st.just(kind))
