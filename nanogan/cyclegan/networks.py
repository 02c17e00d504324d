"""The networks of CycleGAN: for each direction a small U-Net, and for each kind of pictures a discriminator of patches.

They are made of convolutions alone, so a generator that was trained on small pictures also turns larger ones. Source:
Zhu et al. 2017, with Isola et al.'s U-Net (2017) in place of their residual network, because a stroke that goes around
the smallest image isn't lost, and a step takes a fraction of the time. Read `step.py` next.
"""

from __future__ import annotations

from typing import Any

from ..backend import Shape
from ..conv import Conv2d, ConvTranspose2d
from ..errors import ShapeError
from ..initializers import Glorot
from ..layer import Layer
from ..layers import LeakyReLU, ReLU, Tanh
from ..losses import MSE
from ..network import Skip
from ..norm import InstanceNorm
from ..optim import Adam
from ..recipes.translators import Unpaired

MULTIPLE = 4
"""A picture's sides are halved twice, and doubled twice."""
LEAST = 8
"""Pixels of a side: 2 at the smallest size, of which `InstanceNorm` takes the mean."""


def unpaired(shape_a: Shape, shape_b: Shape, *, width: int = 16, **options: Any) -> Unpaired:
    """A recipe for pictures a and b, (H, W, A) and (H, W, B). Raises ShapeError if H or W isn't a multiple of 4.

    width: channels at the first half size, and twice as many at the second. D gives a score for each patch of 18 x 18
    pixels. options: fields of the recipe.
    """
    expect_multiples(shape_a)
    a, b = shape_a[-1], shape_b[-1]
    fields: dict[str, Any] = {
        "to_b": generator(a, b, width),
        "to_a": generator(b, a, width),
        "judge_a": discriminator(a, width),
        "judge_b": discriminator(b, width),
        "shape_a": shape_a,
        "shape_b": shape_b,
        "loss": MSE(),  # least squares, as in the paper's section 4
        "optimizer": Adam(lr=1e-3, betas=(0.5, 0.999)),  # the paper: 2e-4, for days instead of minutes
        "batch_size": 16,
        "epochs": 5,
    }
    return Unpaired("unpaired", **{**fields, **options})


def expect_multiples(shape: Shape) -> None:
    """Raise ShapeError unless pictures of this shape can be halved and doubled twice."""
    height, width, _ = shape
    if height % MULTIPLE or width % MULTIPLE or min(height, width) < LEAST:
        raise ShapeError(
            f"is {width} x {height} pixels, but the networks take sides that are multiples of {MULTIPLE}, at least "
            f"{LEAST}; cut or resize it"
        )


def generator(c_in: int, c_out: int, width: int) -> tuple[Layer, ...]:
    """(H, W, c_in) -> (H, W, c_out), in (-1, 1)"""
    smallest = [Conv2d(2 * width, 2 * width, 3, padding=1, bias=False, init=INIT), InstanceNorm(), ReLU()]
    around = [
        *(_halving(width, 2 * width), InstanceNorm(), LeakyReLU()),
        Skip(smallest),
        *(_doubling(4 * width, width), InstanceNorm(), ReLU()),
    ]
    first, last = _halving(c_in, width), _doubling(2 * width, c_out, bias=True)
    return (first, InstanceNorm(), LeakyReLU(), Skip(around), last, Tanh())


def discriminator(channels: int, width: int) -> tuple[Layer, ...]:
    """(H, W, channels) -> (H / 4, W / 4, 1)"""
    return (
        *(_halving(channels, width, bias=True), LeakyReLU()),
        *(_halving(width, 2 * width), InstanceNorm(), LeakyReLU()),
        Conv2d(2 * width, 1, 3, padding=1, init=INIT),
    )


INIT = Glorot()


def _halving(c_in: int, c_out: int, *, bias: bool = False) -> Conv2d:
    """bias: none before an InstanceNorm, which would take it away again."""
    return Conv2d(c_in, c_out, 4, stride=2, padding=1, bias=bias, init=INIT)


def _doubling(c_in: int, c_out: int, *, bias: bool = False) -> ConvTranspose2d:
    return ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1, bias=bias, init=INIT)
