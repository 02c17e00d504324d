"""A walk through the noise of a generator: images that turn into each other, and into the first again.

G, recipe = load_generator("runs/conditional/checkpoint.npz")
images = walk(G, recipe, 60, classes=[3, 8], seed=0)
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import numpy as np

from ..backend import Array
from ..conditional import ByClass
from ..errors import InputError
from ..layer import Layer
from ..network import Network
from ..recipes.recipe import Recipe
from ..settings import generator
from ..training.gan_trainer import generate

STOPS = 4
"""Random places that a walk comes by, at least: two would be there and back."""
MOST_CLASSES = 10
"""That a walk comes by if it isn't told which."""


def walk(
    G: Network, recipe: Recipe, frames: int = 60, *, classes: Sequence[int] | None = None, seed: int | None = None
) -> Array:
    """Images (frames, H, W, C), in [0, 1], on the way through random z and back: played in a loop, it has no seam.

    classes: of a conditional recipe, those that it comes by, in this order; by default all, or ten of more.
    Raises InputError if there are fewer frames than places to come by, or classes that the recipe hasn't got.
    """
    rng, known = generator(seed), len(recipe.class_names or ())
    if classes is None:
        classes = sorted(rng.permutation(known)[:MOST_CLASSES].tolist())
    if any(not 0 <= c < known for c in classes):
        raise InputError(f"walk: classes must lie in 0 ... {known - 1}, got {list(classes)}")
    stops = len(classes) * -(-STOPS // len(classes)) if classes else STOPS
    if frames < stops:
        raise InputError(f"walk: {frames} frames are too few to come by {stops} places; make it {stops} or more")
    place = np.arange(frames) * stops / frames  # 2.25: a quarter of the way from the third stop to the fourth
    z = recipe.draw_noise(rng, np.empty((stops, recipe.noise_size)))
    way = straight if recipe.noise_bound is not None else slerp
    z = way(z, place).astype(G.dtype)
    if not classes:
        return generate(G, recipe, z)
    weights = straight(np.eye(known)[list(classes) * (stops // len(classes))], place)
    return generate(between_classes(G, weights), recipe, z, np.arange(frames))


def straight(stops: Array, place: Array) -> Array:
    """On straight lines from stop to stop, (stops, n), to the first again: (frames, n)."""
    first = place.astype(int)
    t = (place - first)[:, None]
    return (1 - t) * stops[first] + t * stops[(first + 1) % len(stops)]


def slerp(stops: Array, place: Array) -> Array:
    """On arcs from stop to stop: (sin((1 - t) a) p + sin(t a) q) / sin(a), a being the angle between p and q.

    Normal z of n values have a length near sqrt(n), of which the middle of a straight line falls short: there, G would
    draw what it has hardly been trained on. Source: Shoemake 1985; for GANs White 2016.
    """
    first = place.astype(int)
    t = (place - first)[:, None]
    p, q = stops[first], stops[(first + 1) % len(stops)]
    lengths = np.linalg.norm(p, axis=1) * np.linalg.norm(q, axis=1)
    a = np.arccos(np.clip((p * q).sum(axis=1) / lengths, -1, 1))[:, None]
    return (np.sin((1 - t) * a) * p + np.sin(t * a) * q) / np.sin(a)


def between_classes(G: Network, weights: Array) -> Network:
    """The generator with other classes: number n is a mixture of G's own by weights[n], (classes, G's classes).

    A class is a row in each table of the layers that know it, so a mixture of classes is a mixture of rows.
    """
    layers: list[Layer] = [
        replace(layer, classes=len(weights)) if isinstance(layer, ByClass) else copy(layer)  # type: ignore[type-var]
        for layer in G.layers
    ]
    values = G.state_dict()
    for position, layer in enumerate(G.layers):
        for table in layer.tables if isinstance(layer, ByClass) else ():
            values[f"{position}.{table}"] = weights @ values[f"{position}.{table}"]
    mixed = Network(layers, G.input_shape, backend=G.backend, dtype=G.dtype, rng=0)
    mixed.load_state_dict(values)
    return mixed
