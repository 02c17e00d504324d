"""Saving a training run whole, and reading it back: one .npz file, no pickle.

A checkpoint is named arrays (weights, moments, the order of the batches), one JSON text called `meta` (settings,
counters, the state of the random generator), and the SHA-256 of them all. It takes the place of the one before it only
when it is whole and on the disk, so `checkpoint.npz` is the last good one at every moment (`files.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array
from ..errors import InputError
from .files import Arrays, opened, replacing

FORMAT = 4
"""Version of the layout. It grows when a reader of the old layout would go wrong. All are still read:

1: no SHA-256, and no fingerprint of the images among the settings.
2: the log of a run is JSON in `meta`.
3: the log is an array. Adam's moments are scaled: m / (1 - beta1) and v / (1 - beta2).
4: they are m and v themselves, and some names are new (`training/old_checkpoints.py`).
"""


def save(path: str | Path, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
    """Write host arrays and JSON-ready `meta` to `path`, replacing what is there only once all is on the disk."""
    members = {**arrays, "meta": np.array(json.dumps({"format": FORMAT, **meta}))}
    with replacing(path) as file:
        np.savez(file, allow_pickle=False, sha256=np.array(digest(members)), **members)


def load(path: str | Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the meta data that `save` wrote, not a bit changed.

    Raises InputError if the file is no such checkpoint, was damaged, or comes from a newer nanogan.
    """
    path = Path(path)
    if (path / "checkpoint.npz").is_file():
        raise InputError(f"{path}: is the folder of a run; give the checkpoint.npz in it")
    try:
        with opened(path) as (file, length):
            held = Arrays(file, length)
            if held.unpacked > length:  # nothing in a checkpoint is compressed
                raise ValueError("it would unpack to more than its length")
            arrays = {name: held.read(name) for name in held.names}
        written = str(arrays.pop("sha256", ""))
        found = digest(arrays)
        meta = json.loads(str(arrays.pop("meta", "")))
        version = meta["format"]
        if not isinstance(version, int) or version < 1:
            raise ValueError(f"format {version!r}")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: is not a whole nanogan checkpoint ({error})") from None
    if version > FORMAT:
        raise InputError(
            f"{path}: checkpoint format {version}, but this nanogan reads up to format {FORMAT}; update nanogan"
        )
    if version > 1 and found != written:
        raise InputError(f"{path}: was changed or damaged since it was written (its SHA-256 differs); use another copy")
    return arrays, meta


def digest(members: Mapping[str, Array]) -> str:
    """SHA-256 of named host arrays: of their names, types, shapes and numbers."""
    total = hashlib.sha256()
    for name, array in sorted(members.items()):
        total.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def check_arrays(arrays: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    """Raise InputError unless every expected array is there, finite, with the same shape and kind of numbers."""
    for name, like in expected.items():
        if name not in arrays:
            raise InputError(f"holds no array {name}: it is of another kind of run")
        found = arrays[name]
        if found.shape != like.shape or found.dtype.kind != like.dtype.kind:
            raise InputError(
                f"its {name} is {found.dtype} of shape {found.shape}, where this run has {like.dtype} of shape "
                f"{like.shape}: it is of other networks or data"
            )
        if not np.isfinite(found).all():
            raise InputError(f"its {name} holds NaN or infinity; go on from an earlier checkpoint")
