"""What a recipe is: a frozen description of a GAN and its training. `mnist.py` has the published ones.

A recipe says what the networks are made of, the loss, the optimizer, the batch, the length. Nothing here computes.
`describe` and `restore` turn one into JSON and back, so that a checkpoint says by itself what it holds. Read
`dense.py` next.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from types import MappingProxyType
from typing import Any, TypeGuard

import numpy as np

from .. import adversarial, augment, conditional, conv, initializers, layers, losses, norm, optim, reshape, spectral
from ..backend import Array, Shape
from ..errors import InputError
from ..layer import Layer
from ..losses import Loss
from ..network import Sequential, Skip, leaves
from ..optim import Optimizer
from ..penalties import expect_penalised
from ..settings import check_fields, generator
from .translators import ImageToImage, Unpaired, check_recipe

MNIST: Shape = (28, 28, 1)
"""The shape of its images: height, width, channels."""


@dataclass(frozen=True)
class Schedule:
    """SGD's settings as functions of time (Goodfellow et al. 2014, the published configuration).

    lr at step t is max(lr / lr_decay^t, lr_floor); momentum goes from its first to its last value, linearly over
    `momentum_epochs` epochs, of which there are at least two.
    """

    lr_decay: float
    lr_floor: float
    momentum: tuple[float, float]
    momentum_epochs: int

    def __post_init__(self) -> None:
        check_fields(self)
        if self.momentum_epochs < 2:
            raise InputError(f"{self}: momentum_epochs must be at least 2")

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
    mean_of_terms: D's loss is the mean of its real and its fake term; by default it is their sum.
    same_fake: G is trained on the fake images that D has just seen; by default on fresh ones.
    simultaneous: D and G move at once, from the same point and on the same fake images; by default D moves first.
    schedule: how the optimizers' settings change; None: they don't.
    ema_decay: images are drawn with a moving average of G's weights, of this decay; None: with the weights.
    output_bias_from_data: G's last bias starts so that it draws the mean training image.
    class_names: of the classes that both networks know; None: neither uses labels.
    r1, r2, gradient_penalty: what is added to D's loss, see `penalties.py`: the gamma of R1 (on real images) and of R2
    (on generated ones), and WGAN-GP's weight (between them); 0: nothing.
    d_optimizer: D's own optimizer; None: D has one like G's.
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
    image_shape: Shape = MNIST
    images: int | None = None
    real_label: float = 1.0
    mean_of_terms: bool = False
    same_fake: bool = False
    simultaneous: bool = False
    schedule: Schedule | None = None
    ema_decay: float | None = None
    output_bias_from_data: bool = False
    class_names: tuple[str, ...] | None = None
    r1: float = 0.0
    r2: float = 0.0
    gradient_penalty: float = 0.0
    d_optimizer: Optimizer | None = None

    def __post_init__(self) -> None:
        check_recipe(self)
        _check_classes(self)
        weights = (self.r1, self.r2, self.gradient_penalty)
        if min(weights) < 0:
            raise InputError(f"{self.name}: r1, r2 and gradient_penalty must be at least 0, got {weights}")
        if any(weights):
            try:
                expect_penalised(self.discriminator)
            except InputError as error:
                hint = "leave it out, as nanogan.recipes.cured does"
                raise InputError(f"{self.name}: discriminator: {error}; {hint}") from None

    @property
    def input_shape(self) -> Shape:
        """Of one input of the generator."""
        return (self.noise_size,)

    def draw_noise(self, rng: np.random.Generator | int, out: Array, truncate: float | None = None) -> Array:
        """Fill the host array `out`, (N, noise_size), with fresh z from a generator, or from a seed.

        truncate: draw values beyond +-truncate again (Brock et al. 2019, the truncation trick). Only of normal z.
        """
        rng = generator(rng)
        if truncate is not None:
            return self._draw_truncated(rng, out, truncate)
        if self.noise_bound is None:
            return rng.standard_normal(out=out, dtype=out.dtype)
        rng.random(out=out, dtype=out.dtype)
        out *= 2 * self.noise_bound
        out -= self.noise_bound
        return out

    def _draw_truncated(self, rng: np.random.Generator, out: Array, limit: float) -> Array:
        """Row by row, so that the first rows of many are those of few."""
        if self.noise_bound is not None:
            raise InputError(f"recipe {self.name}: its z is uniform, not normal; it can't be truncated")
        for z in out:
            rng.standard_normal(out=z, dtype=z.dtype)
            while len(beyond := np.flatnonzero(abs(z) > limit)):
                z[beyond] = rng.standard_normal(len(beyond), dtype=z.dtype)
        return out


def _check_classes(recipe: Recipe) -> None:
    """The networks use labels of as many classes as have names."""
    names = recipe.class_names
    if names is not None:
        object.__setattr__(recipe, "class_names", tuple(names))
        if not names or len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
            raise InputError(f"{recipe.name}: class_names must be different texts, got {names!r}")
    for layer in leaves([*recipe.generator, *recipe.discriminator]):
        if layer.uses_labels and layer.classes != len(names or ()):
            raise InputError(f"{recipe.name}: {layer} knows {layer.classes} classes, but class_names are {names}")


def has(layers: Iterable[Layer], kind: type[Layer]) -> bool:
    """Whether one of these layers is of this kind."""
    return any(isinstance(layer, kind) for layer in layers)


def are_layers(value: Any) -> TypeGuard[tuple[Layer, ...]]:
    """Whether it is a network's description: a tuple of layers."""
    return isinstance(value, tuple) and bool(value) and all(isinstance(layer, Layer) for layer in value)


