"""Train a GAN to draw digits, or images of your own, with one of the published recipes.

    python examples/mnist_gan.py                        the default recipe on MNIST
    python examples/mnist_gan.py --data my_pictures     a folder of IDX files or pictures, or a .npy or .npz file
    python examples/mnist_gan.py --resume               continue a run that was stopped

The results are in runs/RECIPE: pictures of every epoch, their animation, the loss curves, the log and a checkpoint.
"""

import argparse
import sys

from nanogan import get_backend
from nanogan.command_line import Parser, add_training_arguments, complete, errors_in_one_line
from nanogan.data import load_images, load_mnist
from nanogan.recipes import RECIPES, get_recipe
from nanogan.runs import RunFolder, train
from nanogan.training import Trainer


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="vanilla", help=f"one of {', '.join(RECIPES)} (default: %(default)s)")
    add_training_arguments(parser)
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
    if args.resume:
        trainer.load(folder.checkpoint)
    folder.create()
    folder.write_config({name: value for name, value in vars(args).items() if name not in ("resume", "quiet", "out")})
    total_steps = args.steps or args.epochs * trainer.batches.steps_per_epoch
    if train(trainer, folder, total_steps, quiet=args.quiet):
        return 0
    print(f"stopped at step {trainer.steps}; go on with: {' '.join(sys.argv)} --resume", file=sys.stderr)
    return 130  # what a shell expects after Ctrl-C


if __name__ == "__main__":
    with errors_in_one_line("mnist_gan.py"):
        sys.exit(main(parse_arguments()))
