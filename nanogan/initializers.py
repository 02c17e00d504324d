"""First values of weights and biases."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass

import numpy as np

from .backend import Array, Shape


@dataclass(frozen=True)
class FanIn:
    """uniform(-k, k) with k = 1 / sqrt(fan_in), for weights and biases: what PyTorch's Linear and Conv2d do."""

    def weight(self, rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
        bound = 1 / math.sqrt(fan_in)
        return rng.uniform(-bound, bound, shape)

    def bias(self, rng: np.random.Generator, shape: Shape, fan_in: int) -> Array:
        bound = 1 / math.sqrt(fan_in)
        return rng.uniform(-bound, bound, shape)


@dataclass(frozen=True)
class _ZeroBias:
    """Weights as the subclass says, biases zero."""

    def bias(self, rng: np.random.Generator, shape: Shape, fan_in: int) -> Array:
        return np.zeros(shape)


@dataclass(frozen=True)
class Glorot(_ZeroBias):
    """uniform(-k, k) with k = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16): Keras's default."""

    def weight(self, rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
        bound = math.sqrt(6 / (fan_in + fan_out))
        return rng.uniform(-bound, bound, shape)


@dataclass(frozen=True)
class Normal(_ZeroBias):
    """N(mean, std^2). 0.02 is DCGAN's (Radford et al. 2016, section 4)."""

    std: float
    _: KW_ONLY
    mean: float = 0.0

    def weight(self, rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
        return rng.normal(self.mean, self.std, shape)


@dataclass(frozen=True)
class Uniform(_ZeroBias):
    """uniform(-bound, bound), whatever the fan-in."""

    bound: float

    def weight(self, rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Array:
        return rng.uniform(-self.bound, self.bound, shape)


Init = FanIn | Glorot | Normal | Uniform
DEFAULT_INIT = FanIn()
