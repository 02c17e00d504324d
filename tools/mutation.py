"""Is every line of the arithmetic held by a test? Change one thing at a time and see whether the tests notice.

    python tools/mutation.py [layers losses ...] [--jobs 2]

Every mutant is one small change (+ for -, a constant, a dropped statement, a missing `out=`) in one module, tried in
a copy of the package by that module's tests on NumPy. What survives is printed; those that change no result that
anyone could see are named in EQUIVALENT, with the reason. Exits with 1 if fewer than 95 % of the others are caught.
"""

from __future__ import annotations

import argparse
import ast
import operator
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from threading import local

ROOT = Path(__file__).parent.parent
GOAL = 0.95
TIMEOUT = 120  # seconds: a mutant that runs longer hangs, which is noticed too

TESTS = {
    "numerics": ["test_losses", "test_layers"],
    "layer": ["test_layers", "test_network"],
    "layers": ["test_layers", "test_golden"],
    "conv": ["test_layers", "test_conv"],
    "norm": ["test_norm", "test_layers", "test_gan"],
    "losses": ["test_losses", "test_cross_entropy", "test_golden"],
    "network": ["test_network", "test_layers"],
    "optim": ["test_optim", "test_golden"],
    "gan": ["test_gan", "test_golden"],
}
"""Which tests hold a module, those that find most first."""

NEEDS_DOUBLE = {"optim", "network"}
"""Modules of which a part shows only on the double of CuPy: Adam's kernel, memory that was never written. The others
are tried on NumPy alone, in half the time."""

TRAINING = "True to False: def forward(self, x: Array, training: bool=True) -> Array:"
SAME_IN_EVALUATION = {
    "layers": ["Linear", "ReLU", "LeakyReLU", "Tanh", "Sigmoid", "Maxout", "Reshape", "Flatten", "Upsample"],
    "conv": ["Conv2d", "ConvTranspose2d"],
}
INFERRED = "NumPy infers any negative length, as it does -1"
EQUIVALENT: dict[tuple[str, str, str], str] = {
    **{
        (module, f"{layer}.forward", TRAINING): "the layer does the same in training and in evaluation"
        for module, layers in SAME_IN_EVALUATION.items()
        for layer in layers
    },
    ("gan", "generator_gradients", "Mult to Div: dlogits *= -1"): "times -1 is divided by -1",
    ("layer", "Layer.forward", TRAINING): "the base class only says that there is no forward",
    ("layers", "Maxout._dlines", "1 to 2: return dlines.reshape(len(dy), -1)"): INFERRED,
    ("layers", "Flatten.forward", "1 to 2: return x.reshape(len(x), -1)"): INFERRED,
    ("numerics", "channel_sums", "1 to 2: return work.reshape(-1, x.shape[-1]).sum(axis=0, out=out)"): INFERRED,
    ("conv", "_Convolution.weight_shape", "dropped: raise NotImplementedError"): "both subclasses say their own",
    (
        "norm",
        "BatchNorm._input_gradient",
        "without out=: return self.xp.multiply(dy, self._over_image(self.gamma / self.std), out=dx)",
    ): "the same numbers in a new array, and only in evaluation",
    ("losses", "BCEWithLogits.slopes", "dropped: return out"): "they are read from out, not from what is returned",
    (
        "optim",
        "",
        "dropped: AnyOptimizer = TypeVar('AnyOptimizer', bound='Optimizer')",
    ): "only annotations name it, and nothing evaluates them",
    (
        "optim",
        "Optimizer._own",
        "0 to 1: self.decayed = xp.empty(size if self.weight_decay else 0, dtype=network.params.dtype)",
    ): "without weight decay the array isn't used",
}
"""Mutants, as (module, class or function, change), that change no result; and why."""

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.USub: ast.UAdd,
}

FUNCTIONS = {
    "add": "subtract",
    "subtract": "add",
    "multiply": "divide",
    "divide": "multiply",
    "maximum": "minimum",
    "minimum": "maximum",
    "greater": "less",
    "greater_equal": "less",
    "exp": "expm1",
    "log1p": "log",
    "sum": "mean",
    "mean": "sum",
    "zeros": "empty",
    "zeros_like": "empty_like",
    "min": "max",
    "reversed": "list",
}


@dataclass(frozen=True)
class Mutant:
    """One changed module: the line and the class or function, what was changed, and the whole new source."""

    module: str
    line: int
    scope: str
    change: str
    source: str

    def __str__(self) -> str:
        return f"{self.module}.py:{self.line} {self.scope}: {self.change}"


Change = tuple[int, str, Callable[[ast.AST], None]]
"""The line, what is changed, and a function that changes it in the node at the same place in a copy of the tree."""


def setting(field: str, value: object) -> Callable[[ast.AST], None]:
    return lambda node: setattr(node, field, value)


def swap_ends(node: ast.AST) -> None:
    assert isinstance(node, ast.Slice)
    node.lower, node.upper = node.upper, node.lower


def dropping(field: str, i: int) -> Callable[[ast.AST], None]:
    return lambda node: operator.setitem(getattr(node, field), i, ast.Pass())


