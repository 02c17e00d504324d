"""Small GANs with everything in which a batch can be shared out wrongly, for threads here and for processes of MPI."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nanogan.augment import AUGMENTATIONS
from nanogan.conv import Conv2d, ConvTranspose2d
from nanogan.layers import Dropout, LeakyReLU, Linear, ReLU, Tanh
from nanogan.norm import BatchNorm
from nanogan.pix2pix.networks import unet
from nanogan.pix2pix.pairs import Pairs
from nanogan.pix2pix.trainer import ImageToImageTrainer
from nanogan.recipes.conditional import with_classes
from nanogan.recipes.cures import cured
from nanogan.recipes.mnist import get_recipe
from nanogan.recipes.recipe import ImageToImage, Recipe
from nanogan.reshape import Flatten, Pack, Reshape
from nanogan.training.gan_trainer import Trainer
from nanogan.training.trainer import BaseTrainer

BATCH = 12  # for 1 to 4 workers; 10 leaves them parts that differ

DENSE = replace(
    get_recipe("vanilla"),
    name="dense",
    generator=(Linear(3, 8), LeakyReLU(), Linear(8, 16), Tanh(), Reshape((4, 4, 1))),
    discriminator=(Flatten(), Linear(16, 8), LeakyReLU(), Linear(8, 1)),
    noise_size=3,
    image_shape=(4, 4, 1),
    batch_size=BATCH,
)
NORMED = replace(
    DENSE,
    name="normed",
    generator=(
        Linear(3, 16, bias=False), BatchNorm(16), ReLU(), Reshape((2, 2, 4)),
        ConvTranspose2d(4, 1, 4, stride=2, padding=1), Tanh(),
    ),
    discriminator=(
        Conv2d(1, 4, 4, stride=2, padding=1, bias=False), BatchNorm(4), LeakyReLU(), Flatten(), Linear(16, 1),
    ),
    ema_decay=0.9,
)  # fmt: skip
DROPPED = replace(
    DENSE,
    name="dropped",
    discriminator=(Flatten(), Linear(16, 8), LeakyReLU(), Dropout(0.3), Linear(8, 1)),
    same_fake=True,
    simultaneous=True,
)
PACKED = replace(
    DENSE,
    name="packed",
    discriminator=(Flatten(), Pack(2), Linear(32, 8), LeakyReLU(), Dropout(0.3), Linear(8, 1)),
    mean_of_terms=True,
)
OF_CLASSES = replace(with_classes(NORMED, "abc"), name="of classes")
AUGMENTED = replace(cured(DENSE, augment=AUGMENTATIONS), name="augmented")
UNET = replace(unet((12, 12, 1), (12, 12, 1), width=4), batch_size=BATCH)

RECIPES: dict[str, Recipe | ImageToImage] = {
    recipe.name: recipe for recipe in (DENSE, NORMED, DROPPED, PACKED, OF_CLASSES, AUGMENTED, UNET)
}


def make(name: str, dtype: Any = np.float64, **options: Any) -> BaseTrainer:
    """The trainer of one of them, on noise: 48 images or pairs, 4 steps an epoch."""
    recipe, rng = RECIPES[name], np.random.default_rng(1)
    if isinstance(recipe, Recipe):
        images = rng.uniform(-1, 1, (48, *recipe.image_shape)).astype(dtype)
        labels = None if recipe.class_names is None else np.arange(48) % 3
        return Trainer(recipe, images, labels=labels, seed=0, dtype=dtype, **options)
    pictures = rng.uniform(0, 1, (2, 60, *recipe.image_shape)).astype(np.float32)
    train, test = (Pairs("noise", *pictures[:, part]) for part in (slice(48), slice(48, 60)))
    return ImageToImageTrainer(recipe, train, test, seed=0, dtype=dtype, **options)
