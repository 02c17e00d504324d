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
    from ..metrics.evaluation import REAL, evaluate_samples, format_table
    from ..training.gan_trainer import load_generator

    G, recipe = load_generator(args.checkpoint)
    out = Path(args.out) if args.out else Path(args.checkpoint).with_name("evaluation.json")
    _expect_evaluation_or_nothing(out)
    scores = evaluate_samples(np.concatenate(list(drawn(G, recipe, args.count, args.seed))))
    result = {"checkpoint": args.checkpoint, "recipe": recipe.name, "seed": args.seed, "scores": scores, "real": REAL}
    with replacing(out) as file:
        file.write((json.dumps(result, indent=2) + "\n").encode())
    print(format_table(scores), f"\nThe same as JSON: {out}", sep="\n")
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
