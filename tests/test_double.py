"""The strict double of CuPy: what it computes, what it refuses, what it counts, and whether the real CuPy agrees."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import double
import numpy as np
import pytest
from double import cupy as xp

from tools import record_cupy_api


def device(*shape: int) -> Any:
    """0, 1, 2, ... in float32, on the double's device."""
    return xp.asarray(np.arange(np.prod(shape), dtype=np.float32).reshape(shape))


# ---- what it computes is what NumPy computes


def test_results_are_numpys() -> None:
    x, host = device(2, 3), np.arange(6, dtype=np.float32).reshape(2, 3)
    for result, expected in (
        (xp.tanh(x), np.tanh(host)),
        (x @ x.T, host @ host.T),
        (2.0 * x - x / 4, 2.0 * host - host / 4),
        (1 - x, 1 - host),
        (-x, -host),
        (x > 2, host > 2),
        (x.mean(axis=0), host.mean(axis=0)),
        (xp.concatenate([x, x]), np.concatenate([host, host])),
        (xp.where(x > 2, x, 0.0), np.where(host > 2, host, np.float32(0))),
        (xp.einsum("ij,kj->ik", x, x), host @ host.T),
        (xp.take(x, xp.asarray([1, 0]), axis=0), host[[1, 0]]),
        (xp.lib.stride_tricks.sliding_window_view(x, (2, 2)).sum(axis=(2, 3)), np.array([[8, 12]], np.float32)),
        (xp.linalg.norm(x), np.linalg.norm(host)),
        (x.reshape(3, -1)[1:], host.reshape(3, -1)[1:]),
    ):
        assert isinstance(result, double.ndarray) and result.dtype == expected.dtype
        np.testing.assert_array_equal(result.get(), expected)


def test_out_is_the_object_given_and_is_filled() -> None:
    x, out = device(2, 3), xp.empty((2, 3), dtype=np.float32)
    assert xp.tanh(x, out=out) is out
    np.testing.assert_array_equal(out.get(), np.tanh(x.get()))
    product = xp.empty((2, 2), dtype=np.float32)
    assert xp.matmul(x, x.T, out=product) is product and not np.isnan(product.get()).any()
    total = xp.empty(3, dtype=np.float32)
    assert x.sum(axis=0, out=total) is total and total.get().tolist() == [3, 5, 7]


def test_views_write_through_and_in_place_keeps_the_object() -> None:
    x = same = device(2, 3)
    x += 1
    assert x is same
    row, element = x[0], x[1, 2]
    row *= 10
    element[...] = -5
    assert element.shape == () and x.get().tolist() == [[10, 20, 30], [4, 5, -5]]


def test_reductions_are_arrays_of_no_axes() -> None:
    for result in (device(3).sum(), xp.mean(device(3)), device(3).max(), device(3)[1]):
        assert isinstance(result, double.ndarray) and result.shape == ()


def test_empty_is_poisoned() -> None:
    assert np.isnan(xp.empty((2, 2), dtype=np.float32).get()).all()
    assert np.isnan(xp.empty_like(device(2)).get()).all()
    assert xp.empty(2, dtype=np.int32).get().tolist() == [77, 77]


def test_no_warnings_as_on_a_gpu() -> None:
    assert np.isinf((1 / device(2)).get()[0])  # a warning would be an error here
    assert np.isneginf(xp.log(device(2)).get()[0])


def test_host_data_is_copied() -> None:
    host = np.zeros(2, dtype=np.float32)
    there = xp.asarray(host)
    host[0] = 1
    assert there.get()[0] == 0
    assert xp.asarray(there) is there
    there.set(np.ones(2, dtype=np.float32))
    assert there.get().tolist() == [1, 1]


# ---- what it refuses

HOST = np.ones((2, 3), dtype=np.float32)

Case = Callable[[Any, Any], Any]

