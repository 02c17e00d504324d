"""Published configurations as data, so that they can be read side by side and each run with `--recipe NAME`.

A recipe is a frozen description: what the networks are made of, the loss, the optimizer, the batch, the length. Nothing
here computes. Conventions that the sources leave open: LeakyReLU's slope is 0.2, a partial last batch is dropped, every
epoch shuffles, and a layer starts as PyTorch's does unless the recipe says otherwise.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from . import conv, layer, layers, losses, norm, optim
from .backend import Array, Shape
from .conv import Conv2d, ConvTranspose2d
from .errors import InputError
from .layer import Glorot, Layer, Normal, Uniform
from .layers import Dropout, Flatten, LeakyReLU, Linear, Maxout, ReLU, Reshape, Sigmoid, Tanh
from .losses import BCE, BCEWithLogits, Loss
from .network import Sequential, Skip
from .norm import BatchNorm
from .optim import SGD, Adam, Optimizer


@dataclass(frozen=True)
class Schedule:
    """SGD's settings as functions of time (Goodfellow et al. 2014, the published configuration).

    lr at step t is max(lr / lr_decay^t, lr_floor); momentum goes from its first to its last value, linearly over
    `momentum_epochs` epochs.
    """

    lr_decay: float
    lr_floor: float
    momentum: tuple[float, float]
    momentum_epochs: int

    def lr(self, first: float, step: int) -> float:
        return max(first / self.lr_decay**step, self.lr_floor)

    def momentum_in(self, epoch: int) -> float:
        """epoch counts from 1"""
        first, last = self.momentum
        return first + (last - first) * min((epoch - 1) / (self.momentum_epochs - 1), 1.0)


@dataclass(frozen=True)
class Recipe:
    """One published way to train a GAN on images.

    name, source: what to call it, and where it comes from.
    generator, discriminator: their layers; images are (N, *image_shape), channels last.
    noise_size, noise_bound: z is normal, (N, noise_size), or uniform(-bound, bound) where a bound is given.
    pixels: the values of black and white, which are the range of the generator's last layer.
    epochs, steps: the published length, one or the other.
    images: how many of the data set's first images are trained on; None: all.
    real_label: D's target for real images; below 1 it is one-sided label smoothing (Salimans et al. 2016, 3.4).
    average: D's loss is the mean of its real and its fake term; by default it is their sum.
    same_fake: G is trained on the fake images that D has just seen; by default on fresh ones.
    simultaneous: D and G move at once, from the same point; by default D moves first.
    schedule: how the optimizers' settings change; None: they don't.
    output_bias_from_data: G's last bias starts so that it draws the mean training image.
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
    epochs: int | None = None
    steps: int | None = None
    pixels: tuple[float, float] = (-1.0, 1.0)
    image_shape: Shape = (28, 28, 1)
    images: int | None = None
    real_label: float = 1.0
    average: bool = False
    same_fake: bool = False
    simultaneous: bool = False
    schedule: Schedule | None = None
    output_bias_from_data: bool = False

    @property
    def input_shape(self) -> Shape:
        """Of one input of the generator."""
        return (self.noise_size,)

    def draw_noise(self, rng: np.random.Generator, out: Array) -> Array:
        """Fill the host array `out`, (N, noise_size), with fresh z."""
        if self.noise_bound is None:
            return rng.standard_normal(out=out, dtype=out.dtype)
        rng.random(out=out, dtype=out.dtype)
        out *= 2 * self.noise_bound
        out -= self.noise_bound
        return out


@dataclass(frozen=True)
class ImageToImage:
    """One way to train a network that turns pictures into others (Isola et al. 2017); `image_to_image.py` makes them.

    generator: from a picture (*input_shape) to one of (*image_shape), channels last, height and width the same.
    discriminator: of both, one beside the other on the channel axis.
    epochs: for half of them the learning rate stays, then it falls linearly towards 0 (as in the authors' code).
    l1_weight, adversarial_weight: of the two parts of the generator's loss.
    pixels: the values of black and white, in both pictures.
    """

    name: str
    _: KW_ONLY
    generator: tuple[Layer, ...]
    discriminator: tuple[Layer, ...]
    input_shape: Shape
    image_shape: Shape
    loss: Loss
    optimizer: Optimizer
    batch_size: int
    epochs: int
    l1_weight: float = 100.0
    adversarial_weight: float = 1.0
    pixels: tuple[float, float] = (-1.0, 1.0)


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

STUDENT = Recipe(
    "student",
    "a PyTorch tutorial: ReLU in D too, and BCE on probabilities",
    generator=(Linear(100, 256), ReLU(), Linear(256, 512), ReLU(), Linear(512, 784), Tanh(), Reshape((28, 28, 1))),
    discriminator=(Flatten(), Linear(784, 512), ReLU(), Linear(512, 256), ReLU(), Linear(256, 1), Sigmoid()),
    noise_size=100,
    loss=BCE(),
    optimizer=Adam(lr=2e-4),
    batch_size=64,
    epochs=50,
)

