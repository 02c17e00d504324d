"""What the double sees of a GPU's own ways: kernels, tiny numbers, overlaps, hidden copies, late copies, products.

Each test plants the mistake that it is there for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import double
import numpy as np
import pytest
from double import cupy as xp
from double.device import overlaps_itself

from nanogan.backend_cupy import CupyBackend
from nanogan.backend_cupy_graph import Feed, leading

HOST = np.ones((2, 3), dtype=np.float32)


def device(*shape: int) -> Any:
    """0, 1, 2, ... in float32, on the double's device."""
    return xp.asarray(np.arange(np.prod(shape), dtype=np.float32).reshape(shape))


@pytest.fixture
def backend() -> CupyBackend:
    return double.backend()


@pytest.fixture(autouse=True)
def counts() -> None:
    double.launches.count = double.hidden_copies.count = 0


# ---- kernels

UNFUSED = ("--fmad=false",)


def test_kernel_runs_its_body_in_one_type() -> None:
    kernel = xp.ElementwiseKernel(
        "T x, T a", "T y, T z", "T t = a * x; y = t + y; z -= sqrt(t)", "example", options=UNFUSED
    )
    x, y, z = device(3), device(3), device(3)
    kernel(x, 0.1, y, z)
    t = np.float32(0.1) * x.get()
    assert t.dtype == np.float32
    np.testing.assert_array_equal(y.get(), t + x.get())
    np.testing.assert_array_equal(z.get(), x.get() - np.sqrt(t))


def test_kernel_leaves_its_inputs_alone() -> None:
    kernel = xp.ElementwiseKernel(
        "T x", "T y, T z", "T t = x; t += y; t *= x; y = t; z = x", "example", options=UNFUSED
    )
    x, y, z = device(3), device(3), xp.empty(3, dtype=np.float32)
    kernel(x, y, z)
    assert x.get().tolist() == z.get().tolist() == [0, 1, 2] and y.get().tolist() == [0, 2, 8]


@pytest.mark.parametrize("body", ["y = 0.5 * x", "y = x if x > 0 else a", "y = x ** a", "import os"])
def test_kernel_refuses_what_c_and_python_read_differently(body: str) -> None:
    with pytest.raises(SyntaxError):
        xp.ElementwiseKernel("T x, T a", "T y", body, "example", options=UNFUSED)


def test_kernel_refuses_to_be_fused() -> None:
    with pytest.raises(AssertionError, match="fuse"):
        xp.ElementwiseKernel("T x", "T y", "y = x", "example")


def test_kernel_refuses_wrong_arguments() -> None:
    kernel = xp.ElementwiseKernel("T x", "T y", "y = x", "example", options=UNFUSED)
    for args in ((device(2),), (device(2), HOST[0]), (HOST[0], device(3)), (device(2), device(2).astype(np.float64))):
        with pytest.raises(TypeError):
            kernel(*args)


def test_kernel_takes_an_array_of_no_axes_as_a_number() -> None:
    kernel = xp.ElementwiseKernel("T x, T a", "T y", "y = a * x", "example", options=UNFUSED)
    number, y = xp.asarray(np.array([3, 4], np.float32)), device(3)
    kernel(device(3), number[1], y)
    assert y.get().tolist() == [0, 4, 8]


def test_kernel_wants_outputs_of_the_shape_that_its_inputs_have() -> None:
    kernel = xp.ElementwiseKernel("T x, T a", "T y", "y = a * x", "example", options=UNFUSED)
    with pytest.raises(ValueError, match="mismatched"):
        kernel(device(2, 3), device(3), device(3))


def test_a_reduction_has_no_axes_and_is_one_launch() -> None:
    kernel = xp.ReductionKernel(
        "T x, T t, T count", "T y", "x * t", "a + b", "y = a / count", "0", "example", options=UNFUSED
    )
    x, t = device(2, 3), np.float32(2)
    double.launches.count = 0
    mean = kernel(x, t, np.float32(6))
    assert mean.shape == () and float(mean) == 5 and double.launches.count == 1


