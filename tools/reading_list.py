"""How much does a student read to understand one step? What runs in it, and how many lines that is.

    python -m tools.reading_list

`one_step` below builds the G and D of `vanilla` and makes one step of each. Whatever of nanogan's own source runs in it
is on the list: functions and methods, whole, with docstring and comments, and the head of every class that has a method
there (its first line, docstring and fields, down to the first method). Each counts once, without blank lines.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import numpy as np

import nanogan
from nanogan import Adam, BCEWithLogits, Network, discriminator_gradients, generator_gradients
from nanogan.recipes.mnist import VANILLA

PACKAGE = Path(nanogan.__file__).parent


def one_step() -> None:
    """The README's first program, with one step of each on the networks of `vanilla`."""
    rng = np.random.default_rng(0)
    G = Network(VANILLA.generator, VANILLA.noise_size, rng=rng)
    D = Network(VANILLA.discriminator, VANILLA.image_shape, rng=rng)
    loss, adam = BCEWithLogits(), Adam(lr=2e-4)
    G_adam, D_adam = adam.bind(G), adam.bind(D)
    real = rng.uniform(-1, 1, (64, *VANILLA.image_shape)).astype(np.float32)
    z, z_again = rng.standard_normal((2, 64, VANILLA.noise_size), dtype=np.float32)
    fake = G.forward(z)
    discriminator_gradients(D, loss, real, fake)
    D_adam.step()
    fake = G.forward(z_again)
    generator_gradients(G, D, loss, fake)
    G_adam.step()


class Passage(NamedTuple):
    """Lines of a file that are read together: first and last, counted from 1."""

    name: str
    first: int
    last: int


def reading_list(program: Callable[[], Any]) -> dict[Path, list[Passage]]:
    """What runs in the program, by file."""
    return {
        path: sorted(set(passages(ast.parse(path.read_text(encoding="utf-8")), lines)), key=lambda p: p.first)
        for path, lines in sorted(called(program).items())
    }


def called(program: Callable[[], Any]) -> dict[Path, set[int]]:
    """The first line of each piece of the package's code that is called: of functions, comprehensions and lambdas."""
    codes: set[CodeType] = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            codes.add(frame.f_code)

    sys.setprofile(note)
    try:
        program()
    finally:
        sys.setprofile(None)
    lines: dict[Path, set[int]] = {}
    for code in codes:
        if (path := Path(code.co_filename)).is_relative_to(PACKAGE):
            lines.setdefault(path, set()).add(code.co_firstlineno)
    return lines


def passages(node: ast.Module | ast.ClassDef, lines: set[int]) -> Iterator[Passage]:
    """The functions in which one of these lines stands, and the heads of their classes."""
    for inner in node.body:
        first, last = first_line(inner), inner.end_lineno or 0
        if not any(first <= line <= last for line in lines):
            continue
        owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        if isinstance(inner, ast.FunctionDef):
            yield Passage(owner + inner.name, first, last)
        elif isinstance(inner, ast.ClassDef):
            methods = [first_line(method) for method in inner.body if isinstance(method, ast.FunctionDef)]
            yield Passage(f"class {inner.name}", first, min(methods) - 1)
            yield from passages(inner, lines)


def first_line(node: ast.stmt) -> int:
    """Where a statement begins, with its decorators."""
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])


def length(path: Path, passage: Passage) -> int:
    """Its lines that aren't blank."""
    return sum(
        map(bool, map(str.strip, path.read_text(encoding="utf-8").splitlines()[passage.first - 1 : passage.last]))
    )


def main() -> None:
    found = reading_list(one_step)
    total = functions = 0
    for path, read in found.items():
        lengths = [length(path, passage) for passage in read]
        print(f"{path.relative_to(PACKAGE).as_posix()}: {sum(lengths)}")
        for passage, lines in zip(read, lengths, strict=True):
            print(f"    {lines:4}  {passage.name}")
        total += sum(lengths)
        functions += sum(not passage.name.startswith("class ") for passage in read)
    print(f"{total} lines that aren't blank, of {functions} functions in {len(found)} files")


if __name__ == "__main__":
    main()
