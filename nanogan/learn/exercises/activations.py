"""Exercises 4 and 5: LeakyReLU and Tanh."""

from __future__ import annotations

import numpy as np

from ... import plain
from .cut import Cut
from .exercise import Exercise, Mistake
from .linear import LayerProbe

RNG = np.random.default_rng(3)
X, DY = 1.5 * RNG.standard_normal((3, 5)), RNG.standard_normal((3, 5))
X[1, 2] = 0.0  # a kink, where any slope between the two is right
SLOPE = 0.35  # not the usual 0.2, which somebody might write in its place

LEAKY = "np.where(self.x > 0, dy, self.slope * dy)"
LEAKY_RELU = Exercise(
    name="leaky_relu",
    title="LeakyReLU",
    task="ReLU computes y = x if x > 0, else slope x; with a slope above 0 it is a LeakyReLU. Return dx, given dy.",
    steps=(
        "It works value by value, so dx is dy times the slope of y at that x.",
        "The sign of x decides which of the two slopes it is; forward has kept x.",
    ),
    example=""">>> layer = ReLU(slope=0.5)
>>> y = layer.forward(np.array([[3.0, -3.0]]))
>>> layer.backward_input(np.array([[10.0, 10.0]])).tolist()
[[10.0, 5.0]]""",
    cut=Cut(plain, parts=("ReLU.__init__", "ReLU.forward", "ReLU.backward_input"), blank=("ReLU.backward_input",)),
    probe=LayerProbe(lambda code: code.ReLU(SLOPE), ("dx",), X, DY, {"slope": np.array(SLOPE)}),
    hints=(
        "Where x is positive the layer passes it on as it is; elsewhere it multiplies it by slope. So it does with dy.",
        "dx = dy where x > 0, else slope dy. At 0 exactly either will do.",
        "return np.where(____ > 0, dy, self.slope * dy)",
    ),
    mistakes=(
        Mistake(
            f"return {LEAKY}",
            "return dy if self.x > 0 else self.slope * dy",
            "`if` asks one question about a whole array: np.where(condition, a, b) asks it for each value",
        ),
        Mistake(LEAKY, "dy", "the mask is missing: where x is negative, y has the slope `slope`"),
        Mistake(LEAKY, "self.slope * dy", "the mask is missing: where x is positive, y has the slope 1"),
        Mistake(
            LEAKY, "np.where(self.x > 0, dy, 0)", "this is ReLU's: on the negative side a LeakyReLU passes slope dy"
        ),
        Mistake(
            LEAKY,
            "np.where(dy > 0, dy, self.slope * dy)",
            "the mask looks at dy: the sign of x decides, and forward has kept x",
        ),
        Mistake(LEAKY, "np.where(self.x < 0, dy, self.slope * dy)", "the two sides are swapped"),
        Mistake(LEAKY, "np.where(self.x > 0, dy, 0.2 * dy)", "slope is a setting of the layer, not always 0.2"),
        Mistake(LEAKY, f"-{LEAKY}", "the sign: y grows with x on both sides"),
        Mistake(LEAKY, "np.where(self.x > 0, 1, self.slope)", "dy is missing: this is dy/dx, not d(loss)/dx"),
        Mistake(
            LEAKY,
            "dy * np.where(self.x > 0, self.x, self.slope * self.x)",
            "you multiplied dy by y; multiply it by the slope",
        ),
        Mistake(
            LEAKY,
            "np.where(self.x > 0, dy, -self.slope * dy)",
            "the sign on the negative side: y still grows with x there",
        ),
        Mistake(
            f"return {LEAKY}",
            "dy[self.x <= 0] *= self.slope\n        return dy",
            "the values are right, but dy was changed in place: it belongs to the caller; make a new array",
        ),
    ),
    also=(
        (LEAKY, "dy * np.where(self.x > 0, 1, self.slope)"),
        (LEAKY, "dy * ((self.x >= 0) + self.slope * (self.x < 0))"),
    ),
)

TANH = Exercise(
    name="tanh",
    title="Tanh",
    task="Tanh computes y = tanh(x). Return dx, given dy.",
    steps=(
        "It works value by value, so dx is dy times tanh'(x).",
        "tanh' is simple in y, which is why forward keeps y and not x.",
    ),
    example=""">>> layer = Tanh()
>>> y = layer.forward(np.array([[0.0, 50.0]]))
>>> layer.backward_input(np.array([[10.0, 10.0]])).tolist()
[[10.0, 0.0]]""",
    cut=Cut(plain, parts=("Tanh.forward", "Tanh.backward_input"), blank=("Tanh.backward_input",)),
    probe=LayerProbe(lambda code: code.Tanh(), ("dx",), X, DY),
    hints=(
        "tanh is steepest at 0, where its slope is 1, and flat far out, where y is near 1 or -1.",
        "tanh'(x) = 1 - tanh(x)^2 = 1 - y^2",
        "return dy * (1 - ____)",
    ),
    mistakes=(
        Mistake("dy * (1 - self.y**2)", "dy * (1 - self.y)", "the square is missing: the slope is 1 - y^2"),
        Mistake("dy * (1 - self.y**2)", "dy * (1 - self.y) ** 2", "1 - y^2 is not (1 - y)^2: square y first"),
        Mistake("dy * (1 - self.y**2)", "1 - self.y**2", "dy is missing: this is dy/dx, not d(loss)/dx"),
        Mistake("dy * (1 - self.y**2)", "dy * self.y * (1 - self.y)", "this is the sigmoid's slope, y (1 - y)"),
        Mistake("dy * (1 - self.y**2)", "dy * (1 + self.y**2)", "the sign: the slope falls as y^2 grows, 1 - y^2"),
        Mistake(
            "dy * (1 - self.y**2)", "dy * (1 - np.tanh(self.y) ** 2)", "tanh is taken twice: self.y is tanh(x) already"
        ),
        Mistake("dy * (1 - self.y**2)", "-dy * (1 - self.y**2)", "the sign: y grows with x, so its slope is positive"),
        Mistake(
            "dy * (1 - self.y**2)",
            "dy * (1 - self.x**2)",
            "this layer keeps y, not x: its slope is 1 - y^2",
        ),
        Mistake("dy * (1 - self.y**2)", "dy * (1 - self.y^2)", "in Python, ^ is not a power: write y**2"),
        Mistake("dy * (1 - self.y**2)", "dy * (1 - dy**2)", "the slope is that of y: it is y that is squared, not dy"),
    ),
    also=(
        ("dy * (1 - self.y**2)", "dy * (1 - self.y) * (1 + self.y)"),
        ("dy * (1 - self.y**2)", "dy - dy * self.y * self.y"),
    ),
)
