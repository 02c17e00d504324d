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
from collections.abc import Iterable
from typing import Any

import numpy as np

from .errors import InputError


def whole(name: str, value: Any) -> int:
    """A whole number, Python's or NumPy's."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return operator.index(value)
    raise InputError(f"{name} must be a whole number, got {_shown(value)}")


def real(name: str, value: Any) -> float:
    """A finite number, Python's or NumPy's."""
    with contextlib.suppress(OverflowError):  # of a huge whole number
        if isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    raise InputError(f"{name} must be a finite number, got {_shown(value)}")


def truth(name: str, value: Any) -> bool:
    """True or False, also NumPy's, and 1 or 0."""
    if isinstance(value, bool | np.bool_ | numbers.Integral) and value in (0, 1):
        return bool(value)
    raise InputError(f"{name} must be True or False, got {_shown(value)}")


def shape(name: str, value: Any) -> tuple[int, ...]:
    """A tuple of whole numbers, from any sequence of them; n means (n,)."""
    if isinstance(value, numbers.Integral):
        return (whole(name, value),)
    return tuple(whole(name, side) for side in _items(name, value))


def pair(name: str, value: Any) -> tuple[float, float]:
    """Two finite numbers."""
    numbers_given = tuple(real(name, number) for number in _items(name, value))
    if len(numbers_given) != 2:
        raise InputError(f"{name} must be two numbers, got {_shown(value)}")
    return numbers_given[0], numbers_given[1]


def _shown(value: Any) -> str:
    """The value on one line, which isn't endless."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _items(name: str, value: Any) -> list[Any]:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise InputError(f"{name} must be a tuple of numbers, got {_shown(value)}")
    return list(value)


KINDS = {"int": whole, "float": real, "bool": truth, "Shape": shape, "tuple[float, float]": pair}
"""What makes a setting of each annotated type. Others are left as they are."""


def check_fields(owner: Any, *, at_least_one: Iterable[str] = ()) -> None:
    """Bring every field of a dataclass, which may be frozen, to its annotated type. Raises InputError, naming it."""
    for field in dataclasses.fields(owner):
        name, value = f"{type(owner).__name__}: {field.name}", getattr(owner, field.name)
        if isinstance(value, type):
            raise InputError(f"{name} is the class {value.__name__}; make an instance: {value.__name__}(...)")
        kind = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
        if kind.endswith(" | None"):
            kind = "" if value is None else kind.removesuffix(" | None")
        if kind in KINDS:
            object.__setattr__(owner, field.name, KINDS[kind](name, value))
    for setting in at_least_one:
        if getattr(owner, setting) < 1:
            raise InputError(f"{owner}: {setting} must be at least 1")


def generator(rng: Any) -> np.random.Generator:
    """Random numbers from a Generator, which is taken as it is, from a seed, or, from None, of the system's entropy."""
    if isinstance(rng, np.random.RandomState):
        return np.random.Generator(rng._bit_generator)  # the same stream goes on
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise InputError(f"rng must be a seed, a NumPy Generator or None, got {_shown(rng)}") from None


def float_type(dtype: Any) -> np.dtype[Any]:
    """A type of floating point numbers."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if dtype is None or found is None or found.kind != "f":
        raise InputError(f"dtype must be a floating point type such as np.float32, got {_shown(dtype)}")
    return found
