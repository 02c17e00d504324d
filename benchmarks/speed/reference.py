"""What all contenders share: a recipe, its first weights, the images, and a recorded run that each must repeat.

The reference is nanogan on NumPy. It trains for a few steps and keeps what it was given (images and noise, or pairs of
pictures) and what it got (the losses of D and G). A contender starts from the same weights, is given the same, and must
get the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from nanogan.backend import NUMPY, Array, Backend, Shape
from nanogan.data.images import load_mnist
from nanogan.layers import Dropout
from nanogan.pix2pix.pairs import Pairs, load_pairs
from nanogan.pix2pix.trainer import ImageToImageTrainer
from nanogan.recipes.mnist import RECIPES
from nanogan.recipes.recipe import MNIST, ImageToImage
from nanogan.training.gan_trainer import Trainer
from nanogan.training.trainer import BaseTrainer

CHECKED_STEPS = 3
COMPARED = [name for name, recipe in RECIPES.items() if recipe.class_names is None]
"""The recipes that the contenders know: none of them trains with labels."""
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

Work: TypeAlias = Callable[[int], None]


@dataclass(frozen=True)
class Setup:
    """What a contender is built from.

    recipe, batch_size: what to train; a Recipe, or an ImageToImage. backend: "numpy", all on the CPU, or "cupy", all on
    the GPU. threads: how many each contender may use. clock: "wall", or "cpu", the time that its process was given.
    avx2: whether all are held to AVX2 where the processor has more. before: a checkout of nanogan that takes part.
    """

    recipe: Any
    batch_size: int
    backend: str = "numpy"
    threads: int = 1
    clock: str = "wall"
    avx2: bool = False
    before: Path | None = None

    @property
    def images(self) -> Array:
        """The 10,000 test images of MNIST, in the recipe's range; of another shape, the first 1,000, made to fit."""
        return digits(self.recipe.pixels, self.recipe.image_shape)

    def trainer(self, backend: Backend = NUMPY, *, recorded: bool = False) -> Any:
        """A fresh run from the first weights, which are the same every time. recorded: one that keeps its losses."""
        options: dict[str, Any] = {"seed": 0, "batch_size": self.batch_size, "backend": backend}
        if isinstance(self.recipe, ImageToImage):
            pairs = restoration()
            return (RecordedOnPairs if recorded else ImageToImageTrainer)(self.recipe, pairs, pairs, **options)
        return (Recorded if recorded else Trainer)(self.recipe, self.images, **options)

    def without_dropout(self) -> Setup:
        """The same with every mask all ones: each library draws masks of its own, so losses would differ."""
        recipe = self.recipe
        generator, discriminator = (
            tuple(replace(layer, p=0.0) if isinstance(layer, Dropout) else layer for layer in layers)
            for layers in (recipe.generator, recipe.discriminator)
        )
        return replace(self, recipe=replace(recipe, generator=generator, discriminator=discriminator))


@cache
def digits(pixels: tuple[float, float], image_shape: Shape) -> Array:
    images, _ = load_mnist("test", scale=pixels)
    if image_shape == MNIST:
        return images
    height, width, channels = image_shape
    rows, columns = (np.arange(size) * 28 // size for size in (height, width))  # the nearest pixels
    return images[:1000, rows][:, :, columns].repeat(channels, axis=3)


@cache
def restoration() -> Pairs:
    """The pairs of the task `restore`, made from the test images."""
    return load_pairs(None, task="restore", direction=None, seed=0)


class KeepsLosses(BaseTrainer):
    """A run that keeps the losses of its last step."""

    def _update(self) -> tuple[Array, Array, Array, Array]:
        values = super()._update()
        self.losses = float(values[0]), float(values[1])
        return values


class Recorded(KeepsLosses, Trainer):
    """It keeps the noise that it draws, too."""

    def step(self) -> None:
        self.drawn: list[Array] = []
        super().step()

    def noise(self) -> Array:
        z = super().noise()
        self.drawn.append(self.z.copy())
        return z

    def given(self) -> tuple[Array, ...]:
        """What the last step was given: real images, z, and perhaps another z."""
        return (self.batch["images"], *self.drawn)


class RecordedOnPairs(KeepsLosses, ImageToImageTrainer):
    """Of image to image, where a step draws nothing."""

    def given(self) -> tuple[Array, ...]:
        return self.batch["targets"], self.batch["conditions"]


@dataclass(frozen=True)
class Step:
    """What one step of the reference was given, and its losses.

    real: (N, *image_shape)   z: (N, *input_shape), for D's update   z_again: the same for G's, None for the same images

    In image to image, real are the targets and z the conditions.
    """

    real: Array
    z: Array
    z_again: Array | None
    losses: tuple[float, float]


def recorded(setup: Setup, steps: int = CHECKED_STEPS) -> Iterator[Step]:
    """The first steps of the reference."""
    trainer = setup.trainer(recorded=True)
    for _ in range(steps):
        trainer.step()
        real, z, *again = (array.copy() for array in trainer.given())
        yield Step(real, z, again[0] if again else None, trainer.losses)


class Missing(Exception):
    """What a contender lacks on this machine. It is named and left out."""


class Contender:
    """One way to compute a recipe's step, from the first weights of `setup.trainer()`."""

    compiles = False
    """True where building another one of the same kind would take very long."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.recipe = setup, setup.recipe

    def losses(self, step: Step) -> tuple[float, float]:
        """Do a step with the images and the noise given. The losses of D and G."""
        raise NotImplementedError

    def run(self, steps: int) -> None:
        """Do steps as a user would: each with a batch of the images and fresh noise."""
        raise NotImplementedError

    def parts(self) -> dict[str, Work]:
        """What is timed: the whole step, and what else is of interest; each is called with a number of repetitions."""
        return {"step": self.run}

    def finish(self) -> None:
        """Wait until all is computed. Only JAX, and a GPU, are asked for more than they have done."""

    def seconds(self, work: Work, repetitions: int) -> float:
        """The time that so many repetitions take."""
        clock = CLOCKS[self.setup.clock]
        self.finish()
        started = clock()
        work(repetitions)
        self.finish()
        return clock() - started
