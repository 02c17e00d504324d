"""The folder that a training run fills, and who may write to it.

It holds config.json, log.csv, samples/epoch-0001.png ..., samples.gif, losses.png and checkpoint.npz.
"""

from __future__ import annotations

import errno
import json
import os
import weakref
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..io import plots
from ..io.files import read_all, replacing
from .log import as_csv
from .trainer import BaseTrainer


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
            raise InputError(f"{self.path}: nothing to resume, there is no checkpoint.npz; start without --resume")

    def create(self) -> None:
        """Make the folder, for this run alone. Raises InputError where it can't be made or another run is using it."""
        try:
            self.samples.mkdir(parents=True, exist_ok=True)
            self._lock()
        except BlockingIOError:
            raise InputError(
                f"{self.path}: another run is writing here; wait for it, or choose another --out"
            ) from None
        except OSError as error:
            raise InputError(
                f"{error.filename or self.path}: cannot be written ({error.strerror or error}); choose another --out"
            ) from None
        self._check()  # again: another run may have come and gone since the first time

    def _lock(self) -> None:
        """Hold a lock on the folder itself as long as this object lives. It leaves no file, and ends with the process.

        Windows has no such locks, nor have some network file systems: there, two runs are told apart by `_check` alone.
        """
        try:
            import fcntl
        except ImportError:
            return
        descriptor = os.open(self.path, os.O_RDONLY)
        weakref.finalize(self, os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EBADF):
                raise

    def write_config(self, config: dict[str, Any]) -> None:
        with replacing(self.config) as file:
            file.write((json.dumps(config, indent=2) + "\n").encode())

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
        with replacing(self.log) as file:
            file.write(as_csv(trainer.rows, trainer.columns))
        picture = self.samples / f"epoch-{trainer.epoch:04}.png"
        plots.save_grid(picture, trainer.sample(), columns=trainer.sample_columns)

    def write_pictures(self, trainer: BaseTrainer) -> None:
        """The animation of all epochs and the loss curves. Made when a run ends, as they take seconds."""
        plots.save_animation(self.animation, sorted(self.samples.glob("epoch-*.png")))
        trainer.draw_curves(self.losses)
