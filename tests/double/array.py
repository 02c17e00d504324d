"""The double's array: a NumPy array that only the double's own operations can reach."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .manifest import MANIFEST, checked

Scalar = (bool, int, float, np.generic)
IMPLICIT = (
    "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly."
)


class Reads:
    """How often the host has read from the device since the count was last set; each read waits for a real GPU."""

    count = 0


reads = Reads()


def read(host: np.ndarray) -> np.ndarray:
    """A copy for the host, counted."""
    reads.count += 1
    return np.array(host)


def unwrap(value: Any) -> Any:
    """The NumPy arrays behind the double's, also inside tuples and lists. A host array among them is an error."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(value, tuple | list):
        return type(value)(map(unwrap, value))
    return value


def wrap(result: Any) -> Any:
    """NumPy's result as the double's: scalars become arrays of no axes."""
    if isinstance(result, np.ndarray | np.generic):
        return ndarray(np.asarray(result))
    if isinstance(result, tuple | list):
        return tuple(map(wrap, result)) if isinstance(result, tuple) else list(map(wrap, result))
    return result


class ndarray:
    """cupy.ndarray's names and rules, NumPy's numbers."""

    _host: np.ndarray
    __array_ufunc__ = None  # so that NumPy's own operators leave the work, and the refusal, to this class
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: np.ndarray) -> None:
        object.__setattr__(self, "_host", host)

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError(IMPLICIT)

    def __getattr__(self, name: str) -> Any:
        """Properties and methods: those that CuPy's array has, with the parameters that it has."""
        if name not in MANIFEST["ndarray"]:
            raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}")
        found = getattr(self._host, name)
        return checked("ndarray", name, on_unwrapped(found)) if callable(found) else wrap(found)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"attribute {name!r} of 'cupy.ndarray' objects is not writable")

    # ---- reads from the device

    def get(self) -> np.ndarray:
        return read(self._host)

    def item(self) -> Any:
        return read(self._host).item()

    def tolist(self) -> Any:
        return read(self._host).tolist()

    def nonzero(self) -> tuple[ndarray, ...]:
        reads.count += 1  # the host must know how many there are
        return wrap(self._host.nonzero())

    def __float__(self) -> float:
        return float(read(self._host))

    def __int__(self) -> int:
        return int(read(self._host))

    def __bool__(self) -> bool:
        return bool(read(self._host))

    def __format__(self, spec: str) -> str:
        return format(read(self._host), spec)

    def __repr__(self) -> str:
        return f"double of {self._host!r}"  # not counted: pytest and debuggers print

    # ---- shape, indices, writes

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> ndarray:
        key = unwrap(key)
        keys = key if isinstance(key, tuple) else (key,)
        if any(_is_mask(k) for k in keys):
            reads.count += 1  # the host must know how many are chosen
        whole = keys if any(k is Ellipsis for k in keys) else (*keys, ...)
        return ndarray(self._host[whole])  # with an Ellipsis a single element stays a view, of no axes

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        key = unwrap(key)
        for k in key if isinstance(key, tuple) else (key,):
            if isinstance(k, list | np.ndarray) and not _is_mask(k) and len(np.unique(k)) < np.size(k):
                raise AssertionError("assignment through duplicate indices is undefined on the GPU")
        self._host[key] = unwrap(value)

    def fill(self, value: Any) -> None:
        self[...] = value

    def set(self, arr: np.ndarray) -> None:
        if not isinstance(arr, np.ndarray) or arr.shape != self.shape or arr.dtype != self.dtype:
            raise ValueError(f"expected a NumPy array of shape {self.shape} and dtype {self.dtype}")
        self._host[...] = arr

    def astype(self, dtype: Any, copy: bool = True) -> ndarray:
        with np.errstate(invalid="ignore"):
            cast = self._host.astype(dtype)
        if self.dtype.kind == "f" and cast.dtype.kind in "iu" and not (cast == np.trunc(self._host)).all():
            raise AssertionError("a cast to an integer type that can't hold the value is undefined on the GPU")
        return self if not copy and cast.dtype == self.dtype else ndarray(cast)


def _is_mask(key: Any) -> bool:
    return isinstance(key, list | np.ndarray) and np.asarray(key).dtype == bool


def on_unwrapped(function: Any) -> Any:
    """`function` of NumPy, as one of the double's arrays. `out` comes back as the very object that was given."""

    def call(*args: Any, **kwargs: Any) -> Any:
        host_kwargs = {name: unwrap(value) for name, value in kwargs.items()}
        with np.errstate(all="ignore"):  # a GPU never warns
            result = function(*unwrap(args), **host_kwargs)
        return kwargs["out"] if kwargs.get("out") is not None else wrap(result)

    return call


# ---- operators: +, -, ... with their reflected and in-place forms, and comparisons


def _add_operators() -> None:
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor"):
        apply, short = getattr(operator, name), name.rstrip("_")
        in_place = getattr(operator, "i" + short if name != "and_" else "iand", None)
        setattr(ndarray, f"__{short}__", lambda x, y, f=apply: on_unwrapped(f)(x, y))
        setattr(ndarray, f"__r{short}__", lambda x, y, f=apply: on_unwrapped(f)(y, x))
        if name != "matmul":  # CuPy has no in-place @
            setattr(ndarray, f"__i{short}__", lambda x, y, f=in_place: (on_unwrapped(f)(x, y), x)[1])
    for name in ("lt", "le", "gt", "ge", "eq", "ne", "neg", "abs", "invert"):
        setattr(ndarray, f"__{name}__", lambda *xs, f=getattr(operator, name): on_unwrapped(f)(*xs))


_add_operators()
