"""What a training step computes, found by watching it run: each array as it is made, and the lines that made it.

Nothing of the library is changed or wrapped. Python calls `Tracer` back before every line of the functions of the book;
it looks which arrays have changed since the line before, and gives them names. Read `tiny.py` next, which has the steps
that are traced.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

import numpy as np

from ...backend import Workspace
from ...layer import Layer
from ...losses import Loss
from ...network import Network, Sequential
from ...optim import Optimizer
from .arithmetic import FUNCTIONS
from .formulas import BY_CODE, WORDS
from .record import Entry, NotKnown, Record, fingerprint, key, line_of, some, unnumbered


class Tracer:
    """Watches the functions that `formulas` is about, and tells `record` what they make."""

    def __init__(self, record: Record, formulas: Mapping[CodeType, Mapping[str, str]] = BY_CODE) -> None:
        self.record = record
        self.formulas = formulas

    @contextmanager
    def watching(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self.call)
        try:
            yield
        finally:
            sys.settrace(before)

    def call(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Python's trace function: what to call for each line of the function that begins."""
        if frame.f_code is Workspace.buffer.__code__:
            return _spoil
        formulas = self.formulas.get(frame.f_code)
        if formulas is None:
            return None
        owner = frame.f_locals.get("self")
        if isinstance(owner, Sequential) and not isinstance(owner, Network):
            return None
        if isinstance(owner, Layer) and not isinstance(owner, Sequential) and "x" in frame.f_locals:
            self.record.inputs[id(owner)] = self.record.name_of(frame.f_locals["x"])
        return Watch(self.record, owner, formulas, frame).event


def _spoil(frame: FrameType, event: str, argument: Any) -> Any:
    """Fill a work array with NaN: it may hold anything, and so each line that writes to it is seen to change it."""
    if event == "return" and argument is not None and argument.dtype.kind == "f" and not frame.f_locals["zeroed"]:
        argument[...] = np.nan
    return _spoil


