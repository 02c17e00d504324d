"""What nanogan's commands share: types of arguments, and errors as one line with exit status 2.

`training_arguments.py` has the arguments of training commands.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import secrets
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

from ..data.pictures import is_colour
from ..errors import InputError
from ..io.streams import Forgiving, warn
from ..parallel.world import leave, world
from .interrupt import INTERRUPTED, without_interrupts


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line. `--help` prints the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {in_one_line(message)} (see --help)\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        stream = Forgiving(file or sys.stderr)
        stream.write(message)
        stream.settle()


def positive_int(text: str) -> int:
    """An argument type: a whole number of at least 1."""
    return _checked(int, text, lambda number: number >= 1, "a whole number of at least 1")


def count(text: str) -> int:
    """An argument type: a number of images to draw."""
    return _checked(int, text, lambda number: 1 <= number <= 10**6, "a whole number from 1 to 1,000,000")


def up_to(most: int, least: int = 1) -> Callable[[str], int]:
    """An argument type: a whole number of at least `least` and at most `most`."""

    def number(text: str) -> int:
        return _checked(int, text, lambda value: least <= value <= most, f"a whole number from {least:,} to {most:,}")

    return number


def seed(text: str) -> int:
    """An argument type: a whole number of at least 0."""
    return _checked(int, text, lambda number: number >= 0, "a whole number of at least 0")


def weight(text: str) -> float:
    """An argument type: a finite number of at least 0."""
    return _checked(float, text, lambda number: 0 <= number < math.inf, "a number of at least 0")


def rate(text: str) -> float:
    """An argument type: a finite number above 0."""
    return _checked(float, text, lambda number: 0 < number < math.inf, "a number above 0")


def decay(text: str) -> float:
    """An argument type: a share of what was, which fades."""
    return _checked(float, text, lambda number: 0 <= number < 1, "a number of at least 0 and below 1")


def truncation(text: str) -> float:
    """An argument type: a bound of normal numbers that one of a dozen keeps."""
    return _checked(float, text, lambda number: 0.1 <= number < math.inf, "a number of at least 0.1")


def label(text: str) -> float:
    """An argument type: the target of D's loss for real images."""
    return _checked(float, text, lambda number: 0.5 < number <= 1, "a number above 0.5, up to 1")


def size(text: str) -> int:
    """An argument type: a number of pixels."""
    return _checked(int, text, lambda number: 4 <= number <= 1024, "a whole number from 4 to 1,024")


def channels(text: str) -> int:
    """An argument type: 1 is grey, 3 is colour."""
    return _checked(int, text, (1, 3).__contains__, "1 (grey) or 3 (colour)")


def one_of(names: Iterable[str]) -> Callable[[str], str]:
    """An argument type: one of these names."""
    known = tuple(names)

    def name(text: str) -> str:
        return _checked(str, text, known.__contains__, f"one of {', '.join(known)}")

    return name


def file_path(text: str) -> str:
    """An argument type: the name of a file or folder; ~ is the home folder, also if no shell has said so."""
    return os.path.expanduser(
        _checked(str, text, lambda name: name and "\0" not in name, "the name of a file or folder")
    )


def colour(text: str) -> str:
    """An argument type: white, black or #rrggbb. It stays text."""
    return _checked(str, text, is_colour, "white, black or #rrggbb")


def switch(text: str) -> bool:
    """An argument type, for a switch that was saved as one: True or False."""
    return _checked({"True": True, "False": False}.get, text, lambda value: value is not None, "true or false")


def interval(text: str) -> str:
    """An argument type: "500", steps, or "30s", seconds. It stays text."""
    return _checked(str, text, re.compile(r"[1-9]\d{0,8}s?").fullmatch, "a number of steps (500) or of seconds (30s)")


def precision(text: str) -> str:
    """An argument type: the name of a floating point type."""
    return _checked(str, text, ("float32", "float64").__contains__, "float32 or float64")


def _checked(kind: Callable[[str], Any], text: str, is_right: Callable[[Any], Any], expected: str) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not is_right(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")
    return value


def choose_seed() -> int:
    """A seed from the system's entropy: short enough to be typed again."""
    return secrets.randbelow(2**31)


@contextmanager
def errors_in_one_line(program: str, *, smaller: str = "--batch-size") -> Iterator[None]:
    """Run a command: what goes wrong is one line on stderr and exit status 2, Ctrl-C is status 130.

    What the command prints is dropped where nobody can read it. smaller: the option that memory depends on.
    """
    workers = world()
    before = signal.getsignal(signal.SIGINT)  # which may end the process at once: now there are files to clean up
    catches = callable(before) and threading.current_thread() is threading.main_thread()
    if catches:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if before is not signal.default_int_handler:  # a program of nanogan's own
            sys.excepthook = without_interrupts
    stdout, stderr = (Forgiving(None if workers.rank else stream) for stream in (sys.stdout, sys.stderr))
    message, status = "", 0
    with redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            yield
        except InputError as error:
            message, status = str(error), 2
        except MemoryError:
            message, status = "out of memory" + (f"; choose a smaller {smaller}" if smaller else ""), 2
        except OSError as error:  # of files, and what the system says of them in other places
            message, status = f"{error.filename}: {error.strerror}" if error.filename else str(error), 2
        except KeyboardInterrupt:
            message, status = "interrupted", INTERRUPTED
        except SystemExit as end:
            if workers.size == 1 or not end.code:
                raise
            status = int(end.code)
        finally:
            if message:
                warn(f"{program}: error: {in_one_line(message)}" if status == 2 else message)
            stdout.settle()
            if stdout.trouble:
                warn(f"{program}: not all that it had to print could be written ({stdout.trouble})")
            stderr.settle()
            if catches:
                signal.signal(signal.SIGINT, before)
    if status and workers.size > 1:
        leave(workers, status, in_one_line(message))
    if status:
        raise SystemExit(status)


def in_one_line(message: str) -> str:
    """The message, though a name in it may hold line breaks."""
    return " ".join(message.split("\n")).replace("\r", " ")


def how_to_resume() -> str:
    """This command, to be typed again."""
    program, *arguments = sys.argv
    if Path(program).name == "__main__.py":
        start = ["python", "-m", "nanogan"]
    else:
        start = ["python", program] if program.endswith(".py") else [Path(program).name]
    if world().size > 1:
        start[:1] = ["mpiexec", "-n", str(world().size), "python", "-m", "mpi4py"]
    return shlex.join([*start, *(argument for argument in arguments if argument != "--resume"), "--resume"])
