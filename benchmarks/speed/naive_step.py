"""A training step as a NumPy textbook writes it, and one trick after the other on the way to nanogan.

The textbook is `nanogan/plain.py`, worse: it computes in float64, as `np.random.randn` does; sends real and fake images
through D one after the other; and computes every gradient in every backward pass. Adam is that of `plain.py`.
`Tricks` names what can be done better with the same result, and `LADDER` adds one trick at a time. What its last rung
still lacks is nanogan: work arrays that are used again, with `out=`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import SimpleNamespace
from typing import Any

import numpy as np

from nanogan import losses, optim, plain
from nanogan.backend import NUMPY, Array

from .naive import FORMS, Layer, Linear, TransposedLinear
from .reference import Contender, Setup, Step


@dataclass(frozen=True)
class Tricks:
    """In the order in which LADDER adds them."""

    float32: bool = False
    orientation: bool = False
    no_D_gradients: bool = False
    no_first_dx: bool = False
    one_batch: bool = False
    flat_adam: bool = False


NAMES = {
    "float32": "float32 throughout",
    "orientation": "weights as (in, out): y = x W",
    "no_D_gradients": "no D weight gradients in G's step",
    "no_first_dx": "no input gradient of the first layer",
    "one_batch": "real and fake in one batch",
    "flat_adam": "Adam on one flat vector, in blocks, with the fewest passes",
}


def ladder() -> dict[str, Tricks]:
    rungs, has = {"naive NumPy": Tricks()}, {}
    for field in fields(Tricks):
        has[field.name] = True
        rungs["+ " + NAMES[field.name]] = Tricks(**has)
    return rungs


LADDER = ladder()
"""Contenders by name: each has the tricks of those before it, and one more."""


class Net(plain.Network):
    """Layers in order."""

    def __init__(self, network: Any, tricks: Tricks) -> None:
        self.tricks = tricks
        dtype = np.float32 if tricks.float32 else np.float64
        self.layers: list[Layer] = []
        for layer in network.layers:
            form = FORMS[type(layer)]
            if form is Linear and not tricks.orientation:
                form = TransposedLinear
            arrays = {name: getattr(layer, name).astype(dtype) for name in layer.param_names()}
            self.layers.append(form(layer, arrays))
        self.first = min(position for position, layer in enumerate(self.layers) if layer.names)
        self.params = [p for layer in self.layers for p in layer.params]
        self.grads = [g for layer in self.layers for g in layer.grads]
        self.batch_statistics = network.depends_on_batch

    def backward(self, dy: Array) -> Array:
        """The gradients of all parameters, and dx."""
        for layer in reversed(self.layers):
            layer.backward_params(dy)
            dy = layer.backward_input(dy)
        return dy

    def backward_params(self, dy: Array) -> None:
        """The gradients of all parameters."""
        if not self.tricks.no_first_dx:
            self.backward(dy)
            return
        for layer in reversed(self.layers[self.first + 1 :]):
            layer.backward_params(dy)
            dy = layer.backward_input(dy)
        self.layers[self.first].backward_params(dy)

    def backward_input(self, dy: Array) -> Array:
        """dx"""
        return super().backward_input(dy) if self.tricks.no_D_gradients else self.backward(dy)


def bce(p: Array, t: float) -> tuple[float, Array]:
    """BCE of probabilities p, which are kept off 0 and 1: the mean loss with target t, and d(loss)/dp."""
    p = np.clip(p, 1e-7, 1 - 1e-7)
    loss = -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
    return float(loss), (p - t) / (p * (1 - p)) / p.size


# ---- optimizers


class SGD:
    """With momentum, for one array after the other, as `plain.Adam` is."""

    def __init__(self, net: Net, settings: optim.SGD) -> None:
        self.net, self.settings = net, settings
        self.v = [np.zeros_like(p) for p in net.params]

    def step(self) -> None:
        for p, g, v in zip(self.net.params, self.net.grads, self.v, strict=True):
            v[...] = self.settings.momentum * v + g
            p -= self.settings.lr * v


class FlatOptimizer:
    """nanogan's optimizer. Parameters become views of one vector; gradients are copied to another."""

    def __init__(self, net: Net, settings: optim.Optimizer) -> None:
        self.net = net
        params = np.concatenate([p.ravel() for p in net.params])
        self.grads = np.zeros_like(params)
        pieces = iter(np.split(params, np.cumsum([p.size for p in net.params])[:-1]))
        for layer in net.layers:
            for name in layer.names:
                setattr(layer, name, next(pieces).reshape(getattr(layer, name).shape))
        self.optimizer = settings.bind(SimpleNamespace(backend=NUMPY, params=params, grads=self.grads))

    def step(self) -> None:
        np.concatenate([g.ravel() for g in self.net.grads], out=self.grads)
        self.optimizer.step()


