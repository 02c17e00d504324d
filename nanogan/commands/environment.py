"""Where a run was trained, for its folder: versions, processor and commit. No name of a user, a host or a folder."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from .doctor import blas_kernel, blas_name, blas_threads

if TYPE_CHECKING:
    from ..training.trainer import BaseTrainer

LONG_STEP = 0.1
"""Seconds. The floor takes about twelve steps to find."""
PACKAGE = Path(__file__).parents[1]


def environment(trainer: BaseTrainer) -> dict[str, Any]:
    """What the numbers and the time of a run depend on, by name; once it has made steps, also their floor."""
    return {
        "nanogan": __version__,
        "commit": commit(PACKAGE.parent),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "BLAS": f"{blas_name()}, {blas_kernel()} kernels",
        "BLAS_threads": blas_threads(),
        "CPUs": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "backend": trainer.backend.name,
        **_floor(trainer),
    }


def _floor(trainer: BaseTrainer) -> dict[str, float]:
    """Of a GAN's steps on the CPU, unless they are so long that measuring it would be a wait of its own."""
    from ..training.floor import floor_ms
    from ..training.gan_trainer import Trainer

    if not isinstance(trainer, Trainer) or trainer.backend.name != "numpy" or not trainer.steps:
        return {}
    return {} if trainer.seconds / trainer.steps > LONG_STEP else {"floor_ms": floor_ms(trainer)}


def commit(checkout: Path) -> str:
    """The commit that a checkout is at, and whether files have changed since; an installed package has none."""
    if not (checkout / ".git").exists():
        return "none, an installed package"
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    return "unknown"
