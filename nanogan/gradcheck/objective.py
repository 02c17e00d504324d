"""Is it the right function? What no gradient check can see: a wrong function may have right derivatives.

Every value is compared with a textbook form that is too plain to be wrong:

    what D says               p = 1 / (1 + exp(-x)), where x is D's logit
    the losses of the steps   D: -log p of real images and -log(1 - p) of fake ones   G: -log p of fake ones
    the same at chance        2 ln 2 and ln 2, because D says 1/2 to everything
    BatchNorm's output        mean 0 and variance 1 in every channel

    print(check_objective(my_recipe))

`everything.py` runs it for every recipe: `python -m nanogan gradcheck`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..backend import NUMPY
from ..gan import discriminator_gradients, generator_gradients
from ..layer import Layer
from ..losses import BCE, BCEWithLogits
from ..network import Network, leaves
from ..norm import BatchNorm
from ..recipes.recipe import Recipe
from .derivative import TOLERANCE, Derivative, Report, Row

BATCHES = 8
"""How many batches of random logits the losses are compared at."""
SPREAD = 3.0
"""The logits' standard deviation: D says 0.05 or 0.95 to typical images, and is neither in doubt nor certain."""
SMALL_EPS = 1e-3
"""What BatchNorm's eps may take from a variance of 1, as a `resolution`."""


@dataclass(frozen=True)
class Value(Row):
    """The verdict on values of one function. meaning: what it is when some are wrong."""

    words: ClassVar[tuple[str, str]] = ("computed", "expected")
    meaning: str = ""

    @property
    def worst(self) -> Derivative:
        """The first that is wrong, because the loss at chance comes first; else the worst."""
        return next((value for value in self.derivatives if value.error >= TOLERANCE), super().worst)

    @property
    def hint(self) -> str:
        return self.meaning


def check_objective(recipe: Recipe, *, batch: int = 3, seed: int = 0) -> Report:
    """Compare the losses of a recipe's steps, and what its BatchNorms put out, with what they should be.

    The labels are 1 and 0, whatever the recipe's, because 2 ln 2 is the loss at chance of those. If the recipe's loss
    isn't cross-entropy, only its BatchNorms are looked at.
    """
    rng = np.random.default_rng(seed)
    rows = _losses(recipe, batch, rng) if isinstance(recipe.loss, (BCE, BCEWithLogits)) else []
    layers = leaves([*recipe.generator, *recipe.discriminator])
    norms = {repr(layer): layer for layer in layers if isinstance(layer, BatchNorm)}
    return Report(f"{recipe.name}: objective", [*rows, *(_output(layer, rng) for layer in norms.values())])


def _losses(recipe: Recipe, batch: int, rng: np.random.Generator) -> list[Row]:
    """What D says and both losses, first at logits of 0, then at random ones.

    The networks are none, so that what enters D's step are logits: a D of those layers that follow its last parameters,
    a sigmoid or nothing, and an empty G.
    """
    loss = recipe.loss.bind(NUMPY, np.float64)
    D, G = (Network(layers, 1, dtype=np.float64) for layers in (_after_parameters(recipe.discriminator), []))
    D.depends_on_batch = any(layer.depends_on_batch for layer in recipe.discriminator)  # decides how its step goes
    reduce = np.mean if loss.reduction == "mean" else np.sum
    found: dict[str, list[Derivative]] = {name: [] for name in MEANINGS}
    for where, spread in [("at chance", 0.0), *[("at random logits", SPREAD)] * BATCHES]:
        real, fake = spread * rng.standard_normal((2, batch, 1))
        p_real, p_fake = (1 / (1 + np.exp(-x)) for x in (real, fake))
        d_loss, real_outputs, _ = discriminator_gradients(D, loss, real, fake)
        values = {
            "D(x)": (loss.mean_probability(real_outputs), p_real.mean()),
            "D's loss": (d_loss, reduce(-np.log(p_real)) + reduce(-np.log(1 - p_fake))),
            "G's loss": (generator_gradients(G, D, loss, G.forward(fake)), reduce(-np.log(p_fake))),
        }
        for name, (computed, expected) in values.items():
            found[name].append(Derivative(where, float(computed), float(expected)))
    return [Value(name, len(values), values, meaning=MEANINGS[name]) for name, values in found.items()]


MEANINGS = {
    "D(x)": "D's probability is 1 / (1 + exp(-x)) of its logit x; this is another function of it",
    "D's loss": "it is -log D(x) - log(1 - D(G(z))), 2 ln 2 = 1.386 at chance; a sign, a term or a factor differs",
    "G's loss": "it is -log D(G(z)), ln 2 = 0.693 at chance; a sign or a factor differs",
}


def _output(layer: BatchNorm, rng: np.random.Generator) -> Row:
    """Mean and variance of what a BatchNorm makes of numbers with mean 2 and standard deviation 1, per channel."""
    network = Network([layer], layer.channels, dtype=np.float64)
    labels = np.zeros(64, dtype=int) if layer.uses_labels else None
    y = network.forward(2 + rng.standard_normal((64, layer.channels)), labels=labels)
    found = [Derivative(f"mean of channel {c}", float(mean), 0.0, SMALL_EPS) for c, mean in enumerate(y.mean(axis=0))]
    found += [Derivative(f"variance of channel {c}", float(v), 1.0, SMALL_EPS) for c, v in enumerate(y.var(axis=0))]
    meaning = f"the output's variance isn't 1: eps = {layer.eps:g} is no small number beside the input's variance, 1"
    return Value(repr(layer), len(found), found, meaning=meaning)


def _after_parameters(layers: Sequence[Layer]) -> Sequence[Layer]:
    """What follows the last layer that has parameters: what a network does with its logits."""
    last = max((position for position, layer in enumerate(layers) if layer.param_count), default=-1)
    return layers[last + 1 :]
