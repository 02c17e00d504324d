"""The few functions of cuBLAS that nanogan calls itself, on the double's memory: addresses, sizes, distances.

Columns lie side by side, as in Fortran: nothing here knows of rows, so a wrong layout gives wrong numbers.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from . import device

FAILED, OK = 14, 0  # CUBLAS_STATUS_INTERNAL_ERROR, CUBLAS_STATUS_SUCCESS


class Cublas:
    """One library with one handle."""

    def __init__(self) -> None:
        self.stream: int | None = None
        self.workspace = 0

    def cublasCreate_v2(self, handle: Any) -> int:
        handle._obj.value = 1
        return OK

    def cublasSetStream_v2(self, handle: Any, stream: Any) -> int:
        self.stream, self.workspace = stream.value or 0, 0  # the manual: it resets the workspace
        return OK

    def cublasSetWorkspace_v2(self, handle: Any, address: Any, size: Any) -> int:
        self.workspace = size.value
        return OK

    def cublasSgemm_v2(self, *args: Any) -> int:
        return self._gemm(np.dtype(np.float32), *args)

    def cublasDgemm_v2(self, *args: Any) -> int:
        return self._gemm(np.dtype(np.float64), *args)

    def _gemm(self, T: np.dtype[Any], handle: Any, a_transposed: int, b_transposed: int, *rest: Any) -> int:
        """C = alpha op(A) op(B) + beta C, (m, n), columns first; op transposes or does not."""
        m, n, k, alpha, A, lda, B, ldb, beta, C, ldc = rest
        if device.current.ptr != self.stream:
            raise AssertionError("a product on another stream than everything else: a race")
        if device.device.recorded is not None and not self.workspace:
            raise AssertionError("cuBLAS has no workspace of its own: it would allocate one in each recording")
        if lda < max(1, k if a_transposed else m) or ldb < max(1, n if b_transposed else k) or ldc < max(1, m):
            return FAILED
        if (alpha._obj.value, beta._obj.value) != (1, 0) or handle.value != 1:
            return FAILED
        a = _columns(A, T, k, m, lda) if a_transposed else _columns(A, T, m, k, lda).T
        b = _columns(B, T, n, k, ldb) if b_transposed else _columns(B, T, k, n, ldb).T
        out = _columns(C, T, m, n, ldc).T  # C^T = op(B)^T op(A)^T, as NumPy stores it
        device.launch(lambda: np.matmul(b, a, out=out))
        return OK


def _columns(address: Any, T: np.dtype[Any], rows: int, columns: int, distance: int) -> np.ndarray:
    """The matrix (rows, columns) whose columns begin at `address`, `distance` numbers apart."""
    size = (columns - 1) * distance + rows
    number = ctypes.c_float if T == np.float32 else ctypes.c_double
    flat = np.ctypeslib.as_array((number * size).from_address(address.value))
    return as_strided(flat, (rows, columns), (T.itemsize, distance * T.itemsize))
