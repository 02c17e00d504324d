"""What `python -m nanogan doctor` prints: where nanogan would compute on this machine, and what is known about that.

A leaf: it knows the backends and nothing else of nanogan. To read a report of trouble, read this one first.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..backends import gpu_facts

TRIED = """\
Of GPUs, nanogan has run on an NVIDIA H100 and an H200, with CuPy 14.2; where it was written there is none. `python -m
nanogan gpu-check` sees in a minute or two whether this one gives the right numbers; please report what it says."""
KERNELS = "OPENBLAS_CORETYPE"
ON_A_GPU = {
    "CUPY_TF32": "products in float32 keep 10 bits of each number, if it is 1 and there are no graphs; unset it",
    "CUPY_ENABLE_UMP": "if it is 1, arrays may share the host's memory, which is written to again too early; unset it",
}
"""Variables that change what the GPU computes, and how."""
VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", KERNELS)


def add_to(commands: Any) -> None:
    command = commands.add_parser("doctor", help="what this machine has", description=run.__doc__)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Say what nanogan finds on this machine, and what it would use."""
    print(report())
    return 0


def report() -> str:
    """Versions, BLAS and its threads, CuPy, driver, device and what would be used; a fact a line, then a remark."""
    facts = {
        "nanogan": __version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
        "numpy": np.__version__,
        "BLAS": f"{blas_name()}, {blas_kernel()} kernels, {blas_threads()} threads, {os.cpu_count()} CPUs",
        **kernel_hint(),
        **{name: os.environ[name] for name in VARIABLES if name in os.environ},
        "--backend numpy": "works, and is the default",
        **{name: f"{os.environ[name]}: {effect}" for name, effect in ON_A_GPU.items() if name in os.environ},
        **gpu_facts(),
    }
    width = max(map(len, facts))
    return "\n".join([*(f"{name:{width}}  {fact}" for name, fact in facts.items()), "", TRIED])


def blas_name() -> str:
    """The library of matrix products that NumPy was built with, and its version."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def blas_threads() -> str:
    """How many threads a matrix product may use: asked of the OpenBLAS in NumPy's wheels, "unknown" of any other."""
    return str(_ask_openblas("get_num_threads", ctypes.c_int))


def blas_kernel() -> str:
    """The processor that the library's chosen kernels were written for; "unknown" as in `blas_threads`."""
    name = _ask_openblas("get_corename", ctypes.c_char_p)
    return name.decode() if isinstance(name, bytes) else name


def _ask_openblas(question: str, answer: Any) -> Any:
    """What one of the functions without arguments of NumPy's OpenBLAS returns, or "unknown"."""
    package = Path(np.__file__).parent
    for library in [*package.parent.glob("numpy.libs/*openblas*"), *package.glob(".dylibs/*openblas*")]:
        loaded = ctypes.CDLL(str(library))  # the copy that NumPy has loaded, not a second one
        for name in (f"scipy_openblas_{question}64_", f"scipy_openblas_{question}", f"openblas_{question}"):
            if hasattr(loaded, name):
                function = getattr(loaded, name)
                function.restype = answer
                return function()
    return "unknown"


def kernel_hint() -> dict[str, str]:
    """What to try where products use half the length of this processor's vectors, which can double their time.

    The variable OPENBLAS_CORETYPE holds OpenBLAS to such kernels. It chooses them itself for a processor that is newer.
    """
    vectors = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    if blas_kernel() not in ("Haswell", "Zen") or not {"AVX512F", "AVX512_SKX", "X86_V4"}.intersection(vectors):
        return {}
    advice = f"unset {KERNELS}" if KERNELS in os.environ else f"{KERNELS}=SkylakeX"
    return {"to try": f"{advice}: products may be faster, as this processor has AVX-512"}
