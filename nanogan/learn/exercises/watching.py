"""Check an exercise whenever its file is saved; what comes next waits until the learner asks for it."""

from __future__ import annotations

import queue
import sys
import threading
import time
from pathlib import Path

from ...io.streams import say
from . import EXERCISES
from .exercise import Exercise
from .milestones import Milestone
from .session import Session, Task

INTERVAL = 0.2  # seconds between two looks at the files
KEYS = "Enter checks again, n goes on once it is passed, h is a hint, l the list, q quits (each with Enter)"


def watch(session: Session, task: Task) -> None:
    """Until q, Ctrl-C, or the end of all exercises."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    say(KEYS)
    seen, passed = _saved(session), _check(session, task)
    while True:
        time.sleep(INTERVAL)
        now = _saved(session)
        changed = [exercise for exercise in EXERCISES if now[exercise.name] not in (None, seen[exercise.name])]
        seen = now
        if changed:
            task = changed[0]
            passed = _check(session, task)
        while not lines.empty():
            word = lines.get().strip().lower()
            if word == "q":
                return
            if word == "n" and passed:
                following = session.next()
                if following is None:
                    return
                task = following
                passed = _check(session, task)
            elif word == "n":
                say(f"{session.name(task)} isn't passed yet")
            else:
                passed = _answer(session, task, word, passed)


def _answer(session: Session, task: Task, word: str, passed: bool) -> bool:
    """Do what a line of the learner's asks for. Returns whether the task is passed."""
    if not word:
        return _check(session, task)
    if word == "h" and isinstance(task, Exercise):
        say("\n".join(session.hint(task)))
    elif word == "l":
        say("\n".join(session.overview()))
    else:
        say(KEYS)
    return passed


def _check(session: Session, task: Task) -> bool:
    say(f"\n---- {session.name(task)}")
    verdict = session.check(task)
    say("\n".join(verdict.lines))
    if verdict.passed:
        following = session.next()
        say(f"n goes on to {session.name(following)}" if following else session.after(task, verdict))
    elif isinstance(task, Milestone):
        say("change the exercise that is named, and save")
    return verdict.passed


def _saved(session: Session) -> dict[str, tuple[int, int] | None]:
    """When each exercise was saved last, and its size; None if its file isn't there, as in the middle of a save."""
    return {exercise.name: _state(session.folder.file(exercise)) for exercise in EXERCISES}


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _read(lines: queue.SimpleQueue[str]) -> None:
    """The learner's lines; none if there is no stdin."""
    for line in sys.stdin or ():
        lines.put(line)
