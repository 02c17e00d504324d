"""The kernels written for CuPy: their arithmetic is the plain form's, bit for bit, and a GPU would do the same.

There are three witnesses, as no GPU is needed for any of them: the strict double runs the body in NumPy, a C++ compiler
runs it on the CPU, and NVRTC, NVIDIA's compiler, translates it for a GPU into instructions that can be read.
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

from nanogan.backend import NUMPY, Backend
from nanogan.backend_cupy import ADAM, ADAM_INPUTS, ADAM_OUTPUTS, KERNEL_OPTIONS
from nanogan.optim import Adam

SIZE, STEPS = 1001, 5  # an odd size, so that vector instructions leave a rest
C_NAMES = {"float32": "float", "float64": "double"}


def run(backend: Backend, dtype: str, **settings: Any) -> list[np.ndarray]:
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
    for result, plain in zip(run(backend, dtype, **settings), run(NUMPY, dtype, **settings), strict=True):
        assert result.dtype == dtype
        np.testing.assert_array_equal(result, plain)


# ---- the body as C++ on the CPU


def names(params: str) -> list[str]:
    return [param.split()[1] for param in params.split(",")]


def compiled(folder: Path, T: str, inputs: list[str], outputs: list[str], body: str) -> Callable[..., None]:
    """kernel(*arrays_or_scalars): an ElementwiseKernel as a loop; the first input and all outputs are arrays."""
    arrays = [inputs[0], *outputs]
    given = ", ".join(f"T *{name}_" if name in arrays else f"double {name}_" for name in (*inputs, *outputs))
    scalars = " ".join(f"const T {name} = {name}_;" for name in inputs[1:])
    elements = " ".join(f"T &{name} = {name}_[i];" for name in arrays)
    source = f"""
        #include <cmath>
        using std::sqrt;
        typedef {T} T;
        extern "C" void kernel(long size, {given}) {{
            {scalars}
            for (long i = 0; i < size; ++i) {{ {elements} {body} }}
        }}
    """
    library = folder / f"kernel_{T}.so"
    command = ["c++", "-O2", "-ffp-contract=off", "-shared", "-fPIC", "-x", "c++", "-", "-o", str(library)]
    subprocess.run(command, input=source, text=True, check=True)
    function = ctypes.CDLL(str(library)).kernel

    def call(*args: Any) -> None:
        size = ctypes.c_long(args[-1].size)
        pointers = [
            ctypes.c_void_p(arg.ctypes.data) if isinstance(arg, np.ndarray) else ctypes.c_double(arg) for arg in args
        ]
        function(size, *pointers)

    return call


@pytest.mark.skipif(not shutil.which("c++"), reason="no C++ compiler (c++) here to run a kernel's body on the CPU")
@pytest.mark.parametrize("dtype", C_NAMES)
def test_adam_kernel_in_c_is_the_plain_update(tmp_path: Path, dtype: str) -> None:
    in_c = Backend()
    in_c.adam_kernel = compiled(tmp_path, C_NAMES[dtype], names(ADAM_INPUTS), names(ADAM_OUTPUTS), ADAM)
    for settings in SETTINGS:
        for result, plain in zip(run(in_c, dtype, **settings), run(NUMPY, dtype, **settings), strict=True):
            np.testing.assert_array_equal(result, plain)


# ---- the kernel as CuPy would hand it to the GPU


def cuda_source(cupy: Any, dtype: str) -> str:
    """What CuPy itself generates around the body, for contiguous vectors and scalars of `dtype`."""
    from cupy._core import _carray, _kernel, _scalar  # no public way leads there without a device

    T, kernel = np.dtype(dtype), cupy.ElementwiseKernel(ADAM_INPUTS, ADAM_OUTPUTS, ADAM, "nanogan_adam")
    array = _kernel._ArgInfo(1, cupy.ndarray, T, 1, True, True)  # kind, type, dtype, axes, contiguous, 32-bit index
    scalar = _kernel._ArgInfo(3, _scalar.CScalar, T, 0, True, True)
    indexer = _kernel._ArgInfo(2, _carray.Indexer, None, 1, True, True)
    scalars = len(names(ADAM_INPUTS)) - 1
    _, _, types = kernel._decide_params_type((T, *[None] * scalars), (T, T, T))
    arguments = (array, *[scalar] * scalars, *[array] * 3, indexer)
    code = _kernel._get_elementwise_kernel_code(
        arguments, types, kernel.params, kernel.operation, kernel.name, kernel.preamble
    )
    return "#include <cupy/complex.cuh>\n#include <cupy/carray.cuh>\n" + code


def ptx(cupy: Any, source: str) -> str:
    """The source compiled for the oldest GPUs that CUDA 13 knows (compute capability 7.5), as readable PTX."""
    import nvidia
    from cupy_backends.cuda.libs import nvrtc

    headers = Path(cupy.__file__).parent / "_core" / "include"
    cuda = [header.parent for root in nvidia.__path__ for header in Path(root).glob("**/include/cuda_fp16.h")]
    includes = [f"-I{folder}" for folder in (headers, *(headers / "cupy" / "_cccl").iterdir(), *cuda)]
    program = nvrtc.createProgram(source, "adam.cu", (), ())
    try:
        nvrtc.compileProgram(program, ("--gpu-architecture=compute_75", "--std=c++17", *KERNEL_OPTIONS, *includes))
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))
    return nvrtc.getPTX(program).decode()


@pytest.mark.parametrize("dtype", C_NAMES)
def test_adam_kernel_compiles_for_a_gpu_to_the_plain_operations(dtype: str) -> None:
    """In PTX, .rn is IEEE rounding to nearest, which NumPy's operations have too; .ftz would flush tiny numbers."""
    cupy = pytest.importorskip("cupy", reason="the real cupy package is not installed")
    pytest.importorskip("nvidia", reason="NVRTC is not installed: pip install nvidia-cuda-nvrtc nvidia-cuda-runtime")
    code = ptx(cupy, cuda_source(cupy, dtype))
    bits = dtype.removeprefix("float")
    operations = re.findall(rf"\b(\w+(?:\.\w+)*)\.f{bits}\b", code)
    arithmetic = [operation for operation in operations if not operation.startswith(("ld.", "st."))]
    plain = [
        "mul",
        "mul",
        "add",
        "mul",
        "mul",
        "mul",
        "add",
        "sqrt",
        "mul",
        "add",
        "div",
        "sub",
    ]
    assert arithmetic == [f"{name}.rn" for name in plain]
