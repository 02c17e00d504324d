"""python -m nanogan sample: draw new images with a trained generator."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array
from ..errors import InputError
from ..io.files import replacing
from ..network import Network
from ..recipes.recipe import Recipe
from .arguments import choose_seed, count, seed


def add_to(commands: Any) -> None:
    command = commands.add_parser("sample", help="draw new images with a trained generator", description=run.__doc__)
    command.add_argument("checkpoint", metavar="CHECKPOINT", help="checkpoint.npz of a run")
    command.add_argument("--count", type=count, default=64, metavar="N", help="how many (default: 64)")
    command.add_argument(
        "--seed", type=seed, metavar="S", help="makes the images repeatable (default: chosen, printed)"
    )
    command.add_argument("--out", default="samples.png", metavar="FILE", help=".png: a grid; .npy: float32, in [0, 1]")
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Draw new images with a trained generator."""
    from ..io.plots import save_grid
    from ..training.gan_trainer import load_generator

    out = Path(args.out)
    if out.suffix not in (".png", ".npy"):
        raise InputError(f"--out {out}: expected a name ending in .png (a grid) or .npy (an array)")
    G, recipe = load_generator(args.checkpoint)
    if args.seed is None:
        args.seed = choose_seed()
        print(f"seed {args.seed}")
    images = drawn(G, recipe, args)
    if out.suffix == ".png":
        save_grid(out, images)
    else:
        gray = images[..., 0] if images.shape[-1] == 1 else images
        with replacing(out) as file:
            np.save(file, gray.astype(np.float32))
    print(f"{args.count} images in {out}")
    return 0


def drawn(G: Network, recipe: Recipe, args: argparse.Namespace) -> Array:
    """args.count images (N, H, W, C), in [0, 1], from noise of args.seed."""
    from ..training.gan_trainer import generate

    z = np.empty((args.count, recipe.noise_size), G.dtype)
    return generate(G, recipe, recipe.draw_noise(np.random.default_rng(args.seed), z))
