"""Proof of the derivatives of derivatives: the tangents of layers, and discriminator steps with gradient penalties.

A penalty P is computed from D's first derivatives, which `checks.py` proves. So P can be evaluated at moved weights
like any loss, and its gradients compared with slopes: finite differences of what is itself a derivative.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from ..adversarial import Relativistic, pair_generator_gradients
from ..backend import NUMPY, Array, Backend, Shape
from ..errors import InputError
from ..gan import discriminator_gradients
from ..layer import Layer
from ..layers import LeakyReLU, Linear, Tanh
from ..network import Network
from ..norm import BatchNorm
from ..penalties import between, expect_penalised, one_centred_penalty, tangent_gradients, zero_centred_penalty
from ..recipes.cures import cured
from ..recipes.recipe import Recipe
from .checks import BATCH, COUNT, _Checker, _Held, _parameters, check_step
from .derivative import Report


def check_tangent(
    layer: Layer, input_shape: Shape, *, batch: int = BATCH, count: int = COUNT, backend: Backend = NUMPY, seed: int = 0
) -> Report:
    """Prove `forward_tangent` of a layer, given as a description, from a random dy: three kinds of slopes of

        f = sum of dy forward_tangent(v)

    dv is what `backward_input` makes of dy, because f is linear in v. dx is 0: between kinks, slopes don't change with
    x. The parameters' are those of `tangent_gradients`.
    """
    rng = np.random.default_rng(seed)
    network = Network([layer], input_shape, backend=backend, dtype=np.float64, rng=rng)
    x, v = (backend.asarray(rng.standard_normal((batch, *input_shape))) for _ in range(2))
    labels = backend.asarray(rng.integers(network.classes, size=batch)) if network.uses_labels else None
    with _Held([network]) as held:
        y = network.forward(x, labels=labels)
        dy = backend.asarray(np.asarray(rng.standard_normal(y.shape)))

        def f() -> float:
            held.rewind()
            network.forward(x, labels=labels)
            return float((network.forward_tangent(v) * dy).sum())

        checker = _Checker(f, backend, rng, count, {"batch size": batch})
        network.grads[...] = np.nan
        tangent_gradients(network, v, dy)
        rows = [checker.row("dv", v, network.backward_input(dy).copy()), checker.row("dx", x, backend.xp.zeros_like(x))]
        rows += [checker.row(name, values, grads.copy()) for name, values, grads in _parameters(network)]
    return Report(f"tangent of {layer}", [replace(row, name=row.name.removeprefix("0.")) for row in rows])


def tangent_reports(layers: Iterable[tuple[Layer, Shape]]) -> Iterator[Report]:
    """`check_tangent` of each layer that takes gradient penalties."""
    for layer, shape in layers:
        try:
            expect_penalised([layer])
        except InputError:
            continue
        yield check_tangent(layer, shape, batch=6)  # packs of two and of three


def prove_penalties(recipe: Recipe, *, batch: int = BATCH, count: int = 3, seed: int = 0) -> Report:
    """The discriminator's step of a recipe with everything that can be added to it: pairs, R1, R2 and WGAN-GP."""
    recipe = cured(recipe, loss="relativistic", r1=1.0, r2=2.0, gradient_penalty=3.0)
    rng = np.random.default_rng(seed)
    D = Network(recipe.discriminator, recipe.image_shape, dtype=np.float64, rng=rng)
    loss = recipe.loss.bind(NUMPY, np.float64)
    real, fake = (rng.uniform(*recipe.pixels, (batch, *recipe.image_shape)) for _ in range(2))
    shares = rng.random(batch)
    c, c_fake = rng.integers(D.classes, size=(2, batch)) if D.uses_labels else (None, None)

    def step() -> Array:
        value = discriminator_gradients(D, loss, real, fake, labels=c, fake_labels=c_fake)[0]
        value = value + zero_centred_penalty(D, real, recipe.r1, c) + zero_centred_penalty(D, fake, recipe.r2, c_fake)
        return value + one_centred_penalty(D, between(D, real, fake, shares), recipe.gradient_penalty, c)

    return check_step(step, D, title=f"{recipe.name}: discriminator step with penalties", batch=batch, count=count)


def prove_pairs(*, batch: int = BATCH, seed: int = 0) -> list[Report]:
    """Both steps with a loss of pairs, small, and with a BatchNorm in D, so that each output depends on all images."""
    rng = np.random.default_rng(seed)
    G = Network([Linear(2, 5), Tanh()], 2, dtype=np.float64, rng=rng)
    D = Network([Linear(5, 4), BatchNorm(4), LeakyReLU(), Linear(4, 1)], 5, dtype=np.float64, rng=rng)
    loss = Relativistic().bind(NUMPY, np.float64)
    z, real = rng.standard_normal((batch, 2)), rng.uniform(-1, 1, (batch, 5))
    return [
        check_step(lambda: discriminator_gradients(D, loss, real, G.forward(z)), D, G, title="pairs: D's step"),
        check_step(lambda: pair_generator_gradients(G, D, loss, real, G.forward(z)), G, D, title="pairs: G's step"),
    ]
