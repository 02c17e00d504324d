"""A strict double of CuPy over NumPy: the GPU path is held to CuPy's real interface where there is no GPU.

Two things go wrong when code written for NumPy meets CuPy: it uses something that CuPy doesn't have, or it mixes arrays
of the host with arrays of the device. The double computes with NumPy, so it runs everywhere and gives NumPy's numbers,
but it lets through only

- the names, parameters and keywords that CuPy has: `cupy_api.json`, recorded from the real package by
  `tools/record_cupy_api.py`;
- its own arrays: an implicit conversion to NumPy or any NumPy array among the arguments is an error;

and it makes visible what a GPU would only punish later: `empty` is filled with NaN; reductions and indexing give arrays
of no axes; undefined results (duplicate indices in an assignment, a cast that doesn't fit, a write to an array that
overlaps itself) are errors; float32 numbers too small to be normal become 0, as CuPy's compiler options have it; a host
buffer in pinned memory that is written to before its copy is done is an error. It counts reads from device to host,
each of which would wait for the GPU (`reads.count`), kernels (`launches.count`) and copies that CuPy makes without
being asked (`hidden_copies.count`). And it records CUDA graphs: what can't be recorded is refused, what is recorded
doesn't run before the graph is launched, and numbers passed by value stay what they were.

Where the double differs from CuPy it is stricter: `np.tanh(x)` works on a real CuPy array and hides an `np.` that
should have been `xp.`; here it is a TypeError. What it can't show: memory, speed, the other rounding of a GPU.

`array.py` is the array, `device.py` what counts and records, `module.py` the module, `kernel.py` CuPy's kernels,
`stand_ins.py` those written in C, `cublas.py` products. `tests/test_double.py` tests all of it, and compares it with
the real package if that is installed.
"""

import contextlib
import sys
from collections.abc import Iterator

import pytest

from nanogan import backend_cupy_graph
from nanogan.backend import Backend
from nanogan.backend_cupy import CupyBackend

from .array import ndarray
from .cublas import Cublas
from .device import Count, hidden_copies, launches, reads
from .manifest import MANIFEST
from .module import cupy

__all__ = ["MANIFEST", "Count", "backend", "cupy", "hidden_copies", "installed", "is_double", "launches", "ndarray"]
__all__ += ["reads"]


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Within this block, the double is what `import cupy` gives, and its products those of cuBLAS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", cupy)
        patch.setattr(backend_cupy_graph, "cublas", lambda module: Cublas())
        yield


def is_double(backend: Backend) -> bool:
    return getattr(backend, "library", None) is cupy


def backend(*, graphs: bool = True) -> CupyBackend:
    """nanogan's own CupyBackend, all of its code, on the double in place of CuPy."""
    with installed():
        return CupyBackend(graphs=graphs)
