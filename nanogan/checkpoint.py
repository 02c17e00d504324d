"""Saving a training run whole, and reading it back: one .npz file, no pickle.

A checkpoint is named arrays (weights, moments, the order of the batches) and one JSON text called `meta` (settings,
counters, the state of the random generator). It is written to a temporary file in the same folder, flushed to the disk
and then renamed, so that at every moment there is a whole checkpoint or none.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .backend import Array
from .errors import InputError

FORMAT = 1
"""Version of the layout. It grows when a reader of the old layout would go wrong."""


def save(path: str | Path, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
    """Write host arrays and JSON-ready `meta` to `path`, replacing what is there only once all is on the disk."""
    path = Path(path)
    text = json.dumps({"format": FORMAT, **meta})
    temporary = path.with_name(path.name + ".new")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, allow_pickle=False, meta=np.array(text), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"{path}: the checkpoint could not be written ({error.strerror or error})") from None


def load(path: str | Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the meta data that `save` wrote. Raises InputError where the file is not such a checkpoint."""
    path = Path(path)
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        meta = json.loads(str(arrays.pop("meta")))
        version = meta["format"]
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such checkpoint") from None
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: is not a whole nanogan checkpoint ({error})") from None
    if version != FORMAT:
        raise InputError(f"{path}: checkpoint format {version}, but this nanogan reads format {FORMAT}; update nanogan")
    return arrays, meta
