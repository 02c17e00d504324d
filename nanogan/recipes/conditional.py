"""Recipes for images with labels: any of the others with networks that know the class, and `conditional` itself.

The generator gets an embedding of the class beside z, and each class has a scale and a shift of its own in every
BatchNorm; the discriminator's last layer becomes a projection. Loss, optimizer, batch and length stay as they were.
Read `mnist.py` next, which names the recipes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..backend import Shape
from ..conditional import ByClass, ConditionalBatchNorm, Embedding, Projection
from ..errors import InputError
from ..layer import Layer
from ..layers import Linear
from ..norm import BatchNorm
from .convolutional import nanogan
from .recipe import MNIST, Recipe

EMBEDDING = 16
"""Values of the class beside z."""
DIGITS = tuple("0123456789")


def conditional(image_shape: Shape = MNIST, *, width: int = 16, noise_size: int = 64) -> Recipe:
    recipe = with_classes(nanogan(image_shape, width=width, noise_size=noise_size), DIGITS)
    return replace(recipe, name="conditional", source="the default, drawing the class that it is asked for", epochs=12)


def with_classes(recipe: Recipe, class_names: Iterable[str]) -> Recipe:
    """The recipe for images of these classes, whether it was made for others or for none.

    Raises InputError if its networks don't begin and end as those of the published recipes do.
    """
    names = tuple(map(str, class_names))
    networks: Sequence[Sequence[Layer]] = (recipe.generator, recipe.discriminator)
    if recipe.class_names is None:
        networks = (_generator(recipe), _discriminator(recipe))
    G, D = (
        tuple(replace(layer, classes=len(names)) if isinstance(layer, ByClass) else layer for layer in layers)  # type: ignore[type-var]
        for layers in networks
    )
    return replace(recipe, generator=G, discriminator=D, class_names=names)


def _generator(recipe: Recipe) -> list[Layer]:
    """Its layers, for one class."""
    first, *others = recipe.generator
    if not isinstance(first, Linear):
        raise InputError(f"recipe {recipe.name}: a conditional generator begins with Linear, found {first}")
    return [
        Embedding(1, EMBEDDING),
        replace(first, n_in=first.n_in + EMBEDDING),
        *(
            ConditionalBatchNorm(layer.channels, 1, momentum=layer.momentum, eps=layer.eps)
            if isinstance(layer, BatchNorm)
            else layer
            for layer in others
        ),
    ]


def _discriminator(recipe: Recipe) -> list[Layer]:
    """Its layers, for one class. Its own BatchNorms don't change: the projection alone has to know the class."""
    layers = list(recipe.discriminator)
    for place in reversed(range(len(layers))):
        last = layers[place]
        if isinstance(last, Linear) and last.n_out == 1:
            layers[place] = Projection(last.n_in, 1, init=last.init)
            return layers
    raise InputError(f"recipe {recipe.name}: a conditional discriminator ends in Linear(..., 1), and it has none")
