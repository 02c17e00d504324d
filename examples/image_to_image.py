"""Train a network that turns one picture into another: repair a digit, enlarge, fill or colour it, or pairs of yours.

    python examples/image_to_image.py                              repair damaged digits, with a U-Net
    python examples/image_to_image.py --task edges --model dense   another task, the fully connected networks
    python examples/image_to_image.py --data facades               a folder of pairs, side by side or in A and B
    python examples/image_to_image.py --resume                     continue a run that was stopped

Four fifths of the pairs are trained on; every figure comes from the rest. The results are in runs/TASK-MODEL: rows of
input, output and target of every epoch, their animation, the curves, the log and a checkpoint, for
`python -m nanogan translate`.
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
from nanogan.commands.arguments import Parser, errors_in_one_line, one_of, weight
from nanogan.commands.data import announce, expect_apart, options
from nanogan.commands.train import begin, finish
from nanogan.commands.training_arguments import add_training_arguments, complete
from nanogan.pix2pix.networks import MODELS
from nanogan.pix2pix.pairs import TASKS, load_pairs, split
from nanogan.pix2pix.trainer import ImageToImageTrainer, format_scores, inputs_as_outputs, scores
from nanogan.recipes.mnist import with_optimizer
from nanogan.training.run_folder import RunFolder

OWN = {
    "task": one_of(TASKS),
    "model": one_of(MODELS),
    "direction": one_of(("AtoB", "BtoA")),
    "l1_weight": weight,
    "adversarial_weight": weight,
}
"""The arguments of this command alone, and what checks each."""


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", type=OWN["task"], help=f"{', '.join(TASKS)} (default: restore)")
    parser.add_argument("--model", type=OWN["model"], help=f"{', '.join(MODELS)} (default: unet)")
    parser.add_argument("--direction", type=OWN["direction"], help="which half of a pair is the input (default: AtoB)")
    parser.add_argument("--l1-weight", type=weight, metavar="W", help="of nearness to the target (default: 100)")
    parser.add_argument("--adversarial-weight", type=weight, metavar="W", help="of being taken for real (default: 1)")
    data = "a folder of pairs, side by side or in A and B, or digits as for mnist_gan.py (default: MNIST's test images)"
    add_training_arguments(parser, data=data, out="runs/TASK-MODEL")
    return parser.parse_args()


def main(args: argparse.Namespace) -> int:
    backend = get_backend(args.backend, graphs=not args.no_graph)
    name = args.task or (Path(args.data).stem if args.data else "restore")
    folder = RunFolder(args.out or f"runs/{name}-{args.model or 'unet'}", resume=args.resume)
    fresh = {"model": "unet", "l1_weight": 100.0, "adversarial_weight": 1.0, "dtype": "float32"}
    complete(args, folder.read_config() if args.resume else fresh, also=OWN)

    expect_apart(args.data, folder.path)
    pairs = load_pairs(args.data, task=args.task, direction=args.direction, seed=args.seed, **options(args))
    if args.data:
        announce(pairs.description, pairs.skipped, quiet=args.quiet)
    train_part, test_part = split(pairs, args.seed)
    changes = {"l1_weight": args.l1_weight, "adversarial_weight": args.adversarial_weight}
    if args.width:
        changes["width"] = args.width
    recipe = MODELS[args.model](pairs.conditions.shape[1:], pairs.targets.shape[1:], **changes)
    recipe = with_optimizer(recipe, args.lr, args.beta1)
    args.batch_size = args.batch_size or recipe.batch_size
    args.epochs = None if args.steps else args.epochs or recipe.epochs
    steps_per_epoch = max(len(train_part) // args.batch_size, 1)
    # Its learning rate ends with the run.
    recipe = replace(recipe, epochs=args.epochs or -(-args.steps // steps_per_epoch))

    settings = {"seed": args.seed, "batch_size": args.batch_size, "backend": backend, "dtype": args.dtype}
    trainer = ImageToImageTrainer(recipe, train_part, test_part, **settings)
    total_steps = begin(trainer, folder, args)
    if not args.quiet:
        print(f"{len(train_part):,} pairs to train on, {len(test_part):,} to test; the inputs as they are: ", end="")
        print(format_scores(scores(inputs_as_outputs(test_part), test_part)), flush=True)
    return finish(trainer, folder, total_steps, args)


if __name__ == "__main__":
    with errors_in_one_line("image_to_image.py"):
        sys.exit(main(parse_arguments()))
