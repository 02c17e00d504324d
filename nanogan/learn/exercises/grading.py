"""The verdict on an exercise: run the code, compare what it computes, say what is wrong with it and what that means.

Any form that computes the right values passes. A wrong one is compared with what typical mistakes compute in its place.
"""

from __future__ import annotations

import ast
import traceback
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from ...backend import Array
from ...gradcheck.derivative import Derivative, Row
from .exercise import Exercise, Results, Truth


class Failure(NamedTuple):
    """Code that ended with an exception. line: in the learner's file, or 0."""

    kind: str
    message: str
    line: int


class Verdict(NamedTuple):
    """Whether an exercise is solved, and what the learner is told. hint: of the typical mistake, if it is one."""

    passed: bool
    lines: list[str]
    hint: str = ""


Outcome = Results | Failure


def grade(exercise: Exercise, path: Path) -> Verdict:
    """Check the learner's file."""
    try:
        source = read(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return Verdict(False, [f"{path}: cannot be read ({reason}); `learn reset {exercise.name}` writes it again"])
    return grade_source(exercise, source, path)


def read(path: Path) -> str:
    """The learner's source, which an editor may have begun with a byte order mark."""
    return path.read_text(encoding="utf-8-sig")


def grade_source(exercise: Exercise, source: str, path: Path) -> Verdict:
    outcome = attempt(exercise, source, str(path))
    if isinstance(outcome, Failure):
        first = f"{path}:{outcome.line}: " if outcome.line else f"{path}: "
        if outcome.kind == "NotImplementedError":
            return Verdict(False, [f"{first}not written yet; this line is yours"])
        lines = [f"{first}{outcome.kind}: {outcome.message}"]
        if outcome.kind in ("ValueError", "IndexError"):  # most often shapes that don't fit
            lines += [f"  the case: {', '.join(f'{k} {v.shape}' for k, v in exercise.probe.given.items() if v.ndim)}"]
        return _with_hint(exercise, outcome, lines)
    truths = exercise.probe.measure(namespace(exercise.cut.solution, "the book"))
    for name, truth in truths.items():
        finding = _compare(name, outcome[name], truth, exercise.probe.counts)
        if finding:
            place = f"{path}:{_line_of(source, exercise.cut.names)}: "
            return _with_hint(exercise, outcome, [f"{place}{finding[0]}", *finding[1:], *_case(exercise)])
    return Verdict(True, [f"{path.name}: passed"])


# ---- running code


def namespace(source: str, file: str) -> ModuleType:
    """The module that a source text defines."""
    module = ModuleType("exercise")
    exec(compile(source, file, "exec"), vars(module))
    return module


def attempt(exercise: Exercise, source: str, file: str) -> Outcome:
    """What the code computes, or how it fails."""
    try:
        with np.errstate(all="ignore"):
            module = namespace(source, file)
            for name in exercise.cut.names:
                _find(module, name)
            results = exercise.probe.observe(module)
        return {name: _as_array(name, value) for name, value in results.items()}
    except SyntaxError as error:
        return Failure(
            "SyntaxError", error.msg or "invalid syntax", (error.lineno or 0) if error.filename == file else 0
        )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # sys.exit, too
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        message = " ".join(str(error).split()) or "no message"
        return Failure(type(error).__name__, message, (lines or [0])[-1] or 0)


def _find(module: ModuleType, name: str) -> None:
    found: object = module
    for word in name.split("."):
        found = getattr(found, word, None)
    if not callable(found):
        raise LookupError(f"{name} is missing; put it back, or `python -m nanogan learn reset` the file")


def _as_array(name: str, value: object) -> Array:
    if value is None:
        raise TypeError(f"{name} is None: is a `return` missing, or an array never written?")
    try:
        return np.array(value, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is no array of numbers but {type(value).__name__}") from None


# ---- comparing


def _compare(name: str, got: Array, truth: Truth, counts: dict[str, int]) -> list[str]:
    """What is wrong with one array, in lines; none if it is right."""
    want = truth.values
    if got.shape != want.shape:
        return [f"{name} has shape {got.shape}, expected {want.shape}"]
    derivatives = [
        Derivative(
            str(list(at)), float(got[at]), None if np.isnan(want[at]) else float(want[at]), float(truth.resolution[at])
        )
        for at in np.ndindex(want.shape)
    ]
    row = Row(name, want.size, derivatives, counts)
    if row.verdict != "FAIL":
        return []
    worst, how = row.worst, "numeric" if truth.is_numeric else "expected"
    where = f"{name}{worst.where if want.shape else ''}"
    lines = [f"{where} is wrong: yours {worst.written:.6g}, {how} {worst.measured:.6g}, ratio {worst.ratio + 0.0:.6g}"]
    wrong = sum(d.error >= 1e-6 for d in derivatives)
    lines.append(f"  {wrong} of {row.checked} values are wrong" + (f"; {row.hint}" if row.hint else ""))
    return lines


def _with_hint(exercise: Exercise, outcome: Outcome, lines: list[str]) -> Verdict:
    """The verdict on something wrong, with the hint of the typical mistake that has the same outcome."""
    solution = exercise.cut.solution
    for mistake in exercise.mistakes:
        if same(outcome, attempt(exercise, solution.replace(mistake.old, mistake.new), "a mistake")):
            return Verdict(False, [*lines, f"  hint: {mistake.hint}"], mistake.hint)
    return Verdict(False, lines)


def same(one: Outcome, other: Outcome) -> bool:
    """Whether two pieces of code do the same: equal arrays, or the same exception."""
    if isinstance(one, Failure) or isinstance(other, Failure):
        return isinstance(one, Failure) and isinstance(other, Failure) and one[:2] == other[:2]
    return all(
        one[name].shape == other[name].shape
        and np.allclose(one[name], other[name], rtol=1e-6, atol=1e-12, equal_nan=True)
        for name in other
    )


def _case(exercise: Exercise) -> list[str]:
    """The case, in full if it is small."""
    lines = ["  the case:"]
    for name, values in exercise.probe.given.items():
        if values.size > 24:
            lines.append(f"    {name}: shape {values.shape}")
        else:
            text = np.array2string(values, precision=3, separator=", ", suppress_small=True)
            lines.append(f"    {name} = " + text.replace("\n", "\n" + " " * (len(name) + 7)))
    return lines


def _line_of(source: str, names: list[str]) -> int:
    """The last line of the first function that the learner writes: there its value is made or returned."""
    found: ast.AST | None = ast.parse(source)
    for name in names[0].split("."):
        inner = (node for node in getattr(found, "body", []) if getattr(node, "name", "") == name)
        found = next(inner, None)
    return found.body[-1].lineno if isinstance(found, ast.FunctionDef) else 1
