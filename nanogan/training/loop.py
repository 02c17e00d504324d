"""The loop over epochs: a progress bar, a line per epoch, checkpoints, and Ctrl-C."""

from __future__ import annotations

import math
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..io.streams import Forgiving, say, warn
from .diagnosis import Diagnosis
from .find_nan import explain, is_finite, losses_are_finite
from .run_folder import RunFolder
from .trainer import SHOWN, BaseTrainer

PAUSE = "2s"
"""From one report of the training commands to the next where epochs are shorter: a report takes about 0.1 s."""


class Every:
    """An interval: "500", every 500 steps, "30s", every 30 seconds since the last `restart`, or None, never."""

    def __init__(self, text: str | None) -> None:
        if text and not re.fullmatch(r"[1-9]\d{0,8}s?", text):
            raise InputError(f"{text!r} is not a number of steps (500) or of seconds (30s)")
        self.seconds = self.steps = math.inf
        if text and text.endswith("s"):
            self.seconds = float(text[:-1])
        elif text:
            self.steps = float(text)
        self.restart()

    def restart(self) -> None:
        self.since = time.monotonic()

    def is_over(self, steps: int, *, before: int | None = None) -> bool:
        """Whether an interval ends at step `steps`, or has ended on the way there from step `before`."""
        before = steps - 1 if before is None else before
        return steps // self.steps > before // self.steps or time.monotonic() - self.since >= self.seconds


class Checkpoints:
    """When a run is saved: `every` "500" steps or "30s" seconds, and whenever `save` is called.

    Only what is finite is saved, so that the file at `path` is always a good one.
    """

    def __init__(
        self, trainer: BaseTrainer, path: Path, *, every: str | None = None, allow_nonfinite: bool = False
    ) -> None:
        self.trainer, self.path, self.allow_nonfinite, self.warned = trainer, path, allow_nonfinite, False
        self.every = Every(every)
        self.save()  # so that the run can be resumed from its first step on, with the settings it has now

    def after_step(self) -> None:
        """Save if it is time, and stop if the losses show that something is wrong."""
        steps, looks = self.trainer.steps, self.trainer.backend.nan_check_every
        if self.every.is_over(steps):
            self.save()
        elif steps % looks == 0 and not self.allow_nonfinite and not losses_are_finite(self.trainer):
            self.check_finite()

    def check_finite(self) -> bool:
        """Whether all is finite. Raises InputError, naming the first bad array, unless the run may go on with it."""
        if is_finite(self.trainer):
            return True
        if not self.allow_nonfinite:
            raise InputError(explain(self.trainer, self.path))
        if not self.warned:
            warn(f"\nNaN or infinity by step {self.trainer.steps}: no more checkpoints while it lasts")
            self.warned = True
        return False

    def save(self) -> None:
        """Write the checkpoint, if all is good."""
        if self.check_finite():
            self.trainer.expect_same_bits()
            self.trainer.save(self.path)
        self.every.restart()


def steps_in_all(trainer: BaseTrainer, *, epochs: int | None, steps: int | None) -> int:
    """How many steps --epochs or --steps means, from the beginning. Raises InputError if the run has made more."""
    total = steps or (epochs or 0) * trainer.batches.steps_per_epoch
    if total < trainer.steps:
        raise InputError(
            f"the run has made {trainer.steps} steps already, more than the {total} asked for; --epochs and --steps "
            "count from the beginning"
        )
    return total


class Reports:
    """When a run reports: with a row of the log, a line, a picture and a checkpoint at the end of an epoch.

    every: pictures also in the middle of epochs, every "500" steps or "30s" seconds. pause: the same for the ends of
    epochs alone. Epochs that are shorter than either report no more often, but for the first and the run's last step.
    """

    def __init__(
        self,
        trainer: BaseTrainer,
        folder: RunFolder,
        every: str | None = None,
        pause: str | None = None,
        diagnosis: Diagnosis | None = None,
    ) -> None:
        self.trainer, self.folder, self.diagnosis = trainer, folder, diagnosis
        self.inside, self.ends = Every(every), Every(every or pause)
        self.every_epoch = not (every or pause)
        self.restart()

    def before_last_step(self) -> None:
        """Of an epoch."""
        if self.diagnosis:
            self.diagnosis.before_step()

    def after_step(self) -> None:
        """Draw a picture in the middle of an epoch if it is time."""
        if self.inside.is_over(self.trainer.steps):
            self.folder.write_sample(self.trainer, f"step-{self.trainer.steps:06}.png")
            self.inside.restart()

    def are_due(self, total_steps: int) -> bool:
        """Whether to report now, at the end of an epoch."""
        steps, per_epoch = self.trainer.steps, self.trainer.batches.steps_per_epoch
        first_or_last = not self.trainer.rows or steps == total_steps
        return first_or_last or self.every_epoch or self.ends.is_over(steps, before=steps - per_epoch)

    def restart(self) -> None:
        self.inside.restart()
        self.ends.restart()
        self.from_step, self.from_time = self.trainer.steps, time.perf_counter()

    def images_per_second(self) -> float:
        """Since the last report."""
        self.trainer.wait()
        images = (self.trainer.steps - self.from_step) * self.trainer.batches.batch_size
        return images / (time.perf_counter() - self.from_time)