KERAS = Recipe(
    "keras",
    "a Keras tutorial: train_on_batch on real and fake as one batch, D frozen while G trains",
    generator=(
        Linear(100, 256, init=Glorot()),
        ReLU(),
        Linear(256, 512, init=Glorot()),
        ReLU(),
        Linear(512, 784, init=Glorot()),
        Sigmoid(),
        Reshape((28, 28, 1)),
    ),
    discriminator=(
        Flatten(),
        Linear(784, 512, init=Glorot()),
        ReLU(),
        Linear(512, 256, init=Glorot()),
        ReLU(),
        Linear(256, 1, init=Glorot()),
        Sigmoid(),
    ),
    noise_size=100,
    loss=BCE(),
    # Keras adds eps before it corrects v's bias. With eps = 1e-7 the difference is gone after some hundred steps.
    optimizer=Adam(lr=1e-3, eps=1e-7),
    batch_size=128,
    steps=10_000,
    pixels=(0.0, 1.0),
    average=True,  # the mean over the one batch of 256
)

UDACITY = Recipe(
    "udacity",
    "a deep-learning course: dropout after every hidden layer of both, real label 0.9",
    generator=(
        Linear(100, 32),
        LeakyReLU(),
        Dropout(0.3),
        Linear(32, 64),
        LeakyReLU(),
        Dropout(0.3),
        Linear(64, 128),
        LeakyReLU(),
        Dropout(0.3),
        Linear(128, 784),
        Tanh(),
        Reshape((28, 28, 1)),
    ),
    discriminator=(
        Flatten(),
        Linear(784, 128),
        LeakyReLU(),
        Dropout(0.3),
        Linear(128, 64),
        LeakyReLU(),
        Dropout(0.3),
        Linear(64, 32),
        LeakyReLU(),
        Dropout(0.3),
        Linear(32, 1),
    ),
    noise_size=100,
    noise_bound=1.0,
    loss=BCEWithLogits(),
    optimizer=Adam(lr=2e-3),
    batch_size=64,
    epochs=100,
    real_label=0.9,
)

COURSE = Recipe(
    "course",
    "a university course: the same fake batch for both updates",
    generator=(
        Linear(100, 128),
        ReLU(),
        Linear(128, 256),
        ReLU(),
        Linear(256, 512),
        ReLU(),
        Linear(512, 784),
        Tanh(),
        Reshape((28, 28, 1)),
    ),
    discriminator=(Flatten(), Linear(784, 512), LeakyReLU(), Linear(512, 256), LeakyReLU(), Linear(256, 1), Sigmoid()),
    noise_size=100,
    loss=BCE(),
    optimizer=Adam(lr=2e-4, betas=(0.5, 0.999)),
    batch_size=64,
    epochs=50,
    same_fake=True,
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

PAPER_G, PAPER_D = Uniform(0.05), Uniform(0.005)

PAPER_2014 = Recipe(
    "paper-2014",
    "Goodfellow et al. 2014, the configuration published with it; its number of epochs is not published",
    generator=(
        Linear(100, 1200, init=PAPER_G),
        ReLU(),
        Linear(1200, 1200, init=PAPER_G),
        ReLU(),
        Linear(1200, 784, init=PAPER_G),
        Sigmoid(),
        Reshape((28, 28, 1)),
    ),
    discriminator=(
        Flatten(),
        Dropout(0.2),
        Maxout(784, 240, 5, init=PAPER_D),
        Dropout(0.5),
        Maxout(240, 240, 5, init=PAPER_D),
        Dropout(0.5),
        Linear(240, 1, init=PAPER_D),
    ),
    noise_size=100,
    noise_bound=math.sqrt(3),  # variance 1
    loss=BCEWithLogits(),
    optimizer=SGD(lr=0.1, momentum=0.5),
    batch_size=100,
    epochs=250,
    pixels=(0.0, 1.0),
    images=50_000,
    average=True,
    same_fake=True,
    simultaneous=True,
    schedule=Schedule(lr_decay=1.000004, lr_floor=1e-6, momentum=(0.5, 0.7), momentum_epochs=250),
    output_bias_from_data=True,
)

RECIPES = {recipe.name: recipe for recipe in (VANILLA, STUDENT, KERAS, UDACITY, COURSE, DCGAN, PAPER_2014)}


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
    if isinstance(value, Sequential):
        return {"type": type(value).__name__, "layers": describe(value.layers)}
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
} | {cls.__name__: cls for cls in (Recipe, Schedule, ImageToImage, Sequential, Skip)}
"""Every class that may stand in a recipe, by name."""
