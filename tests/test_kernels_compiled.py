"""The kernels as CuPy would hand them to a GPU: NVIDIA's compiler translates them, with CuPy's options, and the
instructions are read. It needs the packages cupy and nvidia-cuda-nvrtc, but no GPU.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_kernels import APPROXIMATE, C_NAMES, SCALARS, names

from nanogan.backend_cupy_kernels import CHANNELS, ELEMENTWISE, GATHERING, OPTIONS, REDUCTIONS, WHERE


@pytest.fixture(scope="module")
def cupy() -> Any:
    found = pytest.importorskip("cupy", reason="the real cupy package is not installed")
    pytest.importorskip("nvidia", reason="NVRTC is not installed: pip install nvidia-cuda-nvrtc nvidia-cuda-runtime")
    return found


def test_these_are_cupys_options(cupy: Any) -> None:
    """Those that change numbers, as they stand in CuPy's source."""
    from cupy.cuda import compiler

    assert "options += ('-ftz=true',)" in inspect.getsource(compiler._compile_with_cache_cuda)
    assert "'--device-as-default-execution-space'" in inspect.getsource(compiler)


def argument(cupy: Any, T: str, axes: int | None) -> Any:
    """A contiguous array, with a 32-bit index, or a scalar."""
    from cupy._core import _kernel, _scalar  # no public way leads there without a device

    kind, of = (3, _scalar.CScalar) if axes is None else (1, cupy.ndarray)
    return _kernel._ArgInfo(kind, of, np.dtype(T), axes or 0, True, True)


def indexer(axes: int) -> Any:
    from cupy._core import _carray, _kernel

    return _kernel._ArgInfo(2, _carray.Indexer, None, axes, True, True)


def elementwise_source(cupy: Any, name: str, dtype: str) -> str:
    """What CuPy itself generates around a body: vectors, but for the scalars."""
    from cupy._core import _kernel

    inputs, outputs, body = {**ELEMENTWISE, **GATHERING}[name]
    kernel = cupy.ElementwiseKernel(inputs, outputs, body, f"nanogan_{name}", preamble=WHERE)
    arguments = [
        argument(cupy, "int32" if kind == "int32" else dtype, None if kind == "int32" or own in SCALARS else 1)
        for kind, own in (param.rsplit(maxsplit=1) for param in f"{inputs}, {outputs}".split(", "))
    ]
    T = np.dtype(dtype)
    in_types = tuple(np.dtype("int32") if "int32" in param else T for param in inputs.split(", "))
    _, _, types = kernel_types(kernel.in_params, kernel.out_params, in_types, (T,) * len(names(outputs)))
    code = _kernel._get_elementwise_kernel_code(
        (*arguments, indexer(1)), types, kernel.params, kernel.operation, kernel.name, kernel.preamble
    )
    return "#include <cupy/complex.cuh>\n#include <cupy/carray.cuh>\n" + code


def kernel_types(*args: Any) -> Any:
    from cupy._core import _kernel

    return _kernel._decide_params_type(*args)


def reduction_source(cupy: Any, name: str, dtype: str) -> str:
    from cupy._core import _reduction

    kernel, T = cupy.ReductionKernel(*REDUCTIONS[name], f"nanogan_{name}", preamble=WHERE), np.dtype(dtype)
    _, _, types = kernel_types(kernel.in_params, kernel.out_params, (T,) * kernel.nin, (T,))
    given = (argument(cupy, dtype, 1), *[argument(cupy, dtype, None)] * (kernel.nin - 1))
    arguments = (*given, argument(cupy, dtype, 0), indexer(1), indexer(0))
    code = _reduction._ReductionKernel_get_cached_function_code(
        *(
            kernel.nin,
            kernel.nout,
            kernel._params,
            (*arguments, argument(cupy, "int32", None)),
            types,
            kernel.name,
            512,
        ),
        *(C_NAMES[dtype], kernel.identity, kernel.map_expr, kernel.reduce_expr, kernel.post_map_expr),
        *(kernel.preamble, ()),
    )
    return "#include <cupy/complex.cuh>\n#include <cupy/carray.cuh>\ntypedef int IndexT;\n" + code


def ptx(cupy: Any, source: str) -> str:
    """The source compiled for the oldest GPUs that CUDA 13 knows (compute capability 7.5), as readable PTX."""
    import nvidia
    from cupy_backends.cuda.libs import nvrtc

    headers = Path(cupy.__file__).parent / "_core" / "include"
    cuda = [header.parent for root in nvidia.__path__ for header in Path(root).glob("**/include/cuda_fp16.h")]
    includes = [f"-I{folder}" for folder in (headers, *(headers / "cupy" / "_cccl").iterdir(), *cuda)]
    cupys = ("--std=c++17", "-ftz=true", "--device-as-default-execution-space", "--gpu-architecture=compute_75")
    program = nvrtc.createProgram(source, "kernel.cu", (), ())
    try:
        nvrtc.compileProgram(program, (*OPTIONS, *cupys, *includes))
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))
    return nvrtc.getPTX(program).decode()


def arithmetic(code: str, dtype: str) -> list[str]:
    """The floating point operations of a PTX, each with how it rounds."""
    bits = dtype.removeprefix("float")
    operations = re.findall(rf"\b(\w+(?:\.\w+)*)\.f{bits}\b", code)
    return [operation for operation in operations if not operation.startswith(("ld.", "st.", "mov", "selp"))]


def rounding(dtype: str) -> str:
    """.rn is IEEE rounding to nearest, which NumPy's operations have, too; .ftz flushes float32's tiny numbers."""
    return ".rn.ftz" if dtype == "float32" else ".rn"


@pytest.mark.parametrize("dtype", C_NAMES)
def test_adam_compiles_for_a_gpu_to_the_plain_operations(cupy: Any, dtype: str) -> None:
    code = ptx(cupy, elementwise_source(cupy, "adam", dtype))
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
    ]  # m, v, p: see optim.Adam.update
    assert arithmetic(code, dtype) == [name + rounding(dtype) for name in plain]


@pytest.mark.parametrize("dtype", C_NAMES)
@pytest.mark.parametrize("name", [*ELEMENTWISE, *GATHERING, *REDUCTIONS, "channel_statistics"])
def test_every_kernel_compiles_for_a_gpu_unfused(cupy: Any, name: str, dtype: str) -> None:
    if name == "channel_statistics":  # and channel_gradients: one source
        code, body = ptx(cupy, f"typedef {C_NAMES[dtype]} T;\n{CHANNELS}"), CHANNELS
    elif name in REDUCTIONS:
        code, body = ptx(cupy, reduction_source(cupy, name, dtype)), REDUCTIONS[name][2]
    else:
        code, body = ptx(cupy, elementwise_source(cupy, name, dtype)), {**ELEMENTWISE, **GATHERING}[name][2]
    operations = arithmetic(code, dtype)
    assert name == "im2col" or operations
    if not any(f"{function}(" in body for function in APPROXIMATE):  # these use fma, by themselves
        rounded = [operation for operation in operations if operation[:3] in ("add", "sub", "mul", "div", "fma", "sqr")]
        assert all(operation.endswith(rounding(dtype)) for operation in rounded)
        assert not any(operation.startswith("fma") for operation in rounded)
