"""The double's module: what stands where `import cupy` gives the real one."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from . import device
from .array import _poison, elementwise, ndarray, on_device, read
from .device import (
    Event,
    MemoryPool,
    Stream,
    alloc_pinned_memory,
    get_current_stream,
    get_elapsed_time,
    using_allocator,
)
from .kernel import ElementwiseKernel, RawKernel, ReductionKernel
from .manifest import MANIFEST, checked


def empty(shape: Any, dtype: Any = float) -> ndarray:
    """Poisoned: who reads it before writing it, sees it."""
    host = device.allocated(np.empty(shape, dtype))
    _poison(host)
    return ndarray(host)


def zeros(shape: Any, dtype: Any = float) -> ndarray:
    made = empty(shape, dtype)
    made[...] = 0
    return made


def empty_like(prototype: ndarray, dtype: Any = None) -> ndarray:
    return empty(prototype.shape, prototype.dtype if dtype is None else dtype)


def array(obj: Any, dtype: Any = None) -> ndarray:
    """A copy on the device, of a host array too: this and asarray are the only ways there."""
    if isinstance(obj, ndarray):
        return obj.astype(obj.dtype if dtype is None else dtype)
    return ndarray(np.array(device.sent(np.asarray(obj)), dtype))


def asarray(a: Any, dtype: Any = None) -> ndarray:
    return a if isinstance(a, ndarray) and dtype in (None, a.dtype) else array(a, dtype)


def asnumpy(a: Any) -> np.ndarray:
    return read(a._host) if isinstance(a, ndarray) else np.asarray(a)


def where(condition: ndarray, x: Any = None, y: Any = None) -> Any:
    if x is None:
        return condition.nonzero()
    if not isinstance(condition, ndarray):
        raise TypeError("where: condition must be a cupy.ndarray")
    return on_device(np.where)(condition, x, y)


def dot(a: ndarray, b: ndarray, out: ndarray | None = None) -> ndarray:
    if out is not None and not (out.flags.c_contiguous and out.dtype == np.result_type(a.dtype, b.dtype)):
        raise ValueError("Output array must be C-contiguous and of the result's type")
    return on_device(np.dot)(a, b, out=out)


def take(a: ndarray, indices: Any, axis: int | None = None, out: ndarray | None = None) -> ndarray:
    if out is not None and out.dtype != a.dtype:
        raise TypeError("Output dtype mismatch")
    return on_device(np.take)(a, indices, axis=axis, out=out)  # CuPy wraps indices out of range; here they raise


def is_available() -> bool:
    return True


# ---- cupy.cuda, as far as nanogan asks


class Device:
    """The one device there is."""

    id = 0
    mem_info = (3 * 2**30, 4 * 2**30)  # bytes free, bytes in all


def driverGetVersion() -> int:
    return 13000  # the CUDA that the driver knows: 13.0


def runtimeGetVersion() -> int:
    return 13000


def getDeviceCount() -> int:
    return 1


def getDeviceProperties(device: int) -> dict[str, Any]:
    return {"name": b"double of a GPU"}


# ---- names


def by_name(*functions: Any) -> dict[str, Any]:
    return {function.__name__: function for function in functions}


OWN: dict[str, dict[str, Any]] = {
    "": by_name(empty, empty_like, zeros, array, asarray, asnumpy, where, dot, take, is_available, ndarray)
    | by_name(ElementwiseKernel, RawKernel, ReductionKernel)
    | {"__version__": MANIFEST["version"]},
    "cuda": by_name(get_current_stream, get_elapsed_time, is_available, using_allocator, alloc_pinned_memory)
    | by_name(Device, Event, MemoryPool, Stream),
    "cuda.runtime": by_name(driverGetVersion, runtimeGetVersion, getDeviceCount, getDeviceProperties),
}
NUMPY = ("", "linalg", "lib.stride_tricks")
"""The namespaces in which a recorded name without an entry in OWN means NumPy's function. No `random`: what is random
is drawn on the host, where its state can be saved."""


class Namespace(types.ModuleType):
    """cupy, or a module inside it: the recorded names and no others."""

    def __init__(self, namespace: str = "") -> None:
        super().__init__(f"cupy.{namespace}".rstrip("."))
        self._namespace = namespace

    def __getattr__(self, name: str) -> Any:
        """What is called `name`, looked up once."""
        found = self._find(name, f"{self._namespace}.{name}".lstrip("."))
        self.__dict__[name] = found
        return found

    def _find(self, name: str, path: str) -> Any:
        if any(f"{namespace}.".startswith(f"{path}.") for namespace in (*OWN, *NUMPY)):
            return Namespace(path)
        known = MANIFEST.get(self._namespace, {})
        if name in (own := OWN.get(self._namespace, {})):
            return checked(self._namespace, name, own[name]) if isinstance(own[name], types.FunctionType) else own[name]
        if self._namespace not in NUMPY or name not in known:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}, or the double doesn't know it")
        thing: Any = np
        for part in path.split("."):
            thing = getattr(thing, part)
        kind = known[name][0]
        if kind in ("class", "constant"):  # float32, pi
            return thing
        return checked(self._namespace, name, on_device(thing) if kind == "function" else elementwise(thing))


cupy = Namespace()
