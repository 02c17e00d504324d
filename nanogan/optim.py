"""How a flat vector of parameters moves against its gradient: SGD with momentum, and Adam.

An optimizer is created as a description (`Adam(lr=2e-4)`) and bound to a network, whose `params` it then updates in
place from `grads`. Read `gan.py` next.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from .backend import Array, Backend, Workspace, fusible
from .errors import InputError
from .settings import check_fields

AnyOptimizer = TypeVar("AnyOptimizer", bound="Optimizer")


class Trainable(Protocol):
    """What an optimizer needs of a network."""

    backend: Backend
    params: Array
    grads: Array


class _Bound(Workspace):
    """What an optimizer has once it is bound, besides its fields."""

    network: Trainable
    t: int  # steps taken
    moments: dict[str, Array]  # flat vectors like network.params


@dataclass
class Optimizer(_Bound):
    """Base of the optimizers: moments as flat vectors, a step count, and the loop over the vectors, block by block.

    lr: the step size. weight_decay: adds weight_decay * p to every gradient (L2, like PyTorch's Adam and SGD).
    """

    _: KW_ONLY
    lr: float
    weight_decay: float = 0.0
    moment_names: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        if self.lr <= 0 or self.weight_decay < 0:
            raise InputError(f"{self}: lr must be positive and weight_decay not negative")

    def bind(self: AnyOptimizer, network: Trainable) -> AnyOptimizer:
        """A copy of this optimizer, with fresh moments, that updates `network`."""
        if isinstance(network, type) or not hasattr(network, "grads"):
            raise InputError(f"{type(self).__name__}.bind: network must be a Network, got {network!r}")
        bound = copy(self)
        bound._use(network.backend, network.params.dtype)
        bound.network, bound.t = network, 0
        bound.moments = {name: bound.xp.zeros_like(network.params) for name in self.moment_names}
        return bound

    def __reduce_ex__(self, protocol: Any) -> Any:
        """For `pickle` and `copy.deepcopy`: the copy takes along, and updates, a copy of the network."""
        if not self.is_bound:
            return super().__reduce_ex__(protocol)
        moments = {name: self.backend.to_host(moment) for name, moment in self.moments.items()}
        return _again, (copy(self), self.network, self.t, moments)

    def step(self) -> None:
        """Update all parameters once from the current gradients."""
        numbers = self.backend.fresh(self._next_numbers)
        vectors = (self.network.params, self.network.grads, *self.moments.values())
        size = self.backend.block_size  # a block of every vector stays in the cache through all passes over it
        for start in range(0, len(vectors[0]), size):
            p, g, *moments = (vector[start : start + size] for vector in vectors)
            if self.weight_decay:
                g = self._decay(p, g)
            self.update(p, g, *moments, numbers=numbers, work=self.buffer("work", p.shape))

    def _next_numbers(self) -> Array:
        """Counts the step. Its numbers are computed in double precision, whatever the network's."""
        self.t += 1
        return np.array(self.numbers(), self.dtype)

    def numbers(self) -> tuple[float, ...]:
        """What `update` multiplies with in step t and may differ in the next one."""
        raise NotImplementedError

    def _decay(self, p: Array, g: Array) -> Array:
        """g + weight_decay p, in a work array: an optimizer must not change the gradients."""
        decayed = self.buffer("decayed", p.shape)
        self.xp.multiply(p, self.weight_decay, out=decayed)
        decayed += g
        return decayed

    def update(self, p: Array, g: Array, *moments: Array, numbers: Array, work: Array) -> None:
        """Update a block of parameters p and of their moments in place, from the gradients g and `numbers()`."""
        raise NotImplementedError


def _again(optimizer: Optimizer, network: Trainable, t: int, moments: dict[str, Array]) -> Optimizer:
    """The optimizer, bound to `network` after t steps."""
    bound = optimizer.bind(network)
    bound.t = t
    for name, moment in moments.items():
        bound.moments[name][...] = bound.backend.asarray(moment)
    return bound


@dataclass
class SGD(Optimizer):
    """Gradient descent with momentum (Polyak 1964, in PyTorch's form):

    v <- momentum v + g
    p <- p - lr v
    """

    _: KW_ONLY
    momentum: float = 0.0
    moment_names: ClassVar[tuple[str, ...]] = ("v",)

    def numbers(self) -> tuple[float, ...]:
        return self.lr, self.momentum

    @fusible
    def update(self, p: Array, g: Array, *moments: Array, numbers: Array, work: Array) -> None:
        (v,), (lr, momentum) = moments, numbers
        v *= momentum
        v += g
        self.xp.multiply(v, lr, out=work)
        p -= work


@dataclass
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1), at step t = 1, 2, ...:

        m <- beta1 m + (1 - beta1) g              mean of the gradient
        v <- beta2 v + (1 - beta2) g^2            mean of its square
        p <- p - lr m_hat / (sqrt(v_hat) + eps)   m_hat = m / (1 - beta1^t),  v_hat = v / (1 - beta2^t)

    The means start at 0; dividing by 1 - beta^t takes that bias away. eps is added after the root of the *corrected*
    v_hat, as in the paper and PyTorch. The constants are folded into two scalars, which saves two passes over memory:

        lr m_hat / (sqrt(v_hat) + eps)  =  m / (scale sqrt(v) + offset)
    """

    _: KW_ONLY
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    moment_names: ClassVar[tuple[str, ...]] = ("m", "v")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(0 <= beta < 1 for beta in self.betas) or self.eps <= 0:
            raise InputError(f"{self}: each beta must lie in [0, 1) and eps must be positive")

    def numbers(self) -> tuple[float, ...]:
        """scale and offset"""
        beta1, beta2 = self.betas
        rate = self.lr / (1 - beta1**self.t)  # lr m_hat = rate m
        return 1 / (rate * math.sqrt(1 - beta2**self.t)), self.eps / rate

    @fusible
    def update(self, p: Array, g: Array, *moments: Array, numbers: Array, work: Array) -> None:
        xp, (m, v), (beta1, beta2), (scale, offset) = self.xp, moments, self.betas, numbers
        m *= beta1
        xp.multiply(g, 1 - beta1, out=work)
        m += work  # m <- beta1 m + (1 - beta1) g
        v *= beta2
        xp.multiply(g, g, out=work)
        work *= 1 - beta2
        v += work  # v <- beta2 v + (1 - beta2) g^2
        xp.sqrt(v, out=work)
        work *= scale
        work += offset
        xp.divide(m, work, out=work)
        p -= work  # p <- p - m / (scale sqrt(v) + offset)
