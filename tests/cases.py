"""The table of layers that `test_layers.py` holds to the contract. A new layer is one new line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import textbook

from nanogan import (
    BatchNorm,
    Brightness,
    ConditionalBatchNorm,
    Contrast,
    Conv2d,
    ConvTranspose2d,
    Cutout,
    Dropout,
    Embedding,
    Flatten,
    InstanceNorm,
    Layer,
    LeakyReLU,
    Linear,
    Maxout,
    Network,
    Pack,
    Projection,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Skip,
    SpectralNorm,
    Tanh,
    Translation,
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
    plain: its textbook form (see `textbook.py`).
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


class WithLabels(Sequential):
    """Layers that are given the class of each row: 0, 0, 1, 1 ..., as `textbook.classes` has it."""

    def __init__(self, layers: Any) -> None:
        super().__init__(layers)
        self.uses_labels = False
        self.many = np.array(textbook.classes(40_000, self.label_layers()[0].classes))

    def __copy__(self) -> WithLabels:
        return WithLabels(self.layers)

    def forward(self, x: Array, training: bool = True) -> Array:
        for layer in self.label_layers():
            layer.labels = self.backend.asarray(self.many[: len(x)])
        return super().forward(x, training)


CONV = Conv2d(2, 3, 3, bias=False)
MLP = [Linear(5, 4), Tanh(), Linear(4, 3)]
DROPPED = [Dropout(0.3), Flatten(), Linear(12, 2)]

U_NET = [  # 4 x 4 pixels are halved twice and doubled twice
    Conv2d(1, 2, 2, stride=2),
    Tanh(),
    Skip([Conv2d(2, 2, 2, stride=2), BatchNorm(2, eps=0.1), Tanh(), Upsample(2)]),
    ConvTranspose2d(4, 1, 2, stride=2),
]
PLAIN_U_NET = [
    textbook.conv2d,
    textbook.tanh,
    textbook.skip(textbook.conv2d, textbook.batch_norm, textbook.tanh, textbook.upsample),
    textbook.conv_transpose2d,
]

LAYER_CASES = [
    LayerCase("Linear", Linear(6, 4), (6,), textbook.linear),
    LayerCase("Linear without bias", Linear(3, 5, bias=False), (3,), textbook.linear),
    LayerCase("ReLU", ReLU(), (7,), textbook.relu, margin=0.01),
    LayerCase("ReLU on images", ReLU(), (2, 3, 2), textbook.relu, margin=0.01),
    LayerCase("LeakyReLU", LeakyReLU(), (7,), textbook.leaky_relu, margin=0.01),
    LayerCase("LeakyReLU, slope 0", LeakyReLU(slope=0.0), (7,), textbook.leaky_relu, margin=0.01),
    LayerCase("LeakyReLU, slope 1", LeakyReLU(slope=1.0), (7,), textbook.leaky_relu),
    LayerCase("Tanh", Tanh(), (7,), textbook.tanh),
    LayerCase("Sigmoid", Sigmoid(), (7,), textbook.sigmoid),
    LayerCase("Maxout", Maxout(4, 3, 3), (4,), textbook.maxout),
    LayerCase("Maxout of one piece", Maxout(2, 3, 1), (2,), textbook.maxout),
    LayerCase("Upsample", Upsample(2), (2, 3, 2), textbook.upsample),
    LayerCase("Upsample by 3", Upsample(3), (2, 1, 1), textbook.upsample),
    LayerCase("Pack", Pack(3), (2,), textbook.pack, pack=3),
    LayerCase("Pack of images", Pack(3), (2, 3, 2), textbook.pack, pack=3),
    LayerCase("Pack of one", Pack(1), (2, 3), textbook.pack),
    LayerCase("Reshape", Reshape((2, 3, 2)), (12,), textbook.reshape),
    LayerCase("Flatten", Flatten(), (2, 3, 2), textbook.flatten),
    LayerCase("Dropout", Dropout(0.3), (9,), textbook.dropout, random=True),
    LayerCase("Dropout of nothing", Dropout(0.0), (9,), textbook.dropout),
    LayerCase("Conv2d", Conv2d(2, 3, 3), (4, 5, 2), textbook.conv2d),
    LayerCase("Conv2d as in DCGAN", Conv2d(2, 3, 4, stride=2, padding=1), (4, 6, 2), textbook.conv2d),
    LayerCase("Conv2d, a rest at the edge", Conv2d(2, 3, 3, stride=2, bias=False), (6, 4, 2), textbook.conv2d),
    LayerCase("Conv2d, stride larger than kernel", Conv2d(3, 1, 2, stride=3, padding=1), (5, 4, 3), textbook.conv2d),
    LayerCase("Conv2d of one number a patch", Conv2d(2, 2, 1), (2, 3, 2), textbook.conv2d),
    LayerCase("Conv2d of nothing but padding", Conv2d(2, 2, 2, stride=2, padding=3), (2, 3, 2), textbook.conv2d),
    LayerCase("ConvTranspose2d", ConvTranspose2d(3, 2, 3), (2, 3, 3), textbook.conv_transpose2d),
    LayerCase(
        "ConvTranspose2d as in DCGAN",
        ConvTranspose2d(3, 2, 4, stride=2, padding=1),
        (3, 2, 3),
        textbook.conv_transpose2d,
    ),
    LayerCase(
        "ConvTranspose2d, output_padding",
        ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1, bias=False),
        (2, 3, 2),
        textbook.conv_transpose2d,
    ),
    LayerCase(
        "ConvTranspose2d, stride larger than kernel",
        ConvTranspose2d(1, 2, 2, stride=3, output_padding=2),
        (3, 2, 1),
        textbook.conv_transpose2d,
    ),
    LayerCase("BatchNorm", BatchNorm(3), (3,), textbook.batch_norm, least=3),
    LayerCase("BatchNorm on images", BatchNorm(2), (3, 2, 2), textbook.batch_norm),
    LayerCase("BatchNorm, momentum 1", BatchNorm(2, momentum=1.0, eps=0.1), (1, 2, 2), textbook.batch_norm),
    LayerCase("InstanceNorm", InstanceNorm(), (3, 2, 2), textbook.instance_norm),
    LayerCase("InstanceNorm, eps", InstanceNorm(eps=0.1), (1, 4, 1), textbook.instance_norm),
    LayerCase("SpectralNorm", SpectralNorm(Linear(5, 3)), (5,), textbook.spectral_norm(textbook.linear)),
    LayerCase("SpectralNorm of a Conv2d", SpectralNorm(CONV), (4, 5, 2), textbook.spectral_norm(textbook.conv2d)),
    LayerCase("Sequential", Sequential(MLP), (5,), textbook.in_order(textbook.linear, textbook.tanh, textbook.linear)),
    LayerCase(
        "Sequential with dropout",
        Sequential(DROPPED),
        (3, 4),
        textbook.in_order(textbook.dropout, textbook.flatten, textbook.linear),
        random=True,
    ),
    LayerCase("Skip", Skip([Linear(4, 3), Tanh()]), (4,), textbook.skip(textbook.linear, textbook.tanh)),
    LayerCase("Skip of nothing", Skip([]), (2, 3), textbook.skip()),
    LayerCase("Skips as a U-Net", Skip(U_NET), (4, 4, 1), textbook.skip(*PLAIN_U_NET), least=2),
    LayerCase("Embedding", WithLabels([Embedding(3, 2)]), (4,), textbook.in_order(textbook.embedding)),
    LayerCase("Projection", WithLabels([Projection(4, 3)]), (4,), textbook.in_order(textbook.projection)),
    LayerCase("Projection of one class", WithLabels([Projection(3, 1)]), (3,), textbook.in_order(textbook.projection)),
    LayerCase(
        "ConditionalBatchNorm",
        WithLabels([ConditionalBatchNorm(3, 2)]),
        (3,),
        textbook.in_order(textbook.conditional_batch_norm),
        least=3,
    ),
    LayerCase(
        "ConditionalBatchNorm on images",
        WithLabels([Linear(2, 12), Reshape((3, 2, 2)), ConditionalBatchNorm(2, 2, momentum=1.0, eps=0.1)]),
        (2,),
        textbook.in_order(textbook.linear, textbook.reshape, textbook.conditional_batch_norm),
        least=2,
    ),
    LayerCase("Brightness", Brightness(0.5), (3, 2, 2), textbook.brightness),
    LayerCase("Contrast", Contrast(0.5), (3, 4, 2), textbook.contrast),
    LayerCase("Translation", Translation(0.3), (6, 4, 2), textbook.translation),
    LayerCase("Translation in one direction", Translation(0.25, fill=-1.0), (4, 1, 1), textbook.translation),
    LayerCase("Cutout", Cutout(0.5), (4, 5, 2), textbook.cutout),
    LayerCase("Cutout, an odd size", Cutout(0.6, fill=-1.0), (5, 4, 1), textbook.cutout),
]
