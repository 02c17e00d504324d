"""The backends by name: which is meant, and whether it works on this machine."""

from __future__ import annotations

from .backend import BACKENDS, GPU, NUMPY, Backend
from .errors import InputError


def get_backend(name: str = "numpy", *, graphs: bool = True) -> Backend:
    """The backend called `name`, checked to work here. graphs: whether a GPU replays training steps as CUDA graphs.

    Raises InputError with what to install or check if `name` is unknown, or no GPU can be used. It never falls back.
    """
    if name == "numpy":
        return NUMPY
    if name == GPU:
        from .backend_cupy import CupyBackend

        return CupyBackend(graphs=graphs)
    raise InputError(f"backend {name!r} is unknown: choose one of {', '.join(BACKENDS)}")


def gpu_facts() -> dict[str, str]:
    """What is found of CuPy, driver and device, and what --backend cupy would do, by name; nothing is raised."""
    from .backend_cupy import facts

    return facts()
