"""The loop over epochs: a progress bar, a line per epoch, checkpoints, and Ctrl-C."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .diagnosis import Diagnosis
from .find_nan import explain, is_finite, losses_are_finite
from .run_folder import RunFolder
from .trainer import SHOWN, BaseTrainer


class Checkpoints:
    """When a run is saved: `every` "500" steps or "30s" seconds, and whenever `save` is called.

    Only what is finite is saved, so that the file at `path` is always a good one.
    """

    def __init__(
        self, trainer: BaseTrainer, path: Path, *, every: str | None = None, allow_nonfinite: bool = False
    ) -> None:
        self.trainer, self.path, self.allow_nonfinite, self.warned = trainer, path, allow_nonfinite, False
        self.seconds = self.steps = math.inf
        if every and every.endswith("s"):
            self.seconds = float(every[:-1])
        elif every:
            self.steps = float(every)
        self.save()  # so that the run can be resumed from its first step on, with the settings it has now

    def after_step(self) -> None:
        """Save where it is time, and stop where the losses show that something is wrong."""
        steps, looks = self.trainer.steps, self.trainer.backend.nan_check_every
        if steps % self.steps == 0 or time.monotonic() - self.saved_at >= self.seconds:
            self.save()
        elif steps % looks == 0 and not self.allow_nonfinite and not losses_are_finite(self.trainer):
            self.is_good()

    def is_good(self) -> bool:
        """Whether all is finite. Raises InputError, naming the first bad array, unless the run may go on with it."""
        if is_finite(self.trainer):
            return True
        if not self.allow_nonfinite:
            raise InputError(explain(self.trainer, self.path))
        if not self.warned:
            step = self.trainer.steps
            print(f"\nNaN or infinity by step {step}: no more checkpoints while it lasts", file=sys.stderr)
            self.warned = True
        return False

    def save(self) -> None:
        """Write the checkpoint, if all is good."""
        if self.is_good():
            self.trainer.save(self.path)
        self.saved_at = time.monotonic()


def steps_in_all(trainer: BaseTrainer, *, epochs: int | None, steps: int | None) -> int:
    """How many steps --epochs or --steps means, from the beginning. Raises InputError if the run has made more."""
    total = steps or (epochs or 0) * trainer.batches.steps_per_epoch
    if total < trainer.steps:
        raise InputError(
            f"the run has made {trainer.steps} steps already, more than the {total} asked for; --epochs and --steps "
            "count from the beginning"
        )
    return total


def train(
    trainer: BaseTrainer,
    folder: RunFolder,
    total_steps: int,
    *,
    quiet: bool = False,
    checkpoint_every: str | None = None,
    allow_nonfinite: bool = False,
    diagnosis: Diagnosis | None = None,
) -> bool:
    """Train until `total_steps` steps have been made in all, writing to `folder` after every epoch.

    checkpoint_every: save more often than that: "500" is every 500 steps, "30s" every 30 seconds.
    allow_nonfinite: go on where a NaN or infinity arises, without saving it.
    diagnosis: adds its figures to the log, and says on stderr, also where `quiet`, when they show that the run fails.

    Ctrl-C finishes the step, saves a checkpoint and returns False; True means that the run is complete. Raises
    InputError where a file can't be written or, naming layer and array, where the numbers stop being finite.
    """
    epochs = -(-total_steps // trainer.batches.steps_per_epoch)
    with stop_on_interrupt() as stop, np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        checkpoints = Checkpoints(trainer, folder.checkpoint, every=checkpoint_every, allow_nonfinite=allow_nonfinite)
        while trainer.steps < total_steps and not stop:
            began_at, began = trainer.steps, time.perf_counter()
            if not train_epoch(trainer, checkpoints, total_steps, stop, quiet=quiet):
                break
            trainer.backend.synchronize()
            took = time.perf_counter() - began
            checkpoints.is_good()
            row = trainer.log_epoch(**(diagnosis.figures() if diagnosis else {}))
            if not quiet:
                speed = (trainer.steps - began_at) * trainer.batches.batch_size / took
                print(epoch_line(row, epochs, speed, trainer.shown), flush=True)
            if diagnosis:
                diagnosis.warn()
            folder.write_epoch(trainer)
            checkpoints.save()
        if stop:
            checkpoints.save()
        if trainer.rows:
            folder.write_pictures(trainer)
    return not stop


def train_epoch(
    trainer: BaseTrainer, checkpoints: Checkpoints, total_steps: int, stop: Sequence[str], *, quiet: bool
) -> bool:
    """Train to the end of this epoch or of the run, under a progress bar. False if `stop` was filled before.

    No checkpoint is made at the end itself: the one that says that an epoch is over comes after its row of the log.
    """
    from tqdm import tqdm

    per_epoch, batch_size = trainer.batches.steps_per_epoch, trainer.batches.batch_size
    epoch, epochs = trainer.steps // per_epoch + 1, -(-total_steps // per_epoch)
    ends_at = min(epoch * per_epoch, total_steps)
    with tqdm(
        total=(ends_at - trainer.steps) * batch_size,
        desc=f"epoch {epoch}/{epochs}",
        unit=" images",
        leave=False,
        disable=True if quiet else None,  # None: no bar where nobody watches (not a terminal)
    ) as bar:
        while trainer.steps < ends_at and not stop:
            trainer.step()
            if trainer.steps < ends_at:
                checkpoints.after_step()
            if bar.update(batch_size):  # true a few times a second: then reading the device is cheap enough
                means = trainer.means()
                bar.set_postfix_str(f"D {means['d_loss']:.2f}  G {means['g_loss']:.2f}", refresh=False)
    return trainer.steps == ends_at


def epoch_line(
    row: Mapping[str, float], epochs: int, images_per_second: float, shown: Mapping[str, str] = SHOWN
) -> str:
    """epoch 3/50  D 0.74  G 1.93  D(x) 0.72  D(G(z)) 0.24  14,210 images/s"""
    values = [text.format(row[name]) for name, text in shown.items()]
    return "  ".join([f"epoch {row['epoch']}/{epochs}", *values, f"{images_per_second:,.0f} images/s"])


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
