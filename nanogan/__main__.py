"""python -m nanogan COMMAND: what is done with a GAN after training. `python -m nanogan --help` lists the commands."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from .command_line import Parser, choose_seed, errors_in_one_line, positive_int, seed
from .errors import InputError, ShapeError
from .files import replacing


def sample(args: argparse.Namespace) -> int:
    """Draw new images with a trained generator."""
    from .plots import save_grid
    from .training import generate, load_generator

    out = Path(args.out)
    if out.suffix not in (".png", ".npy"):
        raise InputError(f"--out {out}: expected a name ending in .png (a grid) or .npy (an array)")
    G, recipe = load_generator(args.checkpoint)
    if args.seed is None:
        args.seed = choose_seed()
        print(f"seed {args.seed}")
    rng = np.random.default_rng(args.seed)
    z = recipe.draw_noise(rng, np.empty((args.count, recipe.noise_size), G.dtype))
    images = generate(G, recipe, z)
    if out.suffix == ".png":
        save_grid(out, images)
    else:
        gray = images[..., 0] if images.shape[-1] == 1 else images
        with replacing(out) as file:
            np.save(file, gray.astype(np.float32))
    print(f"{args.count} images in {out}")
    return 0


def translate(args: argparse.Namespace) -> int:
    """Turn a picture into another with a generator that examples/image_to_image.py has trained."""
    from . import image_to_image
    from .data import decode_picture
    from .plots import save_picture

    source, out = Path(args.input), Path(args.output)
    if out.suffix != ".png":
        raise InputError(f"{out}: expected a name ending in .png")
    G, recipe = image_to_image.load_translator(args.checkpoint)
    try:
        picture = image_to_image.translate(G, recipe, decode_picture(source))
    except ShapeError as error:
        raise InputError(f"{source}: {error}") from None
    save_picture(out, picture)
    print(f"{source} translated to {out}")
    return 0


def gradcheck(args: argparse.Namespace) -> int:
    """Prove every gradient by finite differences: all layers, losses, optimizers and recipes, or a layer of yours."""
    from . import proof

    return proof.run(args.layer)


def doctor(args: argparse.Namespace) -> int:
    """Say what nanogan finds on this machine, and what it would use."""
    from .doctor import report

    print(report())
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(prog="python -m nanogan", description="Use a GAN that was trained.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    command = commands.add_parser("sample", help="draw new images with a trained generator", description=sample.__doc__)
    command.add_argument("checkpoint", metavar="CHECKPOINT", help="checkpoint.npz of a run")
    command.add_argument("--count", type=positive_int, default=64, metavar="N", help="how many (default: 64)")
    command.add_argument(
        "--seed", type=seed, metavar="S", help="makes the images repeatable (default: chosen, printed)"
    )
    command.add_argument("--out", default="samples.png", metavar="FILE", help=".png: a grid; .npy: float32, in [0, 1]")
    command.set_defaults(run=sample)

    command = commands.add_parser("translate", help="turn a picture into another", description=translate.__doc__)
    command.add_argument("checkpoint", metavar="CHECKPOINT", help="checkpoint.npz of an image-to-image run")
    command.add_argument("input", metavar="IN.png", help="a picture of the size that the run was trained on")
    command.add_argument("output", metavar="OUT.png", help="where to write what the generator makes of it")
    command.set_defaults(run=translate)

    command = commands.add_parser("gradcheck", help="prove the gradients", description=gradcheck.__doc__)
    command.add_argument(
        "--layer", metavar="FILE.py:CLASS", help="prove this layer alone; it is made without arguments"
    )
    command.set_defaults(run=gradcheck)

    command = commands.add_parser("doctor", help="what this machine has", description=doctor.__doc__)
    command.set_defaults(run=doctor)

    args = parser.parse_args(arguments)
    with errors_in_one_line(parser.prog):
        return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
