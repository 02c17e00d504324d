"""The convolutional recipes, each for square images of any size that can be halved until 4 to 8 pixels are left.

Every halving is a stage: D halves the image and doubles the channels, G goes the other way (Radford et al. 2016,
section 4). At 28 x 28 there are two stages, as in the sizes that MNIST tutorials use; every doubling of the size is one
more. width: channels at half the image's size, the fewest; a hidden Linear layer keeps its proportion to it. Read
`mnist.py` next, which names the recipes.
"""

from __future__ import annotations

from itertools import pairwise

from ..backend import Shape
from ..conv import Conv2d, ConvTranspose2d
from ..errors import InputError
from ..initializers import DEFAULT_INIT, Init, Normal
from ..layer import Layer
from ..layers import LeakyReLU, Linear, ReLU, Tanh
from ..losses import BCEWithLogits
from ..norm import BatchNorm
from ..optim import Adam
from ..reshape import Flatten, Reshape
from .recipe import MNIST, Recipe

DCGAN_INIT = Normal(0.02)  # Radford et al. 2016, section 4


def dcgan(image_shape: Shape = MNIST, *, width: int = 32, noise_size: int = 64) -> Recipe:
    side, widths = stages(image_shape, width)
    deepest = widths[-1]
    return Recipe(
        "dcgan",
        "Radford et al. 2016, in the size that MNIST tutorials use",
        generator=(
            Linear(noise_size, side * side * deepest, bias=False, init=DCGAN_INIT),  # BatchNorm subtracts the mean
            Reshape((side, side, deepest)),
            BatchNorm(deepest),
            ReLU(),
            *_doublings(widths, image_shape[-1], init=DCGAN_INIT),
            Tanh(),
        ),
        discriminator=(
            *_halvings(image_shape[-1], widths, init=DCGAN_INIT),
            Flatten(),
            Linear(side * side * deepest, 1, init=DCGAN_INIT),
        ),
        noise_size=noise_size,
        image_shape=image_shape,
        loss=BCEWithLogits(),
        optimizer=Adam(lr=2e-4, betas=(0.5, 0.999)),
        batch_size=64,
        epochs=10,
    )


def nanogan(image_shape: Shape = MNIST, *, width: int = 16, noise_size: int = 64) -> Recipe:
    side, widths = stages(image_shape, width)
    deepest = widths[-1]
    return Recipe(
        "nanogan",
        "this project's default: DCGAN at half its width, a hidden layer in both networks, averaged weights",
        generator=(
            Linear(noise_size, 16 * width, bias=False),
            BatchNorm(16 * width),
            ReLU(),
            Linear(16 * width, side * side * deepest, bias=False),
            Reshape((side, side, deepest)),
            BatchNorm(deepest),
            ReLU(),
            *_doublings(widths, image_shape[-1]),
            Tanh(),
        ),
        discriminator=(
            *_halvings(image_shape[-1], widths),
            Flatten(),
            Linear(side * side * deepest, 8 * width, bias=False),
            BatchNorm(8 * width),
            LeakyReLU(),
            Linear(8 * width, 1),
        ),
        noise_size=noise_size,
        image_shape=image_shape,
        loss=BCEWithLogits(),
        optimizer=Adam(lr=1e-3, betas=(0.5, 0.999)),
        batch_size=64,
        epochs=10,
        ema_decay=0.999,
    )


# ---- stages

SMALLEST = range(4, 9)
"""What may be left of a side when it has been halved as often as it takes."""


def stages(image_shape: Shape, width: int) -> tuple[int, list[int]]:
    """The side of the smallest feature maps, and the channels of every stage from the image inwards.

    (28, 28, 1) has maps of 14 and 7 pixels: 7, [width, 2 width]; (64, 64, 3) has 32, 16 and 8: 8, [width, 2 width,
    4 width]. Raises InputError, naming sizes that do, if the image can't be halved so.
    """
    height, across, _ = image_shape
    side, widths = height, list[int]()
    while side % 2 == 0 and (side > SMALLEST[-1] or not widths):
        side //= 2
        widths.append(width * 2 ** len(widths))
    if height != across or side not in SMALLEST or not widths:
        fits = sorted({smallest * 2**n for smallest in SMALLEST for n in range(1, 6)})
        sizes = ", ".join(str(size) for size in fits if size <= 128)
        raise InputError(
            f"images of {across} x {height} don't fit: it takes square ones whose side can be halved until 4 to 8 "
            f"pixels are left; choose a size of {sizes}, or a fully connected recipe such as vanilla"
        )
    return side, widths


def _doublings(widths: list[int], channels: int, init: Init = DEFAULT_INIT) -> tuple[Layer, ...]:
    """From the smallest feature maps to the image: twice the size and half the channels, again and again."""
    inner = [
        layer
        for c_in, c_out in pairwise(reversed(widths))
        for layer in (
            ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1, bias=False, init=init),
            BatchNorm(c_out),
            ReLU(),
        )
    ]
    return (*inner, ConvTranspose2d(widths[0], channels, 4, stride=2, padding=1, init=init))


def _halvings(channels: int, widths: list[int], init: Init = DEFAULT_INIT) -> tuple[Layer, ...]:
    """From the image to the smallest feature maps. The first stage has no BatchNorm (Radford et al. 2016)."""
    inner = [
        layer
        for c_in, c_out in pairwise(widths)
        for layer in (
            Conv2d(c_in, c_out, 4, stride=2, padding=1, bias=False, init=init),
            BatchNorm(c_out),
            LeakyReLU(),
        )
    ]
    return (Conv2d(channels, widths[0], 4, stride=2, padding=1, init=init), LeakyReLU(), *inner)
