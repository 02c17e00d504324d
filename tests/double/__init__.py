"""A strict double of CuPy over NumPy: the GPU path is held to CuPy's real interface where there is no GPU.

Two things go wrong when code written for NumPy meets CuPy: it uses something that CuPy doesn't have, or it mixes arrays
of the host with arrays of the device. The double computes with NumPy, so it runs everywhere and gives NumPy's numbers,
but it lets through only

- the names, parameters and keywords that CuPy has: `cupy_api.json`, recorded from the real package by
  `tools/record_cupy_api.py`;
- its own arrays: an implicit conversion to NumPy or any NumPy array among the arguments is an error;

and it makes visible what a GPU would only punish later: `empty` is filled with NaN, reductions and indexing give arrays
of no axes, undefined results (duplicate indices in an assignment, a cast that doesn't fit) are errors, and every read
from device to host, which would wait for the GPU, is counted in `reads.count`.

Where the double differs from CuPy it is stricter: `np.tanh(x)` works on a real CuPy array and hides an `np.` that
should have been `xp.`; here it is a TypeError. What it can't show: kernels, memory, speed, the other rounding of a GPU.

`array.py` is the array, `module.py` the module, `kernel.py` an ElementwiseKernel. `tests/test_double.py` tests all of
it, and compares it with the real package where that is installed.
"""

import sys

import pytest

from nanogan.backend_cupy import CupyBackend

from .array import Reads, ndarray, reads
from .manifest import MANIFEST
from .module import cupy

__all__ = ["MANIFEST", "Reads", "backend", "cupy", "ndarray", "reads"]


def backend() -> CupyBackend:
    """nanogan's own CupyBackend, all of its code, on the double in place of CuPy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", cupy)
        return CupyBackend()
