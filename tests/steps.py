"""Whole updates for the tests: gradients, then the optimizer's step, as the training loop has them."""

from __future__ import annotations

from typing import Any

from nanogan.backend import Array
from nanogan.gan import discriminator_gradients, generator_gradients
from nanogan.losses import Loss
from nanogan.network import Network
from nanogan.optim import Optimizer


def discriminator_step(
    G: Network, D: Network, loss: Loss, optimizer: Optimizer, real: Array, z: Array, **options: Any
) -> tuple[Array, Array, Array]:
    """One update of D. Returns what `discriminator_gradients` does."""
    found = discriminator_gradients(D, loss, real, G.forward(z), **options)
    optimizer.step()
    return found


def generator_step(G: Network, D: Network, loss: Loss, optimizer: Optimizer, z: Array, **options: Any) -> Array:
    """One update of G. Returns its loss."""
    value = generator_gradients(G, D, loss, G.forward(z), **options)
    optimizer.step()
    return value
