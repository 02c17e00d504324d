"""Exercise 10: Adam's bias correction."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType, SimpleNamespace

import numpy as np

from ... import plain
from ...backend import Array
from .cut import Cut
from .exercise import Exercise, Mistake, Results, Truth, exact

BETA1, BETA2, LR, EPS = 0.5, 0.9, 0.1, 1e-8


class AdamProbe:
    """Three parameters, and three steps with gradients that are given."""

    counts: dict[str, int]

    def __init__(self) -> None:
        self.counts = {}

    @property
    def given(self) -> Mapping[str, Array]:
        g = np.array([[0.5, -2.0, 0.01], [1.0, -1.0, 0.02], [0.2, 3.0, 0.05]])
        return {f"g in step {t}": g[t - 1] for t in (1, 2, 3)}

    def observe(self, code: ModuleType) -> Results:
        player = SimpleNamespace(params=[np.zeros(3)], grads=[np.zeros(3)])
        adam = code.Adam(player, lr=LR, beta1=BETA1, beta2=BETA2, eps=EPS)
        found = {}
        for t, g in enumerate(self.given.values(), 1):
            player.grads[0][...] = g
            adam.step()
            found[f"p after step {t}"] = player.params[0].copy()
        return found

    def measure(self, book: ModuleType) -> dict[str, Truth]:
        """From what the corrected means are: weighted means of all gradients so far, whose weights add up to 1."""
        gradients, p, truths = list(self.given.values()), np.zeros(3), {}
        for t in (1, 2, 3):
            ages = np.arange(t)[::-1]
            m = np.average(gradients[:t], axis=0, weights=BETA1**ages)
            v = np.average(np.square(gradients[:t]), axis=0, weights=BETA2**ages)
            p = p - LR * m / (np.sqrt(v) + EPS)
            truths[f"p after step {t}"] = exact(p)
        return truths


M, V = "m_hat = m / (1 - self.beta1**self.t)", "v_hat = v / (1 - self.beta2**self.t)"

ADAM = Exercise(
    name="adam",
    title="Adam's bias correction",
    task="""Adam keeps running means of the gradient, m, and of its square, v. Both start at 0, so the first means are
too small: after one step m is (1 - beta1) g, not g. Compute m_hat and v_hat, the means corrected for that.""",
    steps=(
        "Write m out after t steps with the same g each time: it is g times 1 - beta1^t.",
        "So divide by that: then m_hat is g. v is corrected likewise, with its own beta.",
        "self.t counts the steps, from 1.",
        "Check yourself: in step 1, every parameter moves by lr, whatever its gradient.",
    ),
    example=""">>> from types import SimpleNamespace
>>> player = SimpleNamespace(params=[np.zeros(2)], grads=[np.array([3.0, -0.001])])
>>> Adam(player, lr=0.1).step()
>>> print(player.params[0].round(4).tolist())
[-0.1, 0.1]""",
    cut=Cut(plain, parts=("Adam",), blank=("Adam.step: m_hat ... v_hat",), imports="from nanogan.plain import Network"),
    probe=AdamProbe(),
    hints=(
        "After t steps, the weights of the gradients in m add up to 1 - beta1^t instead of 1.",
        "m_hat = m / (1 - beta1^t), v_hat = v / (1 - beta2^t)",
        "m_hat = m / (1 - self.beta1**____)",
    ),
    mistakes=(
        Mistake(
            f"{M}  # m and v start at 0: without this, the first means are too small\n            {V}",
            "m_hat, v_hat = m, v",
            "not corrected: both means start at 0 and are too small at first",
        ),
        Mistake(M, "m_hat = m", "m isn't corrected"),
        Mistake(V, "v_hat = v", "v isn't corrected, so that the first steps are too long"),
        Mistake("**self.t", "", "the power of t is missing: the correction fades as t grows"),
        Mistake("**self.t", " * self.t", "times t instead of to the power of t"),
        Mistake(
            "**self.t", "**(self.t - 1)", "t is one too small: self.t was raised above, and is 1 in the first step"
        ),
        Mistake(
            "**self.t", "**(self.t + 1)", "t is one too large: self.t was raised above, and is 1 in the first step"
        ),
        Mistake(V, "v_hat = v / (1 - self.beta1**self.t)", "v is corrected with beta1: it has a beta of its own"),
        Mistake(M, "m_hat = m / (1 - self.beta2**self.t)", "m is corrected with beta2: it has a beta of its own"),
        Mistake(" / (1 - self.beta", " * (1 - self.beta", "multiplied: the means are too small, so divide"),
    ),
    also=((M, "m_hat = m / sum((1 - self.beta1) * self.beta1**k for k in range(self.t))"),),
)
