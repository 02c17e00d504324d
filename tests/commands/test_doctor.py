"""The doctor's report: complete, true to this machine, and plain about the GPU."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import double
import numpy as np
import pytest

import nanogan
from nanogan.commands import doctor

ROOT = Path(nanogan.__file__).parents[1]


def facts() -> dict[str, str]:
    """The report's facts by name: two blanks or more stand between the two."""
    lines = doctor.report().partition("\n\n")[0].splitlines()
    return {name: fact for name, fact in (re.split("  +", line, maxsplit=1) for line in lines)}


def test_the_report_names_everything() -> None:
    found = facts()
    assert found["nanogan"] == nanogan.__version__ and found["numpy"] == np.__version__
    assert found["python"].startswith(platform.python_version())
    assert found["BLAS"] == (
        f"{doctor.blas_name()}, {doctor.blas_kernel()} kernels, {doctor.blas_threads()} threads, {os.cpu_count()} CPUs"
    )
    assert found["--backend numpy"].startswith("works")
    assert "CuPy" in found and "--backend cupy" in found


def test_it_says_how_little_was_tried_on_gpus() -> None:
    assert "Of GPUs, nanogan has run on an NVIDIA H100 and" in doctor.report() and "gpu-check" in doctor.report()


def test_it_shows_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", double.cupy)
    assert facts()["device"].startswith("double of a GPU") and facts()["--backend cupy"].startswith("works")


@pytest.mark.parametrize("name", ["CUPY_TF32", "CUPY_ENABLE_UMP"])
def test_it_names_what_changes_a_gpus_numbers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name, raising=False)
    assert name not in facts()
    monkeypatch.setenv(name, "1")
    assert facts()[name].startswith("1: ") and facts()[name].endswith("; unset it")


def test_it_counts_the_threads_of_the_loaded_library() -> None:
    """Set for a process of its own, as the library reads the variable when it is loaded."""
    if doctor.blas_threads() == "unknown":
        pytest.skip(f"NumPy computes with {doctor.blas_name()}, which is not OpenBLAS from a wheel")
    script = "from nanogan.commands import doctor; print(doctor.blas_threads()); print(doctor.report())"
    for threads in ("1", "2"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.startswith(f"{threads}\n") or os.cpu_count() == 1
        assert f"OPENBLAS_NUM_THREADS  {threads}" in done.stdout


@pytest.mark.parametrize(
    ("kernel", "vectors", "held_to", "hint"),
    [
        ("Haswell", ["AVX2", "X86_V4"], None, "OPENBLAS_CORETYPE=SkylakeX: "),
        ("Haswell", ["AVX2", "X86_V4"], "Haswell", "unset OPENBLAS_CORETYPE: "),
        ("SkylakeX", ["X86_V4"], None, ""),
        ("Haswell", ["AVX2"], None, ""),
    ],
)
def test_it_says_what_to_try_where_openblas_uses_half_of_a_vector(
    kernel: str, vectors: list[str], held_to: str | None, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    if held_to:
        monkeypatch.setenv("OPENBLAS_CORETYPE", held_to)
    monkeypatch.setattr(doctor, "_ask_openblas", lambda question, answer: kernel.encode())
    monkeypatch.setattr(doctor.np, "show_config", lambda mode: {"SIMD Extensions": {"found": vectors}})
    said = doctor.kernel_hint().get("to try", "")
    assert said.startswith(hint) and bool(said) == bool(hint)
