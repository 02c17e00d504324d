"""CuPy's side of the few operations on which it differs from NumPy. The only file that imports cupy.

Nothing here has run on a GPU yet; it is held to CuPy's recorded interface by the tests.
"""

from __future__ import annotations

from typing import Any

from .backend import Array, Backend
from .errors import InputError


def _working_cupy() -> Any:
    """The cupy module, after it was seen to import, to find a GPU and to compute. Else InputError."""
    try:
        import cupy
    except ImportError as error:
        raise InputError(
            f"backend cupy: CuPy is not installed ({error}); pip install cupy-cuda12x or cupy-cuda13x, whichever "
            "matches the NVIDIA driver, or use --backend numpy"
        ) from None
    if not cupy.is_available():
        raise InputError(
            f"backend cupy: CuPy {cupy.__version__} is installed but finds no usable NVIDIA GPU; check the driver "
            "with nvidia-smi, or use --backend numpy"
        )
    try:  # cuBLAS and the kernel compiler are only loaded when first used
        x = cupy.ones((2, 2), dtype=cupy.float32)
        float((x @ x + cupy.tanh(x)).sum())
    except (ImportError, OSError, RuntimeError) as error:
        raise InputError(
            f"backend cupy: the GPU is there but a small computation failed ({' '.join(str(error).split())}); "
            'pip install "cupy-cuda12x[ctk]" or "cupy-cuda13x[ctk]" adds the CUDA libraries, or use --backend numpy'
        ) from None
    return cupy


class CupyBackend(Backend):
    """CuPy on the current CUDA device."""

    name = "cupy"
    block_size = 2**62  # one block: a GPU wants few, large kernels
    patch_block = 2**26  # 256 MiB in float32

    def __init__(self) -> None:
        self.xp = _working_cupy()

    def asarray(self, host: Array) -> Array:
        return self.xp.asarray(host)

    def to_host(self, array: Array) -> Array:
        return self.xp.asnumpy(array)

    def take_rows(self, array: Array, rows: Array, out: Array) -> Array:
        return self.xp.take(array, self.xp.asarray(rows), axis=0, out=out)

    def synchronize(self) -> None:
        self.xp.cuda.get_current_stream().synchronize()
