"""The command that repeats a run, from the arguments that it has kept."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePath, PureWindowsPath
from types import MappingProxyType
from typing import Any

from .run import Run

USUAL = {"backend": "numpy", "dtype": "float32", "allow_nonfinite": False}
"""What needs no option."""


def command(run: Run, changes: Mapping[str, Any] = MappingProxyType({}), *, out: str = "") -> str:
    """python -m nanogan train --recipe vanilla --epochs 50 ..., with other values of some arguments.

    out: the folder for the results; left out, it is where the command puts them by itself. Of a path, only the last
    name is shown: a report that is sent says nothing of where it was made.
    """
    arguments = {**run.config, **changes, "out": out or None}
    programs = {"examples/image_to_image.py": run.is_of_pairs, "examples/style.py": run.is_of_styles}
    words = ["python", *([name for name, is_its in programs.items() if is_its] or ["-m", "nanogan", "train"])]
    for name, value in arguments.items():
        if value is None or value is False or USUAL.get(name) == value or not re.fullmatch(r"[a-z]\w{0,40}", name):
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(without_folders(value))
    return shlex.join(words)


def without_folders(value: Any) -> str:
    """The value as text; of an absolute path, the last name alone."""
    text = str(value)
    for kind in (PurePath, PureWindowsPath):
        if kind(text).is_absolute():
            return kind(text).name or "data"
    return text
