"""Lines for people, on streams that may be gone.

A run outlives whoever watches it. `| head -1` closes the pipe, a disk fills up under the log, services and pythonw have
no stderr at all, a terminal doesn't know the letters of a path. A line that can't be written is dropped; it is never
worth a run.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError


def say(line: str) -> None:
    """Print a line to stdout, at once."""
    print(line, file=Forgiving(sys.stdout), flush=True)


def warn(line: str) -> None:
    """Print a line to stderr, at once."""
    print(line, file=Forgiving(sys.stderr), flush=True)


@contextmanager
def worth_a_line(path: Path, said: set[Path] | None = None) -> Iterator[None]:
    """Around the writing of a file that a run can do without: what goes wrong is a line, and the run goes on.

    That may be a full disk, or a drawing library that doesn't load. said: the paths that need no second line.
    """
    try:
        yield
    except Exception as error:
        if said is None or path not in said:
            cause = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            warn(f"{path}: left out, and the run goes on ({' '.join(cause.split())})")
        if said is not None:
            said.add(path)


class Forgiving:
    """A text stream that writes what it can to `stream`, which may be None, closed, full, or short of letters."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.trouble = ""
        """Why something that was written may be lost. That nobody reads it, `| head -1`, is no trouble."""

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's own: encoding, fileno, buffer."""
        return getattr(self.stream, name)

    def isatty(self) -> bool:
        with contextlib.suppress(AttributeError, ValueError):  # None, closed
            return self.stream.isatty()
        return False

    def write(self, text: str) -> int:
        try:
            self._attempt("write", text)
        except UnicodeEncodeError:
            encoding = self.stream.encoding
            self._attempt("write", text.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        self._attempt("flush")

    def settle(self) -> None:
        """Write out what the stream still holds, at the end of a program. What can't be is let go of."""
        self.flush()
        if self.trouble:
            self._leave()

    def _attempt(self, verb: str, *text: str) -> None:
        try:
            getattr(self.stream, verb)(*text)
        except UnicodeEncodeError:
            raise
        except BrokenPipeError:
            self._leave()
        except OSError as error:  # full; there may be room later
            self.trouble = error.strerror or str(error)
        except (ValueError, AttributeError, RuntimeError):
            pass  # closed, None, or a signal's handler that came in the middle of another line

    def _leave(self) -> None:
        """Turn the stream to where everything vanishes, so that what it still holds doesn't fail when Python ends."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)
