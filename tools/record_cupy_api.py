"""Record what the installed CuPy offers: `python tools/record_cupy_api.py`, which rewrites cupy_api.json.

Run it once for each CuPy that nanogan is to be held to. It needs the package (`pip install cupy-cuda13x`, about 70 MB)
but neither a GPU nor a driver: everything here is read from names, signatures and docstrings.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

MANIFEST = Path(__file__).parents[1] / "tests" / "double" / "cupy_api.json"
NAMESPACES = ("", "linalg", "lib.stride_tricks", "cuda", "cuda.runtime", "ndarray")
UFUNC_KEYWORDS = ["out", "dtype", "casting"]  # what ufunc.__call__ in cupy/_core/_kernel.pyx takes, and no more
HIDDEN = {"einsum": ["*operands", "dtype", "optimize"]}  # its signature says **kwargs; its source takes these two


def kind(thing: Any) -> str:
    if inspect.ismodule(thing):
        return "module"
    if inspect.isclass(thing):
        return "class"
    if type(thing).__name__ in ("ufunc", "_GUFunc"):
        return type(thing).__name__.strip("_").lower()
    return "function" if callable(thing) else "constant"


def parameters(name: str, thing: Any) -> list[str]:
    """Names of a callable's parameters in order, variadic ones with their stars; [] where there is none to know."""
    if kind(thing) == "ufunc":
        return UFUNC_KEYWORDS
    if name in HIDDEN:
        return HIDDEN[name]
    if kind(thing) not in ("function", "gufunc"):
        return []
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return _from_docstring(thing.__doc__ or "")
    stars: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return [stars.get(p.kind, "") + p.name for p in signature.parameters.values() if p.name != "self"]


def _from_docstring(text: str) -> list[str]:
    """A compiled function's first line of help: "name(self, axis=None, *shape, int order='C') -> type"."""
    found = re.match(r"[\w.]+\((.*)\)", text.strip().partition("\n")[0])
    arguments = found[1].split(",") if found else []
    names = [re.sub(r"[=:].*", "", argument).split()[-1] for argument in arguments if argument.strip()]
    return [name for name in names if name not in ("self", "/", "*", "\\*")]


def record(cupy: Any) -> dict[str, Any]:
    """{"version": ..., namespace: {public name: [kind, *parameters]}} for each of NAMESPACES."""
    manifest: dict[str, Any] = {"version": cupy.__version__}
    for namespace in NAMESPACES:
        holder = cupy
        for part in filter(None, namespace.split(".")):
            holder = getattr(holder, part)
        things = {name: getattr(holder, name) for name in dir(holder) if not name.startswith("_")}
        manifest[namespace] = {name: [kind(thing), *parameters(name, thing)] for name, thing in things.items()}
    return manifest


def write(manifest: dict[str, Any]) -> str:
    """The manifest as JSON, one name a line, so that a newer CuPy shows as a readable difference."""
    namespaces = []
    for namespace in NAMESPACES:
        lines = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(manifest[namespace].items())]
        namespaces.append(f" {json.dumps(namespace)}: {{\n" + ",\n".join(lines) + "\n }")
    return f'{{\n "version": {json.dumps(manifest["version"])},\n' + ",\n".join(namespaces) + "\n}\n"


if __name__ == "__main__":
    import cupy

    MANIFEST.write_text(write(record(cupy)), encoding="utf-8")
    print(f"{MANIFEST.name}: CuPy {cupy.__version__}")
