"""A formula of arrays as the arithmetic of one of its values, with the numbers put in.

    y = x @ W + b    at [0, 1]    is    0.5*0.3 + 0.2*(-0.1) + 0.1

A formula is a Python expression in `FUNCTIONS`, names of arrays, numbers, operators, and .T, .ravel(), .sum(), .mean().
What comes out is Python, too: whoever doubts it can evaluate it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...backend import NUMPY, Array, Shape
from ...numerics import sigmoid as stable_sigmoid


def sigmoid(x: Array) -> Array:
    return stable_sigmoid(NUMPY.xp, np.asarray(x))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "concatenate": np.concatenate,
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "maximum": np.maximum,
    "sigmoid": sigmoid,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "where": np.where,
}
"""What a formula may call: NumPy's functions of these names, and sigmoid(x) = 1 / (1 + exp(-x))."""


def evaluate(formula: str, arrays: Mapping[str, Any]) -> Any:
    """The formula's value, with NumPy. arrays: by their names, "D0.W" among them."""
    names: dict[str, Any] = dict(FUNCTIONS)
    for name, array in arrays.items():
        owner, _, own = name.partition(".")
        if own:
            setattr(names.setdefault(owner, SimpleNamespace()), own, array)
        else:
            names[owner] = array
    return eval(formula, {"__builtins__": {}}, names)


def with_numbers(formula: str, arrays: Mapping[str, Any], index: Shape, shown: Callable[[float], str]) -> str:
    """The arithmetic of one value of the formula. shown: how a number is written."""
    tree = ast.parse(formula, mode="eval").body
    return tidy(ast.unparse(Element(arrays, shown).of(tree, index)))


def tidy(expression: str) -> str:
    """With * and / set close, so that terms stand apart, and with what is negative in parentheses after an operator."""
    expression = re.sub(r"(?<=[-+*/] )-([\d.]+(?:e[-+]\d+)?)", r"(-\1)", expression)
    return re.sub(r" (\*\*?|/) ", r"\1", expression)


def in_parentheses(node: ast.expr) -> ast.expr:
    """A negative number so that what comes before or after it takes all of it."""
    negative = isinstance(node, ast.Name) and node.id.startswith("-")
    return ast.Name(f"({node.id})") if negative else node  # type: ignore[attr-defined]


class Element:
    """The arithmetic of one element of an expression, as a tree."""

    def __init__(self, arrays: Mapping[str, Any], shown: Callable[[float], str]) -> None:
        self.arrays = arrays
        self.shown = shown

    def of(self, node: ast.expr, index: Shape) -> ast.expr:
        if (name := ast.unparse(node)) in self.arrays:
            return self.number(np.asarray(self.arrays[name])[index])
        return getattr(self, type(node).__name__.lower())(node, index)

    def number(self, value: Any) -> ast.expr:
        return ast.Name(self.shown(float(value)))

    def shape(self, node: ast.expr) -> Shape:
        return np.shape(evaluate(ast.unparse(node), self.arrays))

    def broadcast(self, node: ast.expr, index: Shape) -> ast.expr:
        """The element of `node` that meets the element `index` of what it is combined with."""
        shape = self.shape(node)
        own = index[len(index) - len(shape) :]
        return self.of(node, tuple(0 if size == 1 else place for size, place in zip(shape, own, strict=True)))

    def sum(self, terms: Iterable[ast.expr]) -> ast.expr:
        total, *others = terms
        for term in others:
            total = ast.BinOp(total, ast.Add(), term)
        return total

    # ---- one method per kind of node, by its name in `ast`

    def constant(self, node: ast.Constant, index: Shape) -> ast.expr:
        return ast.Name(f"{float(ast.unparse(node)):g}")

    def unaryop(self, node: ast.UnaryOp, index: Shape) -> ast.expr:
        return ast.UnaryOp(node.op, in_parentheses(self.of(node.operand, index)))

    def binop(self, node: ast.BinOp, index: Shape) -> ast.expr:
        if isinstance(node.op, ast.MatMult):
            row, column = index
            inner = range(self.shape(node.left)[1])
            pairs = ((self.of(node.left, (row, k)), self.of(node.right, (k, column))) for k in inner)
            return self.sum(ast.BinOp(left, ast.Mult(), right) for left, right in pairs)
        left, right = self.broadcast(node.left, index), self.broadcast(node.right, index)
        return ast.BinOp(in_parentheses(left) if isinstance(node.op, ast.Pow) else left, node.op, right)

    def compare(self, node: ast.Compare, index: Shape) -> ast.expr:
        return ast.Compare(self.broadcast(node.left, index), node.ops, [self.broadcast(node.comparators[0], index)])

    def attribute(self, node: ast.Attribute, index: Shape) -> ast.expr:
        if node.attr != "T":
            raise LookupError(f"{ast.unparse(node)} is neither an array nor a transpose")
        return self.of(node.value, index[::-1])

    def subscript(self, node: ast.Subscript, index: Shape) -> ast.expr:
        """Some rows, x[:2] and x[2:], or one value, x[0, 1]."""
        if isinstance(node.slice, ast.Slice):
            start = ast.literal_eval(node.slice.lower) if node.slice.lower else 0
            return self.of(node.value, (index[0] + start, *index[1:]))
        place = ast.literal_eval(node.slice)
        return self.of(node.value, place if isinstance(place, tuple) else (place,))

    def call(self, node: ast.Call, index: Shape) -> ast.expr:
        if isinstance(node.func, ast.Attribute):
            return self.method(node.func, index, over_rows=bool(node.keywords))
        if node.func.id == "concatenate":  # type: ignore[attr-defined]
            return self.part(node.args[0].elts, index)  # type: ignore[attr-defined]
        return ast.Call(node.func, [self.broadcast(argument, index) for argument in node.args], [])

    def part(self, parts: list[ast.expr], index: Shape) -> ast.expr:
        first, *others = index
        for part in parts:
            length = self.shape(part)[0]
            if first < length:
                return self.of(part, (first, *others))
            first -= length
        raise IndexError(index)

    def method(self, function: ast.Attribute, index: Shape, over_rows: bool) -> ast.expr:
        """x.ravel(), and x.sum() and x.mean() of all values or, with axis=0, over the rows."""
        shape = self.shape(function.value)
        if function.attr == "ravel":
            return self.of(function.value, tuple(map(int, np.unravel_index(index[0], shape))))
        places = [(row, *index) for row in range(shape[0])] if over_rows else list(np.ndindex(*shape))
        total = self.sum(self.of(function.value, place) for place in places)
        return total if function.attr == "sum" else ast.BinOp(total, ast.Div(), ast.Constant(len(places)))
