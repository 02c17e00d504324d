"""A training step as a NumPy textbook writes it, and one trick after the other on the way to nanogan.

The textbook computes in float64, as `np.random.randn` does; sends real and fake images through D one after the other;
computes every gradient in every backward pass; and gives each array a pair of moments and Adam's formula line by line.
`Tricks` names what can be done better with the same result, and `LADDER` adds one trick at a time. What its last rung
still lacks is nanogan: work arrays that are used again, with `out=`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from types import SimpleNamespace
from typing import Any

import numpy as np

from nanogan import losses, optim
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


class Net:
    """Layers in order."""

    def __init__(self, network: Any, tricks: Tricks) -> None:
        self.tricks = tricks
        dtype = np.float32 if tricks.float32 else np.float64
        self.layers: list[Layer] = []
        for layer in network.layers:
            form = FORMS[type(layer)]
            if form is Linear and not tricks.orientation:
                form = TransposedLinear
            arrays = {name: getattr(layer, name).astype(dtype) for name in layer.declare_params()}
            self.layers.append(form(layer, arrays))
        self.first = min(position for position, layer in enumerate(self.layers) if layer.p)
        self.batch_statistics = network.depends_on_batch

    def forward(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer.forward(x)
        return x

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
        if not self.tricks.no_D_gradients:
            return self.backward(dy)
        for layer in reversed(self.layers):
            dy = layer.backward_input(dy)
        return dy

    def gradients(self) -> list[Array]:
        return [layer.grads[name] for layer in self.layers for name in layer.p]

    def set_gradients(self, values: list[Array]) -> None:
        for layer in self.layers:
            layer.grads = {name: values.pop(0) for name in layer.p}


# ---- losses


def bce_with_logits(x: Array, t: float) -> tuple[float, Array]:
    """The mean loss of logits x with target t, and d(loss)/dx."""
    loss = np.mean(np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x))))
    return float(loss), (1 / (1 + np.exp(-x)) - t) / x.size


def bce(p: Array, t: float) -> tuple[float, Array]:
    """The same for probabilities p, which are kept off 0 and 1."""
    p = np.clip(p, 1e-7, 1 - 1e-7)
    loss = -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
    return float(loss), (p - t) / (p * (1 - p)) / p.size


# ---- optimizers


class Adam:
    """The formula, for one array after the other."""

    def __init__(self, net: Net, settings: optim.Adam) -> None:
        self.net, self.settings, self.t = net, settings, 0
        self.parameters = [array for layer in net.layers for array in layer.p.values()]
        self.m = [np.zeros_like(p) for p in self.parameters]
        self.v = [np.zeros_like(p) for p in self.parameters]

    def step(self) -> None:
        self.t += 1
        beta1, beta2 = self.settings.betas
        for i, (p, g) in enumerate(zip(self.parameters, self.net.gradients(), strict=True)):
            self.m[i] = beta1 * self.m[i] + (1 - beta1) * g
            self.v[i] = beta2 * self.v[i] + (1 - beta2) * g**2
            m_hat = self.m[i] / (1 - beta1**self.t)
            v_hat = self.v[i] / (1 - beta2**self.t)
            p -= self.settings.lr * m_hat / (np.sqrt(v_hat) + self.settings.eps)


class SGD:
    """With momentum."""

    def __init__(self, net: Net, settings: optim.SGD) -> None:
        self.net, self.settings = net, settings
        self.parameters = [array for layer in net.layers for array in layer.p.values()]
        self.v = [np.zeros_like(p) for p in self.parameters]

    def step(self) -> None:
        for i, (p, g) in enumerate(zip(self.parameters, self.net.gradients(), strict=True)):
            self.v[i] = self.settings.momentum * self.v[i] + g
            p -= self.settings.lr * self.v[i]


class FlatOptimizer:
    """nanogan's optimizer. Parameters become views of one vector; gradients are copied to another."""

    def __init__(self, net: Net, settings: optim.Optimizer) -> None:
        self.net = net
        shapes = [array.shape for layer in net.layers for array in layer.p.values()]
        params = np.concatenate([array.ravel() for layer in net.layers for array in layer.p.values()])
        self.grads = np.zeros_like(params)
        ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
        views = [part.reshape(shape) for part, shape in zip(np.split(params, ends), shapes, strict=True)]
        for layer in net.layers:
            layer.p = {name: views.pop(0) for name in layer.p}
        self.optimizer = settings.bind(SimpleNamespace(backend=NUMPY, params=params, grads=self.grads))

    def step(self) -> None:
        np.concatenate([gradient.ravel() for gradient in self.net.gradients()], out=self.grads)
        self.optimizer.step()


# ---- the step


class Naive(Contender):
    """A recipe's step with some of the tricks."""

    def __init__(self, setup: Setup, tricks: Tricks) -> None:
        super().__init__(setup)
        recipe, trainer = self.recipe, setup.trainer()
        self.tricks, self.dtype = tricks, np.float32 if tricks.float32 else np.float64
        self.G, self.D = Net(trainer.G, tricks), Net(trainer.D, tricks)
        self.loss = bce_with_logits if isinstance(recipe.loss, losses.BCEWithLogits) else bce
        form: Any = Adam if isinstance(recipe.optimizer, optim.Adam) else SGD
        if tricks.flat_adam:
            form = FlatOptimizer
        self.G_optimizer, self.D_optimizer = form(self.G, recipe.optimizer), form(self.D, recipe.optimizer)
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
        return d_loss, g_loss

    def _D_gradients(self, real: Array, fake: Array) -> float:
        targets, scale = (self.recipe.real_label, 0.0), 0.5 if self.recipe.mean_of_terms else 1.0
        if self.tricks.one_batch and not self.D.batch_statistics:
            logits = np.split(self.D.forward(np.concatenate([real, fake])), 2)
            terms = [self.loss(x, t) for x, t in zip(logits, targets, strict=True)]
            self.D.backward_params(scale * np.concatenate([dlogits for _, dlogits in terms]))
            return scale * sum(value for value, _ in terms)
        total, sums = 0.0, []
        for images, target in zip((real, fake), targets, strict=True):
            value, dlogits = self.loss(self.D.forward(images), target)
            self.D.backward_params(scale * dlogits)
            total += scale * value
            sums.append(self.D.gradients())
        self.D.set_gradients([of_real + of_fake for of_real, of_fake in zip(*sums, strict=True)])
        return total

    def _G_gradients(self, fake: Array) -> float:
        value, dlogits = self.loss(self.D.forward(fake), 1.0)
        self.G.backward_params(self.D.backward_input(dlogits))
        return value
