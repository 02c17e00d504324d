"""What the double sees of CUDA graphs: what is refused, what is frozen, what runs when; and steps that are replayed.

Each test plants the mistake that it is there for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import double
import numpy as np
import pytest
from double import cupy as xp

from nanogan.backend_cupy import CupyBackend
from nanogan.backend_cupy_graph import Gemm
from nanogan.errors import InputError

HOST = np.ones((2, 3), dtype=np.float32)


def device(*shape: int) -> Any:
    """0, 1, 2, ... in float32, on the double's device."""
    return xp.asarray(np.arange(np.prod(shape), dtype=np.float32).reshape(shape))


@pytest.fixture
def backend() -> CupyBackend:
    return double.backend()


class Recording:
    """A recording with a memory pool of its own."""

    def __init__(self, backend: CupyBackend, pool: bool = True) -> None:
        self.stream = xp.cuda.Stream(non_blocking=True)
        self.allocator = xp.cuda.using_allocator(xp.cuda.MemoryPool().malloc if pool else None)

    def __enter__(self) -> Recording:
        self.allocator.__enter__()
        self.stream.__enter__().begin_capture()
        return self

    def __exit__(self, *error: Any) -> None:
        self.graph = self.stream.end_capture()
        self.stream.__exit__(*error)
        self.allocator.__exit__(*error)


def test_without_a_workspace_of_its_own_cublas_allocates(backend: CupyBackend) -> None:
    x = device(2, 2)
    with double.installed():
        gemm = Gemm(xp)
    follow = gemm._follow

    def follow_and_forget(stream: int) -> None:
        follow(stream)
        gemm._call("cublasSetStream_v2", gemm.handle, type(gemm.handle)(stream))  # which resets the workspace

    gemm._follow = follow_and_forget  # type: ignore[method-assign]
    with Recording(backend), pytest.raises(AssertionError, match="workspace"):
        gemm(x, x.T)


def test_a_product_on_another_stream_is_seen(backend: CupyBackend) -> None:
    """The planted mistake: cuBLAS isn't told that another stream is the current one."""
    x = device(2, 2)
    with double.installed():
        gemm = Gemm(xp)
    gemm(x, x.T)
    gemm._follow = lambda stream: None  # type: ignore[method-assign]
    with Recording(backend), pytest.raises(AssertionError, match="a race"):
        gemm(x, x.T)


def test_a_graph_runs_when_it_is_launched(backend: CupyBackend) -> None:
    x, y = device(3), device(3)
    with Recording(backend) as captured:
        xp.multiply(x, 2, out=y)
        y += x.sum()
        y[0] = 7
        y *= backend.formulas.tanh_slope(x, x, xp.empty_like(x)) * 0 + 1
    assert y.get().tolist() == [0, 1, 2]
    x[...] = 1
    double.launches.count = 0
    captured.graph.launch()
    assert y.get().tolist() == [7, 5, 5] and double.launches.count == 1 and captured.graph.kernels == 8


def test_numbers_given_by_value_are_frozen_and_arrays_of_no_axes_are_not(backend: CupyBackend) -> None:
    x, y, factor, by_value = device(3), device(3), device(1), 2.0
    with Recording(backend) as captured:
        xp.multiply(x, by_value, out=y)
        y += factor[0]
    by_value = 3.0
    factor[...] = 10
    captured.graph.launch()
    assert y.get().tolist() == [10, 12, 14] and by_value == 3


REFUSED_IN_CAPTURE: dict[str, tuple[Callable[[Any], Any], type[Exception]]] = {
    "a read": (lambda x: float(x[0, 0]), RuntimeError),
    "get": (lambda x: x.get(), RuntimeError),
    "nonzero": (lambda x: x.nonzero(), RuntimeError),
    "asarray of the host's": (lambda x: xp.asarray(HOST), RuntimeError),
    "set": (lambda x: x.set(HOST), RuntimeError),
    "matmul": (lambda x: xp.matmul(x, x.T), NotImplementedError),
    "@": (lambda x: x @ x.T, NotImplementedError),
    "dot": (lambda x: xp.dot(x, x.T), NotImplementedError),
    "einsum": (lambda x: xp.einsum("ij->i", x), NotImplementedError),
    "synchronize": (lambda x: xp.cuda.get_current_stream().synchronize(), RuntimeError),
    "an event": (lambda x: xp.cuda.Event().synchronize(), RuntimeError),
    "another capture": (lambda x: xp.cuda.get_current_stream().begin_capture(), RuntimeError),
}


