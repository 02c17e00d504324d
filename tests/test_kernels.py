"""The kernels written for CuPy: their arithmetic is the plain form's, and a GPU would do the same.

There are three witnesses, as no GPU is needed for any of them. The strict double runs in NumPy what the bodies say, or
what stands in for them; that training is then the same as on NumPy is held by `test_same_numbers.py` and by all tests
that take the `backend` fixture. A C++ compiler runs the bodies themselves on the CPU, here. And NVRTC, NVIDIA's
compiler, translates them for a GPU, in `test_kernels_compiled.py`.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from double.kernel import code, run
from double.stand_ins import STAND_INS

from nanogan.backend import NUMPY, Backend
from nanogan.backend_cupy_kernels import CHANNELS, ELEMENTWISE, GATHERING, REDUCTIONS, THREADS, WHERE
from nanogan.optim import Adam

SIZE, STEPS = 1001, 5  # an odd size, so that vector instructions leave a rest
C_NAMES = {"float32": "float", "float64": "double"}
NEEDS_CPP = pytest.mark.skipif(
    not shutil.which("c++"), reason="no C++ compiler (c++) here to run a kernel's body on the CPU"
)
APPROXIMATE = {"exp", "log", "log1p"}  # C's and NumPy's differ in the last bit


def adam_steps(backend: Backend, dtype: str, **settings: Any) -> list[np.ndarray]:
    """p, m and v after some steps of Adam on gradients of many magnitudes, zeros among them."""
    rng = np.random.default_rng(0)
    network = SimpleNamespace(backend=backend)
    network.params = backend.asarray(rng.standard_normal(SIZE).astype(dtype))
    network.grads = backend.xp.zeros(SIZE, dtype=dtype)
    adam = Adam(lr=1e-3, **settings).bind(network)
    for _ in range(STEPS):
        gradient = rng.standard_normal(SIZE) * 10.0 ** rng.integers(-12, 4, SIZE) * rng.integers(0, 2, SIZE)
        network.grads[...] = backend.asarray(gradient.astype(dtype))
        adam.step()
    return [backend.to_host(vector) for vector in (network.params, *adam.moments.values())]


SETTINGS: list[dict[str, Any]] = [
    {},
    {"betas": (0.5, 0.999)},
    {"weight_decay": 0.01},
    {"eps": 1e-3, "betas": (0.0, 0.9)},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("dtype", C_NAMES)
def test_adam_is_the_same_on_every_backend(backend: Backend, dtype: str, settings: dict[str, Any]) -> None:
    for result, plain in zip(adam_steps(backend, dtype, **settings), adam_steps(NUMPY, dtype, **settings), strict=True):
        assert result.dtype == dtype
        np.testing.assert_array_equal(result, plain)


# ---- the bodies as C++ on the CPU


def names(params: str) -> list[str]:
    return [param.rsplit(maxsplit=1)[1] for param in params.split(",")]


def library(folder: Path, source: str) -> ctypes.CDLL:
    path = folder / "kernel.so"
    command = ["c++", "-std=c++20", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-pthread", "-x", "c++", "-"]
    subprocess.run([*command, "-o", str(path)], input=source, text=True, check=True)
    return ctypes.CDLL(str(path))


PRELUDE = """
#include <cmath>
#include <cstddef>
using std::sqrt; using std::exp; using std::log1p; using std::abs;
"""


def pointers(args: tuple[Any, ...]) -> list[Any]:
    """Arrays by their address, integers as they are, other numbers as doubles."""
    plain = {int: ctypes.c_int, np.int32: ctypes.c_int}
    return [
        ctypes.c_void_p(arg.ctypes.data) if isinstance(arg, np.ndarray) else plain.get(type(arg), ctypes.c_double)(arg)
        for arg in args
    ]


def in_c(folder: Path, dtype: str, inputs: str, outputs: str, body: str, arrays: set[str]) -> Callable[..., None]:
    """kernel(*arrays_or_scalars): an ElementwiseKernel as a loop. arrays: those of the inputs that aren't scalars."""
    given, locals_, elements = ["ptrdiff_t size"], [], []
    for param in f"{inputs}, {outputs}".split(", "):
        kind, name = param.rsplit(maxsplit=1)
        if kind == "raw T":
            given.append(f"const T *{name}")
        elif kind == "int32":
            given.append(f"int {name}")
        elif name in arrays or name in names(outputs):
            given.append(f"T *{name}_")
            elements.append(f"T &{name} = {name}_[i];")
        else:
            given.append(f"double {name}_")
            locals_.append(f"const T {name} = {name}_;")
    source = f"""
        {PRELUDE} {WHERE} typedef {C_NAMES[dtype]} T;
        extern "C" void kernel({", ".join(given)}) {{
            {" ".join(locals_)}
            for (ptrdiff_t i = 0; i < size; ++i) {{ {" ".join(elements)} {body}; }}
        }}
    """
    function = library(folder, source).kernel
    return lambda *args: function(ctypes.c_ssize_t(args[-1].size), *pointers(args))


