"""A training run as a user sees it: a folder of results, a progress bar, a line an epoch, and Ctrl-C.

The folder holds config.json, log.csv, samples/epoch-0001.png ..., samples.gif, losses.png and checkpoint.npz.
"""

from __future__ import annotations

import csv
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import plots
from .errors import InputError
from .training import COLUMNS, Trainer


class RunFolder:
    """Where a run's files go. A new run needs a folder without one; a resumed run needs a checkpoint there.

    Raises InputError otherwise, before anything is written, so that no earlier run is overwritten.
    """

    def __init__(self, path: str | Path, *, resume: bool = False) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.log = self.path / "log.csv"
        self.samples = self.path / "samples"
        self.animation = self.path / "samples.gif"
        self.losses = self.path / "losses.png"
        self.checkpoint = self.path / "checkpoint.npz"
        if resume and not self.checkpoint.is_file():
            raise InputError(f"{self.path}: nothing to resume, there is no checkpoint.npz; start without --resume")
        ours = (self.config, self.log, self.samples, self.animation, self.losses, self.checkpoint)
        if not resume and (found := [file.name for file in ours if file.exists()]):
            raise InputError(
                f"{self.path}: already holds a run ({', '.join(found)}); continue it with --resume, "
                "or choose another folder with --out"
            )

    def create(self) -> None:
        """Make the folder. Raises InputError where it can't be made or written to."""
        with self._writing():
            self.samples.mkdir(parents=True, exist_ok=True)
            probe = self.path / "write-test"
            probe.touch()
            probe.unlink()

    def write_config(self, config: dict[str, Any]) -> None:
        with self._writing():
            self.config.write_text(json.dumps(config, indent=2) + "\n")

    def read_config(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.config.read_text()))
        except (OSError, ValueError) as error:
            raise InputError(f"{self.config}: cannot be read ({error}); give all arguments as at the start") from None

    def write_epoch(self, trainer: Trainer) -> None:
        """The log up to now, a picture of this epoch, and a checkpoint that knows of both."""
        with self._writing():
            with open(self.log, "w", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows({name: round(value, 6) for name, value in row.items()} for row in trainer.rows)
            plots.save_grid(self.samples / f"epoch-{trainer.epoch:04}.png", trainer.sample())
        trainer.save(self.checkpoint)

    def write_pictures(self, trainer: Trainer) -> None:
        """The animation of all epochs and the loss curves. Made when a run ends, as they take seconds."""
        with self._writing():
            plots.save_animation(self.animation, sorted(self.samples.glob("epoch-*.png")))
            plots.save_losses(self.losses, trainer.rows)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            name = error.filename or self.path
            raise InputError(f"{name}: cannot be written ({error.strerror or error}); choose another --out") from None


def train(trainer: Trainer, folder: RunFolder, total_steps: int, *, quiet: bool = False) -> bool:
    """Train until `total_steps` steps have been made in all, writing to `folder` after every epoch.

    Ctrl-C finishes the step, saves a checkpoint and returns False; True means that the run is complete.
    """
    from tqdm import tqdm

    per_epoch, batch_size = trainer.batches.steps_per_epoch, trainer.batches.batch_size
    epochs = -(-total_steps // per_epoch)
    if trainer.steps == 0:
        trainer.save(folder.checkpoint)  # so that a run killed in its first epoch can be resumed, too
    with stop_on_interrupt() as stop:
        while trainer.steps < total_steps and not stop:
            began_at, began = trainer.steps, time.perf_counter()
            ends_at = min((trainer.steps // per_epoch + 1) * per_epoch, total_steps)
            bar = tqdm(
                total=(ends_at - began_at) * batch_size,
                desc=f"epoch {trainer.steps // per_epoch + 1}/{epochs}",
                unit=" images",
                leave=False,
                disable=True if quiet else None,  # None: no bar where nobody watches (not a terminal)
            )
            with bar:
                while trainer.steps < ends_at and not stop:
                    trainer.step()
                    if bar.update(batch_size):  # true a few times a second: then reading the device is cheap enough
                        means = trainer.means()
                        bar.set_postfix_str(f"D {means['d_loss']:.2f}  G {means['g_loss']:.2f}", refresh=False)
            if stop:
                break
            trainer.backend.synchronize()
            row = trainer.log_epoch()
            if not quiet:
                speed = (trainer.steps - began_at) * batch_size / (time.perf_counter() - began)
                print(epoch_line(row, epochs, speed), flush=True)
            folder.write_epoch(trainer)
    if stop:
        trainer.save(folder.checkpoint)
    if trainer.rows:
        folder.write_pictures(trainer)
    return not stop


def epoch_line(row: dict[str, float], epochs: int, images_per_second: float) -> str:
    """epoch 3/50  D 0.74  G 1.93  D(x) 0.72  D(G(z)) 0.24  14,210 images/s"""
    return (
        f"epoch {row['epoch']}/{epochs}  D {row['d_loss']:.2f}  G {row['g_loss']:.2f}  "
        f"D(x) {row['d_real']:.2f}  D(G(z)) {row['d_fake']:.2f}  {images_per_second:,.0f} images/s"
    )


@contextmanager
def stop_on_interrupt() -> Iterator[list[str]]:
    """A list that is empty until Ctrl-C (or SIGTERM) comes. A second Ctrl-C stops at once, as usual."""
    asked: list[str] = []

    def ask(number: int, frame: Any) -> None:
        asked.append(signal.Signals(number).name)
        print("\nstopping after this step ...", file=sys.stderr, flush=True)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
