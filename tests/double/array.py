"""The double's array: a NumPy array that only the double's own operations can reach."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import device
from .device import count_read, launch
from .manifest import MANIFEST, checked

PROPERTIES = ("T", "dtype", "flags", "imag", "itemsize", "mT", "nbytes", "ndim", "real", "shape", "size", "strides")
READING = ("item", "tolist", "tobytes", "nonzero", "argwhere", "flatnonzero", "unique", "allclose", "array_equal")
"""Methods and functions whose result, or whose size, the host must wait for."""


def read(host: np.ndarray) -> np.ndarray:
    """A copy for the host, counted."""
    count_read()
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


def on_device(function: Callable[..., Any], owner: Any = None, ufunc: bool = False) -> Callable[..., Any]:
    """A function of NumPy as one of the double's arrays; `out` comes back as the very object that was given.

    owner: the array whose method it is. ufunc: it is compiled by CuPy, with that compiler's options.
    """
    name = function.__name__
    times = 2 if name == "mean" else 1

    def call(*args: Any, **kwargs: Any) -> Any:
        out = kwargs.get("out")
        if name in READING:
            count_read()
        if name in PRODUCTS:
            _check_product(name, args)
        host_args, host_kwargs = unwrap(args), {key: unwrap(value) for key, value in kwargs.items()}

        def run() -> Any:
            with np.errstate(all="ignore"):  # a GPU never warns
                result = function(*(map(device.flushed, host_args) if ufunc else host_args), **host_kwargs)
            if ufunc:
                device.flush(result) if out is not None else None
                return device.flushed(result)
            return result

        if out is not None:
            device.check_output(out._host)
            device.check_inputs((arg for arg in args if isinstance(arg, ndarray)), (out,))
            launch(run, times)
            return out
        return _new(run, (owner, *host_args), times)

    return call


PRODUCTS = ("matmul", "dot", "einsum", "tensordot", "inner", "vdot")


def _check_product(name: str, args: tuple[Any, ...]) -> None:
    """CuPy computes products by cuBLAS, which wants rows or columns side by side."""
    device.refuse_while_recording("calling cuBLAS API", NotImplementedError)
    for x in args:
        if isinstance(x, ndarray) and not (x.flags.c_contiguous or x.flags.f_contiguous or name == "einsum"):
            device.hidden_copies.count += 1
            device.launches.count += 1


def _new(run: Callable[[], Any], operands: Any, times: int) -> Any:
    """What `run` returns: a view of an operand, which costs nothing, or new arrays, which a kernel fills."""
    result = run()  # while recording, too: to know the shape
    arrays = [x for x in (result if isinstance(result, tuple | list) else (result,)) if isinstance(x, np.ndarray)]
    held = [x for x in operands if isinstance(x, np.ndarray)]
    if arrays and all(any(np.may_share_memory(x, y) for y in held) for x in arrays):
        return wrap(result)
    if not isinstance(result, np.ndarray | np.generic | tuple | list):
        return result
    if device.device.recorded is None:
        device.launches.count += times
        return wrap(result)
    if isinstance(result, tuple | list):
        raise AssertionError("the double records no function that returns several arrays")
    recorded = device.allocated(np.array(result))
    _poison(recorded)
    launch(lambda: np.copyto(recorded, run()), times)
    return ndarray(recorded)


def _poison(host: np.ndarray) -> None:
    """So that who reads it before a kernel has written it, sees it."""
    host.fill(np.nan if host.dtype.kind in "fc" else POISON if host.dtype.kind in "iu" else 0)


POISON = 77  # what an uninitialised array of integers holds; floats hold NaN


def elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """As on_device, for ufuncs and operators: their arguments are arrays or scalars, never lists."""
    apply = on_device(function, ufunc=function.__name__ not in PRODUCTS)

    def call(*args: Any, **kwargs: Any) -> Any:
        for arg in args:
            if isinstance(arg, tuple | list):
                raise TypeError(f"Unsupported type {type(arg)}")
        return apply(*args, **kwargs)

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
        if name == "data":
            return SimpleNamespace(ptr=self._host.ctypes.data)
        if name not in MANIFEST["ndarray"] or not hasattr(np.ndarray, name):
            raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}, or the double doesn't know it")
        found = getattr(self._host, name)
        if callable(found):
            return checked("ndarray", name, on_device(found, owner=self._host))
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
            count_read()  # the host must know how many are chosen
        whole = keys if any(part is Ellipsis for part in keys) else (*keys, ...)
        return ndarray(self._host[whole])  # with an Ellipsis a single element stays a view, of no axes

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        key, source = unwrap(key), unwrap(value)
        for part in key if isinstance(key, tuple) else (key,):
            if isinstance(part, list | np.ndarray) and not _is_mask(part) and len(np.unique(part)) < np.size(part):
                raise AssertionError("assignment through duplicate indices is undefined on the GPU")
        target = self[key]._host if not _is_fancy(key) else None
        if target is not None:
            device.check_output(target)
            if isinstance(source, np.ndarray) and _is_same(source, target):
                return  # x[...] += y has done its work before it assigns
        launch(lambda: self._host.__setitem__(key, source))

    # ---- methods that NumPy has not, or not with this behaviour

    def fill(self, value: Any) -> None:
        self[...] = value

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        """Copy from the host; the array must have this one's shape and dtype. It is done when that was waited for."""
        if not isinstance(arr, np.ndarray) or arr.dtype != self.dtype:
            raise TypeError(f"expected a numpy.ndarray of {self.dtype}")
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        self._host[...] = device.sent(arr)

    def astype(self, dtype: Any, copy: bool = True) -> ndarray:
        if not copy and self.dtype == dtype:
            return self

        def cast() -> np.ndarray:
            with np.errstate(invalid="ignore"):
                found = self._host.astype(dtype)
            if self.dtype.kind == "f" and found.dtype.kind in "iu" and not (found == np.trunc(self._host)).all():
                raise AssertionError("a cast to an integer type that can't hold the value is undefined on the GPU")
            return found

        return _new(cast, (), 1)

    def __imatmul__(self, other: Any) -> ndarray:
        raise TypeError("CuPy has no in-place @: Python would bind the name to a new array")


def _is_mask(part: Any) -> bool:
    return isinstance(part, list | np.ndarray) and np.asarray(part).dtype == bool


def _is_fancy(key: Any) -> bool:
    return any(isinstance(part, list | np.ndarray) for part in (key if isinstance(key, tuple) else (key,)))


def _is_same(x: np.ndarray, y: np.ndarray) -> bool:
    return (x.ctypes.data, x.shape, x.strides, x.dtype) == (y.ctypes.data, y.shape, y.strides, y.dtype)


# ---- operators


def _add_binary(name: str) -> None:
    """x + y, y + x and x += y, for the operator called `name`."""
    apply = elementwise(getattr(operator, f"__{name}__"))
    in_place_on_host = getattr(operator, f"__i{name}__")

    def reflected(x: ndarray, y: Any) -> ndarray:
        return apply(y, x)

    def in_place(x: ndarray, y: Any) -> ndarray:
        if isinstance(y, tuple | list):
            raise TypeError(f"Unsupported type {type(y)}")
        source = unwrap(y)
        device.check_output(x._host)
        device.check_inputs([y] if isinstance(y, ndarray) else [], [x])

        def run() -> None:
            with np.errstate(all="ignore"):
                device.flush(x._host)
                in_place_on_host(x._host, device.flushed(source))
                device.flush(x._host)

        launch(run)
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
