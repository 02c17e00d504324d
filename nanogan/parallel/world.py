"""Who trains together: the processes that mpiexec has started, or this one alone."""

from __future__ import annotations

import functools
import os
import sys
import time
from typing import Any, NoReturn

from ..errors import InputError
from ..io.streams import warn
from ..workers import ALONE, Workers

WAIT_FOR_RANK_0 = 5.0
"""Seconds."""


@functools.cache
def world() -> Workers:
    """The workers of this program. Alone, nothing is imported; MPI starts only under `python -m mpi4py`.

    That module ends all processes if one fails with an exception.
    """
    if "mpi4py" not in sys.modules:
        return ALONE
    os.environ.setdefault("MPIR_CVAR_SUPPRESS_ABORT_MESSAGE", "1")  # the line that nanogan prints is enough
    from mpi4py import MPI

    if MPI.COMM_WORLD.size == 1:
        return ALONE
    _choose_gpu(MPI.COMM_WORLD.Split_type(MPI.COMM_TYPE_SHARED).rank)
    from .mpi import MPIWorkers

    return MPIWorkers(MPI.COMM_WORLD)


def expect_mpi4py() -> None:
    """Raise InputError if mpiexec has started several processes that don't know of each other."""
    count = os.environ.get("PMI_SIZE") or os.environ.get("OMPI_COMM_WORLD_SIZE") or "1"
    if count != "1" and "mpi4py" not in sys.modules:
        raise InputError(
            f"mpiexec has started {count} processes that know nothing of each other; write python -m mpi4py instead of "
            "python (for separate runs: env -u PMI_SIZE python, each with its own --out)"
        )


def _choose_gpu(place: int) -> None:
    """The GPU of this process among those of its machine: the first one's for the first process, and so on."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(place)
    elif 1 < len(given := visible.split(",")) > place:  # one alone is what a cluster has chosen
        os.environ["CUDA_VISIBLE_DEVICES"] = given[place]


def leave(workers: Any, status: int, message: str) -> NoReturn:
    """End all processes. What is wrong on every rank is said by rank 0, which the others wait for before they speak."""
    if workers.rank:
        time.sleep(WAIT_FOR_RANK_0)
        warn(f"{workers.names[workers.rank]}: {message}")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # MPI has nothing to add
    workers.communicator.Abort(status)
    raise SystemExit(status)
