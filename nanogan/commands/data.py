"""What training commands do with --data: see that the results won't fall into it, read it, and say what it is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array
from ..errors import InputError

HELD_OUT = 256
"""Images that D is asked about and not trained on: as many as training images."""


def options(args: argparse.Namespace) -> dict[str, Any]:
    """How the pictures are to be read, as `read_images` and `load_pairs` take it. What wasn't given is left out."""
    names = ("fit", "background", "invert", "quiet")
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def parts(
    args: argparse.Namespace, data: dict[str, Array], pixels: tuple[float, float]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """What to train on: all of the data, or --images N of them, spread evenly, as folders come class by class.

    And what to hold out: HELD_OUT of the others, spread evenly, too; if there are none, of MNIST's test images.
    Raises InputError if there are fewer than N.
    """
    from ..data.images import load_mnist
    from ..recipes.recipe import MNIST

    count = len(data["images"])
    wanted = count if args.images is None else args.images
    if wanted > count:
        raise InputError(f"--images {wanted:,}: there are only {count:,}; choose fewer")
    trained_on = spread(wanted, np.arange(count))
    if args.data is None and wanted == count and data["images"].shape[1:] == MNIST:
        images, labels = load_mnist("test", scale=pixels, dtype=data["images"].dtype)
        return data, {"images": images[:HELD_OUT].copy(), "labels": labels[:HELD_OUT]}  # a view would keep them all
    others = np.setdiff1d(np.arange(count), trained_on)
    held_out = spread(min(HELD_OUT, len(others)), others)
    trained = data if wanted == count else {name: array[trained_on] for name, array in data.items()}
    return trained, {name: array[held_out] for name, array in data.items()}


def spread(count: int, among: Array) -> Array:
    """So many of these, at even distances."""
    return among[np.arange(count) * len(among) // max(count, 1)]


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
