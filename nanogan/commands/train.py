"""What every training command does with its arguments: begin a run, and finish it."""

from __future__ import annotations

import argparse
import sys

from ..training.diagnosis import Diagnosis
from ..training.loop import steps_in_all, train
from ..training.run_folder import RunFolder
from ..training.trainer import BaseTrainer
from .arguments import how_to_resume

NOT_SAVED = ("resume", "allow_change", "quiet", "out")  # what doesn't belong to the run itself


def begin(trainer: BaseTrainer, folder: RunFolder, args: argparse.Namespace) -> int:
    """Make the folder, take up the run that it holds, if any, and keep the arguments. How many steps make it whole."""
    folder.create()
    if folder.checkpoint.exists():
        trainer.load(folder.checkpoint, allow_change=args.allow_change)
    total_steps = steps_in_all(trainer, epochs=args.epochs, steps=args.steps)
    folder.write_config({name: value for name, value in vars(args).items() if name not in NOT_SAVED})
    return total_steps


def finish(
    trainer: BaseTrainer,
    folder: RunFolder,
    total_steps: int,
    args: argparse.Namespace,
    diagnosis: Diagnosis | None = None,
) -> int:
    """Train, and say how to go on where Ctrl-C came first. The exit status."""
    options = {"checkpoint_every": args.checkpoint_every, "allow_nonfinite": args.allow_nonfinite}
    if train(trainer, folder, total_steps, quiet=args.quiet, diagnosis=diagnosis, **options):
        return 0
    print(f"stopped at step {trainer.steps}; go on with: {how_to_resume()}", file=sys.stderr)
    return 130  # what a shell expects after Ctrl-C
