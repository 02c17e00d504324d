"""The learner's folder: one file per exercise, backups of what is replaced, and a record of progress beside them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ...errors import InputError
from ...io.files import read_all, replacing
from ...io.streams import worth_a_line
from . import EXERCISES
from .exercise import Exercise

PROGRESS = "nanogan-progress.json"
FILES = {exercise.name: exercise.file(number) for number, exercise in enumerate(EXERCISES, 1)}


class Folder:
    """A folder of exercises, and what the learner has done in it.

    passed: names of exercises and milestones. hints: how many hints of an exercise were shown.
    """

    def __init__(self, path: Path) -> None:
        """Raises InputError if `start` hasn't written this folder."""
        self.path = path
        self._load()

    def _load(self) -> None:
        """Read the record, which another `learn` may have changed since."""
        record = self.path / PROGRESS
        if not record.is_file():
            raise InputError(
                f"{self.path}: holds no exercises (no {PROGRESS}); go to the one that `learn start FOLDER` wrote, or "
                "name it with --folder"
            )
        try:
            kept = json.loads(read_all(record, at_most=2**20))
            self.passed = [str(name) for name in kept["passed"]]
            self.hints = {str(name): int(count) for name, count in kept["hints"].items()}
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            raise InputError(
                f"{record}: damaged; delete it, and run `learn start {self.path}` and `learn check --all`, which finds "
                "out anew what you have solved"
            ) from None

    @classmethod
    def start(cls, path: Path) -> tuple[Folder, list[str]]:
        """Write the exercises that aren't there yet; returns their names too. Nothing is replaced.

        Raises InputError if the folder holds something else, or can't be written.
        """
        if path.is_file():
            raise InputError(f"{path}: is a file; choose a folder for the exercises")
        present = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
        if present and not present & {PROGRESS, *FILES.values()}:
            raise InputError(f"{path}: holds other files ({min(present)}); choose an empty folder, or a new one")
        path.mkdir(parents=True, exist_ok=True)
        if PROGRESS not in present:
            _write(path / PROGRESS, json.dumps({"passed": [], "hints": {}}))
        folder = cls(path)
        written = [exercise for exercise in EXERCISES if FILES[exercise.name] not in present]
        for exercise in written:
            _write(folder.file(exercise), folder._starter(exercise))
        return folder, [FILES[exercise.name] for exercise in written]

    def file(self, exercise: Exercise) -> Path:
        return self.path / FILES[exercise.name]

    def reset(self, exercise: Exercise) -> Path | None:
        """Write the starter again. Returns where the learner's file is kept, or None if there was none."""
        kept = self.keep(self.file(exercise))
        _write(self.file(exercise), self._starter(exercise))
        self.forget(exercise.name)
        return kept

    def keep(self, file: Path) -> Path | None:
        """Copy a file to `backups`, under a name that isn't taken. Returns it, or None if there is no such file."""
        if not file.exists():
            return None
        backups = self.path / "backups"
        backups.mkdir(exist_ok=True)
        number = 1
        while (backup := backups / f"{file.stem}.{number}{file.suffix}").exists():
            number += 1
        shutil.copy2(file, backup)
        return backup

    def record(self, name: str) -> None:
        """Note that an exercise or milestone was passed."""
        self._load()
        if name not in self.passed:
            self.passed.append(name)
            self._save()

    def forget(self, name: str) -> None:
        """Note that it isn't passed any more."""
        self._load()
        if name in self.passed:
            self.passed.remove(name)
            self._save()

    def next_hint(self, exercise: Exercise) -> list[str]:
        """The hints that were shown, and one more."""
        self._load()
        shown = min(self.hints.get(exercise.name, 0) + 1, len(exercise.hints))
        self.hints[exercise.name] = shown
        self._save()
        return list(exercise.hints[:shown])

    def _save(self) -> None:
        """A record that can't be written is no reason to keep a verdict from the learner."""
        with worth_a_line(self.path / PROGRESS):
            _write(self.path / PROGRESS, json.dumps({"passed": self.passed, "hints": self.hints}, indent=1))

    @staticmethod
    def _starter(exercise: Exercise) -> str:
        return exercise.starter(list(FILES).index(exercise.name) + 1, len(FILES))


def _write(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())


def find(word: str) -> Exercise:
    """The exercise of a number, a name or a file. Raises InputError if there is none."""
    name = Path(word).name.removesuffix(".py").lstrip("0")
    for number, exercise in enumerate(EXERCISES, 1):
        if name in (str(number), exercise.name, f"{number}_{exercise.name}"):
            return exercise
    raise InputError(f"{word}: no such exercise; give a number from 1 to {len(FILES)}, or a name from `learn list`")