def test_a_raw_kernel_takes_no_views_and_no_numbers_of_pythons_types() -> None:
    source = "typedef float T;\n void channel_gradients("
    kernel = xp.RawKernel(source, "channel_gradients", UNFUSED)
    x, of_channels = device(4, 2), [xp.ones(2, dtype=np.float32) for _ in range(3)]
    kernel((2,), (32,), (x, x, of_channels[0], np.int32(4), np.int32(2), *of_channels[1:]))
    assert of_channels[2].get().tolist() == [12, 16]
    for wrong in ((x.T, np.int32(4)), (x, 4), (x.astype(np.float64), np.int32(4))):
        with pytest.raises(AssertionError):
            kernel((2,), (32,), (wrong[0], x, of_channels[0], wrong[1], np.int32(2), *of_channels[1:]))


# ---- float32 numbers too small to be normal

TINY = np.float32(1e-40)


@pytest.mark.parametrize(
    "operation",
    [lambda x: x * 1, lambda x: -x, lambda x: xp.log(x), lambda x: x.__iadd__(0), lambda x: xp.abs(x, out=x), abs],
)
def test_tiny_numbers_are_zero_in_kernels(operation: Callable[[Any], Any]) -> None:
    tiny, zero = (operation(xp.asarray(np.array([number], np.float32))).get() for number in (TINY, 0))
    np.testing.assert_array_equal(tiny, zero)


def test_tiny_numbers_survive_copies_products_and_double_precision() -> None:
    x = xp.asarray(np.array([[TINY]], np.float32))
    y = xp.empty_like(x)
    y[...] = x
    assert float(y[0, 0]) == float((x @ xp.ones((1, 1), dtype=np.float32))[0, 0]) == TINY
    assert float(xp.asarray(np.array(1e-310)) * 1) == 1e-310


# ---- launches, and copies that nobody has asked for

LAUNCHES: dict[str, tuple[Callable[[Any], Any], int]] = {
    "views": (lambda x: (x.T, x[1:], x.reshape(-1), x.reshape(3, 2).swapaxes(0, 1), x.view(np.int32)), 0),
    "a ufunc": (lambda x: xp.tanh(x), 1),
    "out=": (lambda x: xp.tanh(x, out=x), 1),
    "in place": (lambda x: x.__iadd__(1), 1),
    "an expression": (lambda x: 2 * x + 1, 2),
    "assignment": (lambda x: x.__setitem__(..., 0), 1),
    "x[0] += 1": (lambda x: x.__setitem__(0, x[0].__iadd__(1)), 1),
    "sum": (lambda x: x.sum(), 1),
    "mean": (lambda x: x.mean(), 2),
    "product": (lambda x: xp.matmul(x, x.T), 1),
    "copy to the device": (lambda x: xp.asarray(HOST), 1),
    "zeros": (lambda x: xp.zeros(3), 1),
    "empty": (lambda x: xp.empty(3), 0),
    "reshape of what isn't contiguous": (lambda x: x.T.reshape(-1), 1),
}


@pytest.mark.parametrize(("case", "expected"), LAUNCHES.values(), ids=LAUNCHES.keys())
def test_launches_are_counted(case: Callable[[Any], Any], expected: int) -> None:
    x = device(2, 3)
    double.launches.count = 0
    case(x)
    assert (double.launches.count, double.hidden_copies.count) == (expected, 0)


HIDDEN: dict[str, Callable[[Any], Any]] = {
    "another view of out": lambda x: xp.add(x[:, 1:], 1, out=x[:, :-1]),
    "the same memory, another object": lambda x: xp.add(x[:], 1, out=x[:]),
    "x += a view of x": lambda x: x.__iadd__(x[:1]),
    "operand with gaps": lambda x: xp.matmul(x[:, ::2], xp.ones((2, 2), dtype=x.dtype)),
}


@pytest.mark.parametrize("case", HIDDEN.values(), ids=HIDDEN.keys())
def test_hidden_copies_are_counted(case: Callable[[Any], Any]) -> None:
    case(device(2, 3))
    assert double.hidden_copies.count == 1


