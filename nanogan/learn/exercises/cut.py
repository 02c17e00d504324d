"""An exercise's code, cut from the book: the functions it is about, with the lines left out that it asks for.

The book carries no marks for this. Functions are found by name and statements by how they begin, so an exercise can't
drift from the book: if a name is gone, the cut fails, and so does its test.
"""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

Definition = ast.FunctionDef | ast.ClassDef

TOP = "import numpy as np\n{imports}\nArray = np.ndarray\n"


@dataclass(frozen=True)
class Cut:
    """Which parts of a module of the book an exercise shows, and which lines of them it asks for.

    parts: functions, classes or methods by name ("Linear.forward"), in the order of the book.
    blank, drop: statements as "FUNCTION: BEGINNING" ("Linear.backward_params: self.dW"), several of them as
    "FUNCTION: BEGINNING ... BEGINNING OF THE LAST", or "FUNCTION" for its whole body.
    Blank ones are the learner's to write; dropped ones are another exercise's.
    """

    module: ModuleType
    parts: tuple[str, ...]
    blank: tuple[str, ...]
    drop: tuple[str, ...] = ()
    imports: str = ""

    @cached_property
    def book(self) -> list[str]:
        return inspect.getsource(self.module).splitlines()

    @cached_property
    def file(self) -> Path:
        return Path(inspect.getsourcefile(self.module) or "")

    @property
    def solution(self) -> str:
        """The parts, complete."""
        return self._text(blanked=False)

    @property
    def starter(self) -> str:
        """The parts, with a NotImplementedError for each run of lines that is left out."""
        return self._text(blanked=True)

    @property
    def answers(self) -> list[tuple[int, list[str]]]:
        """The lines left out as they stand in the book, each run of them with the number of its first line."""
        return [(first, self.book[first - 1 : last]) for first, last in map(self._span, self.blank)]

    @property
    def names(self) -> list[str]:
        """The functions in which lines are left out."""
        return list(dict.fromkeys(selector.split(":")[0] for selector in self.blank))

    def _text(self, blanked: bool) -> str:
        replaced = {n: "" for selector in self.drop for n in _lines(self._span(selector))}
        if blanked:
            for first, last in map(self._span, self.blank):
                indent = re.match(r"\s*", self.book[first - 1])
                replaced |= dict.fromkeys(_lines((first, last)), "")
                replaced[first] = f'{indent[0] if indent else ""}raise NotImplementedError("yours")  # instead of this'
        text, holder = [TOP.format(imports=f"\n{self.imports}\n" if self.imports else "")], ""
        for part in self.parts:
            before, holder = holder, part.rpartition(".")[0]
            if not holder or holder != before:
                text += ["", *self._head(holder)]
            definition = self._find(part)
            numbers = _lines((definition.lineno, definition.end_lineno or definition.lineno))
            lines = (replaced.get(n, self.book[n - 1] or "\n") for n in numbers)
            text += [*(line.rstrip("\n") for line in lines if line), ""]
        return "\n".join(text)

    def _head(self, name: str) -> list[str]:
        """The lines of a class above its body."""
        if not name:
            return []
        definition = self._find(name)
        return self.book[definition.lineno - 1 : definition.body[0].lineno - 1]

    def _find(self, name: str) -> Definition:
        body: list[ast.stmt] = ast.parse("\n".join(self.book)).body
        for word in name.split("."):
            found = [node for node in body if isinstance(node, Definition) and node.name == word]
            if len(found) != 1:
                raise LookupError(f"{self.file.name}: no {name}")
            body = found[0].body
        return found[0]

    def _span(self, selector: str) -> tuple[int, int]:
        """The first and the last line of what a selector names."""
        name, _, beginning = selector.partition(": ")
        function = self._find(name)
        if not beginning:
            return _end_of_head(function) + 1, function.end_lineno or function.lineno
        start, _, end = beginning.partition(" ... ")
        return self._statement(function, start)[0], self._statement(function, end or start)[1]

    def _statement(self, function: Definition, beginning: str) -> tuple[int, int]:
        """First and last line of the first statement that begins so."""
        for node in ast.walk(function):
            if isinstance(node, ast.stmt) and self.book[node.lineno - 1].strip().startswith(beginning):
                return node.lineno, node.end_lineno or node.lineno
        raise LookupError(f"{self.file.name}: no statement in {function.name} begins with {beginning}")


def _lines(span: tuple[int, int]) -> range:
    return range(span[0], span[1] + 1)


def _end_of_head(function: Definition) -> int:
    """The last line of `def f(...) -> ...:`; the comments below it belong to the body."""
    if isinstance(function, ast.ClassDef):
        return function.lineno
    return (function.returns or function.args.args[-1]).end_lineno or function.lineno
