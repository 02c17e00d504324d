"""The environment of a process that is measured: how many threads its libraries use, and how wide their vectors are.

Libraries read these variables when they are loaded, so they hold for a process of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from nanogan.errors import InputError

ROOT = Path(__file__).parents[2]
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
AVX2 = {
    "OPENBLAS_CORETYPE": "Haswell",
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's own loops
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",  # its products
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # its convolutions
}
"""What holds NumPy's BLAS and PyTorch to AVX2 on a processor that has more."""


def variables(threads: int, avx2: bool, checkout: Path = ROOT) -> dict[str, str]:
    """The whole environment. avx2: all libraries compute as on a processor without AVX-512. checkout: whose nanogan."""
    path = [str(checkout), *filter(None, [os.environ.get("PYTHONPATH")])]
    flags = [os.environ.get("XLA_FLAGS", "")]
    flags += [] if threads > 1 else ["--xla_cpu_multi_thread_eigen=false"]
    found = {**os.environ, **dict.fromkeys(THREADS, str(threads)), "PYTHONPATH": os.pathsep.join(path)}
    if avx2:
        flags.append("--xla_cpu_max_isa=AVX2")
        wide = [name for name in simd("found") if is_wide(name)]
        found |= {**AVX2, **({"NPY_DISABLE_CPU_FEATURES": " ".join(wide)} if wide else {})}
    return {**found, "XLA_FLAGS": " ".join(flags).strip()}


def simd(*kinds: str) -> list[str]:
    """NumPy's names of vector instructions, such as AVX2 or X86_V3. kinds: "baseline", "found"."""
    extensions: dict[str, Any] = dict(np.show_config(mode="dicts")["SIMD Extensions"])
    return [str(name) for kind in kinds for name in extensions[kind]]


def is_wide(extension: str) -> bool:
    """Whether its vectors have 512 bits."""
    return extension.startswith(("AVX512", "X86_V4"))


def vector_bits() -> int:
    """The width of the vectors that NumPy computes with in this process."""
    extensions = simd("baseline", "found")
    if any(map(is_wide, extensions)):
        return 512
    return 256 if {"AVX2", "X86_V3"}.intersection(extensions) else 128


def check_avx2() -> None:
    """Raises InputError if this processor can't compute with AVX2."""
    if vector_bits() < 256:
        raise InputError("--avx2: this processor has no AVX2; leave it out")
