"""The folder that a training run fills, and who may write to it.

It holds config.json, environment.json, log.csv, samples/epoch-0001.png ..., samples.gif, losses.png and
checkpoint.npz. Only the checkpoint is worth stopping a run for: if another file can't be written, the run says so once
and goes on.
"""

from __future__ import annotations

import errno
import json
import os
import re
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io import plots
from ..io.files import read_all, replacing
from ..io.streams import worth_a_line
from .log import as_csv
from .trainer import BaseTrainer


def is_running(path: Path) -> bool:
    """Whether a run, of this process or another, is writing to a folder. False on systems without such locks."""
    try:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY)
    except (ImportError, OSError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    finally:
        os.close(descriptor)
    return False


class RunFolder:
    """Where a run's files go. A new run needs a folder without one; a resumed run needs one that was begun there.

    Raises InputError otherwise, before anything is written, so that no earlier run is overwritten. Every file is
    replaced as a whole (`files.replacing`): whenever the process ends, each is the old one or the new one.
    """

    def __init__(self, path: str | Path, *, resume: bool = False) -> None:
        self.path, self.resume = Path(path), resume
        self.config = self.path / "config.json"
        self.log = self.path / "log.csv"
        self.samples = self.path / "samples"
        self.animation = self.path / "samples.gif"
        self.losses = self.path / "losses.png"
        self.checkpoint = self.path / "checkpoint.npz"
        self.said: set[Path] = set()  # what couldn't be written, of which one line is enough
        self._unlock: weakref.finalize | None = None
        with self._refused():
            self._check()

    def _check(self) -> None:
        ours = (self.config, self.log, self.samples, self.animation, self.losses, self.checkpoint)
        found = [file.name for file in ours if file.is_file()]
        found += ["samples"] if any(self.samples.glob("*.png")) else []
        if not self.resume and found:
            raise InputError(
                f"{self.path}: already holds a run ({', '.join(found)}); continue it with --resume, "
                "or choose another folder with --out"
            )
        # A run that was killed before its first checkpoint has a config.json alone, which is enough to begin it again.
        if self.resume and not {self.config.name, self.checkpoint.name}.intersection(found):
            beside = [str(file.parent) for file in sorted(self.path.parent.glob("*/checkpoint.npz"))[:5]]
            instead = f"runs are in {', '.join(beside)}: choose with --out" if beside else "start without --resume"
            raise InputError(f"{self.path}: nothing to resume, there is no checkpoint.npz; {instead}")

    def create(self) -> None:
        """Make the folder, for this run alone. Raises InputError if it can't be made or another run is using it."""
        with self._refused():
            self.samples.mkdir(parents=True, exist_ok=True)
            self._lock()
            self._check()  # again: another run may have come and gone since the first time

    @contextmanager
    def held(self) -> Iterator[None]:
        """The folder for this run alone until the block ends, however it ends.

        `create` has locked it already; where an earlier run of this object has ended, it is locked again.
        """
        try:
            with self._refused():
                self._lock()
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Let another run use the folder, though this object, or a traceback that knows it, lives on."""
        if self._unlock:
            self._unlock()

    @contextmanager
    def _refused(self) -> Iterator[None]:
        """What the system says of the folder, as an InputError of one line."""
        try:
            yield
        except BlockingIOError:
            raise InputError(
                f"{self.path}: another run is writing here; wait for it, or choose another --out"
            ) from None
        except OSError as error:
            self.release()
            raise InputError(
                f"{error.filename or self.path}: cannot be written ({error.strerror or error}); choose another --out"
            ) from None

    def _lock(self) -> None:
        """Hold a lock on the folder itself until `release`. It leaves no file, and ends with the process.

        Windows has no such locks, nor have some network file systems: there, two runs are told apart by `_check` alone.
        """
        try:
            import fcntl
        except ImportError:
            return
        if self._unlock and self._unlock.alive:
            return
        descriptor = os.open(self.path, os.O_RDONLY)
        self._unlock = weakref.finalize(self, os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EBADF):
                self.release()
                raise

    def write_config(self, config: dict[str, Any]) -> None:
        """The arguments of the run."""
        _write_json(self.config, config)

    def write_environment(self, environment: dict[str, Any]) -> None:
        """Where it runs."""
        path = self.path / "environment.json"
        with worth_a_line(path):
            _write_json(path, environment)

    def read_config(self) -> dict[str, Any]:
        """The arguments of the run that is to be resumed."""
        text = read_all(self.config, at_most=2**20)
        try:
            config = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.config}: cannot be read ({error})") from None
        if not isinstance(config, dict):
            raise InputError(f"{self.config}: expected the arguments of a run by name")
        return config

    def write_epoch(self, trainer: BaseTrainer) -> None:
        """The log up to now and a picture of this epoch. A checkpoint that knows of both must come after them."""
        with worth_a_line(self.log, self.said), replacing(self.log) as file:
            file.write(as_csv(trainer.rows, trainer.columns))
        self.write_sample(trainer, f"epoch-{trainer.epoch:04}.png")

    def write_sample(self, trainer: BaseTrainer, name: str) -> None:
        """A picture of what G draws now."""
        images = trainer.sample()
        with worth_a_line(self.samples, self.said):
            plots.save_grid(self.samples / name, images, columns=trainer.sample_columns)

    def write_pictures(self, trainer: BaseTrainer) -> None:
        """The animation of all pictures and the loss curves. Made when a run ends, as they take seconds."""

        def step(picture: Path) -> int:
            kind, number = picture.stem.split("-")
            return int(number) * (trainer.batches.steps_per_epoch if kind == "epoch" else 1)

        with worth_a_line(self.animation):
            pictures = [file for file in self.samples.iterdir() if re.fullmatch(r"(epoch|step)-\d+\.png", file.name)]
            plots.save_animation(self.animation, sorted(pictures, key=step))
        with worth_a_line(self.losses):
            trainer.draw_curves(self.losses)


def _write_json(path: Path, values: dict[str, Any]) -> None:
    with replacing(path) as file:
        file.write((json.dumps(values, indent=2) + "\n").encode())
