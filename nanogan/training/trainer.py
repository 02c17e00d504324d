"""What every training run has in common: networks, their optimizers, its data, and where the run stands.

A trainer is the run itself: one call of `step` is one update of D and one of G. `gan_trainer.py` has the one that makes
images from noise, `pix2pix/trainer.py` the one that makes them from other images. `state.py` saves a run and takes it
up again; what it leaves on the disk, and the progress bar, are in `run_folder.py` and `loop.py`.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..backend import NUMPY, Array, Backend, Shape
from ..data.batches import Batches
from ..errors import InputError
from ..io import checkpoint
from ..layer import Layer
from ..network import Network, leaves
from ..norm import BatchNorm
from ..recipes.recipe import ImageToImage, Recipe, Unpaired, own_classes
from ..reshape import Pack
from ..settings import float_type, generator, setting
from ..workers import ALONE, Shard, Workers
from . import log
from .state import State

SHOWN = {"d_loss": "D {:.2f}", "g_loss": "G {:.2f}", "d_real": "D(x) {:.2f}", "d_fake": "D(G(z)) {:.2f}"}
"""What the line of an epoch shows of its row."""

Method = TypeVar("Method", bound=Callable[..., Any])


def together(method: Method) -> Method:
    """Mark a method of a trainer that all workers run at once, when rank 0 does."""

    @functools.wraps(method)
    def call(self: BaseTrainer, *args: Any) -> Any:
        self.workers.announce(method.__name__)
        return method(self, *args)

    return call  # type: ignore[return-value]


class BaseTrainer(State):
    """Networks in training, against each other: steps, means, the log, saving and continuing.

    recipe: layers, loss and optimizer. networks: by name, the layers of each and the shape of one input.
    data: what is trained on, by name, as host arrays with as many examples each. labels: (N,), the classes of these.

    Everything random comes from one generator seeded with `seed`: first weights, shuffles, noise. So a seed draws the
    same numbers on every backend, and on NumPy a saved run continues to the last bit (docs/reliability.md). A subclass
    says what one update is (`_update`) and what is drawn (`sample`, `draw_curves`).
    """

    columns: Sequence[str] = log.COLUMNS
    shown: Mapping[str, str] = SHOWN
    sample_columns: int | None = None
    note = ""
    """What a resumed run has to say before it goes on."""

    def __init__(
        self,
        recipe: Recipe | ImageToImage | Unpaired,
        networks: Mapping[str, tuple[Sequence[Layer], Shape]],
        data: Mapping[str, Array],
        *,
        labels: Array | None = None,
        seed: int,
        batch_size: int | None = None,
        backend: Backend = NUMPY,
        dtype: Any = np.float32,
    ) -> None:
        own_classes(recipe)  # what could not be saved is refused before a step is made
        self.recipe, self.seed, self.backend, self.dtype = (
            recipe,
            setting("int", "seed", seed),
            backend,
            float_type(dtype),
        )
        self.rng = generator(self.seed)
        build: dict[str, Any] = {"backend": backend, "dtype": dtype, "rng": self.rng}
        self.networks = {name: Network(layers, shape, **build) for name, (layers, shape) in networks.items()}
        self.loss = recipe.loss.bind(backend, dtype)
        own = {"D": getattr(recipe, "d_optimizer", None) or recipe.optimizer}
        self.optimizers = {name: own.get(name, recipe.optimizer).bind(net) for name, net in self.networks.items()}
        self.count = len(next(iter(data.values())))
        self.batches = Batches(self.count, recipe.batch_size if batch_size is None else batch_size, self.rng)
        self.shuffled = {"order": self.batches}
        data = {name: _finite(name, images.astype(self.dtype, copy=False)) for name, images in data.items()}
        data |= {} if labels is None else {"labels": labels}
        self.data_digest = checkpoint.digest(data)[:16]
        self.on_device = {name: backend.asarray(images) for name, images in data.items()}
        self.steps = 0
        self.seconds = 0.0
        self.rows: list[log.Row] = []
        self.sums = backend.xp.zeros(4)  # of d_loss, g_loss, d_real, d_fake since the epoch began; on the device
        self.share(ALONE)

    def share(self, workers: Workers, *, own_statistics: bool = False) -> None:
        """From now on, compute this worker's rows of every batch alone (`workers.py`), with work arrays for as many.

        own_statistics: BatchNorm takes those of its own rows; else they are those of the whole batch.
        Raises InputError if the batch, or a layer that sees all of it, can't be shared out.
        """
        self.workers = workers
        discriminator = self.networks["D"].layers if "D" in self.networks else []
        pack = math.prod(layer.size for layer in discriminator if isinstance(layer, Pack))
        self.shard = Shard(workers, self.batches.batch_size, pack=pack, own_statistics=own_statistics)
        for network in self.networks.values():
            if workers.size > 1:
                _expect_shareable(network)
            network.share(self.shard)
        if workers.size > 1 and self.loss.reduction != "mean":
            raise InputError(f"{self.loss!r} adds up a batch, which several processes share out; choose its mean")
        self.batch = {
            name: self.backend.xp.empty((self.shard.count, *array.shape[1:]), dtype=array.dtype)
            for name, array in self.on_device.items()
        }
        self.advance = self.backend.repeatable(self.compute) if self.shard.is_whole else self.compute

    @together
    def expect_same_bits(self) -> None:
        """Raise InputError, on rank 0, unless all workers stand at the same numbers, by SHA-256. Alone, for free."""
        if not self.shard.is_whole:
            arrays = {name: self.backend.to_host(array) for name, array in self.arrays().items()}
            draws = {"rng": np.array(str(self.rng.bit_generator.state))}
            found = checkpoint.digest({**arrays, **draws})[:16]
            self.workers.expect_equal({"numbers": f"numbers with SHA-256 {found} after step {self.steps}"})

    @property
    def G(self) -> Network:
        """The generator."""
        return self.networks["G"]

    @property
    def D(self) -> Network:
        """The discriminator, of a run that has one."""
        return self.networks["D"]

    # ---- training

    @property
    def epoch_is_over(self) -> bool:
        return self.steps % self.batches.steps_per_epoch == 0

    @together
    def step(self) -> None:
        """One update of D and one of G."""
        started = time.perf_counter()
        if self.epoch_is_over:
            self.sums[...] = 0
        self.follow_schedule()
        self.advance()
        self.steps += 1
        self.seconds += time.perf_counter() - started

    def wait(self) -> None:
        """Wait until the device has made all steps, which may be some after `step` has returned, and count the time."""
        started = time.perf_counter()
        self.backend.synchronize()
        self.seconds += time.perf_counter() - started

    def compute(self) -> None:
        """What a step computes, on the device alone: a GPU replays it. See `Backend.repeatable` for what it may do."""
        for position, value in enumerate(self.shard.means(self.backend.xp, *self._update())):
            self.sums[position] += value
        if self.shard.own_statistics:  # then the running ones are the mean of the workers' own
            for name, array in self.arrays().items():
                if name.endswith(".state"):
                    self.shard.mean(array)

    def follow_schedule(self) -> None:
        """Set what the coming step's number decides, like the learning rate."""

    def _update(self) -> tuple[Array, Array, Array, Array]:
        """One update of both networks: the losses of D and G, the means of what D says of real and of fake images."""
        raise NotImplementedError(f"{type(self).__name__} has no _update")

    def sample(self) -> Array:
        """What is drawn after every epoch, on the host: (N, H, W, C), in [0, 1]; `sample_columns` in a row."""
        raise NotImplementedError(f"{type(self).__name__} has no sample")

    def draw_curves(self, path: Path) -> None:
        """Draw the log so far into a picture."""
        raise NotImplementedError(f"{type(self).__name__} has no draw_curves")

    def next_rows(self) -> Array:
        """Which examples come next: the indices of this worker's, on the device; alone, (batch_size,)."""
        return self.backend.fresh(lambda: self.shard.take(self.batches.next()))

    def next_batch(self, name: str, rows: Array) -> Array:
        """These examples of one of the arrays that are trained on."""
        return self.backend.take_rows(self.on_device[name], rows, out=self.batch[name])

    def means(self) -> dict[str, float]:
        """Mean losses and outputs of D since the epoch began. Waits for the device: one read."""
        steps = self.steps - (self.epoch - 1) * self.batches.steps_per_epoch
        means = self.backend.to_host(self.sums) / max(steps, 1)
        return dict(zip(("d_loss", "g_loss", "d_real", "d_fake"), map(float, means), strict=True))

    def log_epoch(self, **diagnosed: float) -> log.Row:
        """Append this epoch's row to `rows`, or replace it if the epoch was logged before it was over.

        diagnosed: what `diagnosis.py` found; may be left out.
        """
        self.wait()
        now = {"epoch": self.epoch, "step": self.steps, "seconds": self.seconds}
        row = log.complete({**now, **self.means(), **diagnosed}, self.columns)
        self.rows = [*(old for old in self.rows if old["epoch"] != row["epoch"]), row]
        return row


def _expect_shareable(network: Network) -> None:
    """Raise InputError if a layer mixes the rows of a batch in a way that several workers can't do together."""
    for layer in leaves(network.layers):
        if layer.depends_on_batch and not isinstance(layer, (BatchNorm, Pack)):
            raise InputError(f"{layer!r} looks at the whole batch, which several processes share out; train in one")


def _finite(name: str, images: Array) -> Array:
    """The images. Raises InputError, naming the first that holds NaN or infinity, unless all are finite."""
    if not np.isfinite(images.min()) or not np.isfinite(images.max()):
        bad = int(np.argmin(np.isfinite(images).all(axis=tuple(range(1, images.ndim)))))
        raise InputError(
            f"{name}: image number {bad}, counted from 0, holds NaN or infinity; leave it out or repair it"
        )
    return images
