"""What CuPy has, as recorded, and the check that a call keeps to it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

MANIFEST: dict[str, Any] = json.loads(Path(__file__).with_name("cupy_api.json").read_text(encoding="utf-8"))


def checked(namespace: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, refusing what CuPy's function of this name would not take."""
    kind, *parameters = MANIFEST[namespace][name]
    variadic = kind == "ufunc" or any(parameter.startswith("*") for parameter in parameters)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        unknown = [] if any(p.startswith("**") for p in parameters) else sorted(kwargs.keys() - set(parameters))
        if unknown or (not variadic and len(args) > len(parameters)):
            wrong = f"Wrong arguments {unknown}" if unknown else f"too many arguments ({len(args)})"
            raise TypeError(f"cupy {namespace}.{name}: {wrong}; it takes {', '.join(parameters)}")
        return function(*args, **kwargs)

    return call
