"""Train a GAN to draw digits, or images of your own, with one of the published recipes.

    python examples/mnist_gan.py                        the default recipe on MNIST
    python examples/mnist_gan.py --data my_pictures     a folder of IDX files or pictures, or a .npy or .npz file
    python examples/mnist_gan.py --resume               continue a run that was stopped
    python examples/mnist_gan.py --list                 show the recipes

The results are in runs/RECIPE: pictures of every epoch, their animation, the loss curves, the log and a checkpoint.
"""

import argparse
import sys

from nanogan import get_backend
from nanogan.commands.arguments import Parser, add_training_arguments, complete, errors_in_one_line
from nanogan.commands.train import begin, finish
from nanogan.data.images import load_images, load_mnist
from nanogan.recipes.mnist import RECIPES, get_recipe, table
from nanogan.training.diagnosis import Diagnosis
from nanogan.training.gan_trainer import Trainer
from nanogan.training.run_folder import RunFolder


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="nanogan", help=f"one of {', '.join(RECIPES)} (default: %(default)s)")
    parser.add_argument("--list", action="version", version=table(), help="show the recipes and exit")
    data = "a folder of IDX files or pictures, or a .npy or .npz file (default: MNIST, which is included)"
    add_training_arguments(parser, data=data, out="runs/RECIPE")
    return parser.parse_args()


def main(args: argparse.Namespace) -> int:
    recipe = get_recipe(args.recipe)
    backend = get_backend(args.backend)
    folder = RunFolder(args.out or f"runs/{recipe.name}", resume=args.resume)
    fresh = {"epochs": recipe.epochs, "steps": recipe.steps, "batch_size": recipe.batch_size, "dtype": "float32"}
    complete(args, folder.read_config() if args.resume else fresh)

    if args.data is None:
        images, _ = load_mnist("train", scale=recipe.pixels, dtype=args.dtype)
    else:
        images = load_images(args.data, recipe.image_shape, scale=recipe.pixels, dtype=args.dtype)

    trainer = Trainer(recipe, images, seed=args.seed, batch_size=args.batch_size, backend=backend, dtype=args.dtype)
    total_steps = begin(trainer, folder, args)
    return finish(trainer, folder, total_steps, args, Diagnosis(trainer, digits=args.data is None))


if __name__ == "__main__":
    with errors_in_one_line("mnist_gan.py"):
        sys.exit(main(parse_arguments()))
