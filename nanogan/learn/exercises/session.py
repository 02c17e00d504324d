"""What a learner does in a folder of exercises: check, ask for a hint, see the list, the solution, the next one."""

from __future__ import annotations

from pathlib import Path

from ...errors import InputError
from . import EXERCISES
from .checking import check, check_many
from .exercise import Exercise
from .folder import FILES, Folder, find
from .grading import Verdict
from .milestones import MILESTONES, Milestone, reach

LEARN = "python -m nanogan learn"
DONE = """All exercises are solved, and what you have written has trained a GAN twice. Read nanogan/layer.py next: the
library does the same, faster. `python -m nanogan gradcheck --layer FILE.py:CLASS` proves a layer of your own."""

Task = Exercise | Milestone
TASKS: tuple[Task, ...] = (*EXERCISES, *MILESTONES)


class Session:
    def __init__(self, path: Path) -> None:
        self.folder = Folder(path)

    def task(self, word: str | None) -> Task:
        """What a word names; without one, the first that isn't passed. Raises InputError if there is none."""
        if word is None:
            task = self.next()
            if task is None:
                raise InputError(f"everything is passed; name an exercise, such as `{LEARN} check 1`")
            return task
        return next((milestone for milestone in MILESTONES if milestone.name == word), None) or find(word)

    def exercise(self, word: str | None) -> Exercise:
        """Likewise, but for milestones, which have neither a file nor hints."""
        task = self.task(word)
        if isinstance(task, Milestone):
            raise InputError(f"{task.name} is a milestone, which your exercises reach: `{LEARN} check {task.name}`")
        return task

    def next(self) -> Task | None:
        return next((task for task in TASKS if task.name not in self.folder.passed), None)

    def check(self, task: Task) -> Verdict:
        """The verdict, kept in the folder's record."""
        verdict = reach(task, self.folder) if isinstance(task, Milestone) else check(task, self.folder.file(task))
        (self.folder.record if verdict.passed else self.folder.forget)(task.name)
        return verdict

    def name(self, task: Task) -> str:
        return task.name if isinstance(task, Milestone) else str(self.folder.file(task))

    def after(self, task: Task, verdict: Verdict) -> str:
        """What to do now."""
        if not verdict.passed:
            which = "" if task is self.next() else f" {task.name}"
            return f"then: {LEARN} check{which}" + (f"    stuck: {LEARN} hint{which}" if task in EXERCISES else "")
        following = self.next()
        return f"next: {self.announce(following)}" if following else DONE

    def announce(self, task: Task) -> str:
        if isinstance(task, Milestone):
            return f"{task.title}: {LEARN} check {task.name}"
        return f"{self.name(task)}, {task.title}: write it, then {LEARN} check"

    def check_all(self) -> tuple[list[str], bool]:
        """Lines on every exercise, and whether all pass: for a class."""
        verdicts = check_many([(exercise, self.folder.file(exercise)) for exercise in EXERCISES])
        for exercise, verdict in zip(EXERCISES, verdicts, strict=True):
            (self.folder.record if verdict.passed else self.folder.forget)(exercise.name)
        passed = sum(verdict.passed for verdict in verdicts)
        lines = [line for verdict in verdicts for line in verdict.lines]
        lines += [f"{passed} of {len(EXERCISES)} exercises pass"]
        return lines + ([] if self.next() else [DONE]), passed == len(EXERCISES)

    def hint(self, exercise: Exercise) -> list[str]:
        """The hints so far, and the next one."""
        hints = self.folder.next_hint(exercise)
        lines = [f"{self.name(exercise)}, {exercise.title}"]
        lines += [f"  {kind}: {hint}" for kind, hint in zip(("idea", "formula", "line"), hints, strict=False)]
        return [*lines, *([f"  one more: {LEARN} hint {exercise.name}"] if len(hints) < len(exercise.hints) else [])]

    def overview(self) -> list[str]:
        """Every exercise and milestone, and which is next."""
        following, lines = self.next(), []
        for task in TASKS:
            mark = "passed" if task.name in self.folder.passed else "next" if task is following else ""
            lines.append(f"{mark:7} {FILES.get(task.name, task.name):27} {task.title}")
        return lines

    def solution(self, exercise: Exercise) -> list[str]:
        """The book's lines, where they stand, and what else is right."""
        cut = exercise.cut
        place, lines = cut.file.relative_to(Path(__file__).parents[3]).as_posix(), []
        for first, answer in cut.answers:
            lines += [f"{place}:{first}", *answer]
        lines += ["also right:"]
        return [*lines, *(f"    {new}\n        for {old}" for old, new in exercise.also)]
