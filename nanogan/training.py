"""The loop around `gan.py`: a recipe, its networks and optimizers, its data, and where the run stands.

`Trainer` is the run itself: one call of `step` is one update of D and one of G. What a run leaves on the disk, and the
progress bar, are in `runs.py`.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from . import checkpoint, log
from .average import MovingAverage
from .backend import NUMPY, Array, Backend, Shape
from .data import Batches
from .errors import InputError
from .gan import discriminator_step, generator_step, simultaneous_step
from .layer import Layer
from .network import Network
from .optim import SGD
from .recipe import Recipe, describe, restore

FIXED_NOISE = 64
"""How many pictures are drawn after every epoch, always from the same noise."""


class Trainer:
    """A recipe in training on `images`, host array (N, *recipe.image_shape) scaled to recipe.pixels.

    Everything random comes from one generator seeded with `seed`: first weights, shuffles, noise. So a seed gives the
    same run again, on any backend, and a saved run continues exactly.
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
        self.recipe, self.seed, self.backend, self.dtype = recipe, seed, backend, np.dtype(dtype)
        self.rng = np.random.default_rng(seed)
        build = {"backend": backend, "dtype": dtype, "rng": self.rng}
        self.G = Network(recipe.generator, recipe.noise_size, **build)
        self.D = Network(recipe.discriminator, recipe.image_shape, **build)
        self.loss = recipe.loss.on(backend, dtype)
        self.optimizers = {"G": recipe.optimizer.attach(self.G), "D": recipe.optimizer.attach(self.D)}
        self.batches = Batches(len(images), batch_size or recipe.batch_size, self.rng)
        images = images.astype(self.dtype, copy=False)
        if not np.isfinite(images.min()) or not np.isfinite(images.max()):
            bad = int(np.argmin(np.isfinite(images).all(axis=tuple(range(1, images.ndim)))))
            raise InputError(
                f"images: image number {bad}, counted from 0, holds NaN or infinity; leave it out or repair it"
            )
        self.data = checkpoint.digest({"images": images})[:16]
        self.images = backend.asarray(images)
        if recipe.output_bias_from_data:
            self._start_at_mean_image(images)
        self.average = None if recipe.weight_average is None else MovingAverage(self.G, recipe.weight_average)
        self.real = backend.xp.empty((self.batches.batch_size, *recipe.image_shape), dtype=dtype)
        self.z = np.empty((self.batches.batch_size, recipe.noise_size), dtype)
        self.fixed_noise = recipe.draw_noise(self.rng, np.empty((FIXED_NOISE, recipe.noise_size), dtype))
        self.steps = 0
        self.seconds = 0.0
        self.rows: list[log.Row] = []
        self.sums = backend.xp.zeros(4)  # of d_loss, g_loss, d_real, d_fake since the epoch began; on the device

    @property
    def generator(self) -> Network:
        """The network that images are drawn with: G, or the moving average of it."""
        return self.average.network if self.average else self.G

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
        if self.average:
            self.average.step(self.steps)
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

    def log_epoch(self, **diagnosed: float) -> log.Row:
        """Append this epoch's row to `rows`, or replace it where the epoch was logged before it was over.

        diagnosed: what `diagnosis.py` found; may be left out.
        """
        now = {"epoch": self.epoch, "step": self.steps, "seconds": self.seconds}
        row = log.complete({**now, **self.means(), **diagnosed}, self.columns)
        self.rows = [*(old for old in self.rows if old["epoch"] != row["epoch"]), row]
        return row

    def sample(self) -> Array:
        """What the generator makes of the fixed noise, on the host: (64, *image_shape), in [0, 1]."""
        return generate(self.generator, self.recipe, self.fixed_noise)

    # ---- saving

    def settings(self) -> dict[str, Any]:
        """What a run must have in common with a checkpoint to continue it."""
        return {
            "recipe": self.recipe.name,
            "batch_size": self.batches.batch_size,
            "dtype": self.dtype.name,
            "seed": self.seed,
            "images": len(self.images),
            "data": self.data,
        }

    def arrays(self) -> dict[str, Array]:
        """Every array that the run consists of, by name; live, not copied."""
        arrays = {"order": self.batches.order, "fixed_noise": self.fixed_noise, "sums": self.sums}
        networks = {"G": self.G, "D": self.D, **({"average": self.average.network} if self.average else {})}
        for name, network in networks.items():
            arrays |= {f"{name}.params": network.params, f"{name}.state": network.state}
        for name, optimizer in self.optimizers.items():
            arrays |= {f"{name}.{moment}": m for moment, m in optimizer.moments.items()}
        return arrays

    def save(self, path: str | Path, **extra: Any) -> None:
        """Write everything that continuing needs to `path`. `extra` joins the meta data."""
        meta = {
            "settings": self.settings(),
            "description": describe(self.recipe),
            "rng": self.rng.bit_generator.state,
            "steps": self.steps,
            "seconds": self.seconds,
            "columns": self.columns,
            "optimizer_steps": {name: optimizer.t for name, optimizer in self.optimizers.items()},
            **extra,
        }
        arrays = {name: self.backend.to_host(array) for name, array in self.arrays().items()}
        checkpoint.save(path, {**arrays, "log": log.as_array(self.rows, self.columns)}, meta)

    def load(self, path: str | Path, *, allow_change: bool = False) -> None:
        """Stand exactly where the run that was saved to `path` stood.

        Raises InputError, with nothing changed here, if the file is damaged or, unless `allow_change`, of a run with
        other settings. A change of the batch or the images begins the epoch anew, counted in steps of the new size;
        other networks can't take over the weights.
        """
        arrays, meta = checkpoint.load(path)
        try:
            expected, progress = self._checked(arrays, meta, allow_change)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise InputError(f"{path}: is no checkpoint of a run ({type(error).__name__}: {error})") from None
        for name, array in expected.items():
            saved = arrays[name].astype(array.dtype)
            on_host = isinstance(array, np.ndarray)  # order and noise are on every backend
            array[...] = saved if on_host else self.backend.asarray(saved)
        for name, optimizer in self.optimizers.items():
            optimizer.t = progress["optimizer_steps"][name]
        self.rng.bit_generator.state = progress["rng"]
        self.steps, self.seconds, self.rows = progress["steps"], progress["seconds"], progress["rows"]
        steps_of_epoch = self.steps - (self.epoch - 1) * self.batches.steps_per_epoch
        self.batches.position = steps_of_epoch * self.batches.batch_size

    def _checked(
        self, arrays: dict[str, Array], meta: dict[str, Any], allow_change: bool
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """The arrays here that a checkpoint's may be copied to, and its `_progress`."""
        changes = self._changes(meta)
        if changes and not allow_change:
            raise InputError(
                f"was trained with {'; '.join(changes.values())}; continue with the same, or choose another --out, "
                "or say --allow-change if the change is meant"
            )
        expected, progress = self.arrays(), _progress(arrays, meta)
        if not changes.keys().isdisjoint(("batch_size", "images", "data")):
            del expected["order"]
            epochs = progress["steps"] // (meta["settings"]["images"] // meta["settings"]["batch_size"])
            progress["steps"] = epochs * self.batches.steps_per_epoch
        checkpoint.check_arrays(arrays, expected)
        if "order" in expected and not np.array_equal(np.sort(arrays["order"]), np.arange(len(self.images))):
            raise InputError("its order of the images doesn't name each of them once")
        return expected, progress

    def _changes(self, meta: dict[str, Any]) -> dict[str, str]:
        """The settings in which a checkpoint differs from this run, by name, each as "seed 0, not 1"."""
        was, here = dict(meta["settings"]), self.settings()
        was.setdefault("data", self.data)  # which format 1 didn't have
        if was.get("recipe") == self.recipe.name:
            recipe = restore(meta["description"])
            for field in dataclasses.fields(Recipe):
                if field.name not in ("name", "source", "epochs", "steps", *self.settings()):
                    was[field.name], here[field.name] = getattr(recipe, field.name), getattr(self.recipe, field.name)
        return {name: f"{name} {was.get(name)}, not {now}" for name, now in here.items() if was.get(name) != now}


def _progress(arrays: dict[str, Array], meta: dict[str, Any]) -> dict[str, Any]:
    """How far a checkpoint's run had come. Raises one of many errors where the meta data hold anything else."""
    rng = np.random.default_rng()
    rng.bit_generator.state = meta["rng"]
    # Until format 2, the log was part of the meta data.
    rows = meta["rows"] if "rows" in meta else log.from_array(arrays["log"], meta["columns"])
    progress = {
        "steps": meta["steps"],
        "seconds": float(meta["seconds"]),
        "rows": log.taken_over(rows, Trainer.columns),
        "optimizer_steps": {name: meta["optimizer_steps"][name] for name in ("G", "D")},
        "rng": rng.bit_generator.state,
    }
    for count in (progress["steps"], *progress["optimizer_steps"].values()):
        if type(count) is not int or count < 0:
            raise ValueError(f"{count!r} steps")
    return progress


def generate(G: Network, recipe: Recipe, z: Array) -> Array:
    """Host images (N, *image_shape) in [0, 1] that G makes of host noise z, (N, noise_size), in evaluation mode."""
    images = np.empty((len(z), *recipe.image_shape), G.dtype)
    black, white = recipe.pixels
    for start in range(0, len(z), 1000):  # 1,000 at a time bound the memory
        fake = G.forward(G.backend.asarray(z[start : start + 1000]), training=False)
        images[start : start + 1000] = (G.backend.to_host(fake) - black) / (white - black)
    return images


def load_generator(path: str | Path) -> tuple[Network, Recipe]:
    """The generator in a checkpoint, on NumPy, and its recipe. The discriminator isn't needed and isn't built.

    Raises InputError where there is none that works.
    """
    arrays, meta = checkpoint.load(path)
    try:
        recipe = restore(meta.get("description"))
        if not isinstance(recipe, Recipe):
            raise InputError("holds no GAN recipe")
        _check_sizes(recipe.generator, (recipe.noise_size,))
        generator = "G" if recipe.weight_average is None else "average"
        params, state = (arrays.get(f"{generator}.{name}", np.empty(0)) for name in ("params", "state"))
        expected = sum(layer.param_count for layer in recipe.generator)
        if params.shape != (expected,):
            raise InputError(f"expected {expected:,} parameters of G, found an array of shape {params.shape}")
        G = Network(recipe.generator, recipe.noise_size, dtype=params.dtype)
        checkpoint.check_arrays(arrays, {f"{generator}.params": G.params, f"{generator}.state": G.state})
        G.params[...], G.state[...] = params, state
        z = recipe.draw_noise(np.random.default_rng(0), np.empty((1, recipe.noise_size), G.dtype))
        if G.shape != recipe.image_shape or not np.isfinite(generate(G, recipe, z)).all():
            raise InputError("its generator draws no images")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # what a description made by hand can do in a layer has no limits
        raise InputError(f"{path}: its recipe can't be built ({type(error).__name__}: {error})") from None
    return G, recipe


LARGEST_OUTPUT = 2**24
"""Numbers that one layer may make of one noise vector in a checkpoint that somebody sent: an image of 4096 x 4096."""


def _check_sizes(layers: Iterable[Layer], shape: Shape) -> None:
    """Raise InputError, before memory is taken, where a description asks for absurdly large arrays."""
    for layer in (None, *layers):
        shape = layer.output_shape(shape) if layer else shape
        if math.prod(shape) > LARGEST_OUTPUT:
            raise InputError(f"its generator would need arrays of {math.prod(shape):,} numbers for one image")