MIXTURES: dict[str, Case] = {
    "np.asarray(x)": lambda xp, x: np.asarray(x),
    "np.tanh(x)": lambda xp, x: np.tanh(x),
    "np.add(x, x)": lambda xp, x: np.add(x, x),
    "np.float32(x0)": lambda xp, x: np.float32(x[0, 0]),
    "np.copyto(n, x)": lambda xp, x: np.copyto(HOST.copy(), x),
    "n[...] = x": lambda xp, x: HOST.copy().__setitem__(..., x),
    "n += x": lambda xp, x: operator.iadd(HOST.copy(), x),
    "x + n": lambda xp, x: x + HOST,
    "n + x": lambda xp, x: HOST + x,
    "x += n": lambda xp, x: operator.iadd(x, HOST),
    "x < n": lambda xp, x: x < HOST,
    "x @ n": lambda xp, x: x @ HOST.T,
    "n @ x": lambda xp, x: HOST.T @ x,
    "xp.tanh(n)": lambda xp, x: xp.tanh(HOST),
    "xp.tanh([...])": lambda xp, x: xp.tanh([1.0, 2.0]),
    "xp.sum(n)": lambda xp, x: xp.sum(HOST),
    "xp.concatenate([x, n])": lambda xp, x: xp.concatenate([x, HOST]),
    "xp.where(n, x, x)": lambda xp, x: xp.where(HOST > 0, x, x),
    "xp.matmul(out=n)": lambda xp, x: xp.matmul(x, x.T, out=np.empty((2, 2), np.float32)),
    "x.sum(out=n)": lambda xp, x: x.sum(axis=0, out=HOST[0]),
    "x[n]": lambda xp, x: x[np.array([0])],
    "range(x0)": lambda xp, x: range(x[0, 0]),
    "list[x0]": lambda xp, x: [1, 2][x[0, 0]],
}
UNKNOWN_NAMES: dict[str, Case] = {
    "xp.errstate": lambda xp, x: xp.errstate,
    "xp.vecdot": lambda xp, x: xp.vecdot,
    "xp.block": lambda xp, x: xp.block,
    "xp.random": lambda xp, x: xp.random.default_rng,
    "xp.lib.array_utils": lambda xp, x: xp.lib.array_utils,
    "x.ctypes": lambda xp, x: x.ctypes,
    "x.__array_interface__": lambda xp, x: x.__array_interface__,
    "x.new = 1": lambda xp, x: setattr(x, "new", 1),
}
UNKNOWN_ARGUMENTS: dict[str, Case] = {
    "add(where=)": lambda xp, x: xp.add(x, x, where=True),
    "sum(where=)": lambda xp, x: xp.sum(x, where=True),
    "mean(where=)": lambda xp, x: xp.mean(x, where=True),
    "max(initial=)": lambda xp, x: xp.max(x, initial=0),
    "x.sum(initial=)": lambda xp, x: x.sum(initial=0),
    "clip(min=)": lambda xp, x: xp.clip(x, min=0, max=1),
    "einsum(out=)": lambda xp, x: xp.einsum("ij->i", x, out=x),
    "take(mode=)": lambda xp, x: xp.take(x, xp.asarray([0]), mode="clip"),
    "take, by position": lambda xp, x: xp.take(x, xp.asarray([0]), 0, None, "clip"),
    "as_strided(writeable=)": lambda xp, x: xp.lib.stride_tricks.as_strided(x, (2,), (4,), writeable=False),
    "x @= x": lambda xp, x: operator.imatmul(x, x),
    "int array += 1.5": lambda xp, x: operator.iadd(x.astype(np.int32), 1.5),
}
UNDEFINED: dict[str, Case] = {
    "duplicate indices": lambda xp, x: operator.setitem(x, xp.asarray([0, 0]), 1),
    "negative to unsigned": lambda xp, x: (-x).astype(np.uint8),
    "NaN to integer": lambda xp, x: xp.empty(2, dtype=np.float32).astype(np.int32),
}
MISFITS: dict[str, Case] = {
    "x[:] = n": lambda xp, x: operator.setitem(x, slice(None), HOST),
    "x.fill(n)": lambda xp, x: x.fill(HOST),
    "dot into a strided array": lambda xp, x: xp.dot(x.T, x, out=xp.zeros((3, 3), dtype=np.float32).T[::-1]),
    "x.set of another shape": lambda xp, x: x.set(HOST[0]),
}
REFUSED: dict[str, tuple[Case, type[Exception]]] = {
    name: (case, error)
    for cases, error in (
        (MIXTURES, TypeError),
        (UNKNOWN_NAMES, AttributeError),
        (UNKNOWN_ARGUMENTS, TypeError),
        (UNDEFINED, AssertionError),
        (MISFITS, ValueError),
    )
    for name, case in cases.items()
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    case, error = REFUSED[name]
    with pytest.raises(error):
        case(xp, device(2, 3))


def test_take_wants_out_of_the_same_type() -> None:
    with pytest.raises(TypeError, match="dtype mismatch"):
        xp.take(device(3), xp.asarray([1]), axis=0, out=xp.empty(1, dtype=np.float64))


# ---- what it counts

READS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "get": (lambda x: x.get(), 1),
    "asnumpy": (lambda x: xp.asnumpy(x), 1),
    "float": (lambda x: float(x.sum()), 1),
    "int": (lambda x: int(x.sum()), 1),
    "if": (lambda x: "yes" if x[0] > 0 else "no", 1),
    "item": (lambda x: x[0].item(), 1),
    "tolist": (lambda x: x.tolist(), 1),
    "format": (lambda x: f"{x.sum():.3f}", 1),
    "mask": (lambda x: x[x > 1], 1),
    "nonzero": (lambda x: (xp.nonzero(x), x.nonzero(), xp.where(x > 1)), 3),
    "arithmetic": (lambda x: (x @ x + 1).sum(), 0),
    "write by a mask": (lambda x: operator.setitem(x, x > 1, 0), 0),
    "shape, len, views": (lambda x: (x.shape, len(x), x[1:], x.T, x.dtype), 0),
}


