"""A run of several workers: what they must have in common, and what the others do while rank 0 leads."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..io.checkpoint import digest
from ..recipes.recipe import describe
from ..training.trainer import BaseTrainer
from ..workers import Workers
from .mpi import PATIENCE, MPIWorkers
from .world import expect_mpi4py, world


def join(trainer: BaseTrainer, *, own_statistics: bool = False, patience: float | None = None) -> Workers:
    """Share the batches out among the workers of this program, if there are several. Returns them.

    Raises InputError, on rank 0 and naming the others, if they aren't about to train the same.
    """
    expect_mpi4py()
    workers = world()
    if isinstance(workers, MPIWorkers):
        workers.patience = patience or PATIENCE
        workers.expect_equal(_in_common(trainer))
        if trainer.backend.name != "numpy":
            from .nccl import NCCLWorkers

            workers = NCCLWorkers(workers.communicator, patience=workers.patience)
        trainer.share(workers, own_statistics=own_statistics)
    return workers


def _in_common(trainer: BaseTrainer) -> dict[str, str]:
    """What all workers must have in common, by name."""
    settings = {name: f"{name} {value}" for name, value in trainer.settings().items()}
    settings["data"] = f"data with SHA-256 {trainer.data_digest}"
    first = digest({name: trainer.backend.to_host(net.params) for name, net in trainer.networks.items()})
    networks = digest({"recipe": np.array(str(describe(trainer.recipe)))})
    return {
        "version": f"nanogan {__version__}",
        **settings,
        "networks": f"a recipe with SHA-256 {networks[:16]}",
        "parameters": f"first weights with SHA-256 {first[:16]}",
    }


def hand_out(workers: Workers, checkpoint: Path) -> None:
    """On rank 0: give the others the checkpoint that the run goes on from, if there is one."""
    if workers.size > 1:
        workers.broadcast(checkpoint.read_bytes() if checkpoint.exists() else None)


def take_up(workers: Workers, trainer: BaseTrainer, *, allow_change: bool) -> None:
    """On the other ranks: stand where rank 0 stands. No common file system is needed."""
    if (checkpoint := workers.broadcast(None)) is not None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint.npz"
            path.write_bytes(checkpoint)
            trainer.load(path, allow_change=allow_change)


def follow(trainer: BaseTrainer) -> None:
    """On the other ranks: do what rank 0 does, until it says that nothing more comes."""
    workers: Any = trainer.workers
    with signals_left_to_rank_0(), np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        while method := workers.hear():
            getattr(trainer, method)()


@contextmanager
def signals_left_to_rank_0() -> Iterator[None]:
    """mpiexec and srun send Ctrl-C to all ranks. Rank 0 finishes the step and saves, and the others help."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
