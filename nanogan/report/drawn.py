"""What a report draws anew with a run's networks: digits by class, how good they are, and what D says of single images.

Everything comes from one seed, so that the same checkpoint gives the same page, and runs side by side draw from the
same noise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..backend import Array
from ..data.images import load_mnist, rescale
from ..errors import InputError
from ..explore.walk import walk
from ..io import checkpoint
from ..io.page import Picture, Table, picture
from ..io.plots import grid_png
from ..metrics.classifier import features_and_digits
from ..metrics.evaluation import COVERED_SHARE
from ..metrics.neighbours import nearest
from ..metrics.samples import (
    digit_shares,
    distance_from_uniform,
    frechet_distance,
    precision_recall_density_coverage,
)
from ..network import Network
from ..recipes.recipe import MNIST, Recipe
from ..training.gan_trainer import generate
from ..training.health import opinions
from ..training.trained import load_generator
from .run import Run

COUNT = 2_000
"""Digits that are judged, in half a second. The full protocol, `evaluate`, takes 10,000 and about ten seconds."""
PER_CLASS = 12
"""Digits of a row."""
NEIGHBOURS = 10
WALKED = 24
"""Images of a walk."""
MOST_CLASSES = 16
EMPTY = 0.2
"""The grey of a place for which no digit was drawn: that of the lines between them."""
ASKED = 512
"""Images of each kind that D is asked about, in batches of 64."""


@dataclass(frozen=True)
class Drawn:
    """by_class: rows of digits, one per class. shares: of each digit, in [0, 1]. scores, real_scores: by name.

    said: what D says of real and of generated images. neighbours: distances, and images above the nearest training
    images. walk: what is drawn on a way through z. All but the last are empty if the run doesn't draw MNIST's digits.
    """

    by_class: Picture | None = None
    shares: list[float] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    real_scores: dict[str, float] = field(default_factory=dict)
    said: tuple[Array, Array] | None = None
    neighbours: list[tuple[Table, Picture]] = field(default_factory=list)
    walk: Picture | None = None


def draw(run: Run) -> Drawn:
    """What the networks in a run's checkpoint make of fresh noise. Raises InputError if they don't work."""
    G, recipe = load_generator(run.folder / "checkpoint.npz")
    way = picture_of(
        walk(G, recipe, WALKED, seed=0), "A walk through the noise, from image to image and back", WALKED // 2
    )
    if recipe.image_shape == MNIST and run.config.get("data") is None:
        return _draw_digits(run, G, recipe, way)
    if not recipe.class_names:
        return Drawn(walk=way)
    asked = np.arange(min(len(recipe.class_names), MOST_CLASSES)).repeat(PER_CLASS)
    images = generate(G, recipe, recipe.draw_noise(0, np.empty((len(asked), recipe.noise_size), G.dtype)), asked)
    names = ", ".join(recipe.class_names[:MOST_CLASSES])
    return Drawn(picture_of(images, f"Generated images, a row for each class: {names}", PER_CLASS), walk=way)


def _draw_digits(run: Run, G: Network, recipe: Recipe, way: Picture) -> Drawn:
    z = recipe.draw_noise(0, np.empty((COUNT, recipe.noise_size), G.dtype))
    asked = np.arange(COUNT) % 10
    images = generate(G, recipe, z, asked if G.uses_labels else None).astype(np.float32, copy=False)
    if not np.isfinite(images).all():
        raise InputError("its generator draws NaN")
    train, tests = (load_mnist(part, scale=(0, 1))[0] for part in ("train", "test"))
    (features, digits), (real_features, real_digits) = map(features_and_digits, (images, train[:COUNT]))
    test_features, _ = features_and_digits(tests[:COUNT])
    return Drawn(
        sorted_by_class(images, digits),
        digit_shares(digits).tolist(),
        scores(features, digits, test_features),
        scores(real_features, real_digits, test_features),
        (_opinions(run, recipe, train, real_digits), _opinions(run, recipe, images, asked)),
        [
            _beside_nearest("generated digits", images[:NEIGHBOURS], train),
            _beside_nearest("real test images", tests[:NEIGHBOURS], train),
        ],
        way,
    )


def scores(features: Array, digits: Array, test_features: Array) -> dict[str, float]:
    """Some of `evaluate`'s scores, by the same names, of as many images as there are test features.

    So few make a Frechet distance larger; that of real images, which stands beside it, is larger by as much.
    """
    shares = digit_shares(digits)
    return {
        "fd_mnist": frechet_distance(test_features, features),
        **precision_recall_density_coverage(test_features, features)._asdict(),
        "digits_covered": int((shares >= COVERED_SHARE).sum()),
        "rarest_digit": float(shares.min()),
        "distance_from_uniform": distance_from_uniform(shares),
    }


def sorted_by_class(images: Array, digits: Array) -> Picture:
    """The first digits of each class, in a row each."""
    grid = np.full((10 * PER_CLASS, *images.shape[1:]), EMPTY, np.float32)
    for digit in range(10):
        found = images[digits == digit][:PER_CLASS]
        grid[digit * PER_CLASS :][: len(found)] = found
    counts = ", ".join(f"{(digits == digit).sum()} of {digit}" for digit in range(10))
    return picture_of(grid, f"Generated digits, a row for each class; drawn: {counts}", PER_CLASS)


def picture_of(images: Array, alt: str, columns: int) -> Picture:
    return picture(grid_png(images, columns=columns), alt, zoom=2)


def _beside_nearest(what: str, images: Array, train: Array) -> tuple[Table, Picture]:
    """The distances of images to their nearest training images, and both in rows."""
    index, distance = nearest(images, train)
    columns = ("place", *map(str, range(1, len(images) + 1)), "median")
    row = ("distance", *distance.round(2).tolist(), round(float(np.median(distance)), 2))
    alt = f"A row of {what}, and below each the nearest training image"
    shown = picture_of(np.concatenate([images, train[index]]), alt, len(images))
    return Table(f"From {what} to their nearest training images", columns, [row]), shown


def _opinions(run: Run, recipe: Recipe, images: Array, labels: Array) -> Array:
    """What the D of a run's checkpoint says of images in [0, 1], of these classes if it is told."""
    params, state = run.arrays["D.params"], run.arrays["D.state"]
    if params.shape != (sum(layer.param_count for layer in recipe.discriminator),):
        raise InputError("its discriminator has other parameters than its recipe")
    D = Network(recipe.discriminator, recipe.image_shape, dtype=params.dtype)
    checkpoint.check_arrays(run.arrays, {"D.params": D.params, "D.state": D.state})
    D.params[...], D.state[...] = params, state
    scaled = rescale(images[:ASKED], (0, 1), recipe.pixels, D.dtype)
    classes = labels[:ASKED] if D.uses_labels else None
    batches = [slice(start, start + 64) for start in range(0, len(scaled), 64)]
    asked = ((scaled[rows], None if classes is None else classes[rows]) for rows in batches)
    return opinions(D, recipe.loss.bind(dtype=D.dtype), asked)
