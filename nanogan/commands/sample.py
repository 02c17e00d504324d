"""python -m nanogan sample: draw new images with a trained generator."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array
from ..errors import InputError
from ..io.files import replacing
from ..network import Network
from ..recipes.recipe import Recipe
from .arguments import choose_seed, count, file_path, seed

CHUNK = 1000  # images at a time: bounds the memory


def add_to(commands: Any) -> None:
    command = commands.add_parser("sample", help="draw new images with a trained generator", description=run.__doc__)
    command.add_argument("checkpoint", type=file_path, metavar="CHECKPOINT", help="checkpoint.npz of a run")
    command.add_argument("--count", type=count, default=64, metavar="N", help="how many (default: 64)")
    command.add_argument(
        "--seed", type=seed, metavar="S", help="makes the images repeatable (default: chosen, printed)"
    )
    out = ".png: a grid; .npy: float32, in [0, 1] (default: samples.png)"
    command.add_argument("--out", type=file_path, default="samples.png", metavar="FILE", help=out)
    command.set_defaults(run=run, smaller="--count")


def run(args: argparse.Namespace) -> int:
    """Draw new images with a trained generator."""
    from ..io.plots import MOST_IN_GRID, save_grid
    from ..training.gan_trainer import load_generator

    out = Path(args.out)
    kind = out.suffix.lower()
    if kind not in (".png", ".npy"):
        raise InputError(f"--out {out}: expected a name ending in .png (a grid) or .npy (an array)")
    G, recipe = load_generator(args.checkpoint)
    height, width, _ = recipe.image_shape
    if kind == ".png" and args.count * height * width > MOST_IN_GRID:
        raise InputError(
            f"--out {out}: a grid holds at most {MOST_IN_GRID // (height * width):,} of these images; choose a smaller "
            "--count, or a .npy file"
        )
    if args.seed is None:
        args.seed = choose_seed()
        print(f"seed {args.seed}")
    images = drawn(G, recipe, args.count, args.seed)
    if kind == ".png":
        save_grid(out, np.concatenate(list(images)))
    else:
        save_array(out, args.count, images)
    print(f"{args.count} images in {out}")
    return 0


def drawn(G: Network, recipe: Recipe, count: int, seed: int) -> Iterator[Array]:
    """`count` images, `CHUNK` at a time, each (n, H, W, C) in [0, 1]. The same images in chunks of any size."""
    from ..training.gan_trainer import generate

    rng = np.random.default_rng(seed)
    for start in range(0, count, CHUNK):
        z = np.empty((min(CHUNK, count - start), recipe.noise_size), G.dtype)
        yield generate(G, recipe, recipe.draw_noise(rng, z))


def save_array(path: Path, count: int, images: Iterator[Array]) -> None:
    """Write chunks of images as one .npy file: (count, H, W) if they are grey, else (count, H, W, C); float32."""
    header: dict[str, Any] = {"descr": "<f4", "fortran_order": False}
    with replacing(path) as file:
        for chunk in images:
            grey = chunk[..., 0] if chunk.shape[-1] == 1 else chunk
            if "shape" not in header:
                header["shape"] = (count, *grey.shape[1:])
                np.lib.format.write_array_header_1_0(file, header)
            file.write(grey.astype("<f4").tobytes())