def changes(node: ast.AST) -> Iterator[Change]:
    """Everything that is tried on one node."""
    line = getattr(node, "lineno", 1)
    if isinstance(node, (ast.BinOp, ast.AugAssign, ast.BoolOp, ast.UnaryOp)) and type(node.op) in OPERATORS:
        new = OPERATORS[type(node.op)]
        yield line, f"{type(node.op).__name__} to {new.__name__}", setting("op", new())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OPERATORS:
        new = OPERATORS[type(node.ops[0])]
        yield line, f"{type(node.ops[0]).__name__} to {new.__name__}", setting("ops", [new(), *node.ops[1:]])
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        value = not node.value if isinstance(node.value, bool) else node.value + 1
        yield line, f"{node.value} to {value}", setting("value", value)
    if isinstance(node, (ast.If, ast.IfExp)):
        yield line, "condition negated", setting("test", ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.Slice) and (node.lower is None) != (node.upper is None) and node.step is None:
        yield line, "the other end of the slice", swap_ends
    if isinstance(node, ast.Call):
        kept = [keyword for keyword in node.keywords if keyword.arg != "out"]
        if len(kept) < len(node.keywords):
            yield line, "without out=", setting("keywords", kept)
        if isinstance(node.func, ast.Attribute) and node.func.attr in FUNCTIONS:
            attribute = ast.Attribute(node.func.value, FUNCTIONS[node.func.attr], ast.Load())
            yield line, f"{node.func.attr} to {attribute.attr}", setting("func", attribute)
        if isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
            name = FUNCTIONS[node.func.id]
            yield line, f"{node.func.id} to {name}", setting("func", ast.Name(name, ast.Load()))
    for field in ("body", "orelse"):
        for i, statement in enumerate(getattr(node, field, []) if not isinstance(node, ast.IfExp) else []):
            if droppable(statement):
                yield statement.lineno, "dropped", dropping(field, i)


def droppable(statement: ast.stmt) -> bool:
    """Statements that do something: no definitions, no imports, no docstrings."""
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)
    return isinstance(statement, (ast.Assign, ast.AugAssign, ast.Return, ast.Raise))


def arithmetic(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node in a fixed order, but for type annotations, decorators and the texts of messages."""
    yield tree
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list") or isinstance(tree, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from arithmetic(child)


def mutants(module: str) -> Iterator[Mutant]:
    tree = ast.parse((ROOT / "nanogan" / f"{module}.py").read_text(encoding="utf-8"))
    for number, node in enumerate(arithmetic(tree)):
        for position, (line, what, _) in enumerate(changes(node)):
            changed = deepcopy(tree)
            twin = list(arithmetic(changed))[number]
            before = ast.unparse(changed).splitlines()
            list(changes(twin))[position][2](twin)
            after = ast.unparse(ast.fix_missing_locations(changed)).splitlines()
            text = next((old.strip() for old, new in zip(before, after, strict=False) if old != new), "")
            yield Mutant(module, line, scope(tree, line), f"{what}: {text}", "\n".join(after))


def scope(tree: ast.AST, line: int) -> str:
    """The classes and functions that a line lies in, as "Linear.forward"."""
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return ".".join(node.name for node in sorted(around, key=lambda node: node.lineno))


# ---- trying them

NO_SHRINKING = """
hypothesis.settings.register_profile(
    "mutants", hypothesis.settings.get_profile("nanogan"), phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate]
)
hypothesis.settings.load_profile("mutants")
"""
"""One failing example is enough; nobody will read it."""

workers = local()


def survives(mutant: Mutant, folder: str) -> bool:
    """Whether the module's tests pass, in this thread's own copy of the project in `folder`."""
    if not hasattr(workers, "copy"):
        workers.copy = Path(tempfile.mkdtemp(dir=folder))
        for name in ("nanogan", "tests", "tools"):
            shutil.copytree(ROOT / name, workers.copy / name, ignore=shutil.ignore_patterns("mnist", "__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", workers.copy)
        with (workers.copy / "tests" / "conftest.py").open("a", encoding="utf-8") as conftest:
            conftest.write(NO_SHRINKING)
    path = workers.copy / "nanogan" / f"{mutant.module}.py"
    original = path.read_text(encoding="utf-8")
    path.write_text(mutant.source, encoding="utf-8")
    files = [f"tests/{name}.py" for name in TESTS[mutant.module]]
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-p", "no:cacheprovider", "--tb=no", *files]
    if mutant.module not in NEEDS_DOUBLE:
        command += ["-k", "not double"]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        ran = subprocess.run(command, cwd=workers.copy, env=one_thread, capture_output=True, timeout=TIMEOUT)
        return ran.returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        path.write_text(original, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=list(TESTS), help=f"of {', '.join(TESTS)}")
    parser.add_argument("--jobs", type=int, default=2, help="how many copies to work in at a time")
    arguments = parser.parse_args()
    total = caught = 0
    with tempfile.TemporaryDirectory(prefix="nanogan-mutants-") as folder, ThreadPoolExecutor(arguments.jobs) as pool:
        for module in arguments.modules:
            unchanged = (ROOT / "nanogan" / f"{module}.py").read_text(encoding="utf-8")
            if not survives(Mutant(module, 0, "", "nothing", unchanged), folder):
                sys.exit(f"{module}: the tests fail without any change, so they tell nothing")
            tried = [mutant for mutant in mutants(module) if (module, mutant.scope, mutant.change) not in EQUIVALENT]
            lived = [
                mutant for mutant, alive in zip(tried, pool.map(survives, tried, repeat(folder)), strict=True) if alive
            ]
            print(f"{module}: {len(tried) - len(lived)} of {len(tried)} caught", flush=True)
            for mutant in lived:
                print(f"  survived  {mutant}", flush=True)
            total, caught = total + len(tried), caught + len(tried) - len(lived)
    print(f"{caught} of {total} caught, {caught / total:.1%}; {len(EQUIVALENT)} equivalent ones left out")
    return 0 if caught >= GOAL * total else 1


if __name__ == "__main__":
    sys.exit(main())
