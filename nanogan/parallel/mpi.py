"""Workers that talk by MPI, the engine that clusters have: `mpiexec -n 4 python -m mpi4py program.py`."""

from __future__ import annotations

import os
import pickle
import socket
import time
from itertools import pairwise
from typing import Any

import numpy as np

from ..backend import Array
from ..errors import InputError
from ..workers import Workers

SMALL = 2**15
"""Bytes up to which all parts of a sum go to every worker, in one message each; larger arrays go by blocks, in two."""

PATIENCE = 120.0
"""Seconds to wait for another worker, which may be drawing pictures or writing a checkpoint."""

SPIN = 0.05
"""Seconds to wait without a pause, because a step's parts come soon. A longer wait leaves the core to others."""

HUNG = 1
"""The tag of a message that says: I am not the one who hangs."""


class MPIWorkers(Workers):
    """The processes of an MPI communicator. Raises InputError, naming who is missing, if a wait exceeds `patience`.

    Sums have the same bits each time and on every rank, because they are added in the order of the ranks.
    """

    def __init__(self, communicator: Any, *, patience: float = PATIENCE) -> None:
        from mpi4py import MPI

        self.mpi, self.communicator, self.patience = MPI, communicator, patience
        self.rank, self.size = communicator.rank, communicator.size
        self.work: dict[tuple[int, Any], Array] = {}
        self.names = [f"rank {rank} on {host}" for rank, host in enumerate(self.gather(socket.gethostname()))]

    def sum(self, array: Array) -> Array:
        """See `Workers`. array: on the host, contiguous."""
        if self.size == 2:
            self._exchange(array)
        elif array.nbytes <= SMALL:
            parts = self._work_array(self.size * array.size, array.dtype).reshape(self.size, *array.shape)
            self._wait(self.communicator.Iallgather(array, parts))
            _add_in_order(parts, out=array)
        else:
            self._sum_by_blocks(array.reshape(-1))
        return array

    def _exchange(self, array: Array) -> None:
        """Two workers send all that they have to each other: as many bytes as blocks, in half of the time."""
        theirs = self._work_array(array.size, array.dtype).reshape(array.shape)
        other = 1 - self.rank
        self._wait(self.communicator.Irecv(theirs, other), self.communicator.Isend(array, other))
        np.add(array, theirs, out=array)  # a + b and b + a have the same bits

    def _sum_by_blocks(self, array: Array) -> None:
        """Each worker adds one block of everybody's array and hands it out: as many bytes as in a ring."""
        ends = [array.size * rank // self.size for rank in range(self.size + 1)]
        starts, counts = ends[:-1], [stop - start for start, stop in pairwise(ends)]
        block = array[ends[self.rank] : ends[self.rank + 1]]
        parts = self._work_array(self.size * block.size, array.dtype).reshape(self.size, block.size)
        blocks = [array, (counts, starts)]
        of_mine = [parts, ([block.size] * self.size, [block.size * rank for rank in range(self.size)])]
        self._wait(self.communicator.Ialltoallv(blocks, of_mine))
        _add_in_order(parts, out=block)
        self._wait(self.communicator.Iallgatherv(self.mpi.IN_PLACE, blocks))

    def _work_array(self, size: int, dtype: Any) -> Array:
        """The same memory on every call with this size."""
        if (size, dtype) not in self.work:
            self.work[size, dtype] = np.empty(size, dtype)
        return self.work[size, dtype]

    def broadcast(self, value: Any) -> Any:
        return self._each(value if self.rank == 0 else None)[0]

    def gather(self, value: Any) -> list[Any]:
        return self._each(value)

    def _each(self, value: Any) -> list[Any]:
        """Every worker's value, of any kind and length."""
        own = np.frombuffer(pickle.dumps(value), np.uint8)
        lengths = np.empty(self.size, np.int64)
        self._wait(self.communicator.Iallgather(np.array([len(own)]), lengths))
        received = np.empty(lengths.sum(), np.uint8)
        self._wait(self.communicator.Iallgatherv(own, [received, lengths.tolist()]))
        return [pickle.loads(part.tobytes()) for part in np.split(received, lengths.cumsum()[:-1])]

    # ---- what rank 0 decides, and what happens if somebody doesn't answer

    def announce(self, method: str) -> None:
        if self.rank == 0:
            self._wait(self.communicator.Ibcast(np.frombuffer(method.encode().ljust(32), np.uint8).copy()))

    def hear(self) -> str:
        """What rank 0 announces next."""
        method = np.empty(32, np.uint8)
        self._wait(self.communicator.Ibcast(method))
        return method.tobytes().decode().strip()

    def _wait(self, *requests: Any) -> None:
        """Until all are done. A signal is handled meanwhile, which MPI's own waiting would put off."""
        began = time.monotonic()
        while not self.mpi.Request.Testall(requests):
            waited = time.monotonic() - began
            if waited > self.patience:
                self._name_who_hangs()
            elif waited > SPIN:
                time.sleep(0.0005)
            else:
                os.sched_yield()

    def _name_who_hangs(self) -> None:
        """Raise InputError. Whoever waits, too, says so to rank 0 by now; a rank that says nothing is the cause."""
        here, missing = self.communicator, {0}
        if self.rank:
            here.isend(None, 0, HUNG)
        else:
            missing, until = set(range(1, self.size)), time.monotonic() + 3
            while missing and time.monotonic() < until:
                if here.iprobe(tag=HUNG):
                    status = self.mpi.Status()
                    here.recv(tag=HUNG, status=status)
                    missing.discard(status.source)
        named = ", ".join(self.names[rank] for rank in sorted(missing)) or "the network between the processes"
        raise InputError(
            f"no answer from {named} for {self.patience:g} s, so the run ends; its last checkpoint is whole, and "
            "--resume goes on (--patience waits longer)"
        )


def _add_in_order(parts: Array, out: Array) -> None:
    """((parts[0] + parts[1]) + parts[2]) + ..."""
    out[...] = parts[0]
    for part in parts[1:]:
        out += part
