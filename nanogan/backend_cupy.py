"""CuPy's side of the few operations on which it differs from NumPy. The only file that imports cupy.

Nothing here has ever run on a GPU: where it was written there is none. The tests hold it to CuPy's recorded interface
on a strict double, compile its kernel with NVIDIA's compiler, and are the same on a real device: `pytest -m gpu`.
"""

from __future__ import annotations

from typing import Any

from .backend import Array, Backend
from .errors import InputError

# optim.Adam.update as one kernel: it reads or writes 7 vectors, instead of the 28 of twelve ufuncs. Each operation is
# rounded by itself (--fmad=false: no fused multiply-add), so that the numbers are those of the plain form.
ADAM_INPUTS = "T g, T beta1, T one_minus_beta1, T beta2, T one_minus_beta2, T scale, T offset"
ADAM_OUTPUTS = "T p, T m, T v"
ADAM = """
    m = beta1 * m + one_minus_beta1 * g;
    v = beta2 * v + one_minus_beta2 * (g * g);
    p -= m / (sqrt(v) * scale + offset);
"""
KERNEL_OPTIONS = ("--fmad=false",)


class CupyBackend(Backend):
    """CuPy on the current CUDA device. Raises InputError, with what to install or check, where that doesn't work."""

    name = "cupy"
    block_size = 2**62  # one block: a GPU wants few, large kernels
    nan_check_every = 100  # a check waits until the GPU has caught up

    def __init__(self) -> None:
        self.xp = _working_cupy()
        self.adam_kernel = self.xp.ElementwiseKernel(
            ADAM_INPUTS, ADAM_OUTPUTS, ADAM, "nanogan_adam", options=KERNEL_OPTIONS
        )

    def asarray(self, host: Array) -> Array:
        return self.xp.asarray(host)

    def to_host(self, array: Array) -> Array:
        return self.xp.asnumpy(array)

    def take_rows(self, array: Array, rows: Array, out: Array) -> Array:
        return self.xp.take(array, self.xp.asarray(rows), axis=0, out=out)

    def synchronize(self) -> None:
        self.xp.cuda.get_current_stream().synchronize()


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
            f"the GPU is there but a small computation on it failed ({_one_line(error)}); "
            'pip install "cupy-cuda13x[ctk]" or "cupy-cuda12x[ctk]" (as before) adds missing CUDA libraries'
        ) from None
    return cupy


def _imported_cupy() -> Any:
    try:
        import cupy
    except ImportError as error:
        what = "not installed" if error.name == "cupy" else f"installed but can't be imported ({_one_line(error)})"
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


def _one_line(error: Exception) -> str:
    """The error's text, which CuPy frames in lines of === and blanks."""
    return " ".join(word for word in str(error).split() if word.strip("=")) or type(error).__name__


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
    return {**found, "device": device, "--backend cupy": "works, as far as a small computation shows"}
