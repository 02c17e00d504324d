"""The published recipes by name: as they were published, for MNIST, and for images of other shapes.

A recipe is data, so that all can be read side by side and each run with `--recipe NAME`; `dense.py` and
`convolutional.py` make them for a shape. Conventions that the sources leave open: LeakyReLU's slope is 0.2, a partial
last batch is dropped, every epoch shuffles, and a layer starts as PyTorch's does unless the recipe says otherwise.
`recipe.py` explains the fields. Read `training/gan_trainer.py` next, which runs a recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from inspect import signature
from typing import Any, TypeVar

from ..errors import InputError
from ..optim import Adam
from . import conditional, convolutional, dense
from .recipe import MNIST, ImageToImage, Recipe, Unpaired

MAKERS: dict[str, Callable[..., Recipe]] = {
    "nanogan": convolutional.nanogan,
    "vanilla": dense.vanilla,
    "student": dense.student,
    "keras": dense.keras,
    "udacity": dense.udacity,
    "course": dense.course,
    "dcgan": convolutional.dcgan,
    "paper-2014": dense.paper_2014,
    "conditional": conditional.conditional,
}
"""What makes each recipe for images of a shape, (height, width, channels), with networks of some width."""

RECIPES = {name: maker() for name, maker in MAKERS.items()}
"""Every recipe as it was published, for MNIST."""

NANOGAN, VANILLA, STUDENT, KERAS, UDACITY, COURSE, DCGAN, PAPER_2014, CONDITIONAL = RECIPES.values()


def get_recipe(
    name: str,
    image_shape: Iterable[int] = MNIST,
    *,
    width: int | None = None,
    noise_size: int | None = None,
    lr: float | None = None,
    beta1: float | None = None,
    class_names: Iterable[str] | None = None,
    **changes: Any,
) -> Recipe:
    """The recipe called `name` for images of this shape; what isn't given stays as published.

    image_shape: (height, width, channels). width: of its networks, as `dense.py` and `convolutional.py` have it.
    noise_size: how long z is. lr, beta1: of its optimizer. class_names: for images with labels, the names
    of their classes, which the networks then know. changes: other fields of `Recipe`, such as ema_decay.

    Raises InputError, naming what there is, if there is no such recipe, or if it can't have what it is given.
    """
    if name not in MAKERS:
        raise InputError(f"recipe {name!r} is unknown: choose one of {', '.join(RECIPES)}")
    options = {"width": width, "noise_size": noise_size}
    options = {option: value for option, value in options.items() if value is not None}
    try:
        recipe = MAKERS[name](tuple(map(int, image_shape)), **options)
    except InputError as error:
        raise InputError(f"recipe {name}: {error}") from None
    if class_names is not None:
        recipe = conditional.with_classes(recipe, class_names)
    return replace(with_optimizer(recipe, lr, beta1), **changes)


AnyRecipe = TypeVar("AnyRecipe", Recipe, ImageToImage, Unpaired)


def with_optimizer(recipe: AnyRecipe, lr: float | None = None, beta1: float | None = None) -> AnyRecipe:
    """The recipe with another learning rate, another beta1 of Adam, or both; None leaves what it has."""
    optimizer = recipe.optimizer
    if lr is not None:
        optimizer = replace(optimizer, lr=lr)
    if beta1 is not None:
        if not isinstance(optimizer, Adam):
            raise InputError(f"recipe {recipe.name}: its {type(optimizer).__name__} has no beta1; leave it out")
        optimizer = replace(optimizer, betas=(beta1, optimizer.betas[1]))
    return replace(recipe, optimizer=optimizer)


def default_width(name: str) -> int:
    """The width that a recipe has as published."""
    return signature(MAKERS[name]).parameters["width"].default


COLUMNS = ("recipe", "loss", "optimizer", "lr", "beta1", "batch", "length", "noise", "width", "average")


def table() -> str:
    """Every recipe in one line: what of it can be set, numbers of parameters at 28 x 28, and where it comes from."""
    rows = [(*COLUMNS, "G params", "D params", "source")]
    for recipe in RECIPES.values():
        optimizer = recipe.optimizer
        rows.append(
            (
                recipe.name,
                type(recipe.loss).__name__,
                type(optimizer).__name__,
                f"{optimizer.lr:g}",
                f"{optimizer.betas[0]:g}" if isinstance(optimizer, Adam) else "-",
                str(recipe.batch_size),
                f"{recipe.epochs} epochs" if recipe.epochs else f"{recipe.steps:,} steps",
                str(recipe.noise_size),
                str(default_width(recipe.name)),
                f"{recipe.ema_decay or 0:g}",
                f"{sum(layer.param_count for layer in recipe.generator):,}",
                f"{sum(layer.param_count for layer in recipe.discriminator):,}",
                recipe.source,
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