def optimizer(net: Net, settings: optim.Optimizer, tricks: Tricks) -> Any:
    if tricks.flat_adam:
        return FlatOptimizer(net, settings)
    if isinstance(settings, optim.Adam):
        return plain.Adam(net, settings.lr, *settings.betas, settings.eps)
    assert isinstance(settings, optim.SGD)
    return SGD(net, settings)


# ---- the step


class Naive(Contender):
    """A recipe's step with some of the tricks."""

    def __init__(self, setup: Setup, tricks: Tricks) -> None:
        super().__init__(setup)
        recipe, trainer = self.recipe, setup.trainer()
        self.tricks, self.dtype = tricks, np.float32 if tricks.float32 else np.float64
        self.G, self.D = Net(trainer.G, tricks), Net(trainer.D, tricks)
        self.loss = plain.bce_with_logits if isinstance(recipe.loss, losses.BCEWithLogits) else bce
        self.G_optimizer, self.D_optimizer = (optimizer(net, recipe.optimizer, tricks) for net in (self.G, self.D))
        self.rng = np.random.default_rng(0)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            real = self.setup.images[self.rng.integers(len(self.setup.images), size=self.setup.batch_size)]
            self._step(real, self._noise(), None if self.recipe.same_fake else self._noise())

    def losses(self, step: Step) -> tuple[float, float]:
        return self._step(step.real, step.z, step.z_again)

    def _noise(self) -> Array:
        shape, bound = (self.setup.batch_size, self.recipe.noise_size), self.recipe.noise_bound
        return self.rng.standard_normal(shape) if bound is None else self.rng.uniform(-bound, bound, shape)

    def _step(self, real: Array, z: Array, z_again: Array | None) -> tuple[float, float]:
        real, fake = real.astype(self.dtype), self.G.forward(z.astype(self.dtype))
        if self.recipe.simultaneous:
            g_loss = self._G_gradients(fake)
            d_loss = self._D_gradients(real, fake)
            self.D_optimizer.step()
        else:
            d_loss = self._D_gradients(real, fake)
            self.D_optimizer.step()
            if z_again is not None:
                fake = self.G.forward(z_again.astype(self.dtype))
            g_loss = self._G_gradients(fake)
        self.G_optimizer.step()
        return float(d_loss), float(g_loss)

    def _D_gradients(self, real: Array, fake: Array) -> float:
        targets, scale = (self.recipe.real_label, 0.0), 0.5 if self.recipe.mean_of_terms else 1.0
        if self.tricks.one_batch and not self.D.batch_statistics:
            logits = np.split(self.D.forward(np.concatenate([real, fake])), 2)
            terms = [self.loss(x, t) for x, t in zip(logits, targets, strict=True)]
            self.D.backward_params(scale * np.concatenate([dlogits for _, dlogits in terms]))
            return scale * sum(value for value, _ in terms)
        total, of_real = 0.0, list[Array]()
        for images, target in zip((real, fake), targets, strict=True):
            value, dlogits = self.loss(self.D.forward(images), target)
            self.D.backward_params(scale * dlogits)
            total += scale * value
            of_real = of_real or [g.copy() for g in self.D.grads]
        for g, other in zip(self.D.grads, of_real, strict=True):
            g += other
        return total

    def _G_gradients(self, fake: Array) -> float:
        value, dlogits = self.loss(self.D.forward(fake), 1.0)
        self.G.backward_params(self.D.backward_input(dlogits))
        return value
