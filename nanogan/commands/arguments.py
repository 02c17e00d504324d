"""What nanogan's commands share: arguments that are checked, and errors as one line with exit status 2."""

from __future__ import annotations

import argparse
import math
import re
import secrets
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NoReturn

from ..backend import BACKENDS
from ..errors import InputError


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line. `--help` prints the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see --help)\n")


def positive_int(text: str) -> int:
    """An argument type: a whole number of at least 1."""
    return _checked(int, text, lambda number: number >= 1, "a whole number of at least 1")


def count(text: str) -> int:
    """An argument type: a number of images to draw."""
    return _checked(int, text, lambda number: 1 <= number <= 10**6, "a whole number from 1 to 1,000,000")


def seed(text: str) -> int:
    """An argument type: a whole number of at least 0."""
    return _checked(int, text, lambda number: number >= 0, "a whole number of at least 0")


def weight(text: str) -> float:
    """An argument type: a finite number of at least 0."""
    return _checked(float, text, lambda number: 0 <= number < math.inf, "a number of at least 0")


def one_of(names: Iterable[str]) -> Callable[[str], str]:
    """An argument type: one of these names."""
    known = tuple(names)

    def name(text: str) -> str:
        return _checked(str, text, known.__contains__, f"one of {', '.join(known)}")

    return name


def interval(text: str) -> str:
    """An argument type: "500", steps, or "30s", seconds. It stays text."""
    return _checked(str, text, re.compile(r"[1-9]\d{0,8}s?").fullmatch, "a number of steps (500) or of seconds (30s)")


def _checked(kind: Callable[[str], Any], text: str, is_right: Callable[[Any], Any], expected: str) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not is_right(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")
    return value


def add_training_arguments(parser: argparse.ArgumentParser, *, data: str, out: str) -> None:
    """The arguments that every training command has. What isn't given is None, for `complete` to fill in.

    data: what --data takes. out: where the results go by default.
    """
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=positive_int, metavar="N", help="epochs in all (default: the recipe's)")
    length.add_argument("--steps", type=positive_int, metavar="N", help="training steps in all, instead of epochs")
    parser.add_argument("--batch-size", type=positive_int, metavar="N", help="images a step (default: the recipe's)")
    parser.add_argument(
        "--backend", choices=BACKENDS, default="numpy", help="where to compute (default: numpy, the CPU)"
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), help="precision (default: float32)")
    parser.add_argument("--seed", type=seed, metavar="N", help="makes the run repeatable (default: chosen and printed)")
    parser.add_argument("--data", metavar="PATH", help=data)
    parser.add_argument("--out", metavar="DIR", help=f"folder for the results (default: {out})")
    parser.add_argument("--resume", action="store_true", help="continue the run in the output folder")
    parser.add_argument("--allow-change", action="store_true", help="continue it though the settings given differ")
    parser.add_argument(
        "--checkpoint-every",
        type=interval,
        metavar="N|Ns",
        help="save every N steps, or every N seconds (30s), besides after every epoch",
    )
    parser.add_argument("--allow-nonfinite", action="store_true", help="go on where a NaN or infinity arises")
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
    Raises InputError where a default, which may come from a file, isn't what the argument can be.
    """
    if args.epochs or args.steps:
        defaults = {name: value for name, value in defaults.items() if name not in ("epochs", "steps")}
    for name, check in {**FILLED_IN, **also}.items():
        if getattr(args, name) is None and defaults.get(name) is not None:
            try:
                setattr(args, name, check(str(defaults[name])))
            except argparse.ArgumentTypeError as error:
                raise InputError(f"config.json: its {name} {error}; give --{name.replace('_', '-')}") from None
    if args.seed is None:
        args.seed = choose_seed()
        print(f"seed {args.seed}", flush=True)


def precision(text: str) -> str:
    """An argument type: the name of a floating point type."""
    return _checked(str, text, ("float32", "float64").__contains__, "float32 or float64")


FILLED_IN: dict[str, Callable[[str], Any]] = {
    "epochs": positive_int,
    "steps": positive_int,
    "batch_size": positive_int,
    "dtype": precision,
    "seed": seed,
    "data": str,
    "checkpoint_every": interval,
}
"""The arguments that `complete` fills in, and what checks each."""


def choose_seed() -> int:
    """A seed from the system's entropy: short enough to be typed again."""
    return secrets.randbelow(2**31)


@contextmanager
def errors_in_one_line(program: str) -> Iterator[None]:
    """Turn an InputError into its one line on stderr and exit status 2."""
    try:
        yield
    except InputError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except MemoryError:
        print(f"{program}: error: out of memory; choose a smaller --batch-size or less data", file=sys.stderr)
        raise SystemExit(2) from None


def how_to_resume() -> str:
    """This command, to be typed again."""
    arguments = [argument for argument in sys.argv if argument != "--resume"]
    return shlex.join(["python", *arguments, "--resume"])