def train(
    trainer: BaseTrainer,
    folder: RunFolder,
    total_steps: int,
    *,
    quiet: bool = False,
    checkpoint_every: str | None = None,
    sample_every: str | None = None,
    pause: str | None = None,
    allow_nonfinite: bool = False,
    diagnosis: Diagnosis | None = None,
    after_epoch: Sequence[Callable[[], None]] = (),
) -> bool:
    """Train until `total_steps` steps have been made in all, writing to `folder` after every epoch.

    checkpoint_every: save more often than that: "500" is every 500 steps, "30s" every 30 seconds.
    sample_every, pause: other moments for the log and the pictures (`Reports`).
    allow_nonfinite: go on if a NaN or infinity arises, without saving it. after_epoch: called when an epoch is on disk.
    diagnosis: adds its figures to the log, and says on stderr, also where `quiet`, when they show that the run fails.

    Ctrl-C finishes the step, saves a checkpoint and returns False; True means that the run is complete. Signals are
    caught in the main thread only. The folder is this run's until it ends or fails. Raises InputError if a
    checkpoint can't be written or, naming layer and array, if a value is no longer finite.
    """
    with folder.held():
        with stop_on_interrupt() as stop, np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            checkpoints = Checkpoints(
                trainer, folder.checkpoint, every=checkpoint_every, allow_nonfinite=allow_nonfinite
            )
            reports = Reports(trainer, folder, sample_every, pause, diagnosis)
            while trainer.steps < total_steps and train_epoch(trainer, checkpoints, reports, total_steps, stop, quiet):
                if reports.are_due(total_steps):
                    report(trainer, checkpoints, reports, total_steps, quiet)
                    for watcher in after_epoch:
                        watcher()
                else:
                    checkpoints.after_step()
            if stop:
                checkpoints.save()
            trainer.workers.announce("")  # pictures need rank 0 alone
        draw_last(trainer, folder)
    return trainer.steps >= total_steps


def draw_last(trainer: BaseTrainer, folder: RunFolder) -> None:
    """The animation and the curves of all epochs."""
    if trainer.rows:
        try:
            folder.write_pictures(trainer)
        except KeyboardInterrupt:  # not worth a traceback, nor waiting for: --resume draws them
            warn("\nthe animation and the curves are left out")


def train_epoch(
    trainer: BaseTrainer,
    checkpoints: Checkpoints,
    reports: Reports,
    total_steps: int,
    stop: Sequence[str],
    quiet: bool,
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
        delay=0.3,  # none for an epoch of a few steps
        file=Forgiving(sys.stderr),
        disable=True if quiet else None,  # None: no bar where nobody watches (not a terminal)
    ) as bar:
        while trainer.steps < ends_at and not stop:
            if trainer.steps == ends_at - 1:
                reports.before_last_step()
            trainer.step()
            if trainer.steps < ends_at:
                checkpoints.after_step()
                reports.after_step()
            if bar.update(batch_size):  # true a few times a second: then reading the device is cheap enough
                means = trainer.means()
                bar.set_postfix_str(f"D {means['d_loss']:.2f}  G {means['g_loss']:.2f}", refresh=False)
    return trainer.steps == ends_at


def report(
    trainer: BaseTrainer,
    checkpoints: Checkpoints,
    reports: Reports,
    total_steps: int,
    quiet: bool,
) -> None:
    """What the end of an epoch leaves: on the disk, and only then on the screen, which may be gone."""
    speed, diagnosis = reports.images_per_second(), reports.diagnosis
    checkpoints.check_finite()
    row = trainer.log_epoch(**(diagnosis.figures() if diagnosis else {}))
    reports.folder.write_epoch(trainer)
    checkpoints.save()
    if not quiet:
        say(epoch_line(row, -(-total_steps // trainer.batches.steps_per_epoch), speed, trainer.shown))
    if diagnosis:
        diagnosis.warn()
    reports.restart()


def epoch_line(
    row: Mapping[str, float], epochs: int, images_per_second: float, shown: Mapping[str, str] = SHOWN
) -> str:
    """epoch 3/50  D 0.74  G 1.93  D(x) 0.72  D(G(z)) 0.24  14,210 images/s"""
    values = [text.format(row[name]) for name, text in shown.items()]
    return "  ".join([f"epoch {row['epoch']}/{epochs}", *values, f"{images_per_second:,.0f} images/s"])


@contextmanager
def stop_on_interrupt() -> Iterator[list[str]]:
    """A list that is empty until Ctrl-C comes, SIGTERM, or the end of the terminal. A second Ctrl-C stops at once.

    A signal that is ignored stays so, as `nohup` wants it. Only the main thread can catch signals: in another, the list
    stays empty.
    """
    asked: list[str] = []

    def ask(number: int, frame: Any) -> None:
        asked.append(signal.Signals(number).name)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        warn("\nstopping after this step ...")

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, ask)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
