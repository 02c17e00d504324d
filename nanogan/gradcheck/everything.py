"""Everything that nanogan differentiates by hand, and the proof of it: what `python -m nanogan gradcheck` runs.

The tables name every layer, loss and optimizer; the GANs are the recipes. A layer of your own is proved by
`python -m nanogan gradcheck --layer path/to/file.py:MyLayer`.
"""

from __future__ import annotations

import runpy
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..adversarial import Hinge, Relativistic, Wasserstein
from ..augment import AUGMENTATIONS, Brightness, Contrast, Cutout, Translation
from ..backend import NUMPY, Array, Shape
from ..conditional import ConditionalBatchNorm, Embedding, Projection
from ..conv import Conv2d, ConvTranspose2d
from ..errors import InputError, ShapeError
from ..gan import discriminator_gradients, generator_gradients
from ..layer import Layer
from ..layers import Dropout, LeakyReLU, Linear, Maxout, ReLU, Sigmoid, Tanh
from ..losses import BCE, L1, MSE, BCEWithLogits, CrossEntropy, Loss
from ..network import Network, Sequential, Skip
from ..norm import BatchNorm, InstanceNorm
from ..recipes.cures import cured
from ..recipes.mnist import RECIPES, default_width, get_recipe
from ..recipes.recipe import Recipe
from ..reshape import Flatten, Pack, Reshape, Upsample
from ..spectral import SpectralNorm
from .checks import BATCH, check_layer, check_loss, check_step
from .derivative import Report, Row
from .objective import check_objective
from .optimizers import OPTIMIZERS, check_optimizer
from .second_order import prove_pairs, prove_penalties, tangent_reports
from .translators import IMAGE_TO_IMAGE, UNPAIRED, prove_image_to_image, prove_unpaired

LAYERS: tuple[tuple[Layer, Shape], ...] = (
    (Linear(6, 4), (6,)),
    (Linear(6, 4, bias=False), (6,)),
    (ReLU(), (7,)),
    (LeakyReLU(), (7,)),
    (Tanh(), (7,)),
    (Sigmoid(), (7,)),
    (Reshape((2, 3, 2)), (12,)),
    (Flatten(), (2, 3, 2)),
    (Dropout(0.3), (9,)),
    (Maxout(4, 3, 3), (4,)),
    (Pack(3), (4,)),
    (Upsample(2), (2, 3, 2)),
    (Conv2d(2, 3, 4, stride=2, padding=1), (5, 6, 2)),
    (ConvTranspose2d(3, 2, 4, stride=2, padding=1, output_padding=1), (2, 3, 3)),
    (BatchNorm(3), (3,)),
    (BatchNorm(2), (3, 2, 2)),
    (InstanceNorm(), (3, 2, 2)),
    (Embedding(3, 2), (4,)),
    (Projection(4, 3), (4,)),
    (ConditionalBatchNorm(3, 4), (3,)),
    (ConditionalBatchNorm(2, 4), (3, 2, 2)),
    (SpectralNorm(Linear(5, 4)), (5,)),
    (SpectralNorm(Conv2d(2, 3, 3, stride=2, bias=False)), (5, 5, 2)),
    (Brightness(), (3, 2, 2)),
    (Contrast(), (3, 2, 2)),
    (Translation(0.3), (6, 5, 2)),
    (Cutout(), (6, 5, 2)),
    (Skip([Linear(4, 3), Tanh()]), (4,)),
    (Sequential([Linear(5, 4), Tanh(), Linear(4, 3)]), (5,)),
)

PROBABILITIES = np.linspace(0.02, 0.98, 12).reshape(3, 4)
CLASSES = np.array([2, 0, 3])
LOSSES: tuple[tuple[type[Loss], Array | None, Array | None], ...] = (
    (BCEWithLogits, None, None),
    (BCE, PROBABILITIES, None),
    (L1, None, None),
    (MSE, None, None),
    (Hinge, None, np.array([[0.0, 1.0, 0.0, 1.0]]).repeat(3, axis=0)),
    (Wasserstein, None, None),
    (Relativistic, None, None),
    (CrossEntropy, None, CLASSES),
)
"""Each with outputs and targets that it takes, where those that `check_loss` draws don't do."""


# ---- GANs


def prove_recipe(recipe: Recipe, *, batch: int = BATCH, count: int = 8, seed: int = 0) -> list[Report]:
    """The discriminator's and the generator's step of a recipe, from its first weights and in its real sizes.

    batch: smaller than the recipe's, which changes no formula. count: numbers of each array checked one by one.
    """
    rng = np.random.default_rng(seed)
    G = Network(recipe.generator, recipe.noise_size, dtype=np.float64, rng=rng)
    D = Network(recipe.discriminator, recipe.image_shape, dtype=np.float64, rng=rng)
    loss = recipe.loss.bind(NUMPY, np.float64)
    z = recipe.draw_noise(rng, np.empty((batch, recipe.noise_size)))
    real = rng.uniform(*recipe.pixels, (batch, *recipe.image_shape))
    labels, asked = rng.integers(G.classes, size=(2, batch)) if G.uses_labels else (None, None)
    classes = {"labels": labels, "fake_labels": asked}
    return [
        check_step(
            lambda: discriminator_gradients(
                D, loss, real, G.forward(z, labels=asked), real_label=recipe.real_label, **classes
            ),
            D,
            G,
            title=f"{recipe.name}: discriminator step",
            batch=batch,
            count=count,
        ),
        check_step(
            lambda: generator_gradients(G, D, loss, G.forward(z, labels=asked), labels=asked),
            G,
            D,
            title=f"{recipe.name}: generator step",
            batch=batch,
            count=count,
        ),
    ]


