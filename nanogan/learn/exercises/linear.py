"""Exercises 1 to 3: the three gradients of Linear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from ... import plain
from ...backend import Array
from .cut import Cut
from .exercise import Exercise, Mistake, Results, Truth, exact, slopes


@dataclass(frozen=True)
class LayerProbe:
    """One layer, a random upstream gradient dy, and the results named in `wanted`: y, dx, or d and a parameter's name.

    Before the case, the layer sees another batch, forward and backward, so that what is kept from there shows.
    """

    make: Callable[[ModuleType], Any]
    wanted: tuple[str, ...]
    x: Array
    dy: Array
    parameters: Mapping[str, Array] = field(default_factory=dict)

    @property
    def given(self) -> dict[str, Array]:
        return {"x": self.x, "dy": self.dy, **self.parameters}

    @property
    def counts(self) -> dict[str, int]:
        return {"batch size": len(self.x)}

    def observe(self, code: ModuleType) -> Results:
        layer = self.make(code)
        kept = dict(vars(layer))  # the arrays that Adam reads
        for x, dy in ((0.5 - self.x, self.dy[::-1].copy()), (self.x.copy(), self.dy.copy())):
            found = {"y": np.array(layer.forward(x))}
            if "dx" in self.wanted:
                found["dx"] = layer.backward_input(dy)
            if any(name in kept for name in self.wanted):
                layer.backward_params(dy)
        return {name: kept[name] if name in kept else found[name] for name in self.wanted} | {"y": found["y"], "dy": dy}

    def measure(self, book: ModuleType) -> dict[str, Truth]:
        layer, x = self.make(book), self.x.copy()

        def loss() -> float:
            return float((layer.forward(x) * self.dy).sum())

        y = exact(layer.forward(x))
        truths = {
            name: y if name == "y" else slopes(loss, x if name == "dx" else getattr(layer, name[1:]))
            for name in self.wanted
        }
        return truths | {"y": y, "dy": exact(self.dy)}


def in_float64(layer: Any) -> Any:
    """The layer with its arrays in float64, as finite differences need them."""
    for name, value in vars(layer).items():
        if isinstance(value, np.ndarray):
            setattr(layer, name, value.astype(np.float64))
    return layer


RNG = np.random.default_rng(0)
X, DY = RNG.standard_normal((3, 4)), RNG.standard_normal((3, 2))
W, B = RNG.standard_normal((4, 2)), RNG.standard_normal(2)


def _linear(code: ModuleType) -> Any:
    layer = in_float64(code.Linear(4, 2, np.random.default_rng(1)))
    layer.W[...], layer.b[...] = W, B
    return layer


ACCUMULATED = "each backward pass overwrites the gradient: assign it, don't add to what the pass before has left"
REBOUND = "Adam reads the array that __init__ made: write into it with [...] =, instead of making a new one"

DW = Exercise(
    name="linear_dw",
    title="Linear, the gradient of its weights",
    task="""Linear computes y = x W + b. Given dy, which is d(loss)/dy, write dW, which is d(loss)/dW, into self.dW.""",
    steps=(
        "W[i, j] appears in y[n, j] for every image n, multiplied by x[n, i].",
        "So it acts on the loss through every one of them: by the chain rule, dW[i, j] is a sum over n.",
        "Write that sum as one product of matrices, and let the shapes tell you what is transposed.",
        "Write into the array that is there, self.dW[...] = ..., because Adam reads that array.",
    ),
    example=""">>> layer = Linear(2, 1, np.random.default_rng(0))
>>> y = layer.forward(np.array([[1.0, 2.0]]))
>>> layer.backward_params(np.array([[3.0]]))
>>> layer.dW.tolist()
[[3.0], [6.0]]""",
    cut=Cut(
        plain,
        parts=("Linear.__init__", "Linear.forward", "Linear.backward_params"),
        blank=("Linear.backward_params: self.dW",),
        drop=("Linear.backward_params: self.db",),
    ),
    probe=LayerProbe(_linear, ("dW",), X, DY),
    hints=(
        "What multiplies forward multiplies backward: W[i, j] was multiplied by x[n, i], so its gradient is, too.",
        "dW[i, j] = sum over n of x[n, i] dy[n, j]. Shapes: x (N, in), dy (N, out), dW (in, out).",
        "self.dW[...] = self.x.T @ ____",
    ),
    mistakes=(
        Mistake("self.x.T @ dy", "dy.T @ self.x", "transposed: dW has the shape of W, (in, out), so x comes first"),
        Mistake(
            "self.x.T @ dy",
            "self.x @ dy.T",
            "the product sums over the wrong axis: sum over images, so transpose x, not dy",
        ),
        Mistake(
            "self.x.T @ dy", "self.x.T @ dy / len(dy)", "a mean where a sum belongs: the loss has divided by N already"
        ),
        Mistake("self.x.T @ dy", "-self.x.T @ dy", "the sign: this is the gradient; Adam does the subtracting"),
        Mistake("self.x.T @ dy", "self.x.T @ np.ones_like(dy)", "dy is missing: this is dy/dW, not d(loss)/dW"),
        Mistake("self.x.T @ dy", "self.x[:1].T @ dy[:1]", "only the first image counts: sum over all of them"),
        Mistake("self.dW[...] = ", "self.dW[...] += ", ACCUMULATED),
        Mistake("self.dW[...] = ", "self.dW = ", REBOUND),
    ),
    also=(
        ("self.x.T @ dy", 'np.einsum("ni,nj->ij", self.x, dy)'),
        ("self.x.T @ dy", "(dy.T @ self.x).T"),
        ("self.x.T @ dy", "sum(np.outer(a, b) for a, b in zip(self.x, dy))"),
    ),
)

DX = Exercise(
    name="linear_dx",
    title="Linear, the gradient of its input",
    task="Linear computes y = x W + b. Return dx, which is d(loss)/dx: it is dy for the layer before.",
    steps=(
        "x[n, i] appears in y[n, j] for every unit j, multiplied by W[i, j].",
        "So dx[n, i] is a sum over j.",
        "Write it as one product: dx has the shape of x.",
    ),
    example=""">>> layer = Linear(2, 1, np.random.default_rng(0))
