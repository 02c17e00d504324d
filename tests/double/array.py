"""The double's array: a NumPy array that only the double's own operations can reach."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .manifest import MANIFEST, checked

PROPERTIES = ("T", "dtype", "flags", "imag", "itemsize", "mT", "nbytes", "ndim", "real", "shape", "size", "strides")
READING = ("item", "tolist", "tobytes", "nonzero", "argwhere", "flatnonzero", "unique", "allclose", "array_equal")
"""Methods and functions whose result, or whose size, the host must wait for."""


class Reads:
    """How often the host has read from the device, each of which would wait for a GPU. Set it to 0 before counting."""

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
    """NumPy's result as the double's: scalars become arrays of no axes, named tuples plain ones."""
    if isinstance(result, np.ndarray | np.generic):
        return ndarray(np.asarray(result))
    if isinstance(result, tuple):
        return tuple(map(wrap, result))
    return list(map(wrap, result)) if isinstance(result, list) else result


def on_device(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy as one of the double's arrays; `out` comes back as the very object that was given."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if function.__name__ in READING:
            reads.count += 1
        host_kwargs = {name: unwrap(value) for name, value in kwargs.items()}
        with np.errstate(all="ignore"):  # a GPU never warns
            result = function(*unwrap(args), **host_kwargs)
        return kwargs["out"] if kwargs.get("out") is not None else wrap(result)

    return call


def elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """As on_device, for ufuncs and operators: their arguments are arrays or scalars, never lists."""

    def call(*args: Any, **kwargs: Any) -> Any:
        for arg in args:
            if isinstance(arg, tuple | list):
                raise TypeError(f"Unsupported type {type(arg)}")
        return on_device(function)(*args, **kwargs)

    return call


class ndarray:
    """cupy.ndarray's names and rules, NumPy's numbers."""

    _host: np.ndarray
    __array_ufunc__ = None  # so that NumPy's own operators leave the work, and the refusal, to this class
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: np.ndarray) -> None:
        object.__setattr__(self, "_host", host)

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __getattr__(self, name: str) -> Any:
        """Properties and methods: those that CuPy's array has, with the parameters that it has."""
        if name not in MANIFEST["ndarray"] or not hasattr(np.ndarray, name):
            raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}, or the double doesn't know it")
        found = getattr(self._host, name)
        if callable(found):
            return checked("ndarray", name, on_device(found))
        if name not in PROPERTIES:
            raise AttributeError(f"{name!r} would give the array's memory away")
        return wrap(found)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"attribute {name!r} of 'cupy.ndarray' objects is not writable")

    # ---- reads from the device; `item` and its like come by __getattr__

    def get(self) -> np.ndarray:
        return read(self._host)

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

    # ---- indices

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Iterator[ndarray]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> ndarray:
        key = unwrap(key)
        keys = key if isinstance(key, tuple) else (key,)
        if any(_is_mask(part) for part in keys):
            reads.count += 1  # the host must know how many are chosen
        whole = keys if any(part is Ellipsis for part in keys) else (*keys, ...)
        return ndarray(self._host[whole])  # with an Ellipsis a single element stays a view, of no axes

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        key = unwrap(key)
        for part in key if isinstance(key, tuple) else (key,):
            if isinstance(part, list | np.ndarray) and not _is_mask(part) and len(np.unique(part)) < np.size(part):
                raise AssertionError("assignment through duplicate indices is undefined on the GPU")
        self._host[key] = unwrap(value)

    # ---- methods that NumPy has not, or not with this behaviour

    def fill(self, value: Any) -> None:
        self[...] = value

    def set(self, arr: np.ndarray) -> None:
        """Copy from the host; the array must have this one's shape and dtype."""
        if not isinstance(arr, np.ndarray) or arr.dtype != self.dtype:
            raise TypeError(f"expected a numpy.ndarray of {self.dtype}")
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        self._host[...] = arr

    def astype(self, dtype: Any, copy: bool = True) -> ndarray:
        with np.errstate(invalid="ignore"):
            cast = self._host.astype(dtype, copy=copy)
        if self.dtype.kind == "f" and cast.dtype.kind in "iu" and not (cast == np.trunc(self._host)).all():
            raise AssertionError("a cast to an integer type that can't hold the value is undefined on the GPU")
        return self if cast is self._host else ndarray(cast)

    def __imatmul__(self, other: Any) -> ndarray:
        raise TypeError("CuPy has no in-place @: Python would bind the name to a new array")


def _is_mask(part: Any) -> bool:
    return isinstance(part, list | np.ndarray) and np.asarray(part).dtype == bool


# ---- operators


def _add_binary(name: str) -> None:
    """x + y, y + x and x += y, for the operator called `name`."""
    apply, apply_in_place = (elementwise(getattr(operator, f"__{prefix}{name}__")) for prefix in ("", "i"))

    def reflected(x: ndarray, y: Any) -> ndarray:
        return apply(y, x)

    def in_place(x: ndarray, y: Any) -> ndarray:
        apply_in_place(x, y)
        return x

    setattr(ndarray, f"__{name}__", lambda x, y: apply(x, y))
    setattr(ndarray, f"__r{name}__", reflected)
    if name != "matmul":
        setattr(ndarray, f"__i{name}__", in_place)


def _add_plain(name: str) -> None:
    """-x or x < y, for the operator called `name`."""
    apply = elementwise(getattr(operator, f"__{name}__"))
    setattr(ndarray, f"__{name}__", lambda *operands: apply(*operands))


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"):
    _add_binary(_name)
for _name in ("neg", "abs", "invert", "lt", "le", "gt", "ge", "eq", "ne"):
    _add_plain(_name)
