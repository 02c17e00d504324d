"""A training step without the host between its kernels: products by cuBLAS itself, and steps replayed as CUDA graphs.

A small network keeps a GPU waiting for Python: a step's hundreds of kernels take 2 us each, their launches 10. A CUDA
graph is a step recorded once, which the GPU then runs alone. What the host does anew in each step is recorded, too: the
calls of `Backend.fresh`. CuPy refuses its own cuBLAS calls while it records (cupy/cupy#6290), so `Gemm` makes them.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import numpy as np

from .backend import Array, Shape
from .errors import InputError

Make = Callable[[], Array]


def one_line(error: Exception) -> str:
    """The error's text, which CuPy frames in lines of === and blanks."""
    return " ".join(word for word in str(error).split() if word.strip("=")) or type(error).__name__


WORKSPACE = 2**25
"""Bytes that cuBLAS may use in a product: what NVIDIA recommends for an H100."""


def cublas(cupy: Any) -> Any:
    """The cuBLAS that CuPy uses, which has been loaded by a first product. Raises OSError if it has another name."""
    major = cupy.cuda.runtime.runtimeGetVersion() // 1000
    return ctypes.CDLL(f"cublas64_{major}.dll" if sys.platform == "win32" else f"libcublas.so.{major}")


class Gemm:
    """out = a b in float32 or float64, for matrices, on CuPy's current stream.

    cuBLAS counts columns first, so it is asked for out^T = b^T a^T, and a transposed array is one that isn't.
    """

    def __init__(self, cupy: Any) -> None:
        self.cupy, self.blas, self.handle, self.stream = cupy, cublas(cupy), ctypes.c_void_p(), -1
        self.workspace = cupy.empty(WORKSPACE, dtype=cupy.uint8)
        self._call("cublasCreate_v2", ctypes.byref(self.handle))

    def _follow(self, stream: int) -> None:
        """Compute on this stream, which resets the workspace; without one of ours, each capture would allocate it."""
        where, size = ctypes.c_void_p(self.workspace.data.ptr), ctypes.c_size_t(WORKSPACE)
        self._call("cublasSetStream_v2", self.handle, ctypes.c_void_p(stream))
        self._call("cublasSetWorkspace_v2", self.handle, where, size)
        self.stream = stream

    def _call(self, name: str, *args: Any) -> None:
        if status := getattr(self.blas, name)(*args):
            raise RuntimeError(f"{name}: status {status}")

    def __call__(self, a: Array, b: Array, out: Array | None = None) -> Array:
        """As cupy.matmul, and by it if these aren't matrices of one floating point type."""
        return self._product(a, b, out) if self._suits(a, b, out) else self.cupy.matmul(a, b, out=out)

    def dot(self, a: Array, b: Array, out: Array | None = None) -> Array:
        """As cupy.dot, likewise."""
        return self._product(a, b, out) if self._suits(a, b, out) else self.cupy.dot(a, b, out=out)

    def _suits(self, a: Array, b: Array, out: Array | None) -> bool:
        dtypes = {x.dtype for x in (a, b, a if out is None else out)}
        return a.ndim == b.ndim == 2 and a.size * b.size > 0 and dtypes in ({np.dtype("f")}, {np.dtype("d")})

    def _product(self, a: Array, b: Array, out: Array | None) -> Array:
        if out is None:
            out = self.cupy.empty((a.shape[0], b.shape[1]), dtype=a.dtype)
        if a.shape[1] != b.shape[0] or out.shape != (a.shape[0], b.shape[1]) or not out.flags.c_contiguous:
            raise ValueError(f"matmul: {a.shape} and {b.shape} don't fit {out.shape}, C-contiguous")
        a, b = (x if leading(x)[1] else x.copy() for x in (a, b))
        self._multiply(a, b, out)
        return out

    def _multiply(self, a: Any, b: Any, out: Any) -> None:
        if (current := self.cupy.cuda.get_current_stream().ptr) != self.stream:
            self._follow(current)
        (m, k), n = a.shape, b.shape[1]
        letter, number = ("S", ctypes.c_float) if out.dtype == np.float32 else ("D", ctypes.c_double)
        one, zero = number(1), number(0)
        (a_transposed, a_leading), (b_transposed, b_leading) = leading(a), leading(b)
        self._call(
            f"cublas{letter}gemm_v2",
            *(self.handle, b_transposed, a_transposed, n, m, k, ctypes.byref(one)),
            *(ctypes.c_void_p(b.data.ptr), b_leading, ctypes.c_void_p(a.data.ptr), a_leading),
            *(ctypes.byref(zero), ctypes.c_void_p(out.data.ptr), n),
        )


