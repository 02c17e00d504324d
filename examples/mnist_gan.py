"""Train a GAN to draw digits, or images of your own, with one of the published recipes.

    python examples/mnist_gan.py                        the default recipe on MNIST
    python examples/mnist_gan.py --data my_pictures     a folder of pictures or IDX files, or a .npy, .npz or .csv file
    python examples/mnist_gan.py --data my_pictures --size 64    larger images, in colour if the pictures are
    python examples/mnist_gan.py --conditional          learn the labels too, so that one can ask for a digit
    python examples/mnist_gan.py --resume               continue a run that was stopped
    python examples/mnist_gan.py --list                 show the recipes

The results are in runs/RECIPE: pictures of every epoch, their animation, the loss curves, the log and a checkpoint.
`python -m nanogan train` is the same program, for where nanogan is installed and this file isn't.
"""

import os
import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # Ctrl-C while NumPy is loaded: no traceback

import argparse
import sys

from nanogan import get_backend
from nanogan.commands.arguments import Parser, errors_in_one_line
from nanogan.commands.train import add_arguments, begin, chosen, finish, load
from nanogan.training.diagnosis import Diagnosis
from nanogan.training.gan_trainer import Trainer


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> int:
    backend = get_backend(args.backend, graphs=not args.no_graph)
    folder = chosen(args)
    recipe, data, held_out = load(args, folder)
    trainer = Trainer(recipe, **data, seed=args.seed, batch_size=args.batch_size, backend=backend, dtype=args.dtype)
    total_steps = begin(trainer, folder, args)
    diagnosis = Diagnosis(trainer, digits=args.data is None, held_out=held_out)
    return finish(trainer, folder, total_steps, args, diagnosis)


if __name__ == "__main__":
    with errors_in_one_line("mnist_gan.py"):
        sys.exit(main(parse_arguments()))
