"""Networks that turn one picture into another, in two forms: fully connected, and a U-Net judged patch by patch.

Each is an `ImageToImage` recipe, made for the shapes of its pictures. Source: Isola et al. 2017 (pix2pix). Read
`step.py` next, which has their training step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..backend import Shape
from ..conv import Conv2d, ConvTranspose2d
from ..errors import ShapeError
from ..initializers import Normal
from ..layer import Layer
from ..layers import LeakyReLU, Linear, ReLU, Tanh
from ..losses import BCEWithLogits
from ..network import Skip
from ..norm import BatchNorm
from ..optim import Adam
from ..recipes.recipe import ImageToImage
from ..reshape import Flatten, Reshape


def dense(input_shape: Shape, image_shape: Shape, *, width: int = 512, **options: Any) -> ImageToImage:
    """Fully connected networks, from pictures (H, W, A) to (H, W, B).

    width: units of G's hidden layers; D's have half as many. options: fields of the recipe.
    """
    n_in, n_out, half = math.prod(input_shape), math.prod(image_shape), max(width // 2, 1)
    generator: list[Layer] = [Flatten(), Linear(n_in, width), ReLU(), Linear(width, width), ReLU()]
    generator += [Linear(width, n_out), Tanh(), Reshape(image_shape)]
    discriminator: list[Layer] = [Flatten(), Linear(n_in + n_out, half), LeakyReLU(), Linear(half, half), LeakyReLU()]
    discriminator += [Linear(half, 1)]
    return _recipe("dense", generator, discriminator, input_shape, image_shape, options)


PIX2PIX_INIT = Normal(0.02)  # Isola et al. 2017, appendix 6.2
MOST_HALVINGS = 4


def unet(input_shape: Shape, image_shape: Shape, *, width: int = 16, **options: Any) -> ImageToImage:
    """A U-Net (Ronneberger et al. 2015), from pictures (H, W, A) to (H, W, B), and a discriminator of patches.

    The pictures are halved while both sides are even, at most 4 times, and doubled as often; at every size but the
    first, a `Skip` carries what was found there around all smaller sizes, and at the smallest around a convolution.
    D gives a logit for each patch of 18 x 18 pixels (Isola et al. 2017, section 3.2). width: channels at the first half
    size; twice as many at each smaller one.

    Raises ShapeError if a side is odd. options: fields of the recipe.
    """
    (height, across, c_in), c_out = input_shape, image_shape[-1]
    halvings = min((height & -height).bit_length() - 1, (across & -across).bit_length() - 1, MOST_HALVINGS)
    if halvings < 1:
        raise ShapeError(
            f"unet: expected pictures that can be halved, found {height} x {across} pixels; resize them to an even "
            "height and width, or choose --model dense"
        )
    generator = [
        *(_halving(c_in, width), LeakyReLU()),
        _around(width, halvings - 1),
        *(_doubling(2 * width, c_out, bias=True), Tanh()),
    ]
    discriminator = [
        *(_halving(c_in + c_out, width), LeakyReLU()),
        *(_halving(width, 2 * width), LeakyReLU()),
        Conv2d(2 * width, 1, 3, padding=1, init=PIX2PIX_INIT),
    ]
    return _recipe("unet", generator, discriminator, input_shape, image_shape, options)


def _around(channels: int, halvings: int) -> Skip:
    """Images (h, w, channels), and beside them what is found in them at all smaller sizes: (h, w, 2 channels)."""
    if halvings == 0:
        inner: list[Layer] = [Conv2d(channels, channels, 3, padding=1, bias=False, init=PIX2PIX_INIT)]
    else:
        inner = [
            *(_halving(channels, 2 * channels, bias=False), BatchNorm(2 * channels), LeakyReLU()),
            _around(2 * channels, halvings - 1),
            _doubling(4 * channels, channels),
        ]
    return Skip([*inner, BatchNorm(channels), ReLU()])


def _halving(c_in: int, c_out: int, *, bias: bool = True) -> Conv2d:
    return Conv2d(c_in, c_out, 4, stride=2, padding=1, bias=bias, init=PIX2PIX_INIT)


def _doubling(c_in: int, c_out: int, *, bias: bool = False) -> ConvTranspose2d:
    return ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1, bias=bias, init=PIX2PIX_INIT)


def _recipe(
    name: str,
    generator: list[Layer],
    discriminator: list[Layer],
    input_shape: Shape,
    image_shape: Shape,
    options: dict[str, Any],
) -> ImageToImage:
    fields: dict[str, Any] = {
        "generator": tuple(generator),
        "discriminator": tuple(discriminator),
        "input_shape": input_shape,
        "image_shape": image_shape,
        "loss": BCEWithLogits(),
        "optimizer": Adam(lr=1e-3, betas=(0.5, 0.999)),  # pix2pix: 2e-4, for 200 epochs instead of minutes
        "batch_size": 32,
        "epochs": 12,
    }
    return ImageToImage(name, **{**fields, **options})


MODELS: dict[str, Callable[..., ImageToImage]] = {"dense": dense, "unet": unet}
