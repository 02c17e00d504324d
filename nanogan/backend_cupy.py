"""CuPy's side of the few operations on which it differs from NumPy; with two more files, all that names cupy.

`backend_cupy_kernels.py` has the formulas that are one kernel each, `backend_cupy_graph.py` what replays a whole step.
The tests hold all of it to CuPy's recorded interface on a strict double and compile the kernels with NVIDIA's compiler
and CuPy's options; they are the same on a real device: `pytest -m gpu`.
"""

from __future__ import annotations

import functools
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .backend import Array, Backend
from .backend_cupy_graph import Gemm, Repeated, one_line
from .backend_cupy_kernels import Kernels
from .errors import InputError


class CupyBackend(Backend):
    """CuPy on the current CUDA device. Raises InputError, with what to install or check, if that doesn't work.

    graphs: replay training steps as CUDA graphs. Without them, each kernel of each step is started by Python.

    Everything runs on CuPy's current stream, products and graphs too: in order with what else is computed there, and
    in every thread. (That stream belongs to a thread; by default it is the same for all.)
    """

    name = "cupy"
    block_size = 2**62  # one block: a GPU wants few, large kernels
    nan_check_every = 100  # a check waits until the GPU has caught up

    def __init__(self, *, graphs: bool = True) -> None:
        self.library = cupy = _working_cupy()
        self.graphs = graphs
        self.xp = _with_products(cupy) if graphs else cupy
        self.formulas = Kernels(cupy)
        self.kernels = self.formulas.methods()  # by full name, "nanogan.layers.ReLU.forward"
        self.recorder: Repeated | None = None

    def __reduce__(self) -> Any:
        return functools.partial(CupyBackend, graphs=self.graphs), ()

    def asarray(self, host: Array) -> Array:
        return self.xp.asarray(host)

    def to_host(self, array: Array) -> Array:
        return self.xp.asnumpy(array)

    def take_rows(self, array: Array, rows: Array, out: Array) -> Array:
        return self.xp.take(array, self.xp.asarray(rows), axis=0, out=out)

    def specialize(self, owner: Any) -> None:
        """By the class's full name, because a subclass that somebody else wrote may mean something else."""
        name = f"{type(owner).__module__}.{type(owner).__name__}."
        for method, kernel in self.kernels.items():
            if method.startswith(name):
                setattr(owner, method.removeprefix(name), functools.partial(kernel, owner))

    def synchronize(self) -> None:
        self.library.cuda.get_current_stream().synchronize()

    def fresh(self, make: Callable[[], Array]) -> Array:
        return self.recorder.fresh(make) if self.recorder else self.asarray(make())

    def repeatable(self, step: Callable[[], None]) -> Callable[[], None]:
        _announce_compiling()
        return Repeated(self, step) if self.graphs else step


KERNELS_OF_A_RECIPE = 30


@functools.cache
def _announce_compiling() -> None:
    """Say once, on stderr, why the first step takes so long: unless CuPy has kept compiled kernels from another run."""
    kept = Path(os.environ.get("CUPY_CACHE_DIR", "~/.cupy/kernel_cache")).expanduser()
    if not kept.is_dir() or sum(1 for _ in kept.iterdir()) < KERNELS_OF_A_RECIPE:
        print("compiling kernels for this GPU: the first steps take some seconds, once", file=sys.stderr, flush=True)


class Module(types.ModuleType):
    """A module with some of its names replaced."""

    def __init__(self, module: Any, **own: Any) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(own, _module=module)

    def __getattr__(self, name: str) -> Any:
        """The module's own, looked up once."""
        found = self.__dict__[name] = getattr(self._module, name)
        return found


@functools.cache
def _with_products(cupy: Any) -> Module:
    """cupy, with products of matrices that a graph can hold."""
    try:
        gemm = Gemm(cupy)
    except (OSError, AttributeError, RuntimeError) as error:
        raise _unusable(f"cuBLAS can't be called ({one_line(error)}); try --no-graph") from None
    return Module(cupy, matmul=gemm, dot=gemm.dot)


# ---- is there a GPU that works?


def _working_cupy() -> Any:
    """The cupy module, after it was seen to import, to find a GPU and to compute on it. Else InputError.

    That it imports says little: it does so without a driver, and loads cuBLAS and the kernel compiler on first use.
    """
    cupy = _imported_cupy()
    if not cupy.is_available():
        raise _unusable(f"CuPy {cupy.__version__} is installed but {_why_no_device(cupy.cuda.runtime)}")
    try:
        x = cupy.ones((2, 2), dtype=cupy.float32)
        float((x @ x + cupy.tanh(x)).sum())
    except Exception as error:  # CuPy, CUDA and its libraries raise anything from ImportError to MemoryError
        raise _unusable(
            f"the GPU is there but a small computation on it failed ({one_line(error)}); "
            'pip install "cupy-cuda13x[ctk]" or "cupy-cuda12x[ctk]" (as before) adds missing CUDA libraries'
        ) from None
    return cupy


def _imported_cupy() -> Any:
    try:
        import cupy
    except ImportError as error:
        what = "not installed" if error.name == "cupy" else f"installed but can't be imported ({one_line(error)})"
        raise _unusable(
            f'CuPy is {what}; pip install "cupy-cuda13x[ctk]" or "cupy-cuda12x[ctk]", by the CUDA version that '
            "nvidia-smi shows"
        ) from None
    return cupy


def _why_no_device(runtime: Any) -> str:
    """What keeps CuPy from a device, and what to do."""
    driver, needed = runtime.driverGetVersion(), runtime.runtimeGetVersion()
    if driver == 0:
        return "finds no NVIDIA driver; install it, until nvidia-smi lists the GPU"
    if driver // 1000 < needed // 1000:  # CUDA runs on any driver of its own major version or a later one
        return (
            f"is made for CUDA {_version(needed)} and the NVIDIA driver for {_version(driver)}; update the driver, or "
            f"pip install cupy-cuda{driver // 1000}x in its place"
        )
    return "finds no NVIDIA GPU; check that nvidia-smi lists one and that CUDA_VISIBLE_DEVICES doesn't hide it"


def _unusable(what_and_what_to_do: str) -> InputError:
    return InputError(f"backend cupy: {what_and_what_to_do}; or use --backend numpy")


def _version(number: int) -> str:
    """13020 -> "13.2" """
    return f"{number // 1000}.{number % 1000 // 10}"


def facts() -> dict[str, str]:
    """CuPy, driver, device and the verdict on them, one line each; nothing is raised."""
    try:
        cupy = _imported_cupy()
    except InputError as error:
        return {"CuPy": "not usable", "--backend cupy": f"stops with: {error}"}
    runtime = cupy.cuda.runtime
    driver = runtime.driverGetVersion()
    found = {
        "CuPy": f"{cupy.__version__}, made for CUDA {_version(runtime.runtimeGetVersion())}",
        "NVIDIA driver": f"for CUDA {_version(driver)}" if driver else "none",
    }
    try:
        _working_cupy()
    except InputError as error:
        return {**found, "--backend cupy": f"stops with: {error}"}
    free, total = cupy.cuda.Device().mem_info
    name = runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    device = f"{name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
    works = "works, as far as a small computation shows; steps are replayed as CUDA graphs (unless --no-graph)"
    return {**found, "device": device, "--backend cupy": works}
