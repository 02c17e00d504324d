"""Checks in a process of their own, so that an endless loop or a crash in the learner's file is one line.

`python -m nanogan.learn.exercises.checking PATIENCE VERDICTS NAME FILE NAME FILE ...` is that process. It writes one
verdict per line to the file VERDICTS. If it ends early, the next file is to blame, and another process takes the rest.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import EXERCISES
from .exercise import Exercise
from .grading import Verdict, grade

PATIENCE = 5
"""Seconds after which a check is stopped; a sound one takes a few hundredths of one."""

LINES = 20
"""How many lines of what the learner's file prints are shown."""

NEXT = "\0"
"""Printed before what the next file prints."""


def check(exercise: Exercise, path: Path, *, patience: int = PATIENCE) -> Verdict:
    """Check the learner's file; what it prints comes first among the verdict's lines."""
    return check_many([(exercise, path)], patience=patience)[0]


def check_many(tasks: Sequence[tuple[Exercise, Path]], *, patience: int = PATIENCE) -> list[Verdict]:
    """Check several files."""
    verdicts: list[Verdict] = []
    while len(verdicts) < len(tasks):
        verdicts += _one_process(tasks[len(verdicts) :], patience)
    return verdicts


def _one_process(tasks: Sequence[tuple[Exercise, Path]], patience: int) -> list[Verdict]:
    """The verdicts on these files, up to the first that ends the process."""
    words = [word for exercise, path in tasks for word in (exercise.name, str(path))]
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "verdicts"
        found.touch()
        command = [sys.executable, "-m", __name__, str(patience), str(found), *words]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        )
        verdicts = [Verdict(*json.loads(line)) for line in found.read_text(encoding="utf-8").splitlines()]
    if len(verdicts) < len(tasks):
        path = tasks[len(verdicts)][1]
        verdicts.append(Verdict(False, [_how_it_ended(path, done.stderr, done.returncode, patience)]))
    printed = [*done.stdout.split(NEXT)[1:], *[""] * len(tasks)]
    return [
        verdict._replace(lines=_shown(text) + verdict.lines) for verdict, text in zip(verdicts, printed, strict=False)
    ]


def _shown(text: str) -> list[str]:
    lines = [f"  | {line}" for line in text.splitlines()]
    return lines[:LINES] + ([f"  | ... and {len(lines) - LINES} lines more"] if len(lines) > LINES else [])


def _how_it_ended(path: Path, stderr: str, status: int, patience: int) -> str:
    """Where a process was that has given no verdict, from what faulthandler wrote."""
    at = re.search(rf'File ".*{re.escape(path.name)}", line (\d+)', stderr)
    place = f"{path}:{at[1]}" if at else str(path)
    if "Timeout (" in stderr:
        return f"{place}: still running after {patience} s, and stopped: is this loop endless?"
    crash = re.search(r"Fatal Python error: (.*)", stderr)
    return f"{place}: Python has crashed ({crash[1] if crash else f'exit status {status}'})"


def main(patience: str, verdicts: str, *words: str) -> None:
    faulthandler.enable()
    exercises = {exercise.name: exercise for exercise in EXERCISES}
    for name, file in zip(words[::2], words[1::2], strict=True):
        print(end=NEXT, flush=True)
        faulthandler.dump_traceback_later(int(patience), exit=True)
        found = grade(exercises[name], Path(file))
        sys.stdout.flush()
        with open(verdicts, "a", encoding="utf-8") as kept:
            kept.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
