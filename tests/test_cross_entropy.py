"""Softmax cross-entropy against its textbook form, its derivative against finite differences, and what it refuses."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nanogan import InputError, ShapeError
from nanogan.backend import NUMPY, Array, Backend
from nanogan.gradcheck.checks import check_loss
from nanogan.losses import CrossEntropy


def case(n: int, k: int, seed: int = 0, size: float = 3.0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return size * rng.standard_normal((n, k)), rng.integers(0, k, n)


def textbook(x: Array, t: Array) -> tuple[list[float], list[list[float]]]:
    """-log p_t and p_k - [k = t] of each row, from p_k = exp(x_k) / sum exp(x_j) as written."""
    terms, slopes = [], []
    for row, label in zip(x.tolist(), t.tolist(), strict=True):
        total = math.fsum(math.exp(v) for v in row)
        p = [math.exp(v) / total for v in row]
        terms.append(-math.log(p[label]))
        slopes.append([p_k - (k == label) for k, p_k in enumerate(p)])
    return terms, slopes


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 99))
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_value_and_slope_are_the_textbooks(backend: Backend, n: int, k: int, seed: int) -> None:
    x, t = case(n, k, seed)
    terms, slopes = textbook(x, t)
    for reduction, count in (("mean", n), ("sum", 1)):
        loss = CrossEntropy(reduction=reduction).bind(backend, np.float64)
        device_x, device_t = backend.asarray(x), backend.asarray(t)
        assert float(loss.forward(device_x, device_t)) == pytest.approx(math.fsum(terms) / count, rel=1e-12, abs=1e-14)
        dx = backend.to_host(loss.backward(device_x, device_t))
        np.testing.assert_allclose(dx, np.array(slopes) / count, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_derivative_is_proved(reduction: str) -> None:
    x, t = case(4, 6)
    report = check_loss(CrossEntropy(reduction=reduction), x, t)
    assert report.passed, str(report)


def test_large_logits_neither_overflow_nor_lose_the_value(backend: Backend) -> None:
    loss = CrossEntropy().bind(backend, np.float32)
    x = backend.asarray(np.array([[1e4, 0, -1e4]], dtype=np.float32))
    for label, value, slope in ((0, 0, [0, 0, 0]), (2, 2e4, [1, 0, -1])):
        t = backend.asarray(np.array([label]))
        assert float(loss.forward(x, t)) == value
        np.testing.assert_array_equal(backend.to_host(loss.backward(x, t)), [slope])


def test_forward_and_backward_keep_nothing_for_each_other(backend: Backend) -> None:
    (x, t), (other_x, other_t) = case(5, 4), case(3, 4, seed=1)
    loss = CrossEntropy().bind(backend, np.float64)
    alone = backend.to_host(loss.backward(backend.asarray(x), backend.asarray(t))).copy()
    loss.forward(backend.asarray(other_x), backend.asarray(other_t))
    device_x, device_t = backend.asarray(x.copy()), backend.asarray(t.copy())
    np.testing.assert_array_equal(backend.to_host(loss.backward(device_x, device_t)), alone)
    np.testing.assert_array_equal(backend.to_host(device_x), x)
    np.testing.assert_array_equal(backend.to_host(device_t), t)


def test_probability_is_softmax(backend: Backend) -> None:
    x = np.array([[0.0, math.log(2), math.log(5)], [1e4, 1e4, 0]])
    p = CrossEntropy().bind(backend, np.float64).probability(backend.asarray(x))
    np.testing.assert_allclose(backend.to_host(p), [[1 / 8, 2 / 8, 5 / 8], [0.5, 0.5, 0]], rtol=1e-15)


def test_memory_grows_by_a_few_numbers_per_logit() -> None:
    def peak(n: int) -> int:
        x, t = case(n, 3)
        loss = CrossEntropy().bind(NUMPY, np.float64)
        for measured in (False, True):
            if measured:
                tracemalloc.start()
            loss.forward(x, t)
            loss.backward(x, t)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert abs(peak(40_000) - peak(20_000)) < 4 * 3 * 8 * 20_000


def test_what_does_not_fit_is_refused(backend: Backend) -> None:
    loss = CrossEntropy().bind(backend, np.float64)
    x = backend.asarray(np.zeros((3, 4)))
    for bad in (np.zeros(2, int), np.zeros((3, 1), int), np.zeros(3)):
        with pytest.raises(ShapeError, match=r"expected logits \(N, K\) and integer targets \(N,\), got \(3, 4\) and"):
            loss.forward(x, backend.asarray(bad))
    with pytest.raises(ShapeError, match=r"got \(3, 4\) and 1\.0"):
        loss.backward(x, 1.0)
    with pytest.raises(ShapeError, match=r"got \(3,\) and int64 \(3,\)"):
        loss.backward(x[:, 0], backend.asarray(np.zeros(3, np.int64)))
    with pytest.raises(TypeError, match="expected outputs of float32, got float64"):
        CrossEntropy().forward(np.zeros((3, 4)), np.zeros(3, int))
    with pytest.raises(InputError, match="reduction is 'mean' or 'sum'"):
        CrossEntropy(reduction="max")
