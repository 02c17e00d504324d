"""Settings as people give them: NumPy's numbers and lists are welcome, and what makes no sense is refused by name.

Layers, losses, optimizers, initializers and recipes are dataclasses; `check_fields` turns each of their settings into
the plain number, bool or tuple that its annotation says. A NumPy number that stayed one would promote float32 arrays,
and JSON has no word for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import numbers
import operator
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from .errors import InputError


class Kind(NamedTuple):
    """What an annotated setting takes, and what it becomes: NumPy's numbers become Python's."""

    takes: Any  # a type, or several
    make: Callable[[Any], Any]
    called: str


KINDS = {
    "int": Kind(numbers.Integral, operator.index, "a whole number"),
    "float": Kind(numbers.Real, float, "a finite number"),
    "bool": Kind((bool, np.bool_, numbers.Integral), {0: False, 1: True}.__getitem__, "True or False"),
}
TUPLES = {"Shape": "int", "tuple[float, float]": "float"}
"""The kind of the values in a tuple. A shape may also be one number, n for (n,); a pair has two."""


def setting(kind: str, name: str, value: Any) -> Any:
    """The value as "int", "float", "bool" or a tuple of TUPLES. Raises InputError, naming it, if it is none."""
    if kind in TUPLES:
        return _many(kind, name, value)
    takes, make, called = KINDS[kind]
    with contextlib.suppress(OverflowError, KeyError):  # from `make`
        if isinstance(value, takes) and (kind == "bool" or not isinstance(value, bool)):
            if kind != "float" or math.isfinite(value):
                return make(value)
    raise InputError(f"{name} must be {called}, got {_shown(value)}")


def _many(kind: str, name: str, value: Any) -> tuple[Any, ...]:
    if kind == "Shape" and isinstance(value, numbers.Integral):
        value = (value,)
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise InputError(f"{name} must be a tuple of numbers, got {_shown(value)}")
    made = tuple(setting(TUPLES[kind], name, item) for item in value)
    if kind != "Shape" and len(made) != 2:
        raise InputError(f"{name} must be two numbers, got {_shown(made)}")
    return made


def _shown(value: Any) -> str:
    """The value on one line, which isn't endless."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def check_fields(owner: Any, *, at_least_one: Iterable[str] = ()) -> None:
    """Bring every field of a dataclass, which may be frozen, to its annotated type. Raises InputError, naming it."""
    for field in dataclasses.fields(owner):
        name, value = f"{type(owner).__name__}: {field.name}", getattr(owner, field.name)
        if isinstance(value, type):
            raise InputError(f"{name} is the class {value.__name__}; make an instance: {value.__name__}(...)")
        kind = str(getattr(field.type, "__name__", field.type)).removesuffix(" | None")
        if kind in KINDS or kind in TUPLES:
            if value is not None or not str(field.type).endswith(" | None"):
                object.__setattr__(owner, field.name, setting(kind, name, value))
    for least in at_least_one:
        if getattr(owner, least) < 1:
            raise InputError(f"{owner}: {least} must be at least 1")


def generator(rng: Any) -> np.random.Generator:
    """Random numbers from a Generator, which is taken as it is, from a seed, or, from None, of the system's entropy."""
    with contextlib.suppress(TypeError, ValueError):
        return np.random.default_rng(rng)
    raise InputError(f"rng must be a seed, a NumPy Generator or None, got {_shown(rng)}")


def float_type(dtype: Any) -> np.dtype[Any]:
    """A type of floating point numbers."""
    with contextlib.suppress(TypeError):
        if dtype is not None and np.dtype(dtype).kind == "f":
            return np.dtype(dtype)
    raise InputError(f"dtype must be a floating point type such as np.float32, got {_shown(dtype)}")
