"""Every exercise of `learn`: its solution passes, its blank fails, and each typical mistake gets its own hint."""

from __future__ import annotations

import doctest
import io
import time
from pathlib import Path

import pytest

from nanogan.learn.exercises import EXERCISES
from nanogan.learn.exercises.exercise import Exercise, Mistake
from nanogan.learn.exercises.grading import Verdict, grade_source, namespace

BY_NAME = {exercise.name: exercise for exercise in EXERCISES}
MISTAKES = [(e, m) for e in EXERCISES for m in e.mistakes]
OTHER_FORMS = [(e, old, new) for e in EXERCISES for old, new in e.also]

each = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)


def check(exercise: Exercise, source: str) -> Verdict:
    return grade_source(exercise, source, Path("mine.py"))


def test_there_are_fourteen_with_names_of_their_own() -> None:
    assert len(EXERCISES) == len(BY_NAME) == 14


@each
def test_the_solution_passes_within_a_second(exercise: Exercise) -> None:
    started = time.perf_counter()
    verdict = check(exercise, exercise.cut.solution)
    assert verdict.passed, verdict.lines
    assert time.perf_counter() - started < 1


@each
def test_the_blank_fails_at_the_line_to_be_written(exercise: Exercise) -> None:
    starter = exercise.starter(1, 14)
    verdict = check(exercise, starter)
    assert not verdict.passed
    number = 1 + next(n for n, line in enumerate(starter.splitlines()) if "raise NotImplementedError" in line)
    assert verdict.lines == [f"mine.py:{number}: not written yet; this line is yours"]


@each
def test_the_starter_holds_no_line_of_the_solution(exercise: Exercise) -> None:
    starter = exercise.starter(1, 14)
    for _, lines in exercise.cut.answers:
        for line in lines:
            code = line.split("  #")[0].strip()
            assert not code or code.startswith(("#", "for ", "else", "if ")) or code not in starter, code


@each
def test_the_example_is_what_the_solution_prints(exercise: Exercise) -> None:
    names = vars(namespace(exercise.cut.solution, "solution"))
    test = doctest.DocTestParser().get_doctest(exercise.example, names, exercise.name, None, None)
    assert test.examples
    said = io.StringIO()
    assert doctest.DocTestRunner().run(test, out=said.write).failed == 0, said.getvalue()


@each
def test_there_are_at_least_five_mistakes_with_hints_of_their_own(exercise: Exercise) -> None:
    assert len({mistake.hint for mistake in exercise.mistakes}) == len(exercise.mistakes) >= 5
    assert exercise.also


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES, ids=lambda v: getattr(v, "name", None))
def test_a_typical_mistake_fails_and_gets_its_hint(exercise: Exercise, mistake: Mistake) -> None:
    assert mistake.old in exercise.cut.solution
    verdict = check(exercise, exercise.cut.solution.replace(mistake.old, mistake.new))
    assert not verdict.passed
    assert verdict.hint == mistake.hint, verdict.lines


@pytest.mark.parametrize(("exercise", "old", "new"), OTHER_FORMS, ids=lambda v: getattr(v, "name", None))
def test_another_right_form_passes(exercise: Exercise, old: str, new: str) -> None:
    assert old in exercise.cut.solution
    verdict = check(exercise, exercise.cut.solution.replace(old, new))
    assert verdict.passed, verdict.lines
