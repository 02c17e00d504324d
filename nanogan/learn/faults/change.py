"""A change to nanogan's own source: which lines, what stands there instead, and running with it for a while.

So that the sound line that is shown can't differ from the one that runs, it is looked up in the source, and what is
compiled is the source with that piece of text replaced. A change whose text isn't there any more is an error.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from ...errors import InputError

PACKAGE = Path(__file__).parents[2]


class Line(NamedTuple):
    """A line of the source that a change touches. number: counted from 1."""

    file: str
    number: int
    sound: str
    broken: str


@dataclass(frozen=True)
class Change:
    """What to change in one function or method of nanogan.

    replaced: pieces of its source, each of which stands there once, and what stands there instead. A piece may go over
    several lines, and then becomes as many.
    """

    function: Callable[..., Any]
    replaced: Mapping[str, str]

    def lines(self) -> list[Line]:
        """The lines that differ, in order."""
        function = inspect.unwrap(self.function)
        sound, first = inspect.getsourcelines(function)
        file = Path(inspect.getfile(function)).relative_to(PACKAGE.parent).as_posix()
        pairs = zip(sound, self._broken("".join(sound)).splitlines(keepends=True), strict=True)
        return [
            Line(file, first + offset, ours.rstrip(), theirs.rstrip())
            for offset, (ours, theirs) in enumerate(pairs)
            if ours != theirs
        ]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run with the change: whoever calls the function, from wherever it was imported, calls the broken one."""
        function: Any = inspect.unwrap(self.function)
        sound = function.__code__
        function.__code__ = self._code(function)
        try:
            yield
        finally:
            function.__code__ = sound

    def _broken(self, source: str) -> str:
        for sound, broken in self.replaced.items():
            if source.count(sound) != 1:
                found = f"{self.function.__qualname__}: expected {sound!r} once, found it {source.count(sound)} times"
                raise InputError(f"{found}; say in nanogan/learn/faults/catalog.py what stands there now")
            source = source.replace(sound, broken)
        return source

    def _code(self, function: Any) -> CodeType:
        """The broken source, compiled as part of its file; what the decorators add is there already."""
        lines, first = inspect.getsourcelines(function)
        indented = lines[0].startswith(" ")
        source = "if True:\n" * indented + self._broken("".join(lines))
        tree = ast.parse(source)
        definition = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
        definition.decorator_list = []
        module = ast.increment_lineno(ast.Module([definition], []), first - 1 - indented)
        names = dict(function.__globals__)
        exec(compile(module, inspect.getfile(function), "exec"), names)  # annotations are text, as in this file
        return names[function.__name__].__code__