SCALARS = {
    "slope": 0.2,
    "rise": 0.8,
    "beta1": 0.5,
    "beta2": 0.999,
    "count": 64,
    "lr": 0.01,
    "momentum": 0.9,
    "one_minus_beta1": 0.5,
    "one_minus_beta2": 0.001,
    "scale": 3.7,
    "offset": 1e-5,
    "weight": 0.1,
}


@NEEDS_CPP
@pytest.mark.parametrize("dtype", C_NAMES)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_body_in_c_is_what_the_double_reads(tmp_path: Path, name: str, dtype: str) -> None:
    inputs, outputs, body = ELEMENTWISE[name]
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {}
    for own in names(f"{inputs}, {outputs}"):
        spread = rng.standard_normal(SIZE) * 10.0 ** rng.integers(-3, 2, SIZE) * rng.integers(0, 4, SIZE).clip(0, 1)
        values[own] = np.dtype(dtype).type(SCALARS[own]) if own in SCALARS else spread.astype(dtype)
    for positive in values.keys() & {"v", "std", "M"}:
        values[positive] = np.abs(values[positive]) + np.dtype(dtype).type(0.1)
    if "x" in values:
        values["x"][:4] = (0, -0.0, np.nan, np.inf)
    expected = run(code(name, body), np.dtype(dtype), {own: np.copy(value)[()] for own, value in values.items()})
    arrays = {own for own, value in values.items() if isinstance(value, np.ndarray)}
    in_c(tmp_path, dtype, inputs, outputs, body, arrays)(
        *(v if own in arrays else float(v) for own, v in values.items())
    )
    rtol = 4 * float(np.finfo(dtype).eps) if any(f"{function}(" in body for function in APPROXIMATE) else 0
    for own in names(outputs):
        np.testing.assert_allclose(values[own], expected[own], rtol=rtol, atol=rtol)


IMAGES = [  # n, height, width, channels, kernel, stride, padding, down, right
    (2, 7, 5, 3, 3, 1, 1, 7, 5),
    (3, 8, 8, 1, 4, 2, 1, 4, 4),
    (1, 6, 9, 2, 2, 3, 0, 2, 3),
    (2, 5, 5, 2, 5, 2, 2, 3, 3),
    (2, 3, 4, 1, 1, 2, 0, 2, 2),
]


@NEEDS_CPP
@pytest.mark.parametrize("sizes", IMAGES, ids=str)
@pytest.mark.parametrize("name", GATHERING)
def test_gathering_in_c_is_what_stands_in_for_it(tmp_path: Path, name: str, sizes: tuple[int, ...]) -> None:
    n, height, width, channels, kernel, _, _, down, right = sizes
    shapes = [(n, height, width, channels), (n, down, right, kernel, kernel, channels)]
    given, wanted = shapes if name == "im2col" else reversed(shapes)
    values = np.random.default_rng(0).standard_normal(given)
    results = [np.full(wanted, np.nan) for _ in range(2)]
    inputs, outputs, body = GATHERING[name]
    in_c(tmp_path, "float64", inputs, outputs, body, set())(values, *sizes[1:], results[0])
    STAND_INS[f"nanogan_{name}"](values, *sizes[1:], results[1])
    np.testing.assert_array_equal(results[0], results[1])