class Watch:
    """One call of a function: which line has changed which of its arrays."""

    def __init__(self, record: Record, owner: Any, formulas: Mapping[str, str], frame: FrameType) -> None:
        self.record = record
        self.owner = owner
        self.results = dict(map(_result, formulas.items()))
        self.made: dict[str, Entry] = {}
        self.before: dict[str, Entry | None] = {}  # what lay there until then
        self.seen: dict[Any, bytes] = {}
        self.lines: dict[Any, list[int]] = {}
        self.born: dict[Any, int] = {}  # the lines after which arrays were there, which count if no other wrote to them
        self.line = frame.f_lineno
        for array in self.arrays(frame.f_locals):
            self.seen[key(array)] = fingerprint(array)

    def event(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event in ("line", "return"):  # self.line has run
            names = {**frame.f_locals, "returned": argument if event == "return" else None}
            changed = {key(array) for array in self.arrays(names) if self.has_changed(array)}
            for own, (expression, formula) in self.results.items():
                array = _value(expression, names)
                if array is not None and self.is_due(expression, formula, key(array) in changed, event):
                    self.tell(own, array, formula, frame, names)
            if event == "return":
                self.forget_repetitions(names)
        self.line = frame.f_lineno
        return self.event

    def forget_repetitions(self, names: Mapping[str, Any]) -> None:
        """Take back what the function has made if the same values lay in the same memory before."""
        for own, before in self.before.items():
            entry = self.made[own]
            if before and before.fingerprint == entry.fingerprint:
                self.record.forget(entry, _value(self.results[own][0], names), before)

    def arrays(self, names: Mapping[str, Any]) -> list[Any]:
        """The arrays that the function's names and results stand for now."""
        results = (_value(expression, names) for expression, _ in self.results.values())
        return [array for array in (*names.values(), *results) if isinstance(array, (np.ndarray, np.floating))]

    def has_changed(self, array: Any) -> bool:
        """Whether the line that has just run made or changed the array; if so, the line is noted."""
        place, values = key(array), fingerprint(array)
        if self.seen.get(place) == values:
            return False
        if place in self.seen:
            self.lines.setdefault(place, []).append(self.line)
        else:
            self.born[place] = self.line
        self.seen[place] = values
        return True

    def is_due(self, expression: str, formula: str, changed: bool, event: str) -> bool:
        """What is returned, and what many calls make together, is looked at in the end; else what has changed."""
        if expression.startswith("returned") or formula.startswith("flat"):
            return event == "return"
        return changed

    def tell(self, own: str, array: Any, formula: str, frame: FrameType, names: Mapping[str, Any]) -> None:
        """Record the array, or what has become of it."""
        if np.isnan(some(np.asarray(array))).all():
            return
        place = key(array)
        numbers = self.lines.get(place) or [self.born.get(place, self.line)]
        lines = tuple(line_of(frame.f_code, number) for number in dict.fromkeys(numbers))
        if own in self.made:
            self.record.remake(self.made[own], array, lines)
            return
        held = self.record.holds(array)
        try:
            name = self.record.named(self.owner, own, frame)
            if held and not formula.startswith("known("):
                resolved = self.name_elsewhere(name, held)
            else:
                resolved = self.resolved(formula, names)
        except NotKnown:
            return
        self.before[own] = None if held else self.record.now.get(place)
        part = part_of(self.owner, own) if formula else "given"
        what, words = self.record.described(self.owner, name, own), formula.partition(WORDS)[2]
        self.made[own] = self.record.add(name, array, resolved, part, lines, what, words=words)

    def name_elsewhere(self, name: str, held: Entry) -> str:
        """Of what a layer returns as it was given, or as a view of it. Raises NotKnown if it is recorded already."""
        if not isinstance(self.owner, Layer) or unnumbered(held.name) == unnumbered(name):
            raise NotKnown
        return held.name

    def resolved(self, formula: str, names: Mapping[str, Any]) -> str:
        """The formula with the names of the arrays and the values of the numbers in it."""
        if formula.startswith("flat"):
            return self.record.flat(self.owner, "d")
        if not formula or formula.startswith(WORDS):
            return ""
        return ast.unparse(Names(self.record, names).visit(ast.parse(formula, mode="eval")))


class Names(ast.NodeTransformer):
    """Replaces what a function calls something by what it is called in the record, and numbers by their values."""

    def __init__(self, record: Record, names: Mapping[str, Any]) -> None:
        self.record = record
        self.names = names

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name):
            if node.func.id == "known":
                return ast.Name(self.record.alike(_value(ast.unparse(node.args[0]), self.names)))
            node.args = [self.visit(argument) for argument in node.args]
            return node
        return self.generic_visit(node)

    def visit_chain(self, node: Any) -> ast.AST:
        value = _value(ast.unparse(node), self.names)
        if isinstance(value, (int, float)) and not isinstance(value, np.floating):
            return ast.Name(f"{value:g}")
        if value is None:
            if isinstance(node, ast.Name) and node.id not in (entry.name for entry in self.record.entries):
                raise NotKnown(node.id)
            return node
        if not isinstance(value, (np.ndarray, np.floating)):
            return self.generic_visit(node)
        try:
            return ast.Name(self.record.name_of(value))
        except NotKnown:
            if isinstance(node, ast.Name):
                raise
            return self.generic_visit(node)

    visit_Name = visit_Attribute = visit_Subscript = visit_chain


def _result(item: tuple[str, str]) -> tuple[str, tuple[str, str]]:
    """ "dgamma: returned[0]" and a formula: the name, the expression, the formula. "self.dW" is called "dW"."""
    own, _, expression = item[0].partition(": ")
    return own.removeprefix("self."), (expression or own, item[1])


def _value(expression: str, names: Mapping[str, Any]) -> Any:
    """The expression in the names of a function that runs, or None as long as it has no value."""
    try:
        return eval(expression, {}, {**FUNCTIONS, **names})
    except (NameError, AttributeError, IndexError, TypeError):
        return None


def part_of(owner: Any, own: str) -> str:
    """The part of the step: forward, loss, backward or update."""
    if isinstance(owner, Optimizer):
        return "update"
    if isinstance(owner, Loss) or own in ("loss", "dlogits"):
        return "loss"
    if own.endswith("grads") or (own.startswith("d") and own != "deviation"):
        return "backward"
    return "forward"
