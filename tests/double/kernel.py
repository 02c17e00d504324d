"""CuPy's three kinds of kernels without a compiler.

The body of a simple kernel is written so that C and Python read it alike, and is run by NumPy: statements
`T name = expression`, `name = expression` or `name += expression` (any operator) over +, -, *, /, comparisons, `T(...)`
and the functions below. Every parameter, scalars too, has the one type T, so each operation rounds as it would in C
without fused multiply-adds. Literals are refused, but in T(1): in C, 0.5 is a double and would change the type of the
whole expression. A kernel that looks for its values is C; NumPy's own way to the same numbers stands in for it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from . import device
from .array import ndarray, unwrap
from .stand_ins import STAND_INS

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{"sqrt": np.sqrt, "exp": np.exp, "log": np.log, "log1p": np.log1p, "tanh": np.tanh, "abs": np.abs},
    "where": np.where,
}
ALLOWED = (
    *(ast.Module, ast.Assign, ast.Expr, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Load, ast.Store, ast.Constant),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.USub, ast.Compare, ast.Gt, ast.GtE, ast.Lt, ast.LtE),
)


def expect_unfused(name: str, options: tuple[str, ...]) -> None:
    if "--fmad=false" not in options:
        raise AssertionError(f"kernel {name}: a GPU would fuse its multiplications and additions, NumPy does not")


def code(name: str, body: str) -> Any:
    """A body as Python, or SyntaxError if it doesn't read alike in C."""
    statements = [re.sub(r"^T (?=\w+ =)", "", statement.strip()) for statement in body.split(";")]
    # x += y as x = x + (y), so that no array changes before all is computed
    tree = ast.parse("\n".join(re.sub(r"^(\w+) ([-+*/])= (.*)", r"\1 = \1 \2 (\3)", s) for s in statements))
    cast = {id(call.args[0]) for call in ast.walk(tree) if isinstance(call, ast.Call) and _called(call) == "T"}
    for node in ast.walk(tree):
        wrong_literal = isinstance(node, ast.Constant) and id(node) not in cast
        if not isinstance(node, ALLOWED) or wrong_literal:
            raise SyntaxError(f"kernel {name}: {type(node).__name__} does not read alike in C and Python")
    return compile(tree, name, "exec")


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def run(body: Any, T: np.dtype[Any], values: dict[str, Any]) -> dict[str, Any]:
    """The names that a body knows after it has run on these."""

    def cast(value: Any) -> Any:
        return np.asarray(value).astype(T)[()]

    scope = {**FUNCTIONS, "T": cast, **{name: device.flushed(value) for name, value in values.items()}}
    with np.errstate(all="ignore"):
        exec(body, {"__builtins__": {}}, scope)
    return scope


def one_type(name: str, args: tuple[Any, ...], names: list[str]) -> tuple[np.dtype[Any], dict[str, Any]]:
    """T, and every argument by its name, scalars as T; all arrays must be T's."""
    dtypes = {arg.dtype for arg in args if isinstance(arg, ndarray)}
    if len(dtypes) != 1:
        raise TypeError(f"{name}: all arrays must be of one type T, got {dtypes}")
    (T,) = dtypes
    host = [arg if isinstance(arg, np.ndarray) else T.type(arg) for arg in unwrap(args)]
    return T, dict(zip(names, host, strict=True))