>>> layer.W = np.array([[5.0], [7.0]])
>>> y = layer.forward(np.array([[1.0, 2.0]]))
>>> layer.backward_input(np.array([[3.0]])).tolist()
[[15.0, 21.0]]""",
    cut=Cut(
        plain,
        parts=("Linear.__init__", "Linear.forward", "Linear.backward_input"),
        blank=("Linear.backward_input",),
    ),
    probe=LayerProbe(_linear, ("dx",), X, DY, {"W": W, "b": B}),
    hints=(
        "Each x[n, i] is copied to every unit of the layer. What is copied forward is summed backward.",
        "dx[n, i] = sum over j of dy[n, j] W[i, j]. Shapes: dy (N, out), W (in, out), dx (N, in).",
        "return dy @ ____",
    ),
    mistakes=(
        Mistake("dy @ self.W.T", "dy @ self.W", "W has to be transposed: the sum runs over its columns, the units j"),
        Mistake(
            "dy @ self.W.T", "self.W @ dy", "the order: images are the rows of dy, so dy comes first, then W transposed"
        ),
        Mistake("dy @ self.W.T", "self.W.T @ dy", "the order: images are the rows of dy, so dy comes before W.T"),
        Mistake("dy @ self.W.T", "self.W @ dy.T", "this is dx transposed: images are rows, so dy comes first"),
        Mistake(
            "dy @ self.W.T",
            "dy @ self.W.T / len(dy)",
            "a mean where a sum belongs: nothing is averaged over images here",
        ),
        Mistake("dy @ self.W.T", "-dy @ self.W.T", "the sign: y grows with x where W is positive"),
        Mistake("dy @ self.W.T", "np.ones_like(dy) @ self.W.T", "dy is missing: this is dy/dx, not d(loss)/dx"),
        Mistake(
            "dy @ self.W.T",
            "self.x * (dy @ self.W.T)",
            "x doesn't belong here: y is linear in x, so its slope is W alone",
        ),
        Mistake(
            "dy @ self.W.T", "(dy + self.b) @ self.W.T", "the bias doesn't belong here: it shifts y, whatever x is"
        ),
        Mistake("return dy @ self.W.T", "dy @ self.W.T", "the result is computed, but not returned"),
    ),
    also=(("dy @ self.W.T", 'np.einsum("nj,ij->ni", dy, self.W)'), ("dy @ self.W.T", "(self.W @ dy.T).T")),
)

DB = Exercise(
    name="bias",
    title="Linear, the gradient of its bias",
    task="Linear computes y = x W + b. Write db, which is d(loss)/db, into self.db.",
    steps=(
        "b[j] is added to y[n, j] for every image n.",
        "Its slope there is 1, so db[j] is a sum over n of dy[n, j].",
        "b has shape (out), and so has db.",
    ),
    example=""">>> layer = Linear(2, 2, np.random.default_rng(0))
>>> y = layer.forward(np.ones((3, 2)))
>>> layer.backward_params(np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]))
>>> layer.db.tolist()
[6.0, 60.0]""",
    cut=Cut(
        plain,
        parts=("Linear.__init__", "Linear.forward", "Linear.backward_params"),
        blank=("Linear.backward_params: self.db",),
        drop=("Linear.backward_params: self.dW",),
    ),
    probe=LayerProbe(_linear, ("db",), X, DY),
    hints=(
        "NumPy copies b to every row of y. What is copied forward is summed backward.",
        "db[j] = sum over n of dy[n, j]: images are axis 0.",
        "self.db[...] = dy.sum(axis=____)",
    ),
    mistakes=(
        Mistake("dy.sum(axis=0)", "dy.mean(axis=0)", "a mean where a sum belongs: the loss has divided by N already"),
        Mistake(
            "dy.sum(axis=0)", "dy.sum(axis=1)", "the wrong axis: axis 0 is the images, and one value per unit is left"
        ),
        Mistake(
            "dy.sum(axis=0)",
            "dy.sum()",
            "everything is summed: each unit has a bias of its own, so sum over images only",
        ),
        Mistake("dy.sum(axis=0)", "-dy.sum(axis=0)", "the sign: this is the gradient; Adam does the subtracting"),
        Mistake("dy.sum(axis=0)", "dy[0]", "only the first image counts: sum over all of them"),
        Mistake("dy.sum(axis=0)", "len(dy)", "dy is missing: this is dy/db summed over images, not d(loss)/db"),
        Mistake("dy.sum(axis=0)", "(dy * self.b).sum(axis=0)", "b doesn't belong here: y = x W + b has slope 1 in b"),
        Mistake("self.db[...] = ", "self.db[...] += ", ACCUMULATED),
        Mistake("self.db[...] = ", "self.db = ", REBOUND),
    ),
    also=(("dy.sum(axis=0)", "np.ones(len(dy)) @ dy"), ("dy.sum(axis=0)", "sum(dy)")),
)
