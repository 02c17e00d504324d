"""The fully connected recipes, each for images of any shape: every pixel is one unit, and nothing knows its neighbours.

width: units of the generator's first hidden layer; the other hidden layers keep their proportion to it. As published,
that is the default, and the images are MNIST's. Read `convolutional.py` next.
"""

from __future__ import annotations

import math

from ..backend import Shape
from ..initializers import Glorot, Uniform
from ..layers import Dropout, LeakyReLU, Linear, Maxout, ReLU, Sigmoid, Tanh
from ..losses import BCE, BCEWithLogits
from ..optim import SGD, Adam
from ..reshape import Flatten, Reshape
from .recipe import MNIST, Recipe, Schedule


def vanilla(image_shape: Shape = MNIST, *, width: int = 256, noise_size: int = 64) -> Recipe:
    n = math.prod(image_shape)
    return Recipe(
        "vanilla",
        "the two-layer tutorial GAN",
        generator=(
            Linear(noise_size, width),
            ReLU(),
            Linear(width, width),
            ReLU(),
            Linear(width, n),
            Tanh(),
            Reshape(image_shape),
        ),
        discriminator=(
            Flatten(),
            Linear(n, width),
            LeakyReLU(),
            Linear(width, width),
            LeakyReLU(),
            Linear(width, 1),
        ),
        noise_size=noise_size,
        image_shape=image_shape,
        loss=BCEWithLogits(),
        optimizer=Adam(lr=2e-4),
        batch_size=64,
        epochs=50,
    )


def student(image_shape: Shape = MNIST, *, width: int = 256, noise_size: int = 100) -> Recipe:
    n = math.prod(image_shape)
    return Recipe(
        "student",
        "a PyTorch tutorial: ReLU in D too, and BCE on probabilities",
        generator=(
            Linear(noise_size, width),
            ReLU(),
            Linear(width, 2 * width),
            ReLU(),
            Linear(2 * width, n),
            Tanh(),
            Reshape(image_shape),
        ),
        discriminator=(
            Flatten(),
            Linear(n, 2 * width),
            ReLU(),
            Linear(2 * width, width),
            ReLU(),
            Linear(width, 1),
            Sigmoid(),
        ),
        noise_size=noise_size,
        image_shape=image_shape,
        loss=BCE(),
        optimizer=Adam(lr=2e-4),
        batch_size=64,
        epochs=50,
    )


def keras(image_shape: Shape = MNIST, *, width: int = 256, noise_size: int = 100) -> Recipe:
    n = math.prod(image_shape)
    return Recipe(
        "keras",
        "a Keras tutorial: train_on_batch on real and fake as one batch, D frozen while G trains",
        generator=(
            Linear(noise_size, width, init=Glorot()),
            ReLU(),
            Linear(width, 2 * width, init=Glorot()),
            ReLU(),
            Linear(2 * width, n, init=Glorot()),
            Sigmoid(),
            Reshape(image_shape),
        ),
        discriminator=(
            Flatten(),
            Linear(n, 2 * width, init=Glorot()),
            ReLU(),
            Linear(2 * width, width, init=Glorot()),
            ReLU(),
            Linear(width, 1, init=Glorot()),
            Sigmoid(),
        ),
        noise_size=noise_size,
        image_shape=image_shape,
        loss=BCE(),
        # Keras adds eps before it corrects v's bias, so there it counts 3 times as much at step 100, 1.03 times at
        # 3,000.
        optimizer=Adam(lr=1e-3, eps=1e-7),
        batch_size=128,
        steps=10_000,
        pixels=(0.0, 1.0),
        mean_of_terms=True,  # the mean over the one batch of 256
    )


def udacity(image_shape: Shape = MNIST, *, width: int = 32, noise_size: int = 100) -> Recipe:
    n = math.prod(image_shape)
    return Recipe(
        "udacity",
        "a deep-learning course: dropout after every hidden layer of both, real label 0.9",
        generator=(
            Linear(noise_size, width),
            LeakyReLU(),
            Dropout(0.3),
            Linear(width, 2 * width),
            LeakyReLU(),
            Dropout(0.3),
            Linear(2 * width, 4 * width),
            LeakyReLU(),
            Dropout(0.3),
            Linear(4 * width, n),
            Tanh(),
            Reshape(image_shape),
        ),
        discriminator=(
            Flatten(),
            Linear(n, 4 * width),
            LeakyReLU(),
            Dropout(0.3),
            Linear(4 * width, 2 * width),
            LeakyReLU(),
            Dropout(0.3),
            Linear(2 * width, width),
            LeakyReLU(),
            Dropout(0.3),
            Linear(width, 1),
        ),
        noise_size=noise_size,
        image_shape=image_shape,
        noise_bound=1.0,
        loss=BCEWithLogits(),
        optimizer=Adam(lr=2e-3),
        batch_size=64,
        epochs=100,
        real_label=0.9,
    )


def course(image_shape: Shape = MNIST, *, width: int = 128, noise_size: int = 100) -> Recipe:
    n = math.prod(image_shape)
    return Recipe(
        "course",
        "a university course: the same fake batch for both updates",
        generator=(
            Linear(noise_size, width),
            ReLU(),
            Linear(width, 2 * width),
            ReLU(),
            Linear(2 * width, 4 * width),
            ReLU(),
            Linear(4 * width, n),
            Tanh(),
            Reshape(image_shape),
        ),
        discriminator=(
            Flatten(),
            Linear(n, 4 * width),
            LeakyReLU(),
            Linear(4 * width, 2 * width),
            LeakyReLU(),
            Linear(2 * width, 1),
            Sigmoid(),
        ),
        noise_size=noise_size,
        image_shape=image_shape,
        loss=BCE(),
        optimizer=Adam(lr=2e-4, betas=(0.5, 0.999)),
        batch_size=64,
        epochs=50,
        same_fake=True,
    )


PAPER_G, PAPER_D = Uniform(0.05), Uniform(0.005)


def paper_2014(image_shape: Shape = MNIST, *, width: int = 1200, noise_size: int = 100) -> Recipe:
    n, units = math.prod(image_shape), max(width // 5, 1)
    return Recipe(
        "paper-2014",
        "Goodfellow et al. 2014, as published with it, save for its unpublished number of epochs",
        generator=(
            Linear(noise_size, width, init=PAPER_G),
            ReLU(),
            Linear(width, width, init=PAPER_G),
            ReLU(),
            Linear(width, n, init=PAPER_G),
            Sigmoid(),
            Reshape(image_shape),
        ),
        discriminator=(
            Flatten(),
            Dropout(0.2),
            Maxout(n, units, 5, init=PAPER_D),
            Dropout(0.5),
            Maxout(units, units, 5, init=PAPER_D),
            Dropout(0.5),
            Linear(units, 1, init=PAPER_D),
        ),
        noise_size=noise_size,
        image_shape=image_shape,
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
