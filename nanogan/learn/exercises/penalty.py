"""Exercise 14: a gradient penalty, the derivative of a derivative."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

import numpy as np

from ... import plain
from ...backend import Array
from .. import textbook
from .cut import Cut
from .exercise import Exercise, Mistake, Results, Truth, exact
from .steps import gradients, measured_gradients, network

GAMMA = 0.7


class PenaltyProbe:
    """R1 of a D with three Linears, at three points of the plane."""

    counts: dict[str, int]

    def __init__(self) -> None:
        self.counts = {"batch size": 3}

    @property
    def given(self) -> Mapping[str, Array]:
        return {"x": np.random.default_rng(11).standard_normal((3, 2)), "gamma": np.array(GAMMA)}

    @property
    def D(self) -> plain.Network:
        rng, linear = np.random.default_rng(10), plain.Linear
        return network(linear(2, 4, rng), plain.ReLU(0.2), linear(4, 3, rng), plain.ReLU(0.2), linear(3, 1, rng))

    def observe(self, code: ModuleType) -> Results:
        D = self.D
        D.forward(self.given["x"][::-1] - 1)
        penalty = code.r1(D, self.given["x"], GAMMA)
        return {**gradients("D", D), "penalty": penalty}

    def measure(self, book: ModuleType) -> dict[str, Truth]:
        D, x = self.D, self.given["x"]

        def penalty() -> float:
            D.forward(x)
            return float(GAMMA / 2 * np.mean(np.sum(D.backward_input(np.ones((len(x), 1))) ** 2, axis=1)))

        return {**measured_gradients("D", D, penalty), "penalty": exact(penalty())}


V, MASK = "v = gamma * g / len(x)", "v = layer.backward_input(v)"

R1 = Exercise(
    name="gradient_penalty",
    title="a gradient penalty",
    task="""R1 (Mescheder et al. 2018) keeps D flat at real images: it adds gamma / 2 times the mean of |g|^2 to D's
loss, g being dD/dx. g and the penalty's value are there. Leave its gradients in D: the derivative of a derivative. D
consists of Linear and ReLU (with a slope), so g depends on weights and masks alone.""",
    steps=(
        "v = d(penalty)/dg, one vector per image.",
        "g came backward through D, from the last layer to the first. So its gradient v goes from first to last.",
        "A Linear turned its d into d W^T, so v becomes v W, without b. A ReLU turned it into mask d, so v becomes "
        "mask v, which is what layer.backward_input(v) computes.",
        "dW = v^T d, where v is what reaches this layer and d what came backward: the usual dW, with v in the place "
        "of x. So give it v as its x on the way, and let the backward pass do the rest.",
        "g doesn't depend on b: db is 0.",
    ),
    example=""">>> D = Network([Linear(2, 1, np.random.default_rng(0))])
>>> D.params[0][...] = [[3.0], [4.0]]
>>> print(r1(D, np.zeros((5, 2)), 2.0), D.grads[0].tolist(), D.grads[1].tolist())  # gamma / 2 |W|^2
25.0 [[6.0], [8.0]] [0.0]""",
    cut=Cut(
        textbook, parts=("r1",), blank=("r1: v = ... layer.db",), imports="from nanogan.plain import Linear, Network"
    ),
    probe=PenaltyProbe(),
    hints=(
        "The backward pass that made g is a network, too, with g as its output. Go back through it: that is forward.",
        "v = gamma g / N; per Linear: dW = v^T d, then v = v W; per ReLU: v = mask v; db = 0",
        "in a Linear: layer.x = v; v = v @ ____   else: v = layer.____(v)   then D.backward_params(ones), and db = 0",
    ),
    mistakes=(
        Mistake(V, "v = gamma * g", "the mean is missing: d(penalty)/dg has a factor 1 / N"),
        Mistake(V, "v = g / len(x)", "gamma is missing in d(penalty)/dg"),
        Mistake(V, "v = 2 * gamma * g / len(x)", "a 2 too many: the 1/2 in front takes that of the square away"),
        Mistake(V, "v = -gamma * g / len(x)", "the sign of d(penalty)/dg"),
        Mistake("v = v @ layer.W", "v = v @ layer.W + layer.b", "no bias on v's way: g never saw one"),
        Mistake(MASK, "pass", "the masks are missing: v goes through the same slopes as g did"),
        Mistake(
            "layer.x = v",
            "pass",
            "this is the gradient of D's outputs: for the penalty, dW = v^T d, with v in the place of x",
        ),
        Mistake("layer.db[...] = 0", "pass", "db must be 0: g doesn't depend on the biases"),
        Mistake(
            "            layer.x = v  # what dW then multiplies, instead of the images\n            v = v @ layer.W",
            "            v = v @ layer.W\n            layer.x = v[:, : layer.x.shape[1]]",
            "dW takes the v that reaches the layer, before W multiplies it",
        ),
        Mistake(
            "D.backward_params(ones)",
            "D.backward_params(ones / len(x))",
            "divided by N twice: v has that factor already",
        ),
        Mistake(
            "D.backward_params(ones)",
            "D.backward_params(g.sum(axis=1, keepdims=True))",
            "backward starts from ones, as it did for g",
        ),
    ),
    also=((MASK, "v = np.where(layer.x > 0, v, layer.slope * v)"),),
)
