"""Two GANs that draw digits within a minute on one core: those that are broken on purpose."""

from __future__ import annotations

from dataclasses import replace

from ...recipes.mnist import get_recipe
from ...recipes.recipe import Recipe

IMAGES = 16_000
"""Of MNIST: an epoch, after which the diagnosis looks, is 250 steps."""


def dense() -> Recipe:
    """`vanilla` at half its width, with DCGAN's beta1 and ten times its learning rate: digits in 1,000 steps."""
    return get_recipe("vanilla", width=128, lr=2e-3, beta1=0.5, images=IMAGES)


def smoothed() -> Recipe:
    """`dense` with one-sided label smoothing."""
    return replace(dense(), real_label=0.8)


def probabilities() -> Recipe:
    """A D that ends in a sigmoid, with BCE on probabilities."""
    return get_recipe("student", width=64, lr=2e-3, beta1=0.5, images=IMAGES)


def strong_discriminator() -> Recipe:
    """`dcgan` at an eighth of its width, with five times the learning rate: for 500 steps D is far ahead of G."""
    return get_recipe("dcgan", width=4, lr=1e-3, images=IMAGES)


def convolutional() -> Recipe:
    """The default at a quarter of its width: BatchNorm in both networks."""
    return get_recipe("nanogan", width=4, images=IMAGES)
