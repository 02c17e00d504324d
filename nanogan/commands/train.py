"""python -m nanogan train: train a GAN. And what every training command does: begin a run, and finish it.

examples/mnist_gan.py is the same program as a file of its own, and the one to read.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from ..backend import Array, get_backend
from ..io.streams import say, warn
from .arguments import add_training_arguments, complete, how_to_resume
from .interrupt import INTERRUPTED

if TYPE_CHECKING:  # loaded in the functions, because other commands start faster without them
    from ..recipes.recipe import Recipe
    from ..training.diagnosis import Diagnosis
    from ..training.run_folder import RunFolder
    from ..training.trainer import BaseTrainer

DEFAULT = "nanogan"
"""The recipe of a run that names none."""
NOT_SAVED = ("resume", "allow_change", "quiet", "out", "run", "smaller", "no_graph")
"""What doesn't belong to the run itself."""


def add_to(commands: Any) -> None:
    command = commands.add_parser("train", help="train a GAN", description=run.__doc__)
    add_arguments(command)
    command.set_defaults(run=run, smaller="--batch-size")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `train` and examples/mnist_gan.py can be told."""
    from ..recipes.mnist import RECIPES, table

    parser.add_argument("--recipe", help=f"one of {', '.join(RECIPES)} (default: {DEFAULT}, or that of the run)")
    parser.add_argument("--list", action="version", version=table(), help="show the recipes and exit")
    data = "a folder of pictures or IDX files, or a .npy, .npz or .csv file (default: MNIST, which is included)"
    add_training_arguments(parser, data=data, out="runs/RECIPE")


def run(args: argparse.Namespace) -> int:
    """Train a GAN to draw digits, or images of your own, with one of the published recipes."""
    from ..training.diagnosis import Diagnosis
    from ..training.gan_trainer import Trainer

    backend = get_backend(args.backend, graphs=not args.no_graph)
    recipe, folder = chosen(args)
    images = load(args, recipe, folder)
    trainer = Trainer(recipe, images, seed=args.seed, batch_size=args.batch_size, backend=backend, dtype=args.dtype)
    total_steps = begin(trainer, folder, args)
    return finish(trainer, folder, total_steps, args, Diagnosis(trainer, digits=args.data is None))


def chosen(args: argparse.Namespace) -> tuple[Recipe, RunFolder]:
    """The recipe and the folder that the arguments mean. What wasn't given is filled in, from the run to be resumed."""
    from ..recipes.mnist import get_recipe
    from ..training.run_folder import RunFolder

    if args.recipe:
        get_recipe(args.recipe)  # a mistake in it is the first thing to say
    folder = RunFolder(args.out or f"runs/{args.recipe or DEFAULT}", resume=args.resume)
    config = folder.read_config() if args.resume else {}
    recipe = get_recipe(args.recipe or str(config.get("recipe", DEFAULT)))
    args.recipe = recipe.name
    fresh = {"epochs": recipe.epochs, "steps": recipe.steps, "batch_size": recipe.batch_size, "dtype": "float32"}
    complete(args, config if args.resume else fresh)
    return recipe, folder


def load(args: argparse.Namespace, recipe: Recipe, folder: RunFolder) -> Array:
    """The images to train on: MNIST, or --data."""
    from ..data.images import MNIST_FOLDER, read_images
    from .data import announce, expect_apart, options

    expect_apart(args.data, folder.path)
    found = read_images(MNIST_FOLDER if args.data is None else args.data, recipe.image_shape, **options(args))
    if args.data is not None:
        announce(found.description, found.warning, quiet=args.quiet)
    return found.scaled(recipe.pixels, args.dtype)


def begin(trainer: BaseTrainer, folder: RunFolder, args: argparse.Namespace) -> int:
    """Make the folder, take up the run that it holds, if any, and keep the arguments. How many steps make it whole."""
    from ..training.loop import steps_in_all

    folder.create()
    try:
        if folder.checkpoint.exists():
            trainer.load(folder.checkpoint, allow_change=args.allow_change)
        total_steps = steps_in_all(trainer, epochs=args.epochs, steps=args.steps)
        config = {name: value for name, value in vars(args).items() if name not in NOT_SAVED}
        if args.data is not None:
            config["data"] = os.path.abspath(args.data)  # so that --resume finds them from any folder
        folder.write_config(config)
    except BaseException:
        folder.release()
        raise
    if not args.quiet and trainer.steps == total_steps:
        length = f"--epochs {2 * args.epochs}" if args.epochs else f"--steps {2 * total_steps}"
        say(f"{folder.path}: this run is finished, after {total_steps:,} steps; {length} goes further")
    elif not args.quiet and trainer.note:
        say(trainer.note)
    return total_steps


def finish(
    trainer: BaseTrainer,
    folder: RunFolder,
    total_steps: int,
    args: argparse.Namespace,
    diagnosis: Diagnosis | None = None,
) -> int:
    """Train, and say how to go on where Ctrl-C came first. The exit status."""
    from ..training.loop import PAUSE, train

    options = {"checkpoint_every": args.checkpoint_every, "sample_every": args.sample_every, "pause": PAUSE}
    options |= {"quiet": args.quiet, "allow_nonfinite": args.allow_nonfinite, "diagnosis": diagnosis}
    try:
        if train(trainer, folder, total_steps, **options):
            return 0
        warn(f"stopped at step {trainer.steps}; go on with: {how_to_resume()}")
    except KeyboardInterrupt:
        warn(f"\nstopped at once; go on from the last checkpoint with: {how_to_resume()}")
    return INTERRUPTED
