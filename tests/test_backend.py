"""The backends: which is chosen, what each failure says, and the few operations that differ."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import double
import numpy as np
import pytest

from nanogan import backend_cupy, layers
from nanogan.backend import NUMPY, Backend
from nanogan.backend_cupy import facts
from nanogan.backends import get_backend
from nanogan.errors import InputError

HAS_CUPY = importlib.util.find_spec("cupy") is not None


# ---- the operations


def test_a_round_trip_keeps_the_numbers(backend: Backend) -> None:
    host = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(backend.to_host(backend.asarray(host)), host)


def test_take_rows_fills_out(backend: Backend) -> None:
    images = np.arange(12, dtype=np.float32).reshape(4, 3)
    out = backend.xp.empty((2, 3), dtype=np.float32)
    backend.take_rows(backend.asarray(images), np.array([3, 1]), out)
    np.testing.assert_array_equal(backend.to_host(out), images[[3, 1]])


def test_synchronize_returns(backend: Backend) -> None:
    backend.synchronize()


def test_to_host_is_one_read(device_reads: double.Count) -> None:
    backend = double.backend()
    device_reads.count = 0
    backend.to_host(backend.asarray(np.ones(3)))
    assert device_reads.count == 1


def test_a_copy_is_another_backend_and_a_deep_copy_the_same(backend: Backend) -> None:
    twin = copy.copy(backend)
    twin.xp = None
    assert backend.xp is not None and type(twin) is type(backend)
    assert copy.deepcopy(backend) is backend


# ---- what a backend may compute in its own way


def test_a_kernel_takes_the_place_of_its_method_and_no_other() -> None:
    backend = double.backend()
    x, double.launches.count = backend.asarray(np.ones((2, 3), np.float32)), 0

    class LeakyReLU(layers.LeakyReLU):
        """Somebody's own, which may have changed what the method uses."""

    results = []
    for layer, launches in ((layers.LeakyReLU(), 1), (LeakyReLU(), 2)):
        layer._use(backend, np.float32)
        double.launches.count = 0
        results.append(backend.to_host(layer.forward(x)))
        assert double.launches.count == launches
    np.testing.assert_array_equal(results[0], results[1])


def test_every_kernel_has_its_method() -> None:
    """And that method is marked: a wrong name would leave the kernel unused, in silence."""
    for name in double.backend().kernels:
        module, kind, method = name.rsplit(".", 2)
        marked = getattr(getattr(importlib.import_module(module), kind), method)
        assert marked.fusible, name


def test_the_first_steps_say_that_they_compile_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kept, said in ((0, 1), (40, 0)):
        folder = tmp_path / str(kept)
        folder.mkdir()
        for number in range(kept):
            (folder / f"{number}.cubin").touch()
        monkeypatch.setenv("CUPY_CACHE_DIR", str(folder))
        backend_cupy._announce_compiling.cache_clear()
        for _ in range(2):
            double.backend().repeatable(lambda: None)
        assert capsys.readouterr().err.count("compiling kernels") == said


# ---- the choice


def refusal(name: str) -> str:
    """The one line that says why there is no such backend here."""
    with pytest.raises(InputError) as caught:
        get_backend(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_numpy_is_the_default() -> None:
    assert get_backend() is get_backend("numpy") is NUMPY


def test_an_unknown_backend_names_the_known_ones() -> None:
    assert refusal("torch") == "backend 'torch' is unknown: choose one of numpy, cupy"


def test_cupy_is_chosen_where_it_works() -> None:
    with double.installed():
        backend = get_backend("cupy")
    assert backend.name == "cupy" and double.is_double(backend)


# ---- CuPy's three ways to fail: not there, no device, no libraries


@pytest.mark.skipif(HAS_CUPY, reason="the real cupy package is installed, so it can't be missing")
def test_without_the_package() -> None:
    said = refusal("cupy")
    assert said.startswith("backend cupy: CuPy is not installed; pip install ") and said.endswith("--backend numpy")
    assert facts() == {"CuPy": "not usable", "--backend cupy": f"stops with: {said}"}


@pytest.mark.skipif(not HAS_CUPY, reason="the real cupy package is not installed")
def test_with_the_package_and_without_a_device() -> None:
    import cupy

    if cupy.is_available():
        pytest.skip("a CUDA device is here, so it can't be missing")
    assert f"CuPy {cupy.__version__} is installed but finds no NVIDIA " in refusal("cupy")
    assert facts()["CuPy"].startswith(cupy.__version__) and "stops with" in facts()["--backend cupy"]


def stub(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """In place of CuPy the double, except for some of its names."""
    cupy: Any = SimpleNamespace(**{name: getattr(double.cupy, name) for name in ("ones", "tanh", "float32", "cuda")})
    cupy.__version__, cupy.is_available = "14.2.0", lambda: True
    for name, value in changes.items():
        setattr(cupy, name, value)
    monkeypatch.setitem(sys.modules, "cupy", cupy)


@pytest.mark.parametrize(
    ("driver", "runtime", "expected"),
    [
        (0, 13020, "finds no NVIDIA driver"),
        (
            12080,
            13020,
            "made for CUDA 13.2 and the NVIDIA driver for 12.8; update the driver, or pip install cupy-cuda12x",
        ),
        (13000, 13020, "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_no_device_says_why(monkeypatch: pytest.MonkeyPatch, driver: int, runtime: int, expected: str) -> None:
    versions = SimpleNamespace(driverGetVersion=lambda: driver, runtimeGetVersion=lambda: runtime)
    stub(monkeypatch, is_available=lambda: False, cuda=SimpleNamespace(runtime=versions))
    assert expected in refusal("cupy")
    assert "device" not in facts()


class CompileException(Exception):
    """As CuPy's, which is neither a RuntimeError nor an OSError."""


@pytest.mark.parametrize(
    "error",
    [
        ImportError('Failure finding "libcublasLt.so.13"'),
        RuntimeError("CuPy failed to load libnvrtc.so.13:\nOSError: cannot open shared object file"),
        MemoryError("Out of memory allocating 512 bytes"),
        CompileException("/tmp/x.cu(1): error: identifier is undefined"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failing_computation_is_reported(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*args: Any) -> None:
        raise error

    stub(monkeypatch, tanh=fail)
    said = refusal("cupy")
    assert said.startswith("backend cupy: the GPU is there but a small computation on it failed (")
    assert str(error).replace("\n", " ") in said and "[ctk]" in said


def test_a_package_that_does_not_import_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cupy.py").write_text('raise ImportError("""\n=====\nCuPy is broken.\n=====\n""")')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    assert refusal("cupy").startswith("backend cupy: CuPy is installed but can't be imported (CuPy is broken.); pip")


def test_facts_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", double.cupy)
    assert facts() == {
        "CuPy": "14.2.0, made for CUDA 13.0",
        "NVIDIA driver": "for CUDA 13.0",
        "device": "double of a GPU, 3.0 of 4.0 GiB free",
        "--backend cupy": (
            "works, as far as a small computation shows; steps are replayed as CUDA graphs (unless --no-graph)"
        ),
    }


# ---- the tests on a real device


def test_the_gpu_suite_needs_no_more_than_it_says() -> None:
    """pytest -m gpu is collected without matplotlib, Pillow, tqdm and so on, and runs, or skips once and says why."""
    script = (
        "import sys; sys.modules.update(matplotlib=None, PIL=None, tqdm=None, jinja2=None, mpi4py=None); "
        "import pytest; sys.exit(pytest.main(['-m', 'gpu', '--collect-only', '-p', 'no:cacheprovider']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "[gpu" in done.stdout
