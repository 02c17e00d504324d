"""Published configurations as data, so that they can be read side by side and each run with `--recipe NAME`.

Conventions that the sources leave open: LeakyReLU's slope is 0.2, a partial last batch is dropped, every epoch
shuffles, and a layer starts as PyTorch's does unless the recipe says otherwise. `recipe.py` explains the fields. Read
`training/gan_trainer.py` next, which runs a recipe.
"""

from __future__ import annotations

import math

from ..conv import Conv2d, ConvTranspose2d
from ..errors import InputError
from ..initializers import Glorot, Normal, Uniform
from ..layers import Dropout, LeakyReLU, Linear, Maxout, ReLU, Sigmoid, Tanh
from ..losses import BCE, BCEWithLogits
from ..norm import BatchNorm
from ..optim import SGD, Adam
from ..reshape import Flatten, Reshape
from .recipe import Recipe, Schedule

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
    # Keras adds eps before it corrects v's bias, so there it counts 3 times as much at step 100, 1.03 times at 3,000.
    optimizer=Adam(lr=1e-3, eps=1e-7),
    batch_size=128,
    steps=10_000,
    pixels=(0.0, 1.0),
    mean_of_terms=True,  # the mean over the one batch of 256
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
        Linear(64, 7 * 7 * 64, bias=False, init=DCGAN_INIT),  # no bias: BatchNorm subtracts each channel's mean
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
    "Goodfellow et al. 2014, as published with it, save for its unpublished number of epochs",
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
    mean_of_terms=True,
    same_fake=True,
    simultaneous=True,
    schedule=Schedule(lr_decay=1.000004, lr_floor=1e-6, momentum=(0.5, 0.7), momentum_epochs=250),
    output_bias_from_data=True,
)

NANOGAN = Recipe(
    "nanogan",
    "this project's default: DCGAN at half its width, a hidden layer in both networks, averaged weights",
    generator=(
        Linear(64, 256, bias=False),
        BatchNorm(256),
        ReLU(),
        Linear(256, 7 * 7 * 32, bias=False),
        Reshape((7, 7, 32)),
        BatchNorm(32),
        ReLU(),
        ConvTranspose2d(32, 16, 4, stride=2, padding=1, bias=False),  # to 14 x 14
        BatchNorm(16),
        ReLU(),
        ConvTranspose2d(16, 1, 4, stride=2, padding=1),  # to 28 x 28
        Tanh(),
    ),
    discriminator=(
        Conv2d(1, 16, 4, stride=2, padding=1),  # to 14 x 14
        LeakyReLU(),
        Conv2d(16, 32, 4, stride=2, padding=1, bias=False),  # to 7 x 7
        BatchNorm(32),
        LeakyReLU(),
        Flatten(),
        Linear(7 * 7 * 32, 128, bias=False),
        BatchNorm(128),
        LeakyReLU(),
        Linear(128, 1),
    ),
    noise_size=64,
    loss=BCEWithLogits(),
    optimizer=Adam(lr=1e-3, betas=(0.5, 0.999)),
    batch_size=64,
    epochs=10,
    ema_decay=0.999,
)

RECIPES = {recipe.name: recipe for recipe in (NANOGAN, VANILLA, STUDENT, KERAS, UDACITY, COURSE, DCGAN, PAPER_2014)}


def get_recipe(name: str) -> Recipe:
    """The recipe called `name`. Raises InputError, naming those there are, if there is none."""
    if name not in RECIPES:
        raise InputError(f"recipe {name!r} is unknown: choose one of {', '.join(RECIPES)}")
    return RECIPES[name]


def table() -> str:
    """Every recipe in one line: loss, optimizer, batch, length, numbers of parameters, and where it comes from."""
    rows = [("recipe", "loss", "optimizer", "batch", "length", "G params", "D params", "source")]
    for recipe in RECIPES.values():
        rows.append(
            (
                recipe.name,
                type(recipe.loss).__name__,
                f"{type(recipe.optimizer).__name__} {recipe.optimizer.lr:g}",
                str(recipe.batch_size),
                f"{recipe.epochs} epochs" if recipe.epochs else f"{recipe.steps:,} steps",
                f"{sum(layer.param_count for layer in recipe.generator):,}",
                f"{sum(layer.param_count for layer in recipe.discriminator):,}",
                recipe.source,
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
