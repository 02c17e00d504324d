"""Proof by finite differences: is a backward pass the derivative of its forward pass?

A loss f that is asked for at x + h and at x - h shows its slope, (f(x + h) - f(x - h)) / 2h, without any calculus.
Every check compares what a backward pass wrote with that, in float64, number by number; and for arrays too large for
that, at a sample of numbers and along random directions, which move all numbers at once.

    print(check_layer(MyLayer(3, 4), input_shape=3))

A layer's output is made a loss by a *random* upstream gradient dy: f = sum(y dy). (dy = 1 would not do: where the sum
of the outputs is constant, as after a batch normalisation, every derivative is 0 and so is every mistake.)

`everything.py` runs the checks over all of nanogan: `python -m nanogan gradcheck`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..backend import NUMPY, Array, Backend, Shape
from ..errors import InputError
from ..layer import Layer
from ..losses import Loss
from ..network import Network, Sequential
from .derivative import Derivative, Report, Row, slope_at_zero

BATCH = 3  # not 2: a factor of the batch size is to be told from a factor of 2
COUNT = 30  # numbers of an array that are checked one by one; beyond that it is sampled
DIRECTIONS = 2  # random directions for an array that is sampled


# ---- one array of derivatives


@dataclass
class _Checker:
    """Compares arrays of written derivatives with the slopes of one loss.

    loss: evaluates the loss as things stand now. Two evaluations in a row have to give the same number.
    """

    loss: Callable[[], float]
    backend: Backend
    rng: np.random.Generator
    count: int
    counts: dict[str, int]

    def __post_init__(self) -> None:
        self.centre, again = self.loss(), self.loss()
        if again != self.centre and math.isfinite(self.centre):
            raise InputError(
                f"gradient check: the same loss came out as {self.centre!r} and as {again!r}; random numbers must come "
                "from the network's generator (self.rng), and nothing may be carried from one pass to the next"
            )

    def row(self, name: str, values: Array, written: Array) -> Row:
        """values: the contiguous array on the backend that the loss depends on. written: d(loss)/d(values)."""
        if written.shape != values.shape:
            raise InputError(f"gradient check: {name} has shape {written.shape}, expected {values.shape}")
        flat, slopes = values.reshape(-1), self.backend.to_host(written).reshape(-1)
        found: list[Derivative] = []
        tries = self.rng.choice(flat.size, min(flat.size, 3 * self.count), replace=False)
        for i in tries:
            if sum(d.measured is not None for d in found) == self.count:
                break
            found.append(self._number(flat, int(i), float(slopes[i]), values.shape))
        if flat.size > self.count:
            found += [self._direction(flat, slopes) for _ in range(DIRECTIONS)]
        return Row(name, flat.size, found, self.counts)

    def _number(self, flat: Array, i: int, written: float, shape: Shape) -> Derivative:
        start = float(flat[i])

        def moved(h: float) -> float:
            flat[i] = start + h
            return self.loss()

        measured = slope_at_zero(moved, self.centre)
        flat[i] = start
        where = "[" + ", ".join(str(int(k)) for k in np.unravel_index(i, shape)) + "]"
        return Derivative(where, written, *(measured or (None,)))

    def _direction(self, flat: Array, slopes: Array) -> Derivative:
        """All numbers at once: the slope along v is the sum of v d(loss)/d(values)."""
        v = self.rng.standard_normal(flat.size)
        v /= np.linalg.norm(v)
        start, along = flat.copy(), self.backend.asarray(v)

        def moved(h: float) -> float:
            flat[...] = start + h * along
            return self.loss()

        measured = slope_at_zero(moved, self.centre)
        flat[...] = start
        return Derivative("along a random direction", float(slopes @ v), *(measured or (None,)))


class _Held:
    """The random generators and the state of some networks, put back before every evaluation, so that dropout masks
    and power iterations stay the same; and all that a check moves (those and parameters), put back after it.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        for network in networks:
            if network.dtype != np.float64:
                raise InputError(
                    f"gradient check: finite differences need float64, and this network computes in {network.dtype}; "
                    "build it with dtype=np.float64"
                )
        self.generators = [(n.rng.bit_generator, n.rng.bit_generator.state) for n in networks]
        self.states = [(n.state, n.state.copy()) for n in networks]
        self.params = [(n.params, n.params.copy()) for n in networks]

    def rewind(self) -> None:
        for generator, position in self.generators:
            generator.state = position
        for state, copy in self.states:
            state[...] = copy

    def __enter__(self) -> _Held:
        return self

    def __exit__(self, *error: object) -> None:
        self.rewind()
        for params, copy in self.params:
            params[...] = copy