def test_an_array_that_overlaps_itself_is_not_written_to() -> None:
    x = device(4)
    assert not overlaps_itself(x._host.reshape(2, 2)[:, ::-1]) and not overlaps_itself(x._host[::2])
    assert not overlaps_itself(np.lib.stride_tricks.as_strided(x._host, (2, 2), (4, 8)))  # axes that interleave
    windows = xp.lib.stride_tricks.as_strided(x, (3, 2), (4, 4))
    assert windows.sum().get() == 9
    for write in (
        lambda: windows.__iadd__(1),
        lambda: windows.__setitem__(..., 0),
        lambda: xp.add(windows, 1, out=windows),
    ):
        with pytest.raises(AssertionError, match="overlaps itself"):
            write()


# ---- copies from pinned memory are done when they are done


def pinned(size: int) -> np.ndarray:
    return np.frombuffer(xp.cuda.alloc_pinned_memory(4 * size), np.float32)


def test_a_pinned_buffer_may_be_written_to_after_its_copy() -> None:
    host, there, done = pinned(3), device(3), xp.cuda.Event(disable_timing=True)
    there.set(host)
    done.record()
    done.synchronize()
    host[...] = 1
    xp.cuda.get_current_stream().synchronize()


@pytest.mark.parametrize("wait", ["an event from before", "a read"])
def test_a_pinned_buffer_written_to_before_is_seen(wait: str) -> None:
    host, there, before = pinned(3), device(3), xp.cuda.Event()
    before.record()
    (xp.asarray if wait == "a read" else there.set)(host)
    before.synchronize()
    host[...] = 1
    with pytest.raises(AssertionError, match="before its copy"):
        there.get()


def test_the_feed_waits_for_its_copies(backend: CupyBackend) -> None:
    feed = Feed(xp, [np.zeros(3, np.float32), np.zeros((), np.int64)])
    for step in range(5):
        feed.send([lambda: np.full(3, step, np.float32), lambda: np.array(step)])  # noqa: B023
    assert [backend.to_host(array).tolist() for array in feed.arrays] == [[4, 4, 4], 4]


def test_a_feed_that_does_not_wait_is_seen(backend: CupyBackend) -> None:
    feed = Feed(xp, [np.zeros(3, np.float32)])
    for event in feed.copied:
        event.synchronize = lambda: None
    for step in range(3):
        feed.send([lambda: np.full(3, step, np.float32)])  # noqa: B023
    with pytest.raises(AssertionError, match="before its copy"):
        backend.synchronize()


# ---- products


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gemm_is_the_product_for_every_layout(backend: CupyBackend, dtype: str) -> None:
    rng = np.random.default_rng(0)
    for m, k, n in ((2, 3, 4), (1, 3, 4), (2, 1, 4), (2, 3, 1), (1, 1, 1), (5, 1, 1), (1, 4, 1)):
        for a_turned, b_turned, a_cut, b_cut in np.ndindex(2, 2, 2, 2):
            a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
            there = [
                laid_out(backend, host, turned, cut)
                for host, turned, cut in ((a, a_turned, a_cut), (b, b_turned, b_cut))
            ]
            out = backend.xp.empty((m, n), dtype=dtype)
            assert backend.xp.matmul(*there, out=out) is out
            np.testing.assert_allclose(out.get(), a @ b, rtol=1e-5 if dtype == "float32" else 1e-12)


def laid_out(backend: CupyBackend, host: np.ndarray, turned: int, cut: int) -> Any:
    """The same numbers, transposed in memory or part of a larger array."""
    there = backend.asarray(np.ascontiguousarray(host.T if turned else host))
    if cut:
        larger = backend.xp.empty((there.shape[0] + 1, there.shape[1] + 2), dtype=there.dtype)
        larger[1:, 2:] = there
        there = larger[1:, 2:]
    return there.T if turned else there


def test_a_matrix_with_gaps_is_copied_first(backend: CupyBackend) -> None:
    x = device(4, 6)
    assert leading(x[:, ::2]) == (0, 0) and leading(x[::2]) == (0, 12) and leading(x.T) == (1, 6)
    np.testing.assert_array_equal(backend.xp.matmul(x[:, ::2], x[:3]).get(), x.get()[:, ::2] @ x.get()[:3])


def test_gemm_refuses_what_does_not_fit(backend: CupyBackend) -> None:
    for out in (xp.empty((3, 3), dtype=np.float32), xp.empty((2, 2), dtype=np.float32).T[::-1]):
        with pytest.raises(ValueError, match="don't fit"):
            backend.xp.matmul(device(2, 3), device(3, 2), out=out)
