"""Learn a style without pairs: from pictures of one kind and pictures of another, how to turn each into the other.

    python examples/style.py                            ink drawings of digits, and other digits as MNIST has them
    python examples/style.py --task photographs         photographs, and drawings of others (scikit-image's)
    python examples/style.py --a horses --b zebras      two folders of pictures, none of which belong together
    python examples/style.py --resume                   continue a run that was stopped

The results are in runs/style-TASK: of every epoch rows of a, what becomes of it, what comes back, and the same for b;
their animation, the curves, the log, the report and a checkpoint, for
`python -m nanogan translate CHECKPOINT IN OUT --to b`.
"""

import os
import signal

if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # Ctrl-C while NumPy is loaded: no traceback

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from nanogan import get_backend
from nanogan.commands.arguments import Parser, errors_in_one_line, file_path, one_of, size, weight
from nanogan.commands.data import announce, expect_apart, options
from nanogan.commands.train import begin, finish
from nanogan.commands.training_arguments import add_training_arguments, complete
from nanogan.cyclegan.networks import unpaired
from nanogan.cyclegan.sides import TASKS, load_sides
from nanogan.cyclegan.trainer import UnpairedTrainer
from nanogan.recipes.mnist import with_optimizer
from nanogan.training.run_folder import RunFolder

OWN = {
    "task": one_of(TASKS),
    "a": file_path,
    "b": file_path,
    "size": size,
    "cycle_weight": weight,
    "identity_weight": weight,
}
"""The arguments of this command alone, and what checks each."""


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", type=OWN["task"], help=f"{', '.join(TASKS)} (default: ink, without --a and --b)")
    parser.add_argument("--a", type=file_path, metavar="FOLDER", help="pictures of one kind")
    parser.add_argument("--b", type=file_path, metavar="FOLDER", help="pictures of the other kind, as large as those")
    parser.add_argument("--size", type=size, metavar="N", help="make all pictures N x N (default: as they are)")
    parser.add_argument("--cycle-weight", type=weight, metavar="W", help="of there and back (default: the task's)")
    parser.add_argument("--identity-weight", type=weight, metavar="W", help="of what stays as it is (the task's)")
    add_training_arguments(parser, data=None, out="runs/style-TASK")
    return parser.parse_args()


def main(args: argparse.Namespace) -> int:
    backend = get_backend(args.backend, graphs=not args.no_graph)
    task = args.task or ("ink" if args.a is None and args.b is None else None)
    name = task or f"{Path(args.a or '').name}-{Path(args.b or '').name}"
    folder = RunFolder(args.out or f"runs/style-{name}", resume=args.resume)
    complete(args, folder.read_config() if args.resume else {"task": task, "dtype": "float32"}, also=OWN)

    expect_apart(args.a, folder.path, "--a")
    expect_apart(args.b, folder.path, "--b")
    train, test = load_sides(args.task, args.a, args.b, seed=args.seed, size=args.size, **options(args))
    if train.description:
        announce(train.description, train.skipped, quiet=args.quiet)
    changes = {name: getattr(args, name) for name in ("width", "cycle_weight", "identity_weight")}
    changes = {**train.suits, **{name: value for name, value in changes.items() if value is not None}}
    recipe = with_optimizer(unpaired(train.a.shape[1:], train.b.shape[1:], **changes), args.lr, args.beta1)
    args.cycle_weight, args.identity_weight = recipe.cycle_weight, recipe.identity_weight
    args.batch_size = args.batch_size or recipe.batch_size
    args.epochs = None if args.steps else args.epochs or recipe.epochs
    steps_per_epoch = max(len(train.a) // args.batch_size, 1)
    # Its learning rate ends with the run.
    recipe = replace(recipe, epochs=args.epochs or -(-args.steps // steps_per_epoch))

    settings = {"seed": args.seed, "batch_size": args.batch_size, "backend": backend, "dtype": args.dtype}
    trainer = UnpairedTrainer(recipe, train, test, **settings)
    return finish(trainer, folder, begin(trainer, folder, args), args)


if __name__ == "__main__":
    with errors_in_one_line("style.py"):
        sys.exit(main(parse_arguments()))
