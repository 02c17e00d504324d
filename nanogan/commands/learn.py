"""python -m nanogan learn: write a GAN's gradients yourself, checked by finite differences."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io.streams import say
from .arguments import Parser, file_path


def add_to(commands: Any) -> None:
    command = commands.add_parser("learn", help="write the gradients yourself: exercises", description=run.__doc__)
    verbs = command.add_subparsers(required=True, metavar="VERB", dest="verb", parser_class=Parser)
    start = verbs.add_parser("start", help="write the exercises to a folder")
    start.add_argument("folder", type=file_path, metavar="FOLDER", help="a new or empty folder of yours")
    for verb, text in VERBS.items():
        parser = verbs.add_parser(verb, help=text)
        if verb != "list":
            nargs = None if verb == "reset" else "?"
            parser.add_argument(
                "exercise", nargs=nargs, metavar="EXERCISE", help="number, name or file (default: the next)"
            )
        parser.add_argument("--folder", type=file_path, default=".", help="of the exercises (default: this one)")
        if verb == "check":
            parser.add_argument("--all", action="store_true", help="check all exercises; status 0 if all pass")
        if verb == "solution":
            parser.add_argument("--yes", action="store_true", help="show it though the exercise isn't passed")
    command.set_defaults(run=run)


VERBS = {
    "check": "check an exercise, or reach a milestone (ring, digits)",
    "hint": "a hint: the idea, then the formula, then the line",
    "solution": "the book's lines",
    "list": "all exercises, and which is next",
    "reset": "write an exercise's file again; yours is kept in backups",
    "watch": "check on every save",
}


def run(args: argparse.Namespace) -> int:
    """Write each gradient yourself, in fourteen exercises cut from the library's source, and be told where it is wrong.

    Begin with `start FOLDER`. Exit status of check: 0 if it passes, 1 if not.
    """
    from ..learn.exercises.session import LEARN, Session
    from ..learn.exercises.watching import watch

    if args.verb == "start":
        return _start(Path(args.folder))
    session = Session(Path(args.folder))
    if args.verb == "check" and args.all and args.exercise:
        raise InputError("--all checks every exercise: give either --all or one exercise")
    if args.verb == "check" and (args.all or not (args.exercise or session.next())):
        lines, passed = session.check_all()
        say("\n".join(lines))
        return 0 if passed else 1
    if args.verb == "list":
        say("\n".join(session.overview()))
        return 0
    if args.verb == "watch":
        watch(session, session.task(args.exercise))
        return 0
    if args.verb == "check":
        task = session.task(args.exercise)
        verdict = session.check(task)
        say("\n".join([*verdict.lines, session.after(task, verdict)]))
        return 0 if verdict.passed else 1
    exercise = session.exercise(args.exercise)
    if args.verb == "hint":
        say("\n".join(session.hint(exercise)))
    elif args.verb == "reset":
        kept = session.folder.reset(exercise)
        say(f"{session.name(exercise)} is as it was at the start" + (f"; yours is kept in {kept}" if kept else ""))
    elif exercise.name in session.folder.passed or args.yes or _wants(session.name(exercise)):
        say("\n".join(session.solution(exercise)))
    else:
        say(f"not shown; a hint is {LEARN} hint {exercise.name}")
    return 0


def _start(path: Path) -> int:
    from ..learn.exercises.folder import Folder
    from ..learn.exercises.session import LEARN

    _, written = Folder.start(path)
    say(f"{len(written)} exercises written to {path}" + ("" if written else ": all are there"))
    say(f"Next: cd {path}, read and complete {written[0] if written else 'an exercise'}, then {LEARN} check")
    return 0


def _wants(name: str) -> bool:
    """Ask before the solution of an exercise that isn't passed."""
    if not (sys.stdin and sys.stdin.isatty()):
        raise InputError(f"{name} isn't passed yet; --yes shows its solution all the same")
    return input(f"{name} isn't passed yet. Type yes to see its solution: ").strip().lower() in ("y", "yes")
