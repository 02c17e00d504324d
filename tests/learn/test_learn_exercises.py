"""Every exercise of `learn`: its solution passes, its blank fails, and each typical mistake gets its own hint."""

from __future__ import annotations

import doctest
import io
import time
from dataclasses import replace
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


RESPELLED = {
    "linear_dw": ("self.x.T @ dy", "np.einsum('ni,nj->ij', self.x, dy) / dy.shape[0]", "a mean where a sum belongs"),
    "linear_dx": ("dy @ self.W.T", "(self.W @ dy.T).reshape(4, 3)", "this is dx transposed"),
    "bias": ("dy.sum(axis=0)", "np.add.reduce(dy, axis=None)", "everything is summed"),
    "leaky_relu": (
        "np.where(self.x > 0, dy, self.slope * dy)",
        "(dy > 0) * dy + (dy <= 0) * dy * self.slope",
        "the mask looks at dy",
    ),
    "bce": ("(p - t) / len(x)", "(1 / (1 + np.exp(-x)) - t)", "dx isn't divided by N"),
    "batch_norm": ("(dy - through_mean - through_std)", "(dy - dy.sum(axis=0) / 5)", "the way through std is missing"),
    "adam": ("**self.t", "**1", "the power of t is missing"),
}


@pytest.mark.parametrize("name", RESPELLED)
def test_a_mistake_is_known_by_what_it_computes(name: str) -> None:
    exercise, (old, new, hint) = BY_NAME[name], RESPELLED[name]
    assert old in exercise.cut.solution
    verdict = check(exercise, exercise.cut.solution.replace(old, new))
    assert verdict.hint.startswith(hint), verdict.lines


def test_an_unknown_mistake_is_told_its_ratio() -> None:
    exercise = BY_NAME["tanh"]
    verdict = check(exercise, exercise.cut.solution.replace("dy * (1", "-7 * dy * (1"))
    assert not verdict.passed and not verdict.hint
    assert "ratio -7" in verdict.lines[0]
    assert "the sign is wrong, and every one is off by the same factor, 7" in verdict.lines[1]


def test_a_cut_that_the_book_has_left_behind_is_an_error() -> None:
    cut = BY_NAME["bias"].cut
    for gone in ("Linear.backward_bias", "Linear.backward_params: self.dc"):
        with pytest.raises(LookupError, match=gone.split(": ")[-1].split(".")[-1]):
            _ = replace(cut, blank=(gone,)).starter
