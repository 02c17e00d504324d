"""python -m nanogan COMMAND: what is done with a GAN after training. `python -m nanogan --help` lists the commands."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from .backend import Array
from .command_line import Parser, choose_seed, count, errors_in_one_line, seed
from .errors import InputError
from .files import read_all, replacing
from .network import Network
from .recipe import Recipe


def sample(args: argparse.Namespace) -> int:
    """Draw new images with a trained generator."""
    from .plots import save_grid
    from .training import load_generator

    out = Path(args.out)
    if out.suffix not in (".png", ".npy"):
        raise InputError(f"--out {out}: expected a name ending in .png (a grid) or .npy (an array)")
    G, recipe = load_generator(args.checkpoint)
    if args.seed is None:
        args.seed = choose_seed()
        print(f"seed {args.seed}")
    images = _drawn(G, recipe, args)
    if out.suffix == ".png":
        save_grid(out, images)
    else:
        gray = images[..., 0] if images.shape[-1] == 1 else images
        with replacing(out) as file:
            np.save(file, gray.astype(np.float32))
    print(f"{args.count} images in {out}")
    return 0


def evaluate(args: argparse.Namespace) -> int:
    """Measure the digits that a trained generator draws, beside real ones: a table, and the same numbers as JSON."""
    from .evaluation import REAL, evaluate_samples, format_table
    from .training import load_generator

    G, recipe = load_generator(args.checkpoint)
    out = Path(args.out) if args.out else Path(args.checkpoint).with_name("evaluation.json")
    _expect_evaluation_or_nothing(out)
    scores = evaluate_samples(_drawn(G, recipe, args))
    result = {"checkpoint": args.checkpoint, "recipe": recipe.name, "seed": args.seed, "scores": scores, "real": REAL}
    with replacing(out) as file:
        file.write((json.dumps(result, indent=2) + "\n").encode())
    print(format_table(scores), f"\nThe same as JSON: {out}", sep="\n")
    return 0


def _drawn(G: Network, recipe: Recipe, args: argparse.Namespace) -> Array:
    """args.count images (N, H, W, C), in [0, 1], from noise of args.seed."""
    from .training import generate

    z = np.empty((args.count, recipe.noise_size), G.dtype)
    return generate(G, recipe, recipe.draw_noise(np.random.default_rng(args.seed), z))


def _expect_evaluation_or_nothing(out: Path) -> None:
    """Raise InputError, before any work is done, where `out` has no folder or is a file that `evaluate` hasn't made."""
    if out.suffix != ".json":
        raise InputError(f"--out {out}: expected a name ending in .json")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: its folder doesn't exist; make it, or choose another")
    if not out.exists():
        return
    try:
        found = json.loads(read_all(out, at_most=2**20))
    except (ValueError, RecursionError):  # ValueError also where it is too long, or a folder
        found = None
    if not (isinstance(found, dict) and {"checkpoint", "scores"} <= found.keys()):
        raise InputError(f"{out}: holds something else than an evaluation; choose another --out")


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
    command.add_argument("--count", type=count, default=64, metavar="N", help="how many (default: 64)")
    command.add_argument(
        "--seed", type=seed, metavar="S", help="makes the images repeatable (default: chosen, printed)"
    )
    command.add_argument("--out", default="samples.png", metavar="FILE", help=".png: a grid; .npy: float32, in [0, 1]")
    command.set_defaults(run=sample)

    command = commands.add_parser("evaluate", help="measure the digits it draws", description=evaluate.__doc__)
    command.add_argument("checkpoint", metavar="CHECKPOINT", help="checkpoint.npz of a run on digits")
    command.add_argument(
        "--count", type=count, default=10_000, metavar="N", help="how many digits to draw (default: 10,000)"
    )
    command.add_argument("--seed", type=seed, default=0, metavar="S", help="of their noise (default: 0)")
    command.add_argument("--out", metavar="FILE", help="default: evaluation.json beside the checkpoint")
    command.set_defaults(run=evaluate)

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
