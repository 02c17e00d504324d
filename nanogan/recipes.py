"""Published configurations as data, so that they can be read side by side and each run with `--recipe NAME`.

A recipe is a frozen description: what the networks are made of, the loss, the optimizer, the batch, the length. Nothing
here computes. Conventions that the sources leave open: LeakyReLU's slope is 0.2, a partial last batch is dropped, every
epoch shuffles, and a layer starts as PyTorch's does unless the recipe says otherwise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from . import conv, layer, layers, losses, norm, optim
from .backend import Array, Shape
from .conv import Conv2d, ConvTranspose2d
from .errors import InputError
from .layer import Layer, Normal
from .layers import Flatten, LeakyReLU, Linear, ReLU, Reshape, Tanh
from .losses import BCEWithLogits, Loss
from .norm import BatchNorm
from .optim import Adam, Optimizer


@dataclass(frozen=True)
class Recipe:
    """One published way to train a GAN on images.

    name, source: what to call it, and where it comes from.
    generator, discriminator: their layers; images are (N, *image_shape), channels last.
    noise_size, noise_bound: z is normal, (N, noise_size), or uniform(-bound, bound) where a bound is given.
    pixels: the values of black and white, which are the range of the generator's last layer.
    real_label: D's target for real images; below 1 it is one-sided label smoothing (Salimans et al. 2016, 3.4).
    """

    name: str
    source: str
    _: KW_ONLY
    generator: tuple[Layer, ...]
    discriminator: tuple[Layer, ...]
    noise_size: int
    noise_bound: float | None = None
    loss: Loss
    optimizer: Optimizer
    batch_size: int
    epochs: int
    pixels: tuple[float, float] = (-1.0, 1.0)
    image_shape: Shape = (28, 28, 1)
    real_label: float = 1.0

    def draw_noise(self, rng: np.random.Generator, out: Array) -> Array:
        """Fill the host array `out`, (N, noise_size), with fresh z."""
        if self.noise_bound is None:
            return rng.standard_normal(out=out, dtype=out.dtype)
        rng.random(out=out, dtype=out.dtype)
        out *= 2 * self.noise_bound
        out -= self.noise_bound
        return out


VANILLA = Recipe(
    "vanilla",
    "the two-layer tutorial GAN",
    generator=(
        Linear(64, 256),
        ReLU(),
        Linear(256, 256),
        ReLU(),
        Linear(256, 784),
        Tanh(),
        Reshape((28, 28, 1)),
    ),
    discriminator=(
        Flatten(),
        Linear(784, 256),
        LeakyReLU(),
        Linear(256, 256),
        LeakyReLU(),
        Linear(256, 1),
    ),
    noise_size=64,
    loss=BCEWithLogits(),
    optimizer=Adam(lr=2e-4),
    batch_size=64,
    epochs=50,
)

DCGAN_INIT = Normal(0.02)  # Radford et al. 2016, section 4

DCGAN = Recipe(
    "dcgan",
    "Radford et al. 2016, in the size that MNIST tutorials use",
    generator=(
        Linear(64, 7 * 7 * 64, bias=False, init=DCGAN_INIT),  # no bias: BatchNorm takes the mean away again
        Reshape((7, 7, 64)),
        BatchNorm(64),
        ReLU(),
        ConvTranspose2d(64, 32, 4, stride=2, padding=1, bias=False, init=DCGAN_INIT),  # to 14 x 14
        BatchNorm(32),
        ReLU(),
        ConvTranspose2d(32, 1, 4, stride=2, padding=1, init=DCGAN_INIT),  # to 28 x 28
        Tanh(),
    ),
    discriminator=(
        Conv2d(1, 32, 4, stride=2, padding=1, init=DCGAN_INIT),  # to 14 x 14
        LeakyReLU(),
        Conv2d(32, 64, 4, stride=2, padding=1, bias=False, init=DCGAN_INIT),  # to 7 x 7
        BatchNorm(64),
        LeakyReLU(),
        Flatten(),
        Linear(7 * 7 * 64, 1, init=DCGAN_INIT),
    ),
    noise_size=64,
    loss=BCEWithLogits(),
    optimizer=Adam(lr=2e-4, betas=(0.5, 0.999)),
    batch_size=64,
    epochs=10,
)

RECIPES = {recipe.name: recipe for recipe in (VANILLA, DCGAN)}


def get_recipe(name: str) -> Recipe:
    """The recipe called `name`. Raises InputError, naming those there are, if there is none."""
    if name not in RECIPES:
        raise InputError(f"recipe {name!r} is unknown: choose one of {', '.join(RECIPES)}")
    return RECIPES[name]


# ---- recipes as JSON, so that a checkpoint says by itself what it holds


def describe(value: Any) -> Any:
    """A recipe, or anything in it, as what JSON can hold: {"type": "Linear", "n_in": 64, ...}."""
    if dataclasses.is_dataclass(value):
        fields = {field.name: describe(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    return [describe(item) for item in value] if isinstance(value, (tuple, list)) else value


def restore(description: Any) -> Any:
    """What `describe` was given. Only nanogan's own descriptions can come out. Raises InputError on anything else."""
    if isinstance(description, list):
        return tuple(restore(item) for item in description)
    if not isinstance(description, Mapping):
        return description
    fields = {name: restore(value) for name, value in description.items() if name != "type"}
    cls = DESCRIBED.get(str(description.get("type")))
    if cls is None:
        raise InputError(f"a recipe with {description.get('type')!r} is unknown to this nanogan; update it")
    try:
        return cls(**fields)
    except InputError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:  # from what a class checks
        raise InputError(f"a recipe's {cls.__name__} has other fields than this nanogan knows: {error}") from None


DESCRIBED: dict[str, Any] = {
    name: cls
    for module in (layer, layers, conv, norm, losses, optim)
    for name, cls in vars(module).items()
    if dataclasses.is_dataclass(cls)
} | {"Recipe": Recipe}
"""Every class that may stand in a recipe, by name."""
