"""The house keeps its plan: which folder may import which, and what `import nanogan` costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nanogan

PACKAGE = Path(nanogan.__file__).parent
FILES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}

BOOK = "numerics initializers layer layers reshape conv norm conditional network losses optim gan interop".split()
BOOK += ["adversarial", "penalties", "spectral", "augment"]
ORDER = [
    "errors",
    "settings",
    "backend",
    "backend_cupy",
    "backends",
    "workers",
    "book",
    "recipes",
    "io",
    "data",
    "plain",
    "metrics",
    "training",
]
ORDER += ["pix2pix", "cyclegan", "explore", "few", "parallel", "gradcheck", "learn", "report", "commands", "__main__"]
"""A file imports from its own room and from earlier ones. A folder is a room, and so is the book: the files on top."""


def room(file: str) -> str:
    """The room of "training/loop.py" is "training", that of "layers.py" is "book"."""
    first = file.removesuffix(".py").split("/")[0]
    return "book" if first in BOOK else "backend_cupy" if first.startswith("backend_cupy") else first


def imports(path: Path, file: str) -> set[str]:
    """The nanogan files that a file imports, wherever in it, as paths in the package; names of packages as they are."""
    here = file.split("/")[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            origin = [*(["nanogan", *base] if node.level else []), *(node.module.split(".") if node.module else [])]
            names = [".".join([*origin, alias.name]) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            package, *inner = name.split(".")
            if package == "nanogan":
                found.add(_file_of(inner))
    return found


def _file_of(inner: list[str]) -> str:
    """["training", "loop", "train"] -> "training/loop.py"; what no file holds belongs to the package's __init__.py."""
    for length in range(len(inner), 0, -1):
        for end in (".py", "/__init__.py"):
            if (file := "/".join(inner[:length]) + end) in FILES:
                return file
    return "__init__.py"


def allowed(importing: str, imported: str) -> bool:
    if imported == "__init__.py":  # the version
        return room(importing) in ("commands", "parallel", "training")
    before, after = room(imported), room(importing)
    return before == after or ORDER.index(before) < ORDER.index(after)


@pytest.mark.parametrize("file", [file for file in FILES if file != "__init__.py"])
def test_imports_point_one_way(file: str) -> None:
    assert room(file) in ORDER, f"{file} has no place in the order of the house yet: add its room to ORDER"
    wrong = {imported for imported in imports(FILES[file], file) if not allowed(file, imported)}
    assert not wrong, f"{file} may not import {', '.join(sorted(wrong))}"


def test_no_file_imports_itself_in_a_circle() -> None:
    edges = {file: imports(path, file) - {"__init__.py"} for file, path in FILES.items() if file != "__init__.py"}
    while edges:
        done = {file for file, needs in edges.items() if not needs & edges.keys() - {file}}
        assert done, f"a circle among {', '.join(sorted(edges))}"
        edges = {file: needs for file, needs in edges.items() if file not in done}


def test_the_check_of_imports_sees_a_wrong_edge(tmp_path: Path) -> None:
    path = tmp_path / "layers.py"
    path.write_text("def f():\n    from .training.loop import train\n    from nanogan.network import Network\n")
    assert imports(path, "layers.py") == {"training/loop.py", "network.py"}
    assert not allowed("layers.py", "training/loop.py")
    assert allowed("layers.py", "network.py")
    path.write_text("from .. import layers\nimport nanogan\nfrom nanogan import Linear\nfrom .log import as_csv\n")
    assert imports(path, "training/state.py") == {"layers.py", "__init__.py", "training/log.py"}


def test_only_the_backend_files_know_the_other_array_module() -> None:
    """In code, comments and docstrings alike, as a word of its own."""
    named = {file for file, path in FILES.items() if re.search(r"\bcupy\b", path.read_text(encoding="utf-8"))}
    assert named <= {"backend.py", "backends.py", "backend_cupy.py", "backend_cupy_graph.py", "backend_cupy_kernels.py"}


def test_the_package_exports_what_it_says() -> None:
    assert set(nanogan.__all__) <= set(vars(nanogan))
    tree = ast.parse(FILES["__init__.py"].read_text(encoding="utf-8"))
    docstring, *rest = tree.body
    assert isinstance(docstring, ast.Expr)
    assert all(isinstance(node, (ast.ImportFrom, ast.Assign)) for node in rest), "the public names, no code"


def test_importing_nanogan_loads_nothing_heavy() -> None:
    code = (
        "import sys; import numpy; before = set(sys.modules); import nanogan; "
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "nanogan" in loaded
    assert loaded <= {"nanogan"} | set(sys.stdlib_module_names)
