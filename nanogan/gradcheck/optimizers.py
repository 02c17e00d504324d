"""Proof that the optimizers do what their formulas say: every movement, beside the textbook's."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import plain
from ..backend import NUMPY, Array
from ..optim import SGD, Adam, Optimizer
from .derivative import Derivative, Report, Row

Textbook = Callable[[Any, Array, Array], Array]
"""From an optimizer's settings, first values (numbers,) and gradients (steps, numbers): the values after every step."""


def textbook_sgd(o: Any, start: Array, gradients: Array) -> Array:
    """v <- momentum v + g, p <- p - lr v; g with weight_decay p added"""
    p, v, path = start, np.zeros_like(start), []
    for gradient in gradients:
        v = o.momentum * v + gradient + o.weight_decay * p
        p = p - o.lr * v
        path.append(p)
    return np.array(path)


def textbook_adam(o: Any, start: Array, gradients: Array) -> Array:
    """Adam as `plain.py` has it, line by line from the paper; g with weight_decay p added"""
    p, g, path = start.copy(), np.zeros_like(start), []
    player: Any = SimpleNamespace(params=[p], grads=[g])
    beta1, beta2 = o.betas
    adam = plain.Adam(player, o.lr, beta1, beta2, o.eps)
    for gradient in gradients:
        g[...] = gradient + o.weight_decay * p
        adam.step()
        path.append(p.copy())
    return np.array(path)


OPTIMIZERS: tuple[tuple[Optimizer, Textbook], ...] = (
    (SGD(lr=0.1), textbook_sgd),
    (SGD(lr=0.1, momentum=0.9, weight_decay=0.01), textbook_sgd),
    (Adam(lr=0.01), textbook_adam),
    (Adam(lr=0.01, betas=(0.5, 0.999), weight_decay=0.01), textbook_adam),
)


def check_optimizer(optimizer: Optimizer, textbook: Textbook, *, numbers: int = 5, steps: int = 20) -> Report:
    """Compare every movement of an optimizer, given as a description, with its textbook form.

    The gradients are random, of sizes from 1e-3 to 10.
    """
    rng = np.random.default_rng(0)
    start = rng.standard_normal(numbers)
    gradients = rng.standard_normal((steps, numbers)) * np.logspace(-3, 1, numbers)
    network = SimpleNamespace(backend=NUMPY, params=start.copy(), grads=np.empty(numbers))
    attached = optimizer.bind(network)
    path = [start]
    for g in gradients:
        network.grads[...] = g
        attached.step()
        path.append(network.params.copy())
    expected = [start, *textbook(optimizer, start, gradients)]
    derivatives = [
        Derivative(f"step {t + 1}, number {i}", float(moved), float(wanted))
        for t, row in enumerate(zip(np.diff(path, axis=0), np.diff(expected, axis=0), strict=True))
        for i, (moved, wanted) in enumerate(zip(*row, strict=True))
    ]
    return Report(repr(optimizer), [Row("movement", len(derivatives), derivatives)])
