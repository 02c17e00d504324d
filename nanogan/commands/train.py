"""python -m nanogan train: train a GAN. And what every training command does: begin a run, and finish it.

examples/mnist_gan.py is the same program as a file of its own, and the one to read.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ..backend import Array, Shape
from ..backends import get_backend
from ..errors import InputError
from ..io.streams import say, warn
from .arguments import channels, decay, how_to_resume, positive_int, size, switch
from .cures import CURES, add_cures, chosen_cures
from .environment import environment
from .interrupt import INTERRUPTED
from .training_arguments import add_training_arguments, complete

if TYPE_CHECKING:  # loaded in the functions, because other commands start faster without them
    from ..recipes.recipe import Recipe
    from ..training.diagnosis import Diagnosis
    from ..training.run_folder import RunFolder
    from ..training.trainer import BaseTrainer

DEFAULT = "nanogan"
"""The recipe of a run that names none."""
OWN: dict[str, Callable[[str], Any]] = {
    "size": size,
    "channels": channels,
    "noise_size": positive_int,
    "weight_average": decay,
    "conditional": switch,
    "images": positive_int,
    **CURES,
}
"""The arguments of this command alone, and what checks each."""
SIZES = (28, 32, 64)
"""The size of pictures that can't be drawn as large as they are is the largest of these that enlarges none of them."""
LARGEST = 128
"""The size up to which pictures stay as large as they are: beyond, a step takes seconds on a CPU."""
NOT_SAVED = (
    "resume",
    "allow_change",
    "patience",
    "quiet",
    "out",
    "run",
    "smaller",
    "no_graph",
    "no_report",
    "tensorboard",
)
"""What doesn't belong to the run itself."""
PATHS = ("data", "a", "b")
"""Arguments that say where pictures lie."""


