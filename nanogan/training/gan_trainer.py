"""A recipe in training: one step of it, the images that a generator draws, and loading a saved generator.

`trainer.py` has what it shares with image to image. Read `loop.py` next: the loop over epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from ..backend import NUMPY, Array, Backend, Shape
from ..errors import InputError
from ..gan import discriminator_gradients, generator_gradients
from ..io import checkpoint, plots
from ..layer import Layer
from ..network import Network, Sequential
from ..optim import SGD
from ..recipes.recipe import ImageToImage, Recipe, restore
from . import log
from .ema import MovingAverage
from .old_checkpoints import upgraded
from .trainer import BaseTrainer

FIXED_NOISE = 64
"""How many pictures are drawn after every epoch, always from the same noise."""

CHUNK = 128
"""Images at a time through networks that aren't being trained: a convolution's patches stay as few as in training."""


class Trainer(BaseTrainer):
    """A recipe in training on `images`, host array (N, *recipe.image_shape) scaled to recipe.pixels.

    Raises InputError if the images have another shape, hold NaN, or go beyond recipe.pixels.
    """

    columns = (*log.COLUMNS, *log.DIAGNOSED)

    def __init__(
        self,
        recipe: Recipe,
        images: Array,
        *,
        seed: int,
        batch_size: int | None = None,
        backend: Backend = NUMPY,
        dtype: Any = np.float32,
    ) -> None:
        if images.shape[1:] != recipe.image_shape:
            raise InputError(f"images: expected (N, {recipe.image_shape}), got {images.shape}")
        images = images[: recipe.images]
        options: dict[str, Any] = {"seed": seed, "batch_size": batch_size, "backend": backend, "dtype": dtype}
        super().__init__(recipe, recipe.image_shape, {"images": images}, **options)
        (low, high), slack = recipe.pixels, 1e-5 * (recipe.pixels[1] - recipe.pixels[0])  # for rounding errors
        if images.min() < low - slack or images.max() > high + slack:
            raise InputError(
                f"images: expected values in {low:g}..{high:g}, as recipe {recipe.name} draws them, found "
                f"{images.min():g} to {images.max():g}; scale them with nanogan.data.images.rescale"
            )
        if recipe.output_bias_from_data:
            self._start_at_mean_image(images)
        self.ema = None if recipe.ema_decay is None else MovingAverage(self.G, recipe.ema_decay)
        self.z = np.empty((self.batches.batch_size, recipe.noise_size), dtype)
        self.fixed_noise = recipe.draw_noise(self.rng, np.empty((FIXED_NOISE, recipe.noise_size), dtype))

    @property
    def generator(self) -> Network:
        """The network that images are drawn with: G, or the moving average of it."""
        return self.ema.network if self.ema else self.G

    def _update(self) -> tuple[Array, Array, Array, Array]:
        """Algorithm 1 as the recipe has it: the losses of D and G, the means of D(x) and D(G(z))."""
        recipe, G, D, loss = self.recipe, self.G, self.D, self.loss
        G_optimizer, D_optimizer = self.optimizers["G"], self.optimizers["D"]
        real = self.next_batch("images", self.next_rows())
        fake = G.forward(self.noise())
        d_loss, *logits = discriminator_gradients(D, loss, real, fake, real_label=recipe.real_label)
        d_real, d_fake = (loss.mean_probability(x) for x in logits)
        if recipe.mean_of_terms:
            D.grads *= 0.5
            d_loss = d_loss * 0.5
        if not recipe.simultaneous:
            D_optimizer.step()
            if not recipe.same_fake:
                fake = G.forward(self.noise())
        g_loss = generator_gradients(G, D, loss, fake)
        if recipe.simultaneous:
            D_optimizer.step()
        G_optimizer.step()
        if self.ema:
            self.ema.step(self.backend.fresh(self._ema_weight))
        return d_loss, g_loss, d_real, d_fake

    def _ema_weight(self) -> Array:
        assert self.ema
        return self.ema.weight(self.steps + 1)

    def follow_schedule(self) -> None:
        schedule, base = self.recipe.schedule, self.recipe.optimizer
        if schedule is None:
            return
        epoch = self.steps // self.batches.steps_per_epoch + 1
        for optimizer in self.optimizers.values():
            optimizer.lr = schedule.lr(base.lr, self.steps)
            if isinstance(optimizer, SGD):
                optimizer.momentum = schedule.momentum_in(epoch)

    def _start_at_mean_image(self, images: Array) -> None:
        """Give G's last bias the value at which a sigmoid draws the mean of `images`, pixel by pixel."""
        mean = images.mean(axis=0, dtype=np.float64).ravel().clip(1e-3, 1 - 1e-3)  # a pixel that is always black
        last = [layer for layer in self.G.layers if "b" in layer.param_names()][-1]
        last.b[...] = self.backend.asarray(np.log(mean / (1 - mean)).astype(self.dtype))

    def noise(self) -> Array:
        """A fresh batch of z."""
        return self.backend.fresh(lambda: self.recipe.draw_noise(self.rng, self.z))

    def sample(self) -> Array:
        """What the generator makes of the fixed noise, on the host: (64, *image_shape), in [0, 1]."""
        return generate(self.generator, self.recipe, self.fixed_noise)

    def draw_curves(self, path: Path) -> None:
        plots.save_losses(path, self.rows, real_label=self.recipe.real_label, mean_of_terms=self.recipe.mean_of_terms)

    def arrays(self) -> dict[str, Array]:
        arrays = {**super().arrays(), "fixed_noise": self.fixed_noise}
        if self.ema:
            arrays |= {"ema.params": self.ema.network.params, "ema.state": self.ema.network.state}
        return arrays