BLOCKS = """
#include <barrier>
#include <thread>
#include <vector>
#define __global__
#define __device__
#define __shared__ static
struct { int x; } blockIdx;
thread_local struct { int x; } threadIdx;
static std::barrier<> *all;
#define __syncthreads() all->arrive_and_wait()
template <typename F> void run_block(int block, F kernel) {
    std::barrier<> barrier(THREADS);
    all = &barrier;
    blockIdx.x = block;
    std::vector<std::thread> threads;
    for (int t = 0; t < THREADS; ++t) threads.emplace_back([=] { threadIdx.x = t; kernel(); });
    for (auto &thread : threads) thread.join();
}
"""


@NEEDS_CPP
@pytest.mark.parametrize(("M", "C"), [(2, 3), (700, 2), (THREADS, 1)])
@pytest.mark.parametrize("dtype", C_NAMES)
@pytest.mark.parametrize("name", ["channel_statistics", "channel_gradients"])
def test_sums_of_channels_in_c_are_what_stands_in_for_them(
    tmp_path: Path, name: str, dtype: str, M: int, C: int
) -> None:
    """Thread by thread, block after block, with barriers, as a GPU does it."""
    (declared,) = re.findall(rf"void {name}\((.*?)\)", CHANNELS, re.DOTALL)
    calls = ", ".join(names(declared.replace("*", " ")))
    doubles = re.sub(r"\bT (?=eps|momentum|unbiased)", "double ", declared)
    each = f"for (int b = 0; b < C; ++b) run_block(b, [=] {{ {name}({calls}); }});"
    every = f'extern "C" void all_blocks({doubles}) {{ {each} }}'
    source = f"{PRELUDE} typedef {C_NAMES[dtype]} T;\n#define THREADS {THREADS}\n{BLOCKS} {CHANNELS} {every}"
    rng, T = np.random.default_rng(0), np.dtype(dtype)
    x, dy = (rng.normal(3, 2, (M, C)).astype(dtype) for _ in range(2))
    given = (x, M, C, 1e-5, 0.1, M / (M - 1)) if name == "channel_statistics" else (dy, x, np.full(C, 2, dtype), M, C)
    outputs = 4 if name == "channel_statistics" else 2
    results = [[np.ones(C, dtype) for _ in range(outputs)] for _ in range(2)]
    library(tmp_path, source).all_blocks(*pointers((*given, *results[0])))
    STAND_INS[name](*(T.type(arg) if isinstance(arg, float) else arg for arg in given), *results[1])
    for got, expected in zip(*results, strict=True):
        np.testing.assert_allclose(got, expected, rtol=200 * float(np.finfo(dtype).eps))
        assert not (got == 1).all()


@NEEDS_CPP
@pytest.mark.parametrize("dtype", C_NAMES)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_term_in_c_is_what_the_double_reads(tmp_path: Path, name: str, dtype: str) -> None:
    inputs, _, term, *_ = REDUCTIONS[name]
    rng = np.random.default_rng(0)
    x, got = (10 * rng.standard_normal(SIZE)).astype(dtype), np.empty(SIZE, dtype)
    scalars = dict.fromkeys(names(inputs)[1:], 0.9)
    in_c(tmp_path, dtype, inputs, "T term", f"term = {term}", {"x"})(x, *scalars.values(), got)
    values = {"x": x, **{own: np.dtype(dtype).type(value) for own, value in scalars.items()}}
    expected = run(code(name, f"term = {term}"), np.dtype(dtype), values)["term"]
    np.testing.assert_allclose(got, expected, rtol=8 * float(np.finfo(dtype).eps), atol=8 * float(np.finfo(dtype).eps))
