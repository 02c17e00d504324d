"""Where the figures come from: processor, versions, BLAS and its kernel, threads, and what else the machine does."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

import nanogan
from nanogan.commands.doctor import blas_kernel, blas_name

from .speed.contenders import installed


def facts(threads: int, backend: str) -> dict[str, Any]:
    """By name, for the JSON files and the terminal."""
    packages = {name: installed(name) or "not installed" for name in ("torch", "jax", "keras", "tensorflow")}
    device = {"device": device_name()} if backend == "cupy" else {}
    return {
        "processor": processor(),
        "CPUs": os.cpu_count(),
        "threads of each contender": threads,
        "python": platform.python_version(),
        "nanogan": nanogan.__version__,
        "numpy": np.__version__,
        "BLAS": blas_name(),
        "BLAS kernel": blas_kernel(),
        **packages,
        "backend": backend,
        **device,
    }


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