@pytest.mark.parametrize(("case", "error"), REFUSED_IN_CAPTURE.values(), ids=REFUSED_IN_CAPTURE.keys())
def test_refused_in_capture(backend: CupyBackend, case: Callable[[Any], Any], error: type[Exception]) -> None:
    x = device(2, 3)
    with Recording(backend), pytest.raises(error):
        case(x)


def test_the_default_stream_is_not_recorded() -> None:
    with pytest.raises(RuntimeError, match="default stream"):
        xp.cuda.Stream(null=True).begin_capture()


def test_what_a_graph_allocates_is_its_own(backend: CupyBackend) -> None:
    x = device(3)
    with Recording(backend, pool=False), pytest.raises(AssertionError, match="everybody"):
        x + 1


# ---- a step that repeats itself


class Step:
    """x += the mean of fresh numbers, times a count that the host keeps, with a work array."""

    def __init__(self, backend: CupyBackend) -> None:
        self.backend, self.rng, self.count = backend, np.random.default_rng(0), 0
        self.x, self.work = backend.xp.zeros(3, dtype=np.float32), backend.xp.empty(3, dtype=np.float32)

    def draw(self) -> np.ndarray:
        self.count += 1
        return self.rng.standard_normal(3).astype(np.float32)

    def __call__(self) -> None:
        z = self.backend.fresh(self.draw)
        count = self.backend.fresh(lambda: np.array(self.count, np.float32))
        self.backend.xp.multiply(z, count, out=self.work)
        self.x += self.work.sum()


def result(backend: CupyBackend, steps: int, grow_at: int = -1) -> tuple[list[float], int]:
    step = Step(backend)
    repeated = backend.repeatable(step)
    for number in range(steps):
        if number == grow_at:
            step.work = backend.xp.empty(3, dtype=np.float32)
            backend.growths += 1
        repeated()
    return step.x.get().tolist(), step.count


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_a_repeated_step_does_what_the_step_does(backend: CupyBackend, steps: int) -> None:
    plain = result(double.backend(graphs=False), steps)
    assert result(backend, steps) == plain == result(backend, steps, grow_at=4)
    assert plain[1] == steps


def test_a_replayed_step_is_one_copy_and_one_launch(backend: CupyBackend) -> None:
    repeated = backend.repeatable(Step(backend))
    for _ in range(2):
        repeated()
    double.launches.count = 0
    repeated()
    assert double.launches.count == 2


def test_a_grown_array_that_is_not_counted_is_seen(backend: CupyBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted mistake: then the graph goes on with the old array, here with numbers of the host's old draws."""
    step = Step(backend)
    repeated = backend.repeatable(step)
    for _ in range(3):
        repeated()
    step.x = backend.xp.zeros(3, dtype=np.float32)
    repeated()
    assert step.x.get().tolist() == [0, 0, 0]  # nothing arrived
    backend.growths += 1
    repeated()
    assert step.x.get().all()


def test_a_step_that_reads_says_what_to_do(backend: CupyBackend) -> None:
    x = device(3)
    repeated = backend.repeatable(lambda: print(float(x.sum())))
    repeated()
    with pytest.raises(InputError, match="--no-graph"):
        repeated()
    assert float(x.sum()) == 3  # the recording was ended


def test_fresh_numbers_keep_their_shape(backend: CupyBackend) -> None:
    shapes: Iterator[int] = iter([3, 3, 2])
    repeated = backend.repeatable(lambda: backend.fresh(lambda: np.zeros(next(shapes))).sum())
    repeated()
    repeated()
    with pytest.raises(RuntimeError, match=r"\(2,\), not \(3,\)"):
        repeated()
