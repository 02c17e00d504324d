"""python -m nanogan evaluate: how good the digits of a trained generator are."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..io.files import read_all, replacing
from .arguments import count, file_path, seed
from .sample import drawn

PAIRS_IN_A_ROW, SHOWN = 10, 50
"""Of images and their nearest training images, in the picture of them: samples, then as many test images."""


def add_to(commands: Any) -> None:
    command = commands.add_parser("evaluate", help="measure the digits it draws", description=run.__doc__)
    command.add_argument("checkpoint", type=file_path, metavar="CHECKPOINT", help="checkpoint.npz of a run on digits")
    command.add_argument(
        "--count", type=count, default=10_000, metavar="N", help="how many digits to draw (default: 10,000)"
    )
    command.add_argument("--seed", type=seed, default=0, metavar="S", help="of their noise (default: 0)")
    command.add_argument("--out", type=file_path, metavar="FILE", help="default: evaluation.json beside the checkpoint")
    command.set_defaults(run=run, smaller="--count")


def run(args: argparse.Namespace) -> int:
    """Measure the digits that a trained generator draws, beside real ones: a table, and the same numbers as JSON."""
    from ..io.plots import save_grid
    from ..metrics.by_class import DIGITS
    from ..metrics.evaluation import REAL, evaluate_samples, format_table, real_neighbours, training_neighbours
    from ..metrics.neighbours import copied_share
    from ..training.trained import load_generator

    G, recipe = load_generator(args.checkpoint)
    out = Path(args.out) if args.out else Path(args.checkpoint).with_name("evaluation.json")
    _expect_evaluation_or_nothing(out)
    classes = len(recipe.class_names or ())
    labels = np.arange(args.count) % classes if classes else None  # as many of each
    images = np.concatenate(list(drawn(G, recipe, args.count, args.seed, labels)))
    scores = evaluate_samples(images, labels if recipe.class_names == DIGITS else None)
    samples, real = training_neighbours(images), real_neighbours()
    copied = copied_share(samples.distance, real.distance)
    result = {
        "checkpoint": args.checkpoint,
        "recipe": recipe.name,
        "seed": args.seed,
        "scores": scores,
        "copied": copied,
        "real": REAL,
    }
    with replacing(out) as file:
        file.write((json.dumps(result, indent=2) + "\n").encode())
    pairs = [np.stack([each.images, each.nearest], axis=1)[:SHOWN] for each in (samples, real)]
    picture = out.with_name(f"{out.stem}-neighbours.png")
    save_grid(picture, np.concatenate(pairs).reshape(-1, *images.shape[1:]), columns=2 * PAIRS_IN_A_ROW)
    print(format_table(scores))
    print(
        f"\n{100 * copied:.1f} % of samples lie nearer to a training image than 99 % of real test images do "
        f"(of real: 1 %): {picture} shows samples and, below, test images, each with its nearest training image."
        f"\nThe same as JSON: {out}"
    )
    return 0


def _expect_evaluation_or_nothing(out: Path) -> None:
    """Raise InputError, before any work is done, if `out` has no folder or is a file that `evaluate` hasn't made."""
    if out.suffix != ".json":
        raise InputError(f"--out {out}: expected a name ending in .json")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: its folder doesn't exist; make it, or choose another")
    if not out.exists():
        return
    try:
        found = json.loads(read_all(out, at_most=2**20))
    except (ValueError, RecursionError):  # ValueError also if it is too long, or a folder
        found = None
    if not (isinstance(found, dict) and {"checkpoint", "scores"} <= found.keys()):
        raise InputError(f"{out}: holds something else than an evaluation; choose another --out")
