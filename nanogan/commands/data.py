"""What training commands do with --data: see that the results won't fall into it, read it, and say what it is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError


def options(args: argparse.Namespace) -> dict[str, Any]:
    """How the pictures are to be read, as `read_images` and `load_pairs` take it. What wasn't given is left out."""
    names = ("fit", "background", "invert", "quiet")
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def expect_apart(data: str | None, out: Path, option: str = "--data") -> None:
    """Raise InputError if the results would lie in the folder of the data, where they would be read as such."""
    if data is None or not Path(data).is_dir():
        return
    if Path(data).resolve() in (out.resolve(), *out.resolve().parents):
        raise InputError(
            f"--out {out}: lies in {option} {data}, and its pictures would be read as data; choose another"
        )


def announce(description: str, warning: str | None, *, quiet: bool) -> None:
    """Say on one line what the data are, and on another, also if `quiet`, what of them could not be read."""
    if not quiet:
        print(description, flush=True)
    if warning:
        print(warning, file=sys.stderr, flush=True)
