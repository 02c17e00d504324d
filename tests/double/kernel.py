"""cupy.ElementwiseKernel without a compiler: its body, written so that C and Python read it alike, run by NumPy.

A body is a list of statements `T name = expression;`, `name = expression;` or `name += expression;` (any operator) over
+, -, *, / and the functions below. Every parameter, scalars too, has the one type T, so each operation rounds as it
would in C without fused multiply-adds. Literals are refused: in C, 0.5 is a double and would change the type of the
whole expression.
"""

from __future__ import annotations

import ast
import re
from typing import Any

import numpy as np

from .array import ndarray, unwrap

FUNCTIONS = {"sqrt": np.sqrt, "exp": np.exp, "log": np.log, "tanh": np.tanh, "abs": np.abs}
ALLOWED = (
    *(ast.Module, ast.Assign, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Load, ast.Store),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.USub),
)


class ElementwiseKernel:
    """kernel(*inputs, *outputs): `operation` for every element; outputs are read and overwritten in place."""

    def __init__(
        self, in_params: str, out_params: str, operation: str, name: str = "kernel", *, options: tuple[str, ...] = ()
    ) -> None:
        self.inputs, self.outputs = _names(in_params), _names(out_params)
        self.name = name
        if "--fmad=false" not in options:
            raise AssertionError(f"kernel {name}: a GPU would fuse its multiplications and additions, NumPy does not")
        statements = [statement.strip().removeprefix("T ") for statement in operation.split(";")]
        # x += y as x = x + (y), so that no array changes before all is computed
        tree = ast.parse("\n".join(re.sub(r"^(\w+) ([-+*/])= (.*)", r"\1 = \1 \2 (\3)", s) for s in statements))
        for node in ast.walk(tree):
            if not isinstance(node, ALLOWED):
                raise SyntaxError(f"kernel {name}: {type(node).__name__} does not read alike in C and Python")
        self.code = compile(tree, name, "exec")

    def __call__(self, *args: Any) -> Any:
        names = [*self.inputs, *self.outputs]
        if len(args) != len(names):
            raise TypeError(f"Wrong number of arguments for {self.name!r}: expected {', '.join(names)}")
        outputs = args[len(self.inputs) :]
        dtypes = {arg.dtype for arg in args if isinstance(arg, ndarray)}
        if not all(isinstance(output, ndarray) for output in outputs) or len(dtypes) != 1:
            raise TypeError(f"{self.name}: outputs must be arrays, and all arrays of one type T, got {dtypes}")
        (T,) = dtypes
        one_type = [arg if isinstance(arg, np.ndarray) else T.type(arg) for arg in unwrap(args)]
        values = dict(zip(names, one_type, strict=True))
        scope = {**FUNCTIONS, **values}
        with np.errstate(all="ignore"):
            exec(self.code, {"__builtins__": {}}, scope)
        for name, result in [(name, np.array(scope[name])) for name in self.outputs]:
            values[name][...] = result
        return outputs[0] if len(outputs) == 1 else outputs


def _names(params: str) -> list[str]:
    """ "T p, T m" -> ["p", "m"]"""
    pairs = [param.split() for param in params.split(",")]
    if any(type_name != "T" for type_name, _ in pairs):
        raise TypeError(f"the double knows parameters of type T only, got {params!r}")
    return [name for _, name in pairs]
