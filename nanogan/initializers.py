"""Initial values of weights and biases: what a layer's `init` can be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

import numpy as np

from .backend import Array, Shape
from .settings import check_fields

Draw: TypeAlias = "Callable[[np.random.Generator, Shape], Array]"
"""Draws the initial values of an array of a given shape, on the CPU."""


def zeros(rng: np.random.Generator, shape: Shape) -> Array:
    return np.zeros(shape)


def ones(rng: np.random.Generator, shape: Shape) -> Array:
    return np.ones(shape)


def uniform(bound: float) -> Draw:
    """uniform(-bound, bound)"""
    return lambda rng, shape: rng.uniform(-bound, bound, shape)


@dataclass(frozen=True)
class FanIn:
    """uniform(-k, k) with k = 1 / sqrt(fan_in), for weights and biases: what PyTorch's Linear and Conv2d do."""

    def weight(self, fan_in: int, fan_out: int) -> Draw:
        return uniform(1 / math.sqrt(fan_in))

    def bias(self, fan_in: int) -> Draw:
        return uniform(1 / math.sqrt(fan_in))


@dataclass(frozen=True)
class _ZeroBias:
    """Weights from the subclass, biases zero."""

    def __post_init__(self) -> None:
        check_fields(self)

    def bias(self, fan_in: int) -> Draw:
        return zeros


@dataclass(frozen=True)
class Glorot(_ZeroBias):
    """uniform(-k, k) with k = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16): Keras's default."""

    def weight(self, fan_in: int, fan_out: int) -> Draw:
        return uniform(math.sqrt(6 / (fan_in + fan_out)))


@dataclass(frozen=True)
class Normal(_ZeroBias):
    """N(mean, std^2). 0.02 is DCGAN's (Radford et al. 2016, section 4)."""

    std: float
    _: KW_ONLY
    mean: float = 0.0

    def weight(self, fan_in: int, fan_out: int) -> Draw:
        return lambda rng, shape: rng.normal(self.mean, self.std, shape)


@dataclass(frozen=True)
class Uniform(_ZeroBias):
    """uniform(-bound, bound), whatever the fan-in."""

    bound: float

    def weight(self, fan_in: int, fan_out: int) -> Draw:
        return uniform(self.bound)


Init = FanIn | Glorot | Normal | Uniform
DEFAULT_INIT = FanIn()
