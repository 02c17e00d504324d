"""What every training run has in common: two networks, their optimizers, its data, and where the run stands.

A trainer is the run itself: one call of `step` is one update of D and one of G. `training.py` has the one that makes
images from noise, `image_to_image.py` the one that makes them from other images. What a run leaves on the disk, and the
progress bar, are in `runs.py`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import NUMPY, Array, Backend, Shape
from ..data.batches import Batches
from ..errors import InputError
from ..io import checkpoint
from ..network import Network
from ..recipes.recipe import ImageToImage, Recipe, describe, restore
from . import log
from .old_checkpoints import upgraded

SHOWN = {"d_loss": "D {:.2f}", "g_loss": "G {:.2f}", "d_real": "D(x) {:.2f}", "d_fake": "D(G(z)) {:.2f}"}
"""What the line of an epoch shows of its row."""


class BaseTrainer:
    """Two networks in training, each against the other: steps, means, the log, saving and continuing.

    recipe: layers, loss and optimizer. D_input: the shape of one input of the discriminator.
    data: what is trained on, by name, as host arrays with as many examples each.

    Everything random comes from one generator seeded with `seed`: first weights, shuffles, noise. So a seed draws the
    same numbers on every backend, and on NumPy a saved run continues to the last bit (docs/reliability.md). A subclass
    says what one update is (`_update`) and what is drawn (`sample`, `draw_curves`).
    """

    recipe: Any
    columns: Sequence[str] = log.COLUMNS
    shown: Mapping[str, str] = SHOWN
    sample_columns: int | None = None

    def __init__(
        self,
        recipe: Recipe | ImageToImage,
        D_input: Shape,
        data: Mapping[str, Array],
        *,
        seed: int,
        batch_size: int | None = None,
        backend: Backend = NUMPY,
        dtype: Any = np.float32,
    ) -> None:
        self.recipe, self.seed, self.backend, self.dtype = recipe, seed, backend, np.dtype(dtype)
        self.rng = np.random.default_rng(seed)
        build: dict[str, Any] = {"backend": backend, "dtype": dtype, "rng": self.rng}
        self.G = Network(recipe.generator, recipe.input_shape, **build)
        self.D = Network(recipe.discriminator, D_input, **build)
        self.loss = recipe.loss.bind(backend, dtype)
        self.optimizers = {"G": recipe.optimizer.bind(self.G), "D": recipe.optimizer.bind(self.D)}
        self.count = len(next(iter(data.values())))
        self.batches = Batches(self.count, batch_size or recipe.batch_size, self.rng)
        data = {name: _finite(name, images.astype(self.dtype, copy=False)) for name, images in data.items()}
        self.data_digest = checkpoint.digest(data)[:16]
        self.on_device = {name: backend.asarray(images) for name, images in data.items()}
        self.batch = {
            name: backend.xp.empty((self.batches.batch_size, *images.shape[1:]), dtype=dtype)
            for name, images in data.items()
        }
        self.steps = 0
        self.seconds = 0.0
        self.rows: list[log.Row] = []
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
        """One update of D and one of G."""
        started = time.perf_counter()
        if self.epoch_is_over:
            self.sums[...] = 0
        for position, value in enumerate(self._update()):
            self.sums[position] += value
        self.steps += 1
        self.seconds += time.perf_counter() - started

    def _update(self) -> tuple[Array, Array, Array, Array]:
        """One update of both networks: the losses of D and G, the means of what D says of real and of fake images."""
        raise NotImplementedError(f"{type(self).__name__} has no _update")

    def sample(self) -> Array:
        """What is drawn after every epoch, on the host: (N, H, W, C), in [0, 1]; `sample_columns` in a row."""
        raise NotImplementedError(f"{type(self).__name__} has no sample")

    def draw_curves(self, path: Path) -> None:
        """Draw the log so far into a picture."""
        raise NotImplementedError(f"{type(self).__name__} has no draw_curves")

    def next_batch(self, name: str, rows: Array) -> Array:
        """These examples of one of the arrays that are trained on."""
        return self.backend.take_rows(self.on_device[name], rows, out=self.batch[name])

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

    # ---- saving

    def settings(self) -> dict[str, Any]:
        """What a run must have in common with a checkpoint to continue it."""
        return {
            "recipe": self.recipe.name,
            "batch_size": self.batches.batch_size,
            "dtype": self.dtype.name,
            "seed": self.seed,
            "images": self.count,
            "data": self.data_digest,
        }

    def arrays(self) -> dict[str, Array]:
        """Every array that the run consists of, by name; live, not copied."""
        arrays = {"order": self.batches.order, "sums": self.sums}
        for name, network in (("G", self.G), ("D", self.D)):
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
            arrays, meta = upgraded(arrays, meta)
            expected, progress = self._checked(arrays, meta, allow_change)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise InputError(f"{path}: is no checkpoint of a run ({type(error).__name__}: {error})") from None
        for name, array in expected.items():
            saved = arrays[name].astype(array.dtype)
            on_host = isinstance(array, np.ndarray)  # order and noise lie there whichever the backend
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
        expected, progress = self.arrays(), _progress(arrays, meta, self.columns)
        if not changes.keys().isdisjoint(("batch_size", "images", "data")):
            del expected["order"]
            epochs = progress["steps"] // (meta["settings"]["images"] // meta["settings"]["batch_size"])
            progress["steps"] = epochs * self.batches.steps_per_epoch
        checkpoint.check_arrays(arrays, expected)
        if "order" in expected and not np.array_equal(np.sort(arrays["order"]), np.arange(self.count)):
            raise InputError("its order of the images doesn't name each of them once")
        return expected, progress

    def _changes(self, meta: dict[str, Any]) -> dict[str, str]:
        """The settings in which a checkpoint differs from this run, by name, each as "seed 0, not 1"."""
        was, here = dict(meta["settings"]), self.settings()
        was.setdefault("data", self.data_digest)  # which format 1 didn't have
        if was.get("recipe") == self.recipe.name:
            recipe = restore(meta["description"])
            for field in dataclasses.fields(self.recipe):
                if field.name not in ("name", "source", "epochs", "steps", *self.settings()):
                    was[field.name], here[field.name] = getattr(recipe, field.name), getattr(self.recipe, field.name)
        return {
            name: f"{name} {was.get(name)}, not {now}"
            for name, now in here.items()
            if describe(was.get(name)) != describe(now)
        }


def _finite(name: str, images: Array) -> Array:
    """The images. Raises InputError, naming the first that holds NaN or infinity, unless all are finite."""
    if not np.isfinite(images.min()) or not np.isfinite(images.max()):
        bad = int(np.argmin(np.isfinite(images).all(axis=tuple(range(1, images.ndim)))))
        raise InputError(
            f"{name}: image number {bad}, counted from 0, holds NaN or infinity; leave it out or repair it"
        )
    return images


def _progress(arrays: dict[str, Array], meta: dict[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """How far a checkpoint's run had come. Raises one of many errors where the meta data hold anything else."""
    rng = np.random.default_rng()
    rng.bit_generator.state = meta["rng"]
    # Until format 2, the log was part of the meta data.
    rows = meta["rows"] if "rows" in meta else log.from_array(arrays["log"], meta["columns"])
    progress = {
        "steps": meta["steps"],
        "seconds": float(meta["seconds"]),
        "rows": log.taken_over(rows, columns),
        "optimizer_steps": {name: meta["optimizer_steps"][name] for name in ("G", "D")},
        "rng": rng.bit_generator.state,
    }
    for count in (progress["steps"], *progress["optimizer_steps"].values()):
        if type(count) is not int or count < 0:
            raise ValueError(f"{count!r} steps")
    return progress
