"""python -m nanogan learn: write the gradients yourself, checked by finite differences."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..io.streams import say
from .arguments import Parser, file_path

if TYPE_CHECKING:
    from ..learn.exercises.session import Session


def add_to(commands: Any) -> None:
    about = "Write the gradients yourself, in exercises cut from the library's source, and be told what is wrong."
    command = commands.add_parser("learn", help="write the gradients yourself: exercises", description=about)
    verbs = command.add_subparsers(required=True, metavar="VERB", parser_class=Parser)
    parser = verbs.add_parser("start", help="write the exercises to a folder", description=start.__doc__)
    parser.add_argument("folder", type=file_path, metavar="FOLDER", help="a new or empty folder of yours")
    parser.set_defaults(run=start)
    for name, (verb, text) in VERBS.items():
        parser = verbs.add_parser(name, help=text, description=verb.__doc__)
        if name != "list":
            number = None if name == "reset" else "?"
            parser.add_argument(
                "exercise", nargs=number, metavar="EXERCISE", help="number, name or file (default: next)"
            )
        parser.add_argument("--folder", type=file_path, help="of the exercises (default: this one)")
        if name == "check":
            parser.add_argument("--all", action="store_true", help="check all exercises; status 0 if all pass")
        if name == "solution":
            parser.add_argument("--yes", action="store_true", help="show it though the exercise isn't passed")
        parser.set_defaults(run=verb)


def start(args: argparse.Namespace) -> int:
    """Write the exercises to a folder. Files that are there already are left as they are."""
    from ..learn.exercises.folder import Folder
    from ..learn.exercises.session import LEARN

    _, written = Folder.start(Path(args.folder))
    say(f"{len(written)} exercises written to {args.folder}" + ("" if written else ": all are there"))
    say(f"Next: cd {args.folder}, read and complete {written[0] if written else 'an exercise'}, then {LEARN} check")
    return 0


def check(args: argparse.Namespace) -> int:
    """Check an exercise, or reach a milestone: ring, digits. Exit status: 0 if it passes, 1 if not."""
    session = _session(args)
    if args.all and args.exercise:
        raise InputError("--all checks every exercise: give either --all or one exercise")
    if args.all or not (args.exercise or session.next()):
        lines, passed = session.check_all()
    else:
        task = session.task(args.exercise)
        verdict = session.check(task)
        lines, passed = [*verdict.lines, session.after(task, verdict)], verdict.passed
    return _print(lines, 0 if passed else 1)


def hint(args: argparse.Namespace) -> int:
    """A hint: the idea; the next time the formula, too; and then the line, with a gap."""
    session = _session(args)
    return _print(session.hint(session.exercise(args.exercise)))


def solution(args: argparse.Namespace) -> int:
    """The book's lines, and other right forms: of an exercise that is passed, or after a clear yes."""
    session = _session(args)
    exercise = session.exercise(args.exercise)
    if exercise.name in session.folder.passed or args.yes or _wants(session.name(exercise)):
        return _print(session.solution(exercise))
    return _print(["not shown; `hint` gives a hint"])


def overview(args: argparse.Namespace) -> int:
    """All exercises and milestones, which are passed, and which is next."""
    return _print(_session(args).overview())


def reset(args: argparse.Namespace) -> int:
    """Write an exercise's file as it was at the start; yours is kept in backups."""
    session = _session(args)
    exercise = session.exercise(args.exercise)
    kept = session.folder.reset(exercise)
    return _print([f"{session.name(exercise)} is as it was at the start" + (f"; yours is {kept}" if kept else "")])


def watch(args: argparse.Namespace) -> int:
    """Check an exercise whenever you save it, and go on to the next when you say so."""
    from ..learn.exercises.watching import watch

    session = _session(args)
    watch(session, session.task(args.exercise))
    return 0


VERBS = {
    "check": (check, "check an exercise, or reach a milestone (ring, digits)"),
    "hint": (hint, "the idea, then the formula, then the line"),
    "solution": (solution, "the book's lines"),
    "list": (overview, "all exercises, and which is next"),
    "reset": (reset, "write an exercise's file again; yours is kept in backups"),
    "watch": (watch, "check on every save"),
}


def _session(args: argparse.Namespace) -> Session:
    """The folder given, or that of the file given, or the current one."""
    from ..learn.exercises.session import Session

    named = Path(getattr(args, "exercise", None) or "")
    return Session(Path(args.folder) if args.folder else named.parent)


def _print(lines: Sequence[str], status: int = 0) -> int:
    say("\n".join(lines))
    return status


def _wants(name: str) -> bool:
    """Ask before the solution of an exercise that isn't passed."""
    if not (sys.stdin and sys.stdin.isatty()):
        raise InputError(f"{name} isn't passed yet; --yes shows its solution all the same")
    answer = ""
    with contextlib.suppress(EOFError):  # Ctrl-D
        answer = input(f"{name} isn't passed yet. Type yes to see its solution: ")
    return answer.strip().lower() in ("y", "yes")
