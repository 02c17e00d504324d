"""A recipe in training: one step of it, and the images that a generator draws.

`trainer.py` has what it shares with image to image; `trained.py` loads a saved generator. Read
`loop.py` next: the loop over epochs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..adversarial import pair_generator_gradients
from ..backend import NUMPY, Array, Backend
from ..errors import InputError
from ..gan import discriminator_gradients, generator_gradients
from ..io import plots
from ..losses import Loss
from ..network import Network
from ..optim import SGD
from ..penalties import between, one_centred_penalty, zero_centred_penalty
from ..recipes.recipe import ImageToImage, Recipe, Unpaired
from . import log
from .ema import MovingAverage
from .health import HELD_OUT, OPINIONS, move_columns
from .trainer import BaseTrainer, together

FIXED_NOISE = 64
"""How many pictures are drawn after every epoch, always from the same noise."""

OF_A_CLASS, MOST_ROWS = 8, 16
"""Of a conditional recipe, so many pictures of each class, a row for each of the first classes."""

CHUNK = 128
"""Images at a time through networks that aren't being trained: a convolution's patches stay as few as in training."""


class Trainer(BaseTrainer):
    """A recipe in training on `images`, host array (N, *recipe.image_shape) scaled to recipe.pixels.

    labels: of a recipe with class_names, the class of each image, (N,) whole numbers.
    Raises InputError if the images have another shape, hold NaN, or go beyond recipe.pixels, or the labels don't fit.
    """

    columns: Sequence[str] = (*log.COLUMNS, *log.DIAGNOSED)

    def __init__(
        self,
        recipe: Recipe,
        images: Array,
        *,
        labels: Array | None = None,
        seed: int,
        batch_size: int | None = None,
        backend: Backend = NUMPY,
        dtype: Any = np.float32,
    ) -> None:
        if images.shape[1:] != recipe.image_shape:
            raise InputError(f"images: expected (N, {recipe.image_shape}), got {images.shape}")
        self.labels = _checked_labels(recipe, labels, len(images))
        images = images[: recipe.images]
        options: dict[str, Any] = {"seed": seed, "batch_size": batch_size, "backend": backend, "dtype": dtype}
        G, D = (recipe.generator, recipe.input_shape), (recipe.discriminator, recipe.image_shape)
        super().__init__(recipe, {"G": G, "D": D}, {"images": images}, labels=self.labels, **options)
        moves = move_columns({"G": self.G, "D": self.D})
        self.columns = (*log.COLUMNS, *log.DIAGNOSED, *OPINIONS, *HELD_OUT, *moves)
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
        self.fixed_labels = None if recipe.class_names is None else _some_of_each(len(recipe.class_names))
        self.sample_columns = None if self.fixed_labels is None else OF_A_CLASS
        count = FIXED_NOISE if self.fixed_labels is None else len(self.fixed_labels)
        self.fixed_noise = recipe.draw_noise(self.rng, np.empty((count, recipe.noise_size), dtype))

    @property
    def generator(self) -> Network:
        """The network that images are drawn with: G, or the moving average of it."""
        return self.ema.network if self.ema else self.G

    def _update(self) -> tuple[Array, Array, Array, Array]:
        """Algorithm 1 as the recipe has it: the losses of D and G, the means of D(x) and D(G(z))."""
        recipe, G, D, loss = self.recipe, self.G, self.D, self.loss
        G_optimizer, D_optimizer = self.optimizers["G"], self.optimizers["D"]
        rows = self.next_rows()
        real, labels = self.next_batch("images", rows), self.next_labels(rows)
        fake, fake_labels = self.draw()
        classes = {"labels": labels, "fake_labels": fake_labels}
        d_loss, *logits = discriminator_gradients(D, loss, real, fake, real_label=recipe.real_label, **classes)
        d_real, d_fake = loss.mean_opinions(*logits)
        if recipe.mean_of_terms:
            D.grads *= 0.5
            d_loss = d_loss * 0.5
        for penalty in self._penalties(real, fake, labels, fake_labels):
            d_loss = d_loss + penalty
        self.shard.mean(D.grads)
        if not recipe.simultaneous:
            D_optimizer.step()
            if not recipe.same_fake:
                fake, fake_labels = self.draw()
        if loss.compares:
            g_loss = pair_generator_gradients(G, D, loss, real, fake, labels=labels, fake_labels=fake_labels)
        else:
            g_loss = generator_gradients(G, D, loss, fake, labels=fake_labels)
        self.shard.mean(G.grads)
        if recipe.simultaneous:
            D_optimizer.step()
        G_optimizer.step()
        if self.ema:
            self.ema.step(self.backend.fresh(self._ema_weight))
        return d_loss, g_loss, d_real, d_fake

    def _penalties(self, real: Array, fake: Array, labels: Array | None, fake_labels: Array | None) -> Iterator[Array]:
        """The penalties that the recipe has, each as soon as its gradients are added to D's."""
        recipe, D = self.recipe, self.D
        if recipe.r1:
            yield zero_centred_penalty(D, real, recipe.r1, labels)
        if recipe.r2:
            yield zero_centred_penalty(D, fake, recipe.r2, fake_labels)
        if recipe.gradient_penalty:
            shares = self.backend.fresh(lambda: self.shard.take(self.rng.random(len(self.z), dtype=real.dtype)))
            yield one_centred_penalty(D, between(D, real, fake, shares), recipe.gradient_penalty, labels)

    def _ema_weight(self) -> Array:
        assert self.ema
        return self.ema.weight(self.steps + 1)

    def follow_schedule(self) -> None:
        schedule, first = self.recipe.schedule, self.recipe.optimizer
        if schedule is None:
            return
        epoch = self.steps // self.batches.steps_per_epoch + 1
        for name, optimizer in self.optimizers.items():
            own = self.recipe.d_optimizer if name == "D" else None
            optimizer.lr = schedule.lr((own or first).lr, self.steps)
            if isinstance(optimizer, SGD):
                optimizer.momentum = schedule.momentum_in(epoch)

    def _start_at_mean_image(self, images: Array) -> None:
        """Give G's last bias the value at which a sigmoid draws the mean of `images`, pixel by pixel."""
        mean = images.mean(axis=0, dtype=np.float64).ravel().clip(1e-3, 1 - 1e-3)  # a pixel that is always black
        last = [layer for layer in self.G.layers if "b" in layer.param_names()][-1]
        last.b[...] = self.backend.asarray(np.log(mean / (1 - mean)).astype(self.dtype))

    def noise(self) -> Array:
        """A fresh batch of z: this worker's rows of it."""
        return self.backend.fresh(lambda: self.shard.take(self.recipe.draw_noise(self.rng, self.z)))

    def draw(self) -> tuple[Array, Array | None]:
        """What G makes of a fresh batch of z, and the classes that it was asked for, if it knows any."""
        z = self.noise()
        labels = None if self.labels is None else self.backend.fresh(lambda: self.shard.take(self._draw_labels()))
        return self.G.forward(z, labels=labels), labels

    def next_labels(self, rows: Array) -> Array | None:
        """The classes of these images."""
        return None if self.labels is None else self.next_batch("labels", rows)

    def _draw_labels(self) -> Array:
        """As frequent as in the data: D would tell fake from real ones by a class that is drawn more often."""
        assert self.labels is not None
        return self.labels[self.rng.integers(self.count, size=self.batches.batch_size)]

    def sample(self) -> Array:
        """What the generator makes of the fixed noise, on the host: (64, *image_shape), in [0, 1]; or of each class."""
        return generate(self.generator, self.recipe, self.fixed_noise, self.fixed_labels)

    @together
    def gradient_norm(self) -> float:
        """The mean norm of what the last step told G of each of its images (`gradient_norm`), over the whole batch."""
        own = gradient_norm(self.backend.to_host(self.D.dx)[-self.shard.count :], self.loss)
        return float(self.shard.means(np, np.float64(own))[0])

    def draw_curves(self, path: Path) -> None:
        one_term = self.recipe.mean_of_terms or self.loss.compares
        options = {"mean_of_terms": one_term, "scores": self.loss.is_score}
        plots.save_losses(path, self.rows, real_label=self.recipe.real_label, **options)

    def arrays(self) -> dict[str, Array]:
        arrays = {**super().arrays(), "fixed_noise": self.fixed_noise}
        if self.ema:
            arrays |= {"ema.params": self.ema.network.params, "ema.state": self.ema.network.state}
        return arrays