def describe(value: Any) -> Any:
    """A recipe, or anything in it, as what JSON can hold: {"type": "Linear", "n_in": 64, ...}."""
    if dataclasses.is_dataclass(value):
        fields = {field.name: describe(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, Sequential):
        return {"type": type(value).__name__, "layers": describe(value.layers)}
    if isinstance(value, (tuple, list)):
        return [describe(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def restore(description: Any, layers: Mapping[str, type] = MappingProxyType({})) -> Any:
    """What `describe` was given. Only nanogan's own descriptions can come out, and those of the classes in `layers`.

    layers: classes of yours by name, such as {"MyLayer": MyLayer}; besides layers, losses, optimizers and so on.
    Raises InputError on anything else.
    """
    if isinstance(description, list):
        return tuple(restore(item, layers) for item in description)
    if not isinstance(description, Mapping):
        return description
    fields = {name: restore(value, layers) for name, value in description.items() if name != "type"}
    name = str(description.get("type"))
    cls = RECIPE_CLASSES.get(name) or layers.get(name)
    if cls is None:
        raise InputError(
            f"its recipe has a {name!r}, which is unknown to this nanogan; if the class is yours, say in Python "
            f"load_generator(path, layers={{{name!r}: {name}}}), else update nanogan"
        )
    try:
        return cls(**fields)
    except InputError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:  # from what a class checks
        raise InputError(f"a recipe's {cls.__name__} has other fields than this nanogan knows: {error}") from None


def own_classes(value: Any) -> dict[str, type]:
    """The classes in a recipe that aren't nanogan's, by name.

    Raises InputError if one could not be saved and read again: all that it is made of must be its fields.
    """
    if isinstance(value, (tuple, list)):
        return {name: cls for item in value for name, cls in own_classes(item).items()}
    if value is None or isinstance(value, (str, int, float, np.generic)):
        return {}
    cls = type(value)
    if isinstance(value, Sequential):
        inner: Any = value.layers
    elif dataclasses.is_dataclass(value):
        inner = [getattr(value, field.name) for field in dataclasses.fields(value)]
    else:
        raise InputError(
            f"a recipe with {value!r} can't be saved: make {cls.__name__} a @dataclass whose fields are numbers, "
            "texts, tuples or other such classes"
        )
    known = RECIPE_CLASSES.get(cls.__name__)
    if known not in (None, cls):
        raise InputError(f"a recipe with a {cls.__name__} of yours: nanogan has a class of that name; choose another")
    return own_classes(inner) | ({} if known else {cls.__name__: cls})


RECIPE_CLASSES: dict[str, Any] = {
    name: cls
    for module in (
        initializers,
        layers,
        reshape,
        conv,
        norm,
        conditional,
        spectral,
        augment,
        losses,
        adversarial,
        optim,
    )
    for name, cls in vars(module).items()
    if dataclasses.is_dataclass(cls)
} | {cls.__name__: cls for cls in (Recipe, Schedule, ImageToImage, Unpaired, Sequential, Skip)}
"""Every class that may stand in a recipe, by name."""
