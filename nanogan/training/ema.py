"""The moving average of a network, which draws better images than the network itself."""

from __future__ import annotations

import numpy as np

from ..backend import Array, fusible
from ..errors import InputError
from ..network import Network
from ..settings import setting


class MovingAverage:
    """A second network whose parameters and running statistics a follow those of the first, p, at step t = 1, 2, ...:

        a <- a + (1 - decay_t) (p - a)        decay_t = min(decay, t / (t + 9))

    Two players circle around their equilibrium; the mean of their positions is nearer to it than any one of them
    (Yazici et al. 2019). decay_t is smaller at first, so that the random first weights are soon forgotten.
    """

    def __init__(self, followed: Network, decay: float) -> None:
        """It starts as a copy of `followed`. Raises InputError unless 0 <= decay < 1."""
        decay = setting("float", "a moving average's decay", decay)
        if not 0 <= decay < 1:
            raise InputError(f"a moving average's decay must lie in [0, 1), found {decay}")
        self.decay, self.backend = decay, followed.backend
        self.network = Network(followed.layers, followed.input_shape, backend=followed.backend, dtype=followed.dtype)
        self.followed = followed
        self.difference = followed.backend.xp.empty_like(followed.params)
        self.backend.specialize(self)
        for a, p in self._pairs():
            a[...] = p

    def _pairs(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Found anew each time: a copy of this object follows the copy of the network."""
        network, followed = self.network, self.followed
        return (network.params, followed.params), (network.state, followed.state)

    def weight(self, t: int) -> Array:
        """1 - decay_t, on the host."""
        return np.array(1 - min(self.decay, t / (t + 9)), self.network.dtype)

    def step(self, weight: Array) -> None:
        """Follow an update, with its weight."""
        for a, p in self._pairs():
            self.follow(a, p, weight)

    @fusible
    def follow(self, a: Array, p: Array, weight: Array) -> None:
        """a <- a + weight (p - a)"""
        difference = self.difference[: len(p)]
        difference[...] = p
        difference -= a
        difference *= weight
        a += difference
