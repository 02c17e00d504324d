"""Ctrl-C while a command is still loading NumPy: it ends, with the status of Ctrl-C and no traceback.

`nanogan/__init__.py` imports this file first. It knows the standard library alone, and does nothing in a program that
merely uses nanogan.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType, TracebackType

INTERRUPTED = 130
"""The exit status that a shell expects after Ctrl-C: 128 and the signal's number."""


def quit_at_once(number: int, frame: FrameType | None) -> None:
    """A handler of Ctrl-C for when there is nothing to save yet, or any more."""
    os._exit(INTERRUPTED)


def without_interrupts(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """`sys.excepthook` but for Ctrl-C, which nobody wants explained: between two lines that would have caught it."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)


def is_command() -> bool:
    """Whether `python -m nanogan` or the command `nanogan` is being started. Python then calls a module "-m"."""
    program = sys.argv[0] if getattr(sys, "argv", None) else ""
    return program == "-m" or Path(program).stem in ("nanogan", "nanogan-script")


if (
    is_command()
    and threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, quit_at_once)
