"""The arguments of training commands: what each means, and what it is if it isn't given."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ..backend import BACKENDS
from ..data.pictures import FITS
from ..errors import InputError
from ..io.streams import say
from ..parallel.world import world
from .arguments import (
    choose_seed,
    colour,
    decay,
    file_path,
    interval,
    one_of,
    positive_int,
    precision,
    rate,
    seed,
    switch,
)


def add_training_arguments(parser: argparse.ArgumentParser, *, data: str | None, out: str) -> None:
    """The arguments that every training command has. What isn't given is None, for `complete` to fill in.

    data: what --data takes; None: there is no --data. out: where the results go by default.
    """
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=positive_int, metavar="N", help="epochs in all (default: the recipe's)")
    length.add_argument("--steps", type=positive_int, metavar="N", help="training steps in all, instead of epochs")
    parser.add_argument("--batch-size", type=positive_int, metavar="N", help="images a step (default: the recipe's)")
    parser.add_argument("--lr", type=rate, metavar="X", help="learning rate (default: the recipe's)")
    parser.add_argument("--beta1", type=decay, metavar="X", help="of Adam (default: the recipe's)")
    parser.add_argument("--width", type=positive_int, metavar="N", help="of the networks (default: the recipe's)")
    parser.add_argument(
        "--backend", choices=BACKENDS, default="numpy", help="where to compute (default: numpy, the CPU)"
    )
    parser.add_argument(
        "--no-graph", action="store_true", help="on a GPU: start every kernel by itself, replay no steps"
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), help="precision (default: float32)")
    parser.add_argument("--seed", type=seed, metavar="N", help="makes the run repeatable (default: chosen and printed)")
    if data:
        parser.add_argument("--data", type=file_path, metavar="PATH", help=data)
    parser.add_argument(
        "--fit", type=one_of(FITS), help="how pictures of another shape are made to fit: crop (default), pad or squeeze"
    )
    parser.add_argument(
        "--background",
        type=colour,
        metavar="COLOUR",
        help="white (default), black or #rrggbb: below transparent pixels, and beside pictures with --fit pad",
    )
    parser.add_argument("--invert", action="store_const", const=True, help="swap black and white")
    parser.add_argument("--out", type=file_path, metavar="DIR", help=f"folder for the results (default: {out})")
    _add_run_arguments(parser)


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """How a run is continued, and how often it saves and shows what."""
    parser.add_argument("--resume", action="store_true", help="continue the run in the output folder")
    parser.add_argument("--allow-change", action="store_true", help="continue it though the settings given differ")
    parser.add_argument(
        "--checkpoint-every",
        type=interval,
        metavar="N|Ns",
        help="save every N steps, or every N seconds (30s), besides after every epoch",
    )
    parser.add_argument(
        "--sample-every",
        type=interval,
        metavar="N|Ns",
        help="draw a picture every N steps, or N seconds (default: after every epoch, or 2s if they are shorter)",
    )
    parser.add_argument(
        "--batch-norm",
        type=one_of(STATISTICS),
        help="with mpiexec: statistics of the whole batch (default), or of each process's own rows (local)",
    )
    parser.add_argument(
        "--patience",
        type=rate,
        metavar="S",
        help="with mpiexec: seconds to wait for a process that hangs (default: 120)",
    )
    parser.add_argument("--no-report", action="store_true", help="make no report.html")
    parser.add_argument(
        "--tensorboard", action="store_true", help="write the log and the pictures for TensorBoard, too"
    )
    parser.add_argument("--allow-nonfinite", action="store_true", help="go on if a NaN or infinity arises")
    parser.add_argument(
        "--quiet", action="store_true", help="print nothing but the seed, if it was chosen, warnings and errors"
    )


def complete(
    args: argparse.Namespace,
    defaults: Mapping[str, Any],
    *,
    also: Mapping[str, Callable[[str], Any]] = MappingProxyType({}),
) -> None:
    """Fill in every argument that wasn't given: from `defaults` (a saved run's or the recipe's), the seed by chance.

    also: arguments that only this command has, and what checks each.
    Raises InputError if a default, which may come from a file, isn't what the argument can be.
    """
    if args.epochs or args.steps:
        defaults = {name: value for name, value in defaults.items() if name not in ("epochs", "steps")}
    for name, check in {**FILLED_IN, **also}.items():
        if getattr(args, name, "") is None and defaults.get(name) is not None:
            try:
                setattr(args, name, check(str(defaults[name])))
            except argparse.ArgumentTypeError as error:
                raise InputError(f"config.json: its {name} {error}; give --{name.replace('_', '-')}") from None
    if args.seed is None:
        args.seed = world().broadcast(choose_seed())
        say(f"seed {args.seed}")


STATISTICS = ("whole", "local")
FILLED_IN: dict[str, Callable[[str], Any]] = {
    "epochs": positive_int,
    "steps": positive_int,
    "batch_size": positive_int,
    "lr": rate,
    "beta1": decay,
    "width": positive_int,
    "dtype": precision,
    "seed": seed,
    "data": file_path,
    "fit": one_of(FITS),
    "background": colour,
    "invert": switch,
    "checkpoint_every": interval,
    "sample_every": interval,
    "batch_norm": one_of(STATISTICS),
}
"""The arguments that `complete` fills in, and what checks each."""