def add_to(commands: Any) -> None:
    command = commands.add_parser("train", help="train a GAN", description=run.__doc__)
    add_arguments(command)
    command.set_defaults(run=run, smaller="--batch-size")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `train` and examples/mnist_gan.py can be told."""
    from ..recipes.mnist import RECIPES, table

    parser.add_argument("--recipe", help=f"one of {', '.join(RECIPES)} (default: {DEFAULT}, or that of the run)")
    parser.add_argument("--list", action="version", version=table(), help="show the recipes and exit")
    parser.add_argument("--size", type=size, metavar="N", help="height and width of the images (default: the data's)")
    parser.add_argument(
        "--channels", type=channels, metavar="N", help="1: grey, 3: colour (default: what the data are)"
    )
    parser.add_argument("--noise-size", type=positive_int, metavar="N", help="values of z (default: the recipe's)")
    parser.add_argument(
        "--weight-average",
        type=decay,
        metavar="X",
        help="draw with a moving average of G's weights, of this decay; 0: none (default: the recipe's)",
    )
    parser.add_argument(
        "--conditional",
        action="store_const",
        const=True,
        help="learn the labels of the data, so that one can ask for a class; without --recipe: recipe conditional",
    )
    parser.add_argument(
        "--images", type=positive_int, metavar="N", help="train on N images only, spread evenly over the data"
    )
    add_cures(parser)
    data = "a folder of pictures or IDX files, or a .npy, .npz or .csv file (default: MNIST, which is included)"
    add_training_arguments(parser, data=data, out="runs/RECIPE")


def run(args: argparse.Namespace) -> int:
    """Train a GAN to draw digits, or images of your own, with one of the published recipes."""
    from ..training.diagnosis import Diagnosis
    from ..training.gan_trainer import Trainer

    backend = get_backend(args.backend, graphs=not args.no_graph)
    folder = chosen(args)
    recipe, data, held_out = load(args, folder)
    trainer = Trainer(recipe, **data, seed=args.seed, batch_size=args.batch_size, backend=backend, dtype=args.dtype)
    total_steps = begin(trainer, folder, args)
    diagnosis = Diagnosis(trainer, digits=args.data is None, held_out=held_out)
    return finish(trainer, folder, total_steps, args, diagnosis)


def chosen(args: argparse.Namespace) -> RunFolder:
    """The folder that the arguments mean. What wasn't given is filled in: from the run to be resumed, or the recipe.

    Only the shape of the images may stay open, for `load`. Raises InputError if the recipe can't have what was given.
    """
    from ..recipes.cures import left_out
    from ..recipes.mnist import get_recipe
    from ..training.run_folder import RunFolder

    default = "conditional" if args.conditional else DEFAULT
    named = get_recipe(args.recipe or default)  # a mistake in it is the first thing to say
    also = "-conditional" if args.conditional and named.class_names is None else ""
    folder = RunFolder(args.out or f"runs/{named.name}{also}", resume=args.resume)
    config = {"size": 28, "channels": 1, **folder.read_config()} if args.resume else {}  # runs of old had no others
    published = get_recipe(args.recipe or str(config.get("recipe", default)))
    args.recipe = published.name
    planned = recipe_for(args, (args.size or 28, args.size or 28, args.channels or 1))  # said before anything is read
    if (note := left_out(published, planned)) and not args.quiet:
        say(note)
    complete(args, config if args.resume else as_published(published), also=OWN)
    return folder


def as_published(recipe: Recipe) -> dict[str, Any]:
    """What the arguments are by default, by name."""
    from ..recipes.mnist import default_width

    return {
        "epochs": recipe.epochs,
        "steps": recipe.steps,
        "batch_size": recipe.batch_size,
        "dtype": "float32",
        "lr": recipe.optimizer.lr,
        "beta1": getattr(recipe.optimizer, "betas", (None,))[0],
        "noise_size": recipe.noise_size,
        "width": default_width(recipe.name),
        "weight_average": recipe.ema_decay or 0.0,
    }


def recipe_for(args: argparse.Namespace, image_shape: Shape, class_names: Sequence[str] | None = None) -> Recipe:
    """The recipe with what the arguments change in it, for images of this shape, and of these classes."""
    from ..recipes.cures import cured
    from ..recipes.mnist import get_recipe

    changes = {name: getattr(args, name) for name in ("width", "noise_size", "lr", "beta1")}
    if args.weight_average is not None:
        changes["ema_decay"] = args.weight_average or None
    return cured(get_recipe(args.recipe, image_shape, class_names=class_names, **changes), **chosen_cures(args))


def load(args: argparse.Namespace, folder: RunFolder) -> tuple[Recipe, dict[str, Array], dict[str, Array]]:
    """The recipe, made for the shape of the images; what to train on, MNIST or --data: images, and their labels if the
    recipe is conditional; and as much that is held out."""
    from ..data.images import MNIST_FOLDER, read_images
    from .data import announce, expect_apart, options, parts

    expect_apart(args.data, folder.path)

    def wanted(natural: Shape) -> Shape:
        side = args.size or size_for(args, natural)
        return side, side, args.channels or natural[2]

    found = read_images(MNIST_FOLDER if args.data is None else args.data, wanted, **options(args))
    if args.data is not None:
        announce(found.description, found.warning, quiet=args.quiet)
    args.size, _, args.channels = found.shape
    recipe, labels = recipe_for(args, found.shape), dict[str, Array]()
    if args.conditional or recipe.class_names is not None:
        if found.labels is None or found.class_names is None:
            raise InputError(
                f"{args.data}: no labels found, and a conditional run needs them: a folder per class, or labels beside "
                "the images of an IDX, .npz or .csv file; else leave out --conditional, or choose another --recipe"
            )
        recipe, labels = recipe_for(args, found.shape, found.class_names), {"labels": found.labels}
    data = {"images": found.scaled(recipe.pixels, args.dtype), **labels}
    return recipe, *parts(args, data, recipe.pixels)


def size_for(args: argparse.Namespace, natural: Shape) -> int:
    """The side of the images for pictures of this shape: their own if they are square and the recipe can draw it."""
    height, width, _ = natural
    try:
        recipe_for(args, natural)
        fits = height == width <= LARGEST
    except InputError:
        fits = False
    return height if fits else max(side for side in SIZES if side <= max(min(height, width), SIZES[0]))


def begin(trainer: BaseTrainer, folder: RunFolder, args: argparse.Namespace) -> int:
    """Make the folder, take up the run that it holds, if any, and keep the arguments. How many steps make it whole.

    Of several processes, only rank 0 does: the others follow it in `finish`.
    """
    from ..parallel.run import hand_out, join, take_up
    from ..training.events import event_library
    from ..training.loop import steps_in_all

    if args.tensorboard:
        event_library()  # which may be missing
    workers = join(trainer, own_statistics=args.batch_norm == "local", patience=args.patience)
    if workers.rank:
        take_up(workers, trainer, allow_change=args.allow_change)
        return 0
    folder.create()
    try:
        if folder.checkpoint.exists():
            trainer.load(folder.checkpoint, allow_change=args.allow_change)
        hand_out(workers, folder.checkpoint)
        total_steps = steps_in_all(trainer, epochs=args.epochs, steps=args.steps)
        config = {name: value for name, value in vars(args).items() if name not in NOT_SAVED}
        for name in PATHS:
            if config.get(name) is not None:
                config[name] = os.path.abspath(config[name])  # so that --resume finds them from any folder
        folder.write_config(config)
        folder.write_environment(environment(trainer))
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
    from ..parallel.run import follow
    from ..training.loop import PAUSE, train

    if trainer.workers.rank:
        follow(trainer)
        return 0
    options = {"checkpoint_every": args.checkpoint_every, "sample_every": args.sample_every, "pause": PAUSE}
    options |= {"quiet": args.quiet, "allow_nonfinite": args.allow_nonfinite, "diagnosis": diagnosis}
    try:
        with ExitStack() as stack:
            watching = [stack.enter_context(watcher).update for watcher in watchers(trainer, folder, args)]
            finished = train(trainer, folder, total_steps, **options, after_epoch=watching)
            if finished:
                folder.write_environment(environment(trainer))
        if finished:
            return 0
        warn(f"stopped at step {trainer.steps}; go on with: {how_to_resume()}")
    except KeyboardInterrupt:
        warn(f"\nstopped at once; go on from the last checkpoint with: {how_to_resume()}")
    return INTERRUPTED


def watchers(trainer: BaseTrainer, folder: RunFolder, args: argparse.Namespace) -> list[Any]:
    """What is told after each epoch, by `update`, and when the run has ended, by leaving its `with` block."""
    from ..report.live import LivePage
    from ..training.events import Events

    wanted: list[Any] = [] if args.no_report else [LivePage(folder.path)]
    return [*wanted, *([Events(trainer, folder)] if args.tensorboard else [])]
