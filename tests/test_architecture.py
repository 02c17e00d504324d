"""The house keeps its plan: which module may import which, and what `import nanogan` costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import nanogan

PACKAGE = Path(nanogan.__file__).parent
MODULES = {path.stem: path for path in sorted(PACKAGE.glob("*.py"))}

ORDER = [
    {"errors", "__version__"},
    {"backend"},
    {"backend_cupy", "functions", "files"},
    {"layer", "losses", "optim"},
    {"layers", "conv", "norm"},
    {"network"},
    {"gan"},
    {"recipe", "derivative", "average"},
    {"recipes", "pix2pix"},
    {
        "data",
        "metrics",
        "checkpoint",
        "log",
        "gradcheck",
        "interop",
        "plots",
        "command_line",
        "classifier",
        "similarity",
    },
    {"trainer"},
    {"proof", "training", "mixtures", "evaluation", "pairs"},
    {"nonfinite", "diagnosis", "image_to_image"},
    {"runs", "doctor"},
    {"__main__"},
    {"__init__"},
]
"""Imports point from a later line to an earlier one, never within a line or forwards."""
RANK = {module: rank for rank, modules in enumerate(ORDER) for module in modules}
ALSO = {("backend", "backend_cupy"), ("doctor", "__init__")}
"""The backend is chosen by name when it is asked for; the doctor reads nothing but the version."""


def imports(path: Path) -> set[str]:
    """The nanogan modules that a file imports, wherever in the file; "__init__" for the package itself."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            origin = [*(["nanogan"] if node.level else []), *([node.module] if node.module else [])]
            names = [".".join([*origin, alias.name]) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            package, *inner = name.split(".")
            if package == "nanogan":
                found.add(inner[0] if inner and inner[0] in MODULES else "__init__")
    return found


def allowed(importing: str, imported: str) -> bool:
    return RANK[imported] < RANK[importing] or (importing, imported) in ALSO


@pytest.mark.parametrize("name", [name for name in MODULES if name != "__init__"])
def test_imports_point_one_way(name: str) -> None:
    assert name in RANK, f"{name}.py has no place in the order of the house yet: add it to ORDER"
    wrong = {imported for imported in imports(MODULES[name]) if imported not in RANK or not allowed(name, imported)}
    assert not wrong, f"{name}.py may not import {', '.join(sorted(wrong))}"


def test_the_check_of_imports_sees_a_wrong_edge(tmp_path: Path) -> None:
    path = tmp_path / "layers.py"
    path.write_text("def f():\n    from .gan import discriminator_step\n    from nanogan.network import Network\n")
    assert imports(path) == {"gan", "network"}
    assert not allowed("layers", "gan")
    assert not allowed("losses", "optim")
    path.write_text("from . import layers\nimport nanogan\nfrom nanogan import Linear\n")
    assert imports(path) == {"layers", "__init__"}


def test_only_the_two_backend_files_know_the_other_array_module() -> None:
    """In code, comments and docstrings alike, as a word of its own."""
    named = {name for name, path in MODULES.items() if re.search(r"\bcupy\b", path.read_text(encoding="utf-8"))}
    assert named <= {"backend", "backend_cupy"}


def test_the_package_exports_what_it_says() -> None:
    assert set(nanogan.__all__) <= set(vars(nanogan))
    tree = ast.parse(MODULES["__init__"].read_text(encoding="utf-8"))
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
