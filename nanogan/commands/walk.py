"""python -m nanogan walk: a walk through what a generator draws."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import InputError
from .arguments import choose_seed, file_path, seed, up_to
from .sample import chosen_classes


def add_to(commands: Any) -> None:
    command = commands.add_parser("walk", help="images that turn into each other", description=run.__doc__)
    command.add_argument("checkpoint", type=file_path, metavar="CHECKPOINT", help="checkpoint.npz of a run")
    command.add_argument(
        "--frames", type=up_to(1000, least=4), default=60, metavar="N", help="how many images (default: 60)"
    )
    command.add_argument(
        "--class",
        dest="of_class",
        metavar="NAME,...",
        help="of a conditional run: a class to stay in, or those to come by: 3,8, or all; default: all, or ten",
    )
    command.add_argument("--seed", type=seed, metavar="S", help="makes the walk repeatable (default: chosen, printed)")
    out = ".gif: an animation without a seam; .png: a grid (default: walk.gif)"
    command.add_argument("--out", type=file_path, default="walk.gif", metavar="FILE", help=out)
    command.set_defaults(run=run, smaller="--frames")


def run(args: argparse.Namespace) -> int:
    """Walk through the noise of a trained generator, and from class to class, and draw the images on the way."""
    from ..explore.walk import walk
    from ..io.plots import save_grid, save_loop
    from ..training.trained import load_generator

    out = Path(args.out)
    if out.suffix.lower() not in (".gif", ".png"):
        raise InputError(f"--out {out}: expected a name ending in .gif (an animation) or .png (a grid)")
    G, recipe = load_generator(args.checkpoint)
    classes = chosen_classes(recipe, args.of_class) if args.of_class is not None else None
    if args.seed is None:
        args.seed = choose_seed()
        print(f"seed {args.seed}")
    images = walk(G, recipe, args.frames, classes=classes, seed=args.seed)
    if out.suffix.lower() == ".gif":
        save_loop(out, images)
    else:
        save_grid(out, images)
    print(f"{args.frames} images in {out}")
    return 0
