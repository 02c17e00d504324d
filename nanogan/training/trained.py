"""A trained generator, out of a checkpoint: the discriminator isn't needed and isn't built."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import numpy as np

from ..backend import Array, Shape
from ..errors import InputError
from ..io import checkpoint
from ..layer import Layer
from ..network import Network, Sequential
from ..recipes.recipe import ImageToImage, Recipe, Unpaired, restore
from .gan_trainer import generate
from .old_checkpoints import upgraded


def load_generator(path: str | Path, *, layers: Mapping[str, type] = MappingProxyType({})) -> tuple[Network, Recipe]:
    """The generator in a checkpoint, on NumPy, and its recipe. The discriminator isn't needed and isn't built.

    layers: classes of yours that the recipe is made with, such as {"MyLayer": MyLayer}.
    Raises InputError if there is none that works.
    """

    def noise(recipe: Recipe) -> Array:
        return recipe.draw_noise(np.random.default_rng(0), np.empty((1, recipe.noise_size), np.float64))

    return load_network(path, Recipe, generator_part, noise, layers)


AnyRecipe = TypeVar("AnyRecipe", Recipe, ImageToImage, Unpaired)


class Part(NamedTuple):
    """A generator in a checkpoint: what its arrays' names begin with, its layers, and the shapes that it turns."""

    name: str
    layers: tuple[Layer, ...]
    input_shape: Shape
    image_shape: Shape


def generator_part(recipe: Recipe | ImageToImage) -> Part:
    """The one that images are drawn with."""
    name = "G" if getattr(recipe, "ema_decay", None) is None else "ema"
    return Part(name, recipe.generator, recipe.input_shape, recipe.image_shape)


def load_network(
    path: str | Path,
    kind: type[AnyRecipe],
    part: Callable[[AnyRecipe], Part],
    example: Callable[[AnyRecipe], Array],
    layers: Mapping[str, type] = MappingProxyType({}),
) -> tuple[Network, AnyRecipe]:
    """A generator in a checkpoint of one kind of recipe, and the recipe. See `load_generator`.

    part: which one. example: a batch of one input of it, to see whether it works.
    """
    arrays, meta = checkpoint.load(path)
    try:
        arrays, meta = upgraded(arrays, meta)
        recipe = restore(meta.get("description"), layers)
        if not isinstance(recipe, kind):
            raise InputError(f"holds {type(recipe).__name__}, not {kind.__name__}: it is of another kind of run")
        name, generator, input_shape, image_shape = part(recipe)
        _check_sizes(generator, input_shape)
        params, state = (arrays.get(f"{name}.{kind_of}", np.empty(0)) for kind_of in ("params", "state"))
        expected = sum(layer.param_count for layer in generator)
        if params.shape != (expected,):
            raise InputError(f"expected {expected:,} parameters of G, found an array of shape {params.shape}")
        G = Network(generator, input_shape, dtype=params.dtype)
        checkpoint.check_arrays(arrays, {f"{name}.params": G.params, f"{name}.state": G.state})
        G.params[...], G.state[...] = params, state
        labels = np.zeros(1, np.int64) if G.uses_labels else None
        z = example(recipe).astype(G.dtype)
        if G.shape != image_shape or not np.isfinite(generate(G, recipe, z, labels)).all():
            raise InputError("its generator draws no images")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # what a description made by hand can do in a layer has no limits
        raise InputError(f"{path}: its recipe can't be built ({type(error).__name__}: {error})") from None
    return G, recipe


LARGEST_OUTPUT = 2**24
"""Numbers that one layer may make of one noise vector in a checkpoint that somebody sent: an image of 4096 x 4096."""


def _check_sizes(layers: Iterable[Layer], shape: Shape) -> None:
    """Raise InputError, before memory is taken, if a description asks for absurdly large arrays."""
    for layer in (None, *layers):
        if isinstance(layer, Sequential):
            _check_sizes(layer.layers, shape)
        shape = layer.output_shape(shape) if layer else shape
        if math.prod(shape) > LARGEST_OUTPUT:
            raise InputError(f"its generator would need arrays of {math.prod(shape):,} numbers for one image")