@pytest.mark.parametrize(("case", "expected"), READS.values(), ids=READS.keys())
def test_reads_are_counted(case: Callable[[Any], Any], expected: int, device_reads: double.Count) -> None:
    case(device(3))
    assert device_reads.count == expected


# ---- the real package, where it is installed: it needs no GPU to be asked what it has

STRICTER = {
    *("np.tanh(x)", "np.add(x, x)", "xp.sum(n)", "x[n]", "x @= x"),  # CuPy computes, or copies in silence
    *("xp.random", "np.copyto(n, x)"),  # there, but not for nanogan
    *UNDEFINED,
}


@pytest.fixture(scope="module")
def real() -> Any:
    return pytest.importorskip("cupy", reason="the real cupy package is not installed")


def array_of(real: Any) -> Any:
    """A real CuPy array, without a device one whose memory is the host's: it can answer, but not compute."""
    if real.is_available():
        return real.ones((2, 3), dtype=np.float32)
    owner = real.cuda.UnownedMemory(HOST.ctypes.data, HOST.nbytes, HOST, device_id=0)
    return real.ndarray(HOST.shape, HOST.dtype, memptr=real.cuda.MemoryPointer(owner, 0))


def error_of(case: Case, xp: Any, x: Any) -> type[BaseException] | None:
    try:
        case(xp, x)
    except Exception as error:
        return type(error)
    return None


def test_real_cupy_refuses_what_the_double_refuses(real: Any) -> None:
    """Where the answer depends on nothing else: without a GPU, many cases ask for the device before all."""
    needs_device = () if real.is_available() else (real.cuda.runtime.CUDARuntimeError, ImportError)
    confirmed, contradicted = set(), set()
    for name, (case, expected) in REFUSED.items():
        got = error_of(case, real, array_of(real))
        if got and issubclass(got, expected):
            confirmed.add(name)
        elif name not in STRICTER and not (got and issubclass(got, needs_device)):
            contradicted.add(name)
    assert not contradicted
    assert len(confirmed) >= 25  # 26 of 51 with CuPy 14.2 and no driver


def test_real_cupy_still_has_all_that_is_recorded(real: Any) -> None:
    """A newer CuPy may have more. If it has less, record it anew: python tests/double/record_cupy_api.py"""
    now = record_cupy_api.record(real)
    for namespace in record_cupy_api.NAMESPACES:
        for name, (kind, *parameters) in double.MANIFEST[namespace].items():
            assert name in now[namespace], f"cupy {namespace}.{name} is gone"
            assert now[namespace][name][0] == kind
            assert set(parameters) <= set(now[namespace][name][1:]), f"parameters of cupy {namespace}.{name}"


def test_the_record_is_this_versions(real: Any) -> None:
    if real.__version__ != double.MANIFEST["version"]:
        pytest.skip(f"the record is of CuPy {double.MANIFEST['version']}, installed is {real.__version__}")
    assert record_cupy_api.write(record_cupy_api.record(real)) == record_cupy_api.MANIFEST.read_text(encoding="utf-8")
