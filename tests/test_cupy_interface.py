"""Every name that nanogan uses of an array module or an array exists in CuPy: as recorded, and as installed.

Running on the double sees what the tests run; reading the source sees the rest.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from double import MANIFEST

import nanogan

SOURCES = sorted(Path(nanogan.__file__).parent.rglob("*.py"))
NOT_OF_ARRAYS = {"resize"}  # what else has it: Pillow's images


def dotted(node: ast.expr) -> str:
    """self.backend.xp.linalg.norm -> "self.backend.xp.linalg.norm"; "" for what is not a chain of names."""
    if isinstance(node, ast.Attribute) and (owner := dotted(node.value)):
        return f"{owner}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def used_of_module(source: str) -> Iterator[str]:
    """What stands behind xp or cupy, with or without owners before it: "tanh", "linalg.norm"."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            parts = dotted(node).split(".")
            for position, part in enumerate(parts[:-1]):
                if part in ("xp", "cupy") and not parts[position + 1].startswith("_"):
                    yield ".".join(parts[position + 1 :])


def used_of_arrays(source: str) -> Iterator[str]:
    """Every public attribute, of anything, that a NumPy array has too."""
    of_arrays = {name for name in dir(np.ndarray) if not name.startswith("_")} - NOT_OF_ARRAYS
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in of_arrays:
            yield node.attr


def recorded(name: str) -> bool:
    """Is `name` in the manifest, or what holds it, where that was not looked into?"""
    namespace, _, last = name.rpartition(".")
    return last in MANIFEST[namespace] if namespace in MANIFEST else recorded(namespace)


def test_the_reader_sees_uses() -> None:
    source = "y = self.backend.xp.linalg.norm(x); xp.tanh(x.sum()).unknown; f(x).ctypes; xp.__name__"
    assert set(used_of_module(source)) == {"linalg", "linalg.norm", "tanh"}
    assert set(used_of_arrays(source)) == {"sum", "ctypes"}
    assert (
        recorded("linalg.norm")
        and recorded("cuda.Device.use")
        and not recorded("linalg.nrom")
        and not recorded("vecdot")
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_name_is_recorded(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert [name for name in used_of_module(source) if not recorded(name)] == []
    assert [name for name in used_of_arrays(source) if name not in MANIFEST["ndarray"]] == []


def test_every_name_is_in_the_installed_cupy() -> None:
    cupy = pytest.importorskip("cupy", reason="the real cupy package is not installed")
    for path in SOURCES:
        for name in used_of_module(path.read_text(encoding="utf-8")):
            thing: Any = cupy
            for part in name.split("."):
                thing = getattr(thing, part)
        for name in used_of_arrays(path.read_text(encoding="utf-8")):
            assert hasattr(cupy.ndarray, name), f"{path.name}: {name}"
