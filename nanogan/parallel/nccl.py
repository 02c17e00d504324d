"""Workers with a GPU each, whose gradients go from GPU to GPU. Written from the documentation, never run."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import Array
from ..errors import InputError
from .mpi import PATIENCE, MPIWorkers


class NCCLWorkers(MPIWorkers):
    """MPI's workers, but arrays on a device are added by NCCL: in an order of its own, the same for all ranks."""

    def __init__(self, communicator: Any, *, patience: float = PATIENCE) -> None:
        super().__init__(communicator, patience=patience)
        try:
            from cupyx import distributed

            self.nccl = distributed.init_process_group(self.size, self.rank, use_mpi=True)
        except (ImportError, RuntimeError) as error:
            raise InputError(
                f"several GPUs need CuPy with NCCL ({error}); install nvidia-nccl, or train one seed per GPU"
            ) from None

    def sum(self, array: Array) -> Array:
        if isinstance(array, np.ndarray):
            return super().sum(array)
        self.nccl.all_reduce(array, array)
        return array
