"""The noise behind a picture: Adam on z, with the gradient that the generator passes to its own input.

    G, recipe = load_generator("runs/conditional/checkpoint.npz")
    found = invert(G, recipe, pictures, seed=0)

A generator's training needs dx of every layer but the first, so `G.backward_input` is there, and proved. What it gives
for the error of an image is the direction in which z makes the image better.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from ..backend import Array
from ..errors import ShapeError
from ..metrics.samples import squared_distances
from ..network import Network
from ..optim import Adam
from ..pix2pix.similarity import psnr
from ..recipes.recipe import Recipe
from ..settings import generator
from ..training.gan_trainer import generate

STARTS = 8
"""From how many z the search for each picture begins."""
STEPS = 200
LR = 0.05
DRAWN = 2000
"""Images that are drawn to begin with: those nearest to a picture are where its search starts."""


class Inversion(NamedTuple):
    """What `invert` found for N pictures.

    z: (N, noise_size)   labels: (N,), or None if G knows no classes   images: (N, H, W, C), what G draws of them
    psnr: (N,), in dB, of these beside the pictures
    """

    z: Array
    labels: Array | None
    images: Array
    psnr: Array


def invert(
    G: Network,
    recipe: Recipe,
    pictures: Array,
    *,
    labels: Array | None = None,
    starts: int = STARTS,
    steps: int = STEPS,
    seed: int = 0,
) -> Inversion:
    """The z, and the class, of which G draws each of these pictures, (N, H, W, C) in [0, 1], as well as it can.

    labels: (N,), the class of each picture; by default any, the best of all starts.
    All pictures and all starts are one batch: G in evaluation mode treats each row alone, and Adam each number.
    Raises ShapeError if the pictures have another shape than G's.
    """
    if pictures.shape[1:] != recipe.image_shape:
        raise ShapeError(f"invert: expected pictures (N, {recipe.image_shape}), got {pictures.shape}")
    z, classes = _starts(G, recipe, pictures, labels, starts, seed)
    targets = np.repeat(pictures, starts, axis=0)
    search(G, recipe, z, targets, classes, steps)
    images = generate(G, recipe, z, classes)
    scores = psnr(images, targets).reshape(-1, starts)
    best = np.arange(len(pictures)) * starts + scores.argmax(axis=1)
    found = None if classes is None else classes[best]
    return Inversion(z[best], found, images[best], scores.max(axis=1))


def search(G: Network, recipe: Recipe, z: Array, targets: Array, labels: Array | None, steps: int) -> None:
    """Move each z, (N, noise_size) on the host, so that G draws its target: makes sum (G(z) - target)^2 small.

    d(sum)/dz = G.backward_input(2 (G(z) - target)). lr falls along half a cosine, so that z comes to rest.
    """
    black, white = recipe.pixels
    to_device = G.backend.asarray
    wanted = to_device((targets * (white - black) + black).astype(G.dtype))
    classes = None if labels is None else to_device(labels)
    moved = SimpleNamespace(backend=G.backend, params=to_device(z.ravel()), grads=to_device(np.empty(z.size, z.dtype)))
    adam = Adam(lr=LR).bind(moved)
    for step in range(steps):
        with G.lock:
            error = G.forward(moved.params.reshape(z.shape), training=False, labels=classes) - wanted
            moved.grads[...] = G.backward_input(2 * error).reshape(-1)
        adam.lr = LR * (1 + np.cos(np.pi * step / steps)) / 2
        adam.step()
    z[...] = G.backend.to_host(moved.params).reshape(z.shape)


def _starts(
    G: Network, recipe: Recipe, pictures: Array, labels: Array | None, starts: int, seed: int
) -> tuple[Array, Array | None]:
    """For each picture the `starts` nearest of DRAWN images that G draws, of its class if that is given: z, classes."""
    rng = generator(seed)
    z = recipe.draw_noise(rng, np.empty((DRAWN, recipe.noise_size), G.dtype))
    classes = None if recipe.class_names is None else np.arange(DRAWN) % len(recipe.class_names)
    drawn = generate(G, recipe, z, classes)
    distances = squared_distances(*(images.reshape(len(images), -1) for images in (pictures.astype(G.dtype), drawn)))
    if classes is not None and labels is not None:
        distances[labels[:, None] != classes] = np.inf
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :starts].ravel()
    return z[nearest], None if classes is None else classes[nearest]