def generate(G: Network, recipe: Recipe | ImageToImage, z: Array) -> Array:
    """Host images (N, *image_shape) in [0, 1] that G makes of a host batch of its inputs, in evaluation mode.

    z: noise (N, noise_size), or pictures (N, *input_shape) scaled to recipe.pixels. The images are yours, a new array;
    threads may share G.
    """
    images = np.empty((len(z), *recipe.image_shape), G.dtype)
    black, white = recipe.pixels
    for start in range(0, len(z), CHUNK):
        with G.lock:  # until its output, a work array, is copied
            fake = G.forward(G.backend.asarray(z[start : start + CHUNK]), training=False)
            images[start : start + CHUNK] = (G.backend.to_host(fake) - black) / (white - black)
    return images


def load_generator(path: str | Path, *, layers: Mapping[str, type] = MappingProxyType({})) -> tuple[Network, Recipe]:
    """The generator in a checkpoint, on NumPy, and its recipe. The discriminator isn't needed and isn't built.

    layers: classes of yours that the recipe is made with, such as {"MyLayer": MyLayer}.
    Raises InputError if there is none that works.
    """

    def noise(recipe: Recipe) -> Array:
        return recipe.draw_noise(np.random.default_rng(0), np.empty((1, recipe.noise_size), np.float64))

    return load_network(path, Recipe, noise, layers)


AnyRecipe = TypeVar("AnyRecipe", Recipe, ImageToImage)


def load_network(
    path: str | Path,
    kind: type[AnyRecipe],
    example: Callable[[AnyRecipe], Array],
    layers: Mapping[str, type] = MappingProxyType({}),
) -> tuple[Network, AnyRecipe]:
    """The generator in a checkpoint of one kind of recipe, and the recipe. See `load_generator`.

    example: a batch of one input of G, to see whether it works.
    """
    arrays, meta = checkpoint.load(path)
    try:
        arrays, meta = upgraded(arrays, meta)
        recipe = restore(meta.get("description"), layers)
        if not isinstance(recipe, kind):
            raise InputError(f"holds {type(recipe).__name__}, not {kind.__name__}: it is of another kind of run")
        _check_sizes(recipe.generator, recipe.input_shape)
        name = "G" if getattr(recipe, "ema_decay", None) is None else "ema"
        params, state = (arrays.get(f"{name}.{kind_of}", np.empty(0)) for kind_of in ("params", "state"))
        expected = sum(layer.param_count for layer in recipe.generator)
        if params.shape != (expected,):
            raise InputError(f"expected {expected:,} parameters of G, found an array of shape {params.shape}")
        G = Network(recipe.generator, recipe.input_shape, dtype=params.dtype)
        checkpoint.check_arrays(arrays, {f"{name}.params": G.params, f"{name}.state": G.state})
        G.params[...], G.state[...] = params, state
        if G.shape != recipe.image_shape or not np.isfinite(generate(G, recipe, example(recipe).astype(G.dtype))).all():
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