def prove_augmented() -> Iterator[Report]:
    """Both steps, and D's with penalties, where D sees changed images: real and fake ones in one batch (`vanilla`), or
    one after the other, and with labels (`conditional`).
    """
    for name in ("vanilla", "conditional"):
        narrow = get_recipe(name, width=default_width(name) // 4)
        recipe = replace(cured(narrow, augment=AUGMENTATIONS), name=f"{name}, augmented")
        yield from prove_recipe(recipe)
        yield prove_penalties(recipe)


# ---- a layer of one's own

SHAPES: tuple[Shape, ...] = ((6,), (4, 4, 3), (5, 3))
"""Input shapes that a user's layer is tried on, unless it says what it wants."""


def load_layer(place: str) -> Layer:
    """The layer at "path/to/file.py:name", where name is a layer, or a class that needs no arguments.

    Raises InputError if there is none.
    """
    path, _, name = place.rpartition(":")
    if not path or not name or not Path(path).is_file():
        raise InputError(f"--layer {place}: expected path/to/file.py:MyLayer, and there is no file {path or place!r}")
    try:
        names: Mapping[str, Any] = runpy.run_path(path)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise InputError(f"--layer {place}: {path} can't be run: {type(error).__name__}: {reason}") from error
    found = names.get(name)
    if isinstance(found, type) and issubclass(found, Layer):
        try:
            return found()
        except TypeError as error:
            raise InputError(
                f"--layer {place}: {name} needs arguments ({error}); write `mine = {name}(...)` into the file and "
                f"check {path}:mine"
            ) from None
    if not isinstance(found, Layer):
        raise InputError(f"--layer {place}: {path} has no nanogan.Layer called {name!r}")
    return found


def example_shape(layer: Layer) -> Shape:
    """An input shape that a layer accepts: its own `example_shape` if it has one, else the first that fits."""
    own, n_in = getattr(layer, "example_shape", None), getattr(layer, "n_in", None)
    if own is not None:
        return tuple(own)
    shapes = SHAPES if n_in is None else ((n_in,), (4, 4, n_in))
    for shape in shapes:
        try:
            copy(layer).output_shape(shape)
        except (ShapeError, ValueError, IndexError):
            continue
        return shape
    raise InputError(
        f"{layer}: fits none of the input shapes {', '.join(map(str, shapes))}; tell which it takes (without the "
        "batch) by an attribute `example_shape` of the class"
    )


# ---- all of it


def every_report() -> Iterator[Report]:
    """The proof of every layer, loss and optimizer, and of both steps of every recipe, with what these minimise, and
    with penalties.
    """
    for layer, shape in LAYERS:
        yield check_layer(layer, shape)
    yield from tangent_reports(LAYERS)
    for loss, x, t in LOSSES:
        for reduction in ("mean", "sum"):
            yield check_loss(loss(reduction=reduction), x, t)
    for optimizer, textbook in OPTIMIZERS:
        yield check_optimizer(optimizer, textbook)
    for recipe in RECIPES.values():
        yield from prove_recipe(recipe)
        yield check_objective(recipe)
        narrow = get_recipe(recipe.name, width=default_width(recipe.name) // 4)  # the same formulas, sooner
        yield prove_penalties(narrow)
    yield from prove_augmented()
    yield from prove_pairs()
    for translator in IMAGE_TO_IMAGE:
        yield from prove_image_to_image(translator)
    for unpaired in UNPAIRED:
        yield from prove_unpaired(unpaired)


def run(layer: str | None = None) -> int:
    """Print the proof of everything, or of the layer at "path/to/file.py:MyLayer". Returns 1 on any FAIL, else 0.

    Raises InputError if there is no such layer.
    """
    if layer is None:
        reports = every_report()
    else:
        mine = load_layer(layer)
        shape = example_shape(mine)
        reports = chain([check_layer(mine, shape)], tangent_reports([(mine, shape)]))
    rows: list[Row] = []
    for report in reports:
        print(report, flush=True)
        rows += report.rows
    failed = sum(row.verdict == "FAIL" for row in rows)
    checked = sum(row.checked for row in rows)
    print(f"{checked:,} numbers of {len(rows)} arrays checked: {f'{failed} arrays FAIL' if failed else 'all OK'}")
    return 1 if failed else 0
