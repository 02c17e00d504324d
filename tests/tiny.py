"""A whole GAN of 61 numbers, with everything that a checkpoint can hold: weights, moments, running statistics."""

from dataclasses import replace
from typing import Any

import numpy as np

from nanogan.layers import LeakyReLU, Linear, Tanh
from nanogan.norm import BatchNorm
from nanogan.recipes.mnist import get_recipe
from nanogan.reshape import Flatten, Reshape
from nanogan.training.gan_trainer import Trainer

TINY = replace(
    get_recipe("vanilla"),
    name="tiny",
    generator=(Linear(2, 4), BatchNorm(4), LeakyReLU(), Linear(4, 4), Tanh(), Reshape((2, 2, 1))),
    discriminator=(Flatten(), Linear(4, 3), LeakyReLU(), Linear(3, 1)),
    noise_size=2,
    image_shape=(2, 2, 1),
    batch_size=4,
)
IMAGES = np.linspace(-1, 1, 48, dtype=np.float32).reshape(12, 2, 2, 1)  # 3 steps an epoch


def tiny_trainer(steps: int = 0, **options: Any) -> Trainer:
    trainer = Trainer(options.pop("recipe", TINY), options.pop("images", IMAGES), **{"seed": 0, **options})
    for _ in range(steps):
        trainer.step()
        if trainer.epoch_is_over:
            trainer.log_epoch()
    return trainer