class ElementwiseKernel:
    """kernel(*inputs, *outputs): `operation` for every element; outputs are read and overwritten in place.

    The inputs may be arrays of no axes in place of scalars. They are broadcast; the outputs must have that shape.
    """

    def __init__(
        self,
        in_params: str,
        out_params: str,
        operation: str,
        name: str = "kernel",
        *,
        preamble: str = "",
        options: tuple[str, ...] = (),
    ) -> None:
        self.inputs, self.outputs, self.name = _names(in_params, name), _names(out_params, name), name
        expect_unfused(name, options)
        self.body = None if name in STAND_INS else code(name, operation)

    def __call__(self, *args: Any) -> Any:
        names = [*self.inputs, *self.outputs]
        if len(args) != len(names):
            raise TypeError(f"Wrong number of arguments for {self.name!r}: expected {', '.join(names)}")
        inputs, outputs = args[: len(self.inputs)], args[len(self.inputs) :]
        if not all(isinstance(output, ndarray) for output in outputs):
            raise TypeError(f"{self.name}: outputs must be arrays")
        for output in outputs:
            device.check_output(output._host)
        device.check_inputs([x for x in inputs if isinstance(x, ndarray)], outputs)
        if self.body is None:
            host = unwrap(args)
            device.launch(lambda: STAND_INS[self.name](*host))
        else:
            self._launch(*one_type(self.name, args, names))
        return outputs[0] if len(outputs) == 1 else outputs

    def _launch(self, T: np.dtype[Any], values: dict[str, Any]) -> None:
        shape = np.broadcast_shapes(*(np.shape(value) for value in values.values()))
        if any(values[name].shape != shape for name in self.outputs):
            raise ValueError(f"{self.name}: Out shape is mismatched: expected {shape}")

        def compute() -> None:
            scope = run(self.body, T, values)
            for name, result in [(name, np.array(scope[name])) for name in self.outputs]:
                values[name][...] = device.flushed(result)

        device.launch(compute)


class ReductionKernel:
    """kernel(*inputs): a new array of no axes, `post_map` of the sum of `map` over all elements."""

    def __init__(
        self,
        in_params: str,
        out_params: str,
        map_expr: str,
        reduce_expr: str,
        post_map_expr: str,
        identity: str,
        name: str = "reduce_kernel",
        *,
        preamble: str = "",
        options: tuple[str, ...] = (),
    ) -> None:
        self.inputs, (self.output,), self.name = _names(in_params, name), _names(out_params, name), name
        expect_unfused(name, options)
        if (reduce_expr, identity) != ("a + b", "0"):
            raise AssertionError(f"{name}: the double knows sums only")
        self.term, self.post = code(name, f"term = {map_expr}"), code(name, post_map_expr)

    def __call__(self, *args: Any) -> ndarray:
        if len(self.inputs) < 2:
            raise AssertionError(f"{self.name}: with one input CuPy may take CUB, which the double doesn't know")
        T, values = one_type(self.name, args, self.inputs)
        result = device.allocated(np.full((), np.nan, T))

        def compute() -> None:
            terms = run(self.term, T, values)["term"]
            result[...] = device.flushed(run(self.post, T, {**values, "a": terms.sum()})[self.output])

        device.launch(compute)
        return ndarray(result)


class RawKernel:
    """kernel(grid, block, args): C that knows of no arrays; it gets pointers to memory, and typed numbers."""

    def __init__(self, code: str, name: str, options: tuple[str, ...] = ()) -> None:
        expect_unfused(name, options)
        self.name = name
        (defined,) = re.findall(r"^typedef (float|double) T;", code)
        self.T = np.dtype({"float": np.float32, "double": np.float64}[defined])
        if f" {name}(" not in code:
            raise RuntimeError(f"cuModuleGetFunction: no {name}")

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
        for arg in args:
            if isinstance(arg, ndarray) and not (arg.flags.c_contiguous and arg.dtype == self.T):
                raise AssertionError(f"{self.name}: takes contiguous arrays of {self.T}; it would see other numbers")
            if not isinstance(arg, ndarray | np.int32 | self.T.type):
                raise AssertionError(f"{self.name}: would read {type(arg).__name__} as something else")
        if not 1 <= np.prod(block) <= 1024 or np.prod(grid) < 1:
            raise RuntimeError("CUDA_ERROR_INVALID_VALUE: invalid argument")
        host = unwrap(args)
        device.launch(lambda: STAND_INS[self.name](*host))


def _names(params: str, kernel: str) -> list[str]:
    """ "T p, T m" -> ["p", "m"]"""
    pairs = [param.rsplit(maxsplit=1) for param in params.split(",")]
    if kernel not in STAND_INS and any(type_name.strip() != "T" for type_name, _ in pairs):
        raise TypeError(f"the double knows parameters of type T only, got {params!r}")
    return [name for _, name in pairs]
