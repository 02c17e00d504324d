"""The array module: NumPy on a CPU, CuPy on a GPU.

The whole library computes with `backend.xp`, using only what NumPy and CuPy share. A `Backend` holds that module and
the few operations on which the two differ. `Workspace` gives layers and losses their named, reused arrays. This is the
bottom of the house: it imports nothing of nanogan but errors and settings. Read `layer.py` next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np

from .errors import ArrayError, InputError
from .settings import float_type

Array: TypeAlias = "np.ndarray[Any, Any]"
"""A NumPy array, or a CuPy array where the backend is CuPy."""

Shape: TypeAlias = tuple[int, ...]

GPU = "cupy"
BACKENDS = ("numpy", GPU)


class Backend:
    """NumPy on the host. `backend_cupy.CupyBackend` overrides each method for the GPU."""

    name = "numpy"
    xp: Any = np
    block_size = 2**16  # parameters that an optimizer updates at a time: five such blocks (1.3 MiB) stay in caches
    nan_check_every = 1  # check the losses for NaN every this many steps; on a CPU the check is free
    growths = 0
    """How often a work array has been allocated: a GPU that replays a step must then record it anew."""

    def asarray(self, host: Array) -> Array:
        """The same numbers as an array of this backend. NumPy shares the memory; a GPU copies."""
        return host

    def to_host(self, array: Array) -> Array:
        """The same numbers as a NumPy array. NumPy shares the memory; a GPU waits and copies."""
        return np.asarray(array)

    def take_rows(self, array: Array, rows: Array, out: Array) -> Array:
        """out = array[rows], for indices 0 <= rows < len(array), without a temporary array.

        NumPy buffers `out` unless told not to check the indices (mode="clip"); CuPy has no such argument.
        """
        return np.take(array, rows, axis=0, out=out, mode="clip")

    def specialize(self, owner: Any) -> None:
        """Give it kernels of this backend in place of its `fusible` methods. NumPy has none."""

    def synchronize(self) -> None:
        """Wait until everything asked for has been computed. Read a clock only after this."""

    def __reduce__(self) -> Any:
        """In another process, the one backend of this kind there."""
        return "NUMPY"

    def __copy__(self) -> Backend:
        """Another one with the same parts, of which some may then be replaced."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Backend:
        return self

    # ---- what makes a training step one thing that can be repeated
    #
    # Everything that the host has to do anew in each step (draw, count, shuffle) must happen inside a `make` given to
    # `fresh`: if a GPU replays a step, `repeatable` calls each of them again, in the same order, and nothing else.

    def fresh(self, make: Callable[[], Array]) -> Array:
        """make(), a host array, as an array of this backend: what differs from step to step, like noise and rows."""
        return self.asarray(make())

    def repeatable(self, step: Callable[[], None]) -> Callable[[], None]:
        """`step`, or what does the same faster from its third call on. It gets its numbers by `fresh`, leaves its
        results in arrays that last, and doesn't read from the device.
        """
        return step


NUMPY = Backend()


Method = TypeVar("Method", bound=Callable[..., Any])


def fusible(method: Method) -> Method:
    """Mark a method of a `Workspace` as one formula, which a backend may compute with a kernel (`Backend.specialize`).

    The method stands for what is computed, in plain NumPy; the kernel is another way to compute the same.
    """
    method.fusible = True  # type: ignore[attr-defined]
    return method


class Workspace:
    """Something that computes on a backend in a dtype and owns named work arrays, which every step reuses.

    A result is valid until its owner computes the same thing again. It is created as a description (`Linear(64, 256)`)
    and bound later; `copy.copy` gives the description again.
    """

    backend: Backend = NUMPY
    xp: Any = np
    dtype: Any = np.dtype(np.float32)

    def _use(self, backend: Backend, dtype: Any) -> None:
        """Compute on `backend` in `dtype` from now on, with work arrays of its own."""
        if not isinstance(backend, Backend):
            raise InputError(f"backend must be a Backend, such as get_backend('numpy'), got {backend!r}")
        vars(self).setdefault("_described", tuple(vars(self)))  # the names of what isn't bound
        self.backend, self.xp, self.dtype = backend, backend.xp, float_type(dtype)
        self._buffers: dict[str, Array] = {}
        backend.specialize(self)

    @property
    def is_bound(self) -> bool:
        return "_described" in vars(self)

    def __copy__(self) -> Any:
        description, own = object.__new__(type(self)), vars(self)
        vars(description).update({name: own[name] for name in own.get("_described", own)})
        return description

    def expect_array(self, x: Array, what: str) -> None:
        """Raise ArrayError unless x is an array of this backend and dtype: nothing is copied or cast in silence."""
        if not isinstance(x, self.xp.ndarray) or x.dtype != self.dtype:
            raise ArrayError(self.misfit(x, what))

    def misfit(self, x: Any, what: str) -> str:
        """What is wrong with x, and what to do. what: is expected, "inputs"."""
        if isinstance(x, self.xp.ndarray):
            return f"expected {what} of {self.dtype}, got {x.dtype}; use x.astype({self.dtype})"
        how = "np.asarray(x, dtype)" if self.backend.name == "numpy" else "backend.asarray(x)"
        kind = f"{type(x).__module__}.{type(x).__qualname__}"
        return f"expected {what} as an array of {self.backend.name}, got {kind}; use {how}"

    def buffer(self, name: str, shape: Shape, dtype: Any = None, zeroed: bool = False, xp: Any = None) -> Array:
        """An array of `shape` that is the same memory on every call with this name; a smaller batch gets a slice of it.

        It holds anything; with `zeroed`, zeros wherever its owner has never written. xp: np for an array on the host.
        """
        held, dtype = self._buffers.get(name), dtype or self.dtype
        if held is None or held.shape[1:] != shape[1:] or len(held) < shape[0] or held.dtype != dtype:
            xp = xp or self.xp
            held = self._buffers[name] = (xp.zeros if zeroed else xp.empty)(shape, dtype=dtype)
            self.backend.growths += 1
        return held if held.shape == shape else held[: shape[0]]
