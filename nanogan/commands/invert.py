"""python -m nanogan invert: the noise of which a generator draws a given picture."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array
from ..data.images import MNIST_FOLDER, read_images
from ..data.pictures import Fitting, decode_picture
from ..errors import InputError
from ..io.files import read_all, replacing
from ..recipes.recipe import Recipe
from .arguments import file_path, seed, up_to
from .sample import chosen_classes


def add_to(commands: Any) -> None:
    command = commands.add_parser("invert", help="find the noise behind a picture", description=run.__doc__)
    command.add_argument("checkpoint", type=file_path, metavar="CHECKPOINT", help="checkpoint.npz of a run")
    command.add_argument("pictures", type=file_path, nargs="+", metavar="PICTURE", help="one file or more")
    command.add_argument(
        "--class", dest="of_class", metavar="NAME", help="of a conditional run: what the pictures show (default: tried)"
    )
    command.add_argument("--starts", type=up_to(1000), metavar="N", help="searches for each picture (default: 8)")
    command.add_argument("--steps", type=up_to(10_000), metavar="N", help="of each search (default: 200)")
    command.add_argument("--seed", type=seed, default=0, metavar="S", help="of the first z (default: 0)")
    command.add_argument(
        "--data", type=file_path, metavar="PATH", help="what it was trained on (default: as its config.json says)"
    )
    out = "picture, found, difference and nearest training image in a row; z beside it as .npy (default: inverted.png)"
    command.add_argument("--out", type=file_path, default="inverted.png", metavar="FILE.png", help=out)
    command.set_defaults(run=run, smaller="--starts")


def run(args: argparse.Namespace) -> int:
    """Find the noise of which a trained generator draws a picture, and see how near it comes."""
    from ..explore.invert import invert
    from ..io.plots import save_grid
    from ..metrics.neighbours import nearest
    from ..pix2pix.similarity import psnr
    from ..training.trained import load_generator

    out = Path(args.out)
    if out.suffix.lower() != ".png":
        raise InputError(f"--out {out}: expected a name ending in .png")
    G, recipe = load_generator(args.checkpoint)
    classes = [] if args.of_class is None else chosen_classes(recipe, args.of_class)
    if len(classes) > 1:
        raise InputError(f"--class {args.of_class}: name one class, or leave it out to have all tried")
    settings = data_settings(args)
    pictures, train = read_pictures(args.pictures, recipe, settings), training_images(recipe, settings)
    options = {name: getattr(args, name) for name in ("starts", "steps") if getattr(args, name)}
    labels = np.repeat(classes, len(pictures)) if classes else None
    found = invert(G, recipe, pictures, labels=labels, seed=args.seed, **options)
    neighbours = train[nearest(pictures, train)[0]]
    rows = np.stack([pictures, found.images, abs(pictures - found.images), neighbours], axis=1)
    save_grid(out, rows.reshape(-1, *recipe.image_shape), columns=4, zoom=4)
    with replacing(out.with_suffix(".npy")) as file:
        np.save(file, found.z)
    for row, (name, of_neighbour) in enumerate(zip(args.pictures, psnr(neighbours, pictures), strict=True)):
        what = (
            f", as {recipe.class_names[found.labels[row]]}" if recipe.class_names and found.labels is not None else ""
        )
        print(f"{name}: {found.psnr[row]:.1f} dB{what}; the nearest training image {of_neighbour:.1f} dB")
    print(f"picture, found, difference, nearest training image in {out}; z in {out.with_suffix('.npy')}")
    return 0


def data_settings(args: argparse.Namespace) -> dict[str, Any]:
    """What the run was trained on, and how it was read: as --data or config.json beside the checkpoint has it."""
    config: dict[str, Any] = {}
    beside = Path(args.checkpoint).with_name("config.json")
    if beside.is_file():
        try:
            config = dict(json.loads(read_all(beside, at_most=2**20)))
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(f"{beside}: cannot be read ({error}); give --data, and take it away") from None
    settings = {name: config[name] for name in ("fit", "background", "invert") if config.get(name) is not None}
    return {"path": args.data or config.get("data") or MNIST_FOLDER, **settings}


def read_pictures(paths: list[str], recipe: Recipe, settings: dict[str, Any]) -> Array:
    """The pictures (N, H, W, C) in [0, 1], made to fit what the generator draws, as its training images were."""
    fitting = Fitting(settings.get("fit", "crop"), settings.get("background", "white"))
    pictures = [decode_picture(Path(path), fitting.background) for path in paths]
    fitted = np.concatenate([fitting.fitted(picture[None], recipe.image_shape, 0, 255) for picture in pictures])
    scaled = fitted.astype(np.float32) / 255
    return 1 - scaled if settings.get("invert") else scaled


def training_images(recipe: Recipe, settings: dict[str, Any]) -> Array:
    """What the run was trained on, (N, H, W, C) in [0, 1]."""
    return read_images(image_shape=recipe.image_shape, quiet=True, **settings).scaled((0.0, 1.0))[: recipe.images]
