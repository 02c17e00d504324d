"""A check in a process of its own, so that an endless loop or a crash in the learner's file is one line.

`python -m nanogan.learn.exercises.checking FILE NAME VERDICT PATIENCE` is that process.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from . import EXERCISES
from .exercise import Exercise
from .grading import Verdict, grade

PATIENCE = 5
"""Seconds after which a check is stopped; a sound one takes a few hundredths of one."""

LINES = 20
"""How many lines of what the learner's file prints are shown."""


def check(exercise: Exercise, path: Path, *, patience: int = PATIENCE) -> Verdict:
    """Check the learner's file; what it prints comes first among the verdict's lines."""
    with tempfile.TemporaryDirectory() as folder:
        verdict = Path(folder) / "verdict.json"
        command = [sys.executable, "-m", __name__, str(path), exercise.name, str(verdict), str(patience)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
        }
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        )
        printed = [f"  | {line}" for line in done.stdout.splitlines()]
        if len(printed) > LINES:
            printed[LINES:] = [f"  | ... and {len(printed) - LINES} lines more"]
        if verdict.is_file():
            passed, lines, hint = json.loads(verdict.read_text(encoding="utf-8"))
            return Verdict(passed, printed + lines, hint)
    return Verdict(False, [*printed, _how_it_ended(path, done.stderr, done.returncode, patience)])


def _how_it_ended(path: Path, stderr: str, status: int, patience: int) -> str:
    """Where a process was that has given no verdict, from what faulthandler wrote."""
    at = re.search(rf'File ".*{re.escape(path.name)}", line (\d+)', stderr)
    place = f"{path}:{at[1]}" if at else str(path)
    if "Timeout (" in stderr:
        return f"{place}: still running after {patience} s, and stopped: is this loop endless?"
    crash = re.search(r"Fatal Python error: (.*)", stderr)
    return f"{place}: Python has crashed ({crash[1] if crash else f'exit status {status}'})"


def main(file: str, name: str, verdict: str, patience: str) -> None:
    faulthandler.enable()
    faulthandler.dump_traceback_later(int(patience), exit=True)
    (exercise,) = (exercise for exercise in EXERCISES if exercise.name == name)
    found = grade(exercise, Path(file))
    Path(verdict).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
