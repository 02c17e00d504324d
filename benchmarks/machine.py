"""Where the figures come from: processor, versions, BLAS, what it reaches, threads, and what else the machine does.

python -m benchmarks.machine prints what a process finds that libraries were given the same environment as.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import nanogan
from nanogan.commands.doctor import blas_kernel, blas_name

from .speed.contenders import installed
from .speed.environment import variables, vector_bits

PROCESSES = 5
"""Products are as fast or slow as their process is, for its whole life, so one process doesn't tell."""
SIZE = 512
RATE = f"float32 products of {SIZE} x {SIZE}, GFLOP/s"


def facts(threads: int, backend: str, avx2: bool = False) -> dict[str, Any]:
    """By name, for the JSON files and the terminal. Rates are [lowest, median, highest] of several processes."""
    packages = {name: installed(name) or "not installed" for name in ("torch", "jax", "keras", "tensorflow")}
    device = {"device": device_name()} if backend == "cupy" else {}
    found = [found_by_a_process(threads, avx2) for _ in range(PROCESSES)]
    return {
        "processor": processor(),
        "CPUs": os.cpu_count(),
        "threads of each contender": threads,
        "vectors, bits": found[0]["vectors, bits"],
        "held to AVX2": avx2,
        "python": platform.python_version(),
        "nanogan": nanogan.__version__,
        "numpy": np.__version__,
        "BLAS": blas_name(),
        "BLAS kernel": found[0]["BLAS kernel"],
        RATE: [round(float(rate), 1) for rate in np.quantile([one[RATE] for one in found], (0, 0.5, 1))],
        **packages,
        "backend": backend,
        **device,
    }


def found_by_a_process(threads: int, avx2: bool) -> dict[str, Any]:
    """What `main` below prints, in the environment of the contenders."""
    command = [sys.executable, "-m", "benchmarks.machine"]
    printed = subprocess.run(command, env=variables(threads, avx2), check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(printed.stdout)
    return found


def main() -> None:
    print(json.dumps({"vectors, bits": vector_bits(), "BLAS kernel": blas_kernel(), RATE: rate_of_products()}))


def rate_of_products() -> float:
    """GFLOP/s of NumPy's products: the best of a few, because the first ones wake the threads."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, SIZE, SIZE), dtype=np.float32)
    out, seconds = np.empty_like(a), []
    for _ in range(20):
        started = time.perf_counter()
        np.matmul(a, b, out=out)
        seconds.append(time.perf_counter() - started)
    return 2 * SIZE**3 / min(seconds) / 1e9


def load() -> list[float]:
    """Mean number of processes that wanted to run, over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def device_name() -> str:
    import cupy

    return cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()


if __name__ == "__main__":
    main()