def _checked_labels(recipe: Recipe, labels: Array | None, count: int) -> Array | None:
    """The labels of the images that are trained on. Raises InputError unless they are what the recipe takes."""
    if recipe.class_names is None or labels is None:
        if labels is not None:
            raise InputError(f"labels: recipe {recipe.name} uses none; leave them out, or give get_recipe class_names")
        if recipe.class_names is not None:
            raise InputError(f"labels: recipe {recipe.name} draws classes; give the class of each image")
        return None
    labels, classes = np.asarray(labels), len(recipe.class_names)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        found = f"{labels.dtype} of shape {labels.shape}"
        raise InputError(f"labels: expected a whole number for each of {count} images, got {found}")
    if not 0 <= labels.min() <= labels.max() < classes:
        raise InputError(f"labels: expected 0 ... {classes - 1}, got {labels.min()} ... {labels.max()}")
    return labels[: recipe.images].astype(np.int64)


def _some_of_each(classes: int) -> Array:
    """The labels of the pictures that are drawn after every epoch: a row for each class, of the first ones."""
    return np.arange(min(classes, MOST_ROWS)).repeat(OF_A_CLASS)


def generate(G: Network, recipe: Recipe | ImageToImage | Unpaired, z: Array, labels: Array | None = None) -> Array:
    """Host images (N, *G.shape) in [0, 1] that G makes of a host batch of its inputs, in evaluation mode.

    z: noise (N, noise_size), or pictures (N, *G.input_shape) scaled to recipe.pixels. labels: (N,), the classes that
    are asked for, of a conditional recipe. The images are yours, a new array; threads may share G.
    """
    images = np.empty((len(z), *G.shape), G.dtype)
    black, white = recipe.pixels
    for start in range(0, len(z), CHUNK):
        with G.lock:  # until its output, a work array, is copied
            rows = slice(start, start + CHUNK)
            of_rows = None if labels is None else G.backend.asarray(labels[rows])
            fake = G.forward(G.backend.asarray(z[rows]), training=False, labels=of_rows)
            images[rows] = (G.backend.to_host(fake) - black) / (white - black)
    return images


def gradient_norm(dx: Array, loss: Loss) -> float:
    """The mean over the batch of |d(a sample's loss_G)/d(that sample)|, Euclidean over its pixels.

    dx: d(loss_G)/d(samples), (N, ...), on the host, as it leaves D and enters G: per unit of the recipe's own pixels,
    D in training mode. Where loss_G is a mean over the batch, dx holds 1/N of each sample's own gradient, which is made
    up for, so batches of any size compare. 0 means that G learns nothing, however large its loss.
    """
    norms = np.linalg.norm(dx.reshape(len(dx), -1).astype(np.float64), axis=1)
    return float(norms.sum() if loss.reduction == "mean" else norms.mean())
