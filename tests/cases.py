"""The table of layers that `test_layers.py` holds to the contract. A new layer is one new line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import plain

from nanogan import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Linear,
    Maxout,
    Network,
    Pack,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Skip,
    Tanh,
    Upsample,
)
from nanogan.backend import Array, Backend, Shape


def random_like(y: Array, rng: np.random.Generator) -> Array:
    """A host array shaped like y of standard normal numbers: the upstream gradient of every check."""
    return np.asarray(rng.standard_normal(y.shape))


@dataclass(frozen=True)
class LayerCase:
    """One layer to be checked.

    layer: its description; networks made of it hold copies.
    input_shape: shape of one input, without the batch axis.
    plain: its textbook form (see `plain.py`).
    margin: how far every input is pushed away from 0, for layers whose derivative jumps there. It has to be larger
    than the step of a finite difference.
    random: whether the layer draws random numbers, and so others in float32 than in float64.
    least: the smallest batch that the layer takes.
    pack: how many inputs make one output.
    """

    name: str
    layer: Layer
    input_shape: Shape
    plain: Callable[..., Array] | None = None
    margin: float = 0.0
    random: bool = False
    least: int = 1
    pack: int = 1

    def network(self, backend: Backend, dtype: Any, seed: int = 0) -> Network:
        """The layer alone, bound: a network gives it parameters, gradients, state and a generator."""
        return Network([self.layer], self.input_shape, backend=backend, dtype=dtype, rng=np.random.default_rng(seed))

    def inputs(self, rng: np.random.Generator, n: int, dtype: Any = np.float64) -> Array:
        """A batch on the host that makes n outputs, off the kinks."""
        x = rng.standard_normal((n * self.pack, *self.input_shape))
        return (x + np.copysign(self.margin, x)).astype(dtype)


MLP = [Linear(5, 4), Tanh(), Linear(4, 3)]
DROPPED = [Dropout(0.3), Flatten(), Linear(12, 2)]

U_NET = [  # 4 x 4 pixels are halved twice and doubled twice
    Conv2d(1, 2, 2, stride=2),
    Tanh(),
    Skip([Conv2d(2, 2, 2, stride=2), BatchNorm(2, eps=0.1), Tanh(), Upsample(2)]),
    ConvTranspose2d(4, 1, 2, stride=2),
]
PLAIN_U_NET = [
    plain.conv2d,
    plain.tanh,
    plain.skip(plain.conv2d, plain.batch_norm, plain.tanh, plain.upsample),
    plain.conv_transpose2d,
]

LAYER_CASES = [
    LayerCase("Linear", Linear(6, 4), (6,), plain.linear),
    LayerCase("Linear without bias", Linear(3, 5, bias=False), (3,), plain.linear),
    LayerCase("ReLU", ReLU(), (7,), plain.relu, margin=0.01),
    LayerCase("ReLU on images", ReLU(), (2, 3, 2), plain.relu, margin=0.01),
    LayerCase("LeakyReLU", LeakyReLU(), (7,), plain.leaky_relu, margin=0.01),
    LayerCase("LeakyReLU, slope 0", LeakyReLU(slope=0.0), (7,), plain.leaky_relu, margin=0.01),
    LayerCase("LeakyReLU, slope 1", LeakyReLU(slope=1.0), (7,), plain.leaky_relu),
    LayerCase("Tanh", Tanh(), (7,), plain.tanh),
    LayerCase("Sigmoid", Sigmoid(), (7,), plain.sigmoid),
    LayerCase("Maxout", Maxout(4, 3, 3), (4,), plain.maxout),
    LayerCase("Maxout of one piece", Maxout(2, 3, 1), (2,), plain.maxout),
    LayerCase("Upsample", Upsample(2), (2, 3, 2), plain.upsample),
    LayerCase("Upsample by 3", Upsample(3), (2, 1, 1), plain.upsample),
    LayerCase("Pack", Pack(3), (2,), plain.pack, pack=3),
    LayerCase("Pack of images", Pack(3), (2, 3, 2), plain.pack, pack=3),
    LayerCase("Pack of one", Pack(1), (2, 3), plain.pack),
    LayerCase("Reshape", Reshape((2, 3, 2)), (12,), plain.reshape),
    LayerCase("Flatten", Flatten(), (2, 3, 2), plain.flatten),
    LayerCase("Dropout", Dropout(0.3), (9,), plain.dropout, random=True),
    LayerCase("Dropout of nothing", Dropout(0.0), (9,), plain.dropout),
    LayerCase("Conv2d", Conv2d(2, 3, 3), (4, 5, 2), plain.conv2d),
    LayerCase("Conv2d as in DCGAN", Conv2d(2, 3, 4, stride=2, padding=1), (4, 6, 2), plain.conv2d),
    LayerCase("Conv2d, a rest at the edge", Conv2d(2, 3, 3, stride=2, bias=False), (6, 4, 2), plain.conv2d),
    LayerCase("Conv2d, stride larger than kernel", Conv2d(3, 1, 2, stride=3, padding=1), (5, 4, 3), plain.conv2d),
    LayerCase("Conv2d of one number a patch", Conv2d(2, 2, 1), (2, 3, 2), plain.conv2d),
    LayerCase("Conv2d of nothing but padding", Conv2d(2, 2, 2, stride=2, padding=3), (2, 3, 2), plain.conv2d),
    LayerCase("ConvTranspose2d", ConvTranspose2d(3, 2, 3), (2, 3, 3), plain.conv_transpose2d),
    LayerCase(
        "ConvTranspose2d as in DCGAN",
        ConvTranspose2d(3, 2, 4, stride=2, padding=1),
        (3, 2, 3),
        plain.conv_transpose2d,
    ),
    LayerCase(
        "ConvTranspose2d, output_padding",
        ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1, bias=False),
        (2, 3, 2),
        plain.conv_transpose2d,
    ),
    LayerCase(
        "ConvTranspose2d, stride larger than kernel",
        ConvTranspose2d(1, 2, 2, stride=3, output_padding=2),
        (3, 2, 1),
        plain.conv_transpose2d,
    ),
    LayerCase("BatchNorm", BatchNorm(3), (3,), plain.batch_norm, least=3),
    LayerCase("BatchNorm on images", BatchNorm(2), (3, 2, 2), plain.batch_norm),
    LayerCase("BatchNorm, momentum 1", BatchNorm(2, momentum=1.0, eps=0.1), (1, 2, 2), plain.batch_norm),
    LayerCase("Sequential", Sequential(MLP), (5,), plain.in_order(plain.linear, plain.tanh, plain.linear)),
    LayerCase(
        "Sequential with dropout",
        Sequential(DROPPED),
        (3, 4),
        plain.in_order(plain.dropout, plain.flatten, plain.linear),
        random=True,
    ),
    LayerCase("Skip", Skip([Linear(4, 3), Tanh()]), (4,), plain.skip(plain.linear, plain.tanh)),
    LayerCase("Skip of nothing", Skip([]), (2, 3), plain.skip()),
    LayerCase("Skips as a U-Net", Skip(U_NET), (4, 4, 1), plain.skip(*PLAIN_U_NET), least=2),
]