def leading(x: Array) -> tuple[int, int]:
    """How cuBLAS should read a matrix: 0 if its rows lie one after the other, 1 if its columns do; how far apart.

    (0, 0) if neither does: it has to be copied.
    """
    row, column = (stride // x.itemsize for stride in x.strides)
    rows, columns = x.shape
    if (column == 1 or columns == 1) and (row >= columns or rows == 1):
        return 0, max(row, columns)
    if (row == 1 or rows == 1) and (column >= rows or columns == 1):
        return 1, max(column, rows)
    return 0, 0


class Feed:
    """What the host gives the device in each step: several arrays, in one block of memory, sent by one copy.

    The copy reads the host's block some time later, so there are two of them, used in turn: a block is written again
    when its copy is done. So the host is never more than two steps ahead.
    """

    def __init__(self, cupy: Any, arrays: Iterable[Array]) -> None:
        """arrays: host arrays like those that will be sent."""
        self.cuda, places, size = cupy.cuda, [], 0
        for array in arrays:
            places.append((size, array.nbytes, array.dtype, array.shape))
            size += -(-array.nbytes // 256) * 256  # each begins where a GPU likes it
        self.block = cupy.empty(max(size, 1), dtype=cupy.uint8)
        pinned = [cupy.cuda.alloc_pinned_memory(max(size, 1)) for _ in range(2)]
        self.host_blocks = [np.frombuffer(memory, np.uint8, max(size, 1)) for memory in pinned]
        self.arrays = [_part(self.block, *place) for place in places]
        self.host_arrays = [[_part(block, *place) for place in places] for block in self.host_blocks]
        self.copied = [cupy.cuda.Event(disable_timing=True) for _ in range(2)]
        self.turn = 0

    def send(self, makes: Iterable[Make]) -> None:
        """Call each of `makes`, in order, and send what they return."""
        self.turn = 1 - self.turn
        self.copied[self.turn].synchronize()
        for place, make in zip(self.host_arrays[self.turn], makes, strict=True):
            made = make()
            if made.shape != place.shape:
                raise RuntimeError(f"a replayed step was given an array of shape {made.shape}, not {place.shape}")
            place[...] = made
        stream = self.cuda.get_current_stream()
        self.block.set(self.host_blocks[self.turn], stream)
        self.copied[self.turn].record(stream)


def _part(block: Array, start: int, size: int, dtype: Any, shape: Shape) -> Array:
    return block[start : start + size].view(dtype).reshape(shape)


class Repeated:
    """step(): run as it is the first time, so that its work arrays exist; then recorded; then replayed.

    It is recorded again after a work array has been allocated anew anywhere, as the graph would go on using the old
    one. What else it allocates comes from a memory pool of its own: the graph uses this memory in every replay.
    """

    def __init__(self, backend: Any, step: Callable[[], None]) -> None:
        self.backend, self.step = backend, step
        self.pool = backend.xp.cuda.MemoryPool()
        self.stream = backend.xp.cuda.Stream(non_blocking=True)  # to record on: the default stream can't be recorded
        self.growths, self.capturing = -1, False
        self.graph: Any = None
        self.feed: Any = None
        self.makes: list[Make] = []  # in the order in which the step calls them
        self.given: list[Array] = []  # what they returned when the step was last run or recorded

    def __reduce__(self) -> tuple[type[Repeated], tuple[Any, Callable[[], None]]]:
        """A copy, of a trainer for instance, records its own."""
        return Repeated, (self.backend, self.step)

    def __call__(self) -> None:
        if self.backend.growths != self.growths:
            self._run()
        elif self.graph is None:
            self._record()
        else:
            self._replay(self.makes)

    def _run(self) -> None:
        self.backend.synchronize()  # the old graph may still run, with memory that is given back here
        self.graph, self.given = None, []
        self._with_own_memory(self.step)
        self.growths = self.backend.growths
        self.feed = Feed(self.backend.xp, self.given)

    def _record(self) -> None:
        self.makes, self.given = [], []
        self._with_own_memory(self._capture)
        given = iter(self.given)
        self._replay((lambda: next(given)) for _ in self.makes)

    def _replay(self, makes: Iterable[Make]) -> None:
        self.feed.send(makes)
        self.graph.launch()

    def _with_own_memory(self, function: Callable[[], None]) -> None:
        self.backend.recorder = self
        try:
            with self.backend.xp.cuda.using_allocator(self.pool.malloc):
                function()
        finally:
            self.backend.recorder = None

    def _capture(self) -> None:
        """Recording runs no kernel: the step happens at the first launch, on the current stream as everything else."""
        with self.stream:
            self.stream.begin_capture()
            self.capturing = True
            try:
                self.step()
                self.graph = self.stream.end_capture()
            except BaseException as error:
                with suppress(Exception):
                    self.stream.end_capture()
                if isinstance(error, Exception):
                    raise InputError(f"this step can't be a CUDA graph ({one_line(error)}); add --no-graph") from error
                raise
            finally:
                self.capturing = False

    def fresh(self, make: Make) -> Array:
        """make() on the device; in a recording, the place where later ones will be."""
        made = np.array(make())  # a copy: a `make` may fill the same array each time
        self.given.append(made)
        if not self.capturing:
            return self.backend.asarray(made)
        self.makes.append(make)
        return self.feed.arrays[len(self.makes) - 1]