def _parameters(layer: Layer, prefix: str = "") -> Iterator[tuple[str, Array, Array]]:
    """Name, values and gradient of every parameter, as live views; layers within layers included."""
    if isinstance(layer, Sequential):
        for position, inner in enumerate(layer.layers):
            yield from _parameters(inner, f"{prefix}{position}.")
    else:
        for name in layer.param_names():
            yield f"{prefix}d{name}", getattr(layer, name), getattr(layer, "d" + name)


# ---- the four checks


def check_layer(
    layer: Layer,
    input_shape: int | Shape,
    *,
    x: Array | None = None,
    batch: int = BATCH,
    count: int = COUNT,
    backend: Backend = NUMPY,
    seed: int = 0,
) -> Report:
    """Prove one layer, given as a description: dx and the gradient of every parameter. See `check_network`."""
    rng = np.random.default_rng(seed)
    network = Network([layer], input_shape, backend=backend, dtype=np.float64, rng=rng)
    report = check_network(network, x=x, batch=batch, count=count, seed=seed)
    return Report(repr(layer), [replace(row, name=row.name.removeprefix("0.")) for row in report.rows])


def check_network(
    network: Network, *, x: Array | None = None, batch: int = BATCH, count: int = COUNT, seed: int = 0
) -> Report:
    """Prove `backward_input` and `backward_params` of a network in training, from a random upstream gradient.

    network: built with dtype=np.float64. It comes back as it was, but for its gradients.
    x: a batch on the host, shape (batch, *input_shape); normal random numbers if not given. Labels are drawn, if used.
    count: how many numbers of each array are checked one by one (all, if it has no more).
    Raises InputError if the network isn't float64, or two evaluations of one loss differ.
    """
    rng, backend = np.random.default_rng(seed), network.backend
    host = rng.standard_normal((batch, *network.input_shape)) if x is None else np.array(x, dtype=np.float64)
    inputs = backend.asarray(host)
    labels = backend.asarray(rng.integers(network.classes, size=batch)) if network.uses_labels else None
    with _Held([network]) as held:
        y = network.forward(inputs, labels=labels)
        dy = backend.asarray(np.asarray(rng.standard_normal(y.shape)))

        def loss() -> float:
            held.rewind()
            return float((network.forward(inputs, labels=labels) * dy).sum())

        checker = _Checker(loss, backend, rng, count, {"batch size": len(host)})
        network.grads[...] = math.nan  # so that a gradient that is never written shows
        dx = network.backward_input(dy).copy()
        network.backward_params(dy)
        rows = [checker.row("dx", inputs, dx)]
        rows += [checker.row(name, values, grads.copy()) for name, values, grads in _parameters(network)]
    return Report(repr(network), rows)


def check_loss(
    loss: Loss, x: Array | None = None, t: Array | float | None = None, *, count: int = COUNT, seed: int = 0
) -> Report:
    """Prove a loss's `backward`: d(value)/dx.

    x, t: outputs and targets on the host; normal random numbers, and targets in [0, 1], of shape (3, 4) if not given.
    """
    rng = np.random.default_rng(seed)
    outputs = rng.standard_normal((BATCH, 4)) if x is None else np.array(x, dtype=np.float64)
    targets = rng.random(outputs.shape) if t is None else t
    bound = loss.bind(NUMPY, np.float64)
    counts = {"batch size": len(outputs), "count of numbers": outputs.size}
    checker = _Checker(lambda: float(bound.forward(outputs, targets)), NUMPY, rng, count, counts)
    return Report(repr(loss), [checker.row("dx", outputs, bound.backward(outputs, targets).copy())])


def check_step(
    gradients: Callable[[], Any],
    trained: Network,
    *others: Network,
    title: str = "step",
    batch: int = BATCH,
    count: int = COUNT,
    seed: int = 0,
) -> Report:
    """Prove the gradients of a whole training step: those it leaves in `trained` against the loss it returns.

    gradients: leaves them, and returns the loss, alone or first in a tuple; for example
        lambda: discriminator_gradients(D, loss, real, G.forward(z))
    trained, others: the networks that take part; their random generators stand still.
    batch: the batch size, to recognise it as a factor.
    Raises InputError if a network isn't float64, or two runs of the step give two losses.
    """
    with _Held([trained, *others]) as held:

        def loss() -> float:
            held.rewind()
            result = gradients()
            return float(result[0] if isinstance(result, tuple) else result)

        checker = _Checker(loss, trained.backend, np.random.default_rng(seed), count, {"batch size": batch})
        trained.grads[...] = math.nan
        loss()
        written = [(name, values, grads.copy()) for name, values, grads in _parameters(trained)]
        return Report(title, [checker.row(*each) for each in written])
