"""The proof of the steps that turn pictures into others: with pairs (`pix2pix/`) and without (`cyclegan/`)."""

from __future__ import annotations

import numpy as np

from ..backend import NUMPY, Array
from ..cyclegan.networks import unpaired
from ..cyclegan.step import both_trips_gradients
from ..gan import discriminator_gradients
from ..losses import L1, BCEWithLogits
from ..network import Network
from ..pix2pix.networks import dense, unet
from ..pix2pix.step import concat_channels, paired_generator_gradients
from ..recipes.translators import ImageToImage, Unpaired
from .checks import BATCH, check_step
from .derivative import Report

IMAGE_TO_IMAGE = (
    dense((4, 3, 1), (4, 3, 2)),
    unet((8, 12, 1), (8, 12, 3), width=4),  # halved twice
    unet((6, 8, 3), (6, 8, 1), width=2, l1_weight=1.0, adversarial_weight=0.5),  # halved once
)
"""Both kinds of image-to-image networks, for small pictures of several channels, and weights of the losses."""


def prove_image_to_image(recipe: ImageToImage, *, batch: int = BATCH, count: int = 8, seed: int = 0) -> list[Report]:
    """Both updates of an image-to-image step, from the recipe's first weights; see `prove_recipe`."""
    rng = np.random.default_rng(seed)
    (height, width, a), b = recipe.input_shape, recipe.image_shape[-1]
    G = Network(recipe.generator, recipe.input_shape, dtype=np.float64, rng=rng)
    D = Network(recipe.discriminator, (height, width, a + b), dtype=np.float64, rng=rng)
    loss, l1 = recipe.loss.bind(NUMPY, np.float64), L1().bind(NUMPY, np.float64)
    condition = rng.uniform(*recipe.pixels, (batch, *recipe.input_shape))
    target = rng.uniform(*recipe.pixels, (batch, *recipe.image_shape))
    weights = {"l1_weight": recipe.l1_weight, "adversarial_weight": recipe.adversarial_weight}

    def discriminator() -> Array:
        real_pair = concat_channels(D, "real pair", condition, target)
        fake_pair = concat_channels(D, "fake pair", condition, G.forward(condition))
        return discriminator_gradients(D, loss, real_pair, fake_pair)[0]

    def generator() -> Array:
        image = G.forward(condition)
        pair = concat_channels(D, "fake pair", condition, image)
        adversarial, distance = paired_generator_gradients(G, D, loss, l1, pair, image, target, **weights)
        return recipe.adversarial_weight * adversarial + recipe.l1_weight * distance

    options = {"batch": batch, "count": count}
    name = f"image to image, {recipe.name}"
    return [
        check_step(discriminator, D, G, title=f"{name}: discriminator's update", **options),
        check_step(generator, G, D, title=f"{name}: generator's update", **options),
    ]


UNPAIRED = (
    unpaired((8, 12, 3), (8, 12, 1), width=2),  # colour and grey: no picture can stay as it is
    unpaired((8, 8, 2), (8, 8, 2), width=2, cycle_weight=3.0, identity_weight=2.0, loss=BCEWithLogits()),
)
"""Networks for small pictures, with least squares and with cross-entropy, without and with all parts of the loss."""


def prove_unpaired(recipe: Unpaired, *, batch: int = BATCH, count: int = 8, seed: int = 0) -> list[Report]:
    """The updates of both generators and both discriminators of a style, from its first weights; see `prove_recipe`."""
    rng = np.random.default_rng(seed)
    shapes = {"to_b": recipe.shape_a, "to_a": recipe.shape_b, "judge_a": recipe.shape_a, "judge_b": recipe.shape_b}
    networks = {
        name: Network(getattr(recipe, name), shape, dtype=np.float64, rng=rng) for name, shape in shapes.items()
    }
    loss, l1 = recipe.loss.bind(NUMPY, np.float64), L1().bind(NUMPY, np.float64)
    a, b = (rng.uniform(*recipe.pixels, (batch, *shape)) for shape in (recipe.shape_a, recipe.shape_b))
    to_b, to_a, judge_a, judge_b = networks.values()

    def both_trips() -> tuple[Array, ...]:
        weights = {"cycle_weight": recipe.cycle_weight, "identity_weight": recipe.identity_weight}
        return both_trips_gradients(to_b, to_a, judge_a, judge_b, loss, l1, a, b, **weights)

    def update_of_a() -> tuple[Array, ...]:
        return discriminator_gradients(judge_a, loss, a, to_a.forward(b))

    def update_of_b() -> tuple[Array, ...]:
        return discriminator_gradients(judge_b, loss, b, to_b.forward(a))

    reports = []
    for name, step in zip(networks, (both_trips, both_trips, update_of_a, update_of_b), strict=True):
        others = [network for other, network in networks.items() if other != name]
        title = f"unpaired, {recipe.loss!r}: update of {name}"
        reports.append(check_step(step, networks[name], *others, title=title, batch=batch, count=count))
    return reports
