"""What a recipe that turns pictures into others is: with pairs, the right answer to each, or without.

`recipe.py` has the others, and what all have in common.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Any

from ..backend import Shape
from ..errors import InputError
from ..layer import Layer
from ..losses import Loss
from ..network import expect_layers, leaves
from ..optim import Optimizer
from ..settings import check_fields


@dataclass(frozen=True)
class ImageToImage:
    """One way to train a network that turns pictures into others (Isola et al. 2017); see `pix2pix/networks.py`.

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

    def __post_init__(self) -> None:
        check_recipe(self)


@dataclass(frozen=True)
class Unpaired:
    """One way to turn pictures a into pictures b, and back, without pairs (Zhu et al. 2017); see `cyclegan/step.py`.

    to_b, to_a: the generators G and F, whose layers never mix the rows of a batch. judge_a, judge_b: discriminators.
    shape_a, shape_b: of one picture, channels last, height and width the same.
    epochs: for half of them the learning rate stays, then it falls linearly towards 0.
    cycle_weight, identity_weight: of the parts of the generators' loss; identity_weight is 0 if a and b have different
    channels. pool: how many earlier fakes of each kind are kept for the discriminators; 0: they see the newest alone.
    pixels: the values of black and white, in both kinds of pictures.
    """

    name: str
    _: KW_ONLY
    to_b: tuple[Layer, ...]
    to_a: tuple[Layer, ...]
    judge_a: tuple[Layer, ...]
    judge_b: tuple[Layer, ...]
    shape_a: Shape
    shape_b: Shape
    loss: Loss
    optimizer: Optimizer
    batch_size: int
    epochs: int
    cycle_weight: float = 10.0
    identity_weight: float = 0.0
    pool: int = 50
    pixels: tuple[float, float] = (-1.0, 1.0)

    def __post_init__(self) -> None:
        check_recipe(self, ("to_b", "to_a", "judge_a", "judge_b"))
        if min(self.cycle_weight, self.identity_weight, self.pool) < 0:
            raise InputError(f"{self.name}: cycle_weight, identity_weight and pool must be at least 0")
        if self.identity_weight and self.shape_a != self.shape_b:
            raise InputError(
                f"{self.name}: identity_weight {self.identity_weight:g}: pictures can stay as they are only if both "
                f"kinds have one shape, and these are {self.shape_a} and {self.shape_b}; set it to 0"
            )
        for layer in leaves([*self.to_b, *self.to_a]):
            if layer.depends_on_batch:
                raise InputError(f"{self.name}: {layer} mixes the rows of a batch; choose InstanceNorm, or none")


def check_recipe(recipe: Any, networks: Iterable[str] = ("generator", "discriminator")) -> None:
    """Settings as the annotations have them, and layers as tuples, whatever they were given as."""
    check_fields(recipe)
    for name in networks:
        try:
            object.__setattr__(recipe, name, tuple(expect_layers(getattr(recipe, name))))
        except InputError as error:
            raise InputError(f"{recipe.name}: {name}: {error}") from None
