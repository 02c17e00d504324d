"""python -m nanogan sample: draw new images with a trained generator."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array
from ..errors import InputError
from ..io.files import replacing
from ..network import Network
from ..recipes.recipe import Recipe
from .arguments import choose_seed, count, file_path, seed, truncation

CHUNK = 1000  # images at a time: bounds the memory
IMAGES, OF_EACH = 64, 10
"""How many are drawn unless --count says: of all classes together, and with --class all of each."""
ALL = "all"


def add_to(commands: Any) -> None:
    command = commands.add_parser("sample", help="draw new images with a trained generator", description=run.__doc__)
    command.add_argument("checkpoint", type=file_path, metavar="CHECKPOINT", help="checkpoint.npz of a run")
    number = f"how many (default: {IMAGES}); with --class all, of each class (default: {OF_EACH})"
    command.add_argument("--count", type=count, metavar="N", help=number)
    command.add_argument(
        "--class",
        dest="of_class",
        metavar="NAME",
        help="of a conditional run: the class to draw, or all, a row for each (default: classes at random)",
    )
    command.add_argument(
        "--truncate",
        type=truncation,
        metavar="X",
        help="draw each value of z again until it lies within -X and X: more typical images, of less variety",
    )
    command.add_argument(
        "--seed", type=seed, metavar="S", help="makes the images repeatable (default: chosen, printed)"
    )
    out = ".png: a grid; .npy: float32, in [0, 1] (default: samples.png)"
    command.add_argument("--out", type=file_path, default="samples.png", metavar="FILE", help=out)
    command.set_defaults(run=run, smaller="--count")


def run(args: argparse.Namespace) -> int:
    """Draw new images with a trained generator."""
    from ..io.plots import save_grid
    from ..training.trained import load_generator

    out = Path(args.out)
    kind = out.suffix.lower()
    if kind not in (".png", ".npy"):
        raise InputError(f"--out {out}: expected a name ending in .png (a grid) or .npy (an array)")
    G, recipe = load_generator(args.checkpoint)
    classes, columns = chosen_classes(recipe, args.of_class), None
    if args.of_class == ALL:
        columns = args.count or OF_EACH
        args.count = columns * len(classes)
    args.count = args.count or IMAGES
    _expect_room(out, kind, args.count, recipe)
    if args.seed is None:
        args.seed = choose_seed()
        print(f"seed {args.seed}")
    labels = np.repeat(classes, columns) if columns else random_classes(classes, args.count, args.seed)
    images = drawn(G, recipe, args.count, args.seed, labels, args.truncate)
    if kind == ".png":
        save_grid(out, np.concatenate(list(images)), columns=columns)
    else:
        save_array(out, args.count, images)
    print(f"{args.count} images in {out}")
    return 0


def _expect_room(out: Path, kind: str, count: int, recipe: Recipe) -> None:
    """Raise InputError if so many images don't fit a grid."""
    from ..io.plots import MOST_IN_GRID

    height, width, _ = recipe.image_shape
    if kind == ".png" and count * height * width > MOST_IN_GRID:
        raise InputError(
            f"--out {out}: a grid holds at most {MOST_IN_GRID // (height * width):,} of these images; choose a smaller "
            "--count, or a .npy file"
        )


def random_classes(classes: Sequence[int], count: int, seed: int) -> Array | None:
    """`count` of these classes, each as likely; None of none. Of more, the first are the same."""
    return np.random.default_rng([seed, 1]).choice(classes, count) if classes else None


def chosen_classes(recipe: Recipe, names: str | None) -> list[int]:
    """The classes that --class means: one, several with commas between them, or all of them, which None means too.

    None at all if the recipe isn't conditional. Raises InputError if it has no such class.
    """
    known = recipe.class_names
    if known is None:
        if names is not None:
            raise InputError(
                f"--class {names}: this run was trained without labels; leave it out, or train another "
                "with --conditional"
            )
        return []
    if names in known:
        return [known.index(names)]
    if names in (None, ALL):
        return list(range(len(known)))
    chosen = [name.strip() for name in names.split(",")]
    for name in chosen:
        if name not in known:
            listed = ", ".join(known[:20]) + (" ..." if len(known) > 20 else "")
            raise InputError(f"--class {names}: there is no class {name!r}; choose of {listed}, or {ALL}")
    return [known.index(name) for name in chosen]


def drawn(
    G: Network,
    recipe: Recipe,
    count: int,
    seed: int,
    labels: Sequence[int] | Array | None = None,
    truncate: float | None = None,
) -> Iterator[Array]:
    """`count` images, `CHUNK` at a time, each (n, H, W, C) in [0, 1]. The same images in chunks of any size.

    labels: (count,), the class of each, of a conditional recipe. truncate: see `Recipe.draw_noise`.
    """
    from ..training.gan_trainer import generate

    rng = np.random.default_rng(seed)
    for start in range(0, count, CHUNK):
        z = np.empty((min(CHUNK, count - start), recipe.noise_size), G.dtype)
        of_chunk = None if labels is None else np.asarray(labels[start : start + CHUNK])
        yield generate(G, recipe, recipe.draw_noise(rng, z, truncate), of_chunk)


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
