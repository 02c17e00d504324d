"""The double's module: what stands where `import cupy` gives the real one."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from .array import ndarray, on_unwrapped, read
from .kernel import ElementwiseKernel
from .manifest import MANIFEST, checked

POISON = 77  # what an uninitialised array of integers holds; floats hold NaN


def empty(shape: Any, dtype: Any = float) -> ndarray:
    """Poisoned: who reads it before writing it, sees it."""
    host = np.empty(shape, dtype)
    host.fill(np.nan if host.dtype.kind in "fc" else POISON)
    return ndarray(host)


def empty_like(prototype: ndarray, dtype: Any = None) -> ndarray:
    return empty(prototype.shape, prototype.dtype if dtype is None else dtype)


def array(obj: Any, dtype: Any = None) -> ndarray:
    """A copy on the device, of a host array too: this and asarray are the only ways there."""
    return ndarray(np.array(obj._host if isinstance(obj, ndarray) else obj, dtype))


def asarray(a: Any, dtype: Any = None) -> ndarray:
    return a if isinstance(a, ndarray) and dtype in (None, a.dtype) else array(a, dtype)


def asnumpy(a: Any) -> np.ndarray:
    return read(a._host) if isinstance(a, ndarray) else np.asarray(a)


def where(condition: ndarray, *x_and_y: Any) -> Any:
    if not x_and_y:
        return condition.nonzero()
    if not isinstance(condition, ndarray):
        raise TypeError("where: condition must be a cupy.ndarray")
    return on_unwrapped(np.where)(condition, *x_and_y)


def dot(a: ndarray, b: ndarray, out: ndarray | None = None) -> ndarray:
    if out is not None and not (out.flags.c_contiguous and out.dtype == np.result_type(a.dtype, b.dtype)):
        raise ValueError("Output array must be C-contiguous and of the result's type")
    return on_unwrapped(np.dot)(a, b, out=out)


def is_available() -> bool:
    return True


class Stream:
    """A queue in which everything has been done already."""

    def synchronize(self) -> None:
        """Nothing to wait for."""


def get_current_stream() -> Stream:
    return Stream()


def own(*functions: Any) -> dict[str, Any]:
    return {function.__name__: function for function in functions}


OWN: dict[str, dict[str, Any]] = {
    "": own(empty, empty_like, array, asarray, asnumpy, where, dot, is_available, ndarray, ElementwiseKernel)
    | {"__version__": MANIFEST["version"]},
    "cuda": own(get_current_stream, is_available),
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
        namespace = self.__dict__["_namespace"]
        inner = f"{namespace}.{name}".lstrip(".")
        if any(known == inner or known.startswith(inner + ".") for known in (*OWN, *NUMPY) if known):
            return Namespace(inner)
        if name in OWN.get(namespace, {}):
            thing = OWN[namespace][name]
            return checked(namespace, name, thing) if isinstance(thing, types.FunctionType) else thing
        if namespace not in NUMPY or name not in MANIFEST[namespace]:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}, or the double doesn't know it")
        thing = np
        for part in inner.split("."):
            thing = getattr(thing, part)
        if MANIFEST[namespace][name][0] not in ("function", "ufunc", "gufunc"):
            return thing  # a constant, or a type such as float32
        return checked(namespace, name, on_unwrapped(thing))


cupy = Namespace()
