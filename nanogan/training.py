"""The loop around `gan.py`: a recipe, its networks and optimizers, its data, and where the run stands.

`Trainer` is the run itself: one call of `step` is one update of D and one of G. What a run leaves on the disk, and the
progress bar, are in `runs.py`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from . import checkpoint
from .backend import NUMPY, Array, Backend
from .data import Batches
from .errors import InputError
from .gan import discriminator_step, generator_step, simultaneous_step
from .network import Network
from .optim import SGD
from .recipes import Recipe, describe, restore

FIXED_NOISE = 64
"""How many pictures are drawn after every epoch, always from the same noise."""

COLUMNS = ("epoch", "step", "seconds", "d_loss", "g_loss", "d_real", "d_fake")
"""One row of the log: losses, D(x) and D(G(z)) are means over the epoch; seconds count training steps alone."""


class Trainer:
    """A recipe in training on `images`, host array (N, *recipe.image_shape) scaled to recipe.pixels.

    Everything random comes from one generator seeded with `seed`: first weights, shuffles, noise. So a seed gives the
    same run again, on any backend, and a saved run continues exactly.
    """

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
        self.recipe, self.seed, self.backend, self.dtype = recipe, seed, backend, np.dtype(dtype)
        self.rng = np.random.default_rng(seed)
        build = {"backend": backend, "dtype": dtype, "rng": self.rng}
        self.G = Network(recipe.generator, recipe.noise_size, **build)
        self.D = Network(recipe.discriminator, recipe.image_shape, **build)
        self.loss = recipe.loss.on(backend, dtype)
        self.optimizers = {"G": recipe.optimizer.attach(self.G), "D": recipe.optimizer.attach(self.D)}
        if recipe.output_bias_from_data:
            self._start_at_mean_image(images)
        self.batches = Batches(len(images), batch_size or recipe.batch_size, self.rng)
        self.images = backend.asarray(images.astype(self.dtype, copy=False))
        self.real = backend.xp.empty((self.batches.batch_size, *recipe.image_shape), dtype=dtype)
        self.z = np.empty((self.batches.batch_size, recipe.noise_size), dtype)
        self.fixed_noise = recipe.draw_noise(self.rng, np.empty((FIXED_NOISE, recipe.noise_size), dtype))
        self.steps = 0
        self.seconds = 0.0
        self.rows: list[dict[str, float]] = []
        self.sums = backend.xp.zeros(4)  # of d_loss, g_loss, d_real, d_fake since the epoch began; on the device

    # ---- training

    @property
    def epoch(self) -> int:
        """The epoch that the last step belongs to, from 1."""
        return max(self.steps - 1, 0) // self.batches.steps_per_epoch + 1

    @property
    def epoch_is_over(self) -> bool:
        return self.steps % self.batches.steps_per_epoch == 0

    def step(self) -> None:
        """One update of D on the next real batch and fresh noise, then one of G on fresh noise."""
        started = time.perf_counter()
        if self.epoch_is_over:
            self.sums[...] = 0
        self._follow_schedule()
        for position, value in enumerate(self._update()):
            self.sums[position] += value
        self.steps += 1
        self.seconds += time.perf_counter() - started

    def _update(self) -> tuple[Array, Array, Array, Array]:
        """One update of both networks, as the recipe does it: the losses of D and G, the means of D(x) and D(G(z))."""
        recipe, G, D, loss = self.recipe, self.G, self.D, self.loss
        G_optimizer, D_optimizer = self.optimizers["G"], self.optimizers["D"]
        real = self.backend.take_rows(self.images, self.batches.next(), out=self.real)
        labels: dict[str, Any] = {"real_label": recipe.real_label, "average": recipe.average}
        if recipe.simultaneous:
            d_loss, on_real, on_fake, g_loss = simultaneous_step(
                G, D, loss, G_optimizer, D_optimizer, real, self.noise(), **labels
            )
        else:
            d_loss, on_real, on_fake = discriminator_step(G, D, loss, D_optimizer, real, self.noise(), **labels)
            g_loss = generator_step(G, D, loss, G_optimizer, None if recipe.same_fake else self.noise())
        return d_loss, g_loss, loss.probability(on_real).mean(), loss.probability(on_fake).mean()

    def _follow_schedule(self) -> None:
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
        last = [layer for layer in self.G.layers if "b" in layer.param_shapes()][-1]
        last.b[...] = self.backend.asarray(np.log(mean / (1 - mean)).astype(self.dtype))

    def noise(self) -> Array:
        """A fresh batch of z."""
        return self.backend.asarray(self.recipe.draw_noise(self.rng, self.z))

    def means(self) -> dict[str, float]:
        """Mean losses and outputs of D since the epoch began. Waits for the device: one read."""
        steps = self.steps - (self.epoch - 1) * self.batches.steps_per_epoch
        means = self.backend.to_host(self.sums) / max(steps, 1)
        return dict(zip(("d_loss", "g_loss", "d_real", "d_fake"), map(float, means), strict=True))

    def log_epoch(self) -> dict[str, float]:
        """Append this epoch's row to `rows`, or replace it where the epoch was logged before it was over."""
        row = {"epoch": self.epoch, "step": self.steps, "seconds": self.seconds, **self.means()}
        self.rows = [*(old for old in self.rows if old["epoch"] != row["epoch"]), row]
        return row

    def sample(self) -> Array:
        """What G makes of the fixed noise, on the host: (64, *image_shape), in [0, 1]."""
        return generate(self.G, self.recipe, self.fixed_noise)

    # ---- saving

    def settings(self) -> dict[str, Any]:
        """What a run must have in common with a checkpoint to continue it."""
        return {
            "recipe": self.recipe.name,
            "batch_size": self.batches.batch_size,
            "dtype": self.dtype.name,
            "seed": self.seed,
            "images": len(self.images),
        }

    def save(self, path: str | Path, **extra: Any) -> None:
        """Write everything that continuing needs to `path`. `extra` joins the meta data."""
        arrays = {"order": self.batches.order, "fixed_noise": self.fixed_noise, "sums": self.sums}
        for name, network in (("G", self.G), ("D", self.D)):
            arrays |= {f"{name}.params": network.params, f"{name}.state": network.state}
            arrays |= {f"{name}.{moment}": m for moment, m in self.optimizers[name].moments.items()}
        meta = {
            "settings": self.settings(),
            "description": describe(self.recipe),
            "rng": self.rng.bit_generator.state,
            "position": self.batches.position,
            "steps": self.steps,
            "seconds": self.seconds,
            "rows": self.rows,
            "optimizer_steps": {name: optimizer.t for name, optimizer in self.optimizers.items()},
            **extra,
        }
        checkpoint.save(path, {name: self.backend.to_host(array) for name, array in arrays.items()}, meta)

    def load(self, path: str | Path) -> None:
        """Stand exactly where the run that was saved to `path` stood. Raises InputError if it was another run."""
        arrays, meta = checkpoint.load(path)
        for name, here in self.settings().items():
            if meta["settings"][name] != here:
                raise InputError(
                    f"{path}: was trained with {name} {meta['settings'][name]}, not {here}; "
                    "continue with the same, or choose another --out"
                )
        if meta["description"] != describe(self.recipe):
            raise InputError(f"{path}: its recipe {self.recipe.name} differs from the one this nanogan has; start anew")
        for name, network in (("G", self.G), ("D", self.D)):
            network.params[...] = self.backend.asarray(arrays[f"{name}.params"])
            network.state[...] = self.backend.asarray(arrays[f"{name}.state"])
            for moment, m in self.optimizers[name].moments.items():
                m[...] = self.backend.asarray(arrays[f"{name}.{moment}"])
            self.optimizers[name].t = meta["optimizer_steps"][name]
        self.batches.order, self.batches.position = arrays["order"], meta["position"]
        self.fixed_noise = arrays["fixed_noise"]
        self.sums[...] = self.backend.asarray(arrays["sums"])
        self.rng.bit_generator.state = meta["rng"]
        self.steps, self.seconds, self.rows = meta["steps"], meta["seconds"], meta["rows"]


def generate(G: Network, recipe: Recipe, z: Array) -> Array:
    """Host images (N, *image_shape) in [0, 1] that G makes of host noise z, (N, noise_size), in evaluation mode."""
    images = np.empty((len(z), *recipe.image_shape), G.dtype)
    black, white = recipe.pixels
    for start in range(0, len(z), 1000):  # 1,000 at a time bound the memory
        fake = G.forward(G.backend.asarray(z[start : start + 1000]), training=False)
        images[start : start + 1000] = (G.backend.to_host(fake) - black) / (white - black)
    return images


def load_generator(path: str | Path) -> tuple[Network, Recipe]:
    """The generator in a checkpoint, on NumPy, and its recipe. The discriminator isn't needed and isn't built."""
    arrays, meta = checkpoint.load(path)
    recipe = restore(meta.get("description"))
    if not isinstance(recipe, Recipe):
        raise InputError(f"{path}: holds no GAN recipe")
    G = Network(recipe.generator, recipe.noise_size, dtype=arrays["G.params"].dtype)
    G.params[...] = arrays["G.params"]
    G.state[...] = arrays["G.state"]
    return G, recipe
