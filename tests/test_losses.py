"""Every loss against its textbook form, at every magnitude, and the promises of its interface."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import textbook
from hypothesis import given, settings
from hypothesis import strategies as st

from nanogan import BCE, L1, MSE, NUMPY, BCEWithLogits, InputError, ShapeError
from nanogan.backend import Array, Backend
from nanogan.losses import Loss
from nanogan.numerics import sigmoid

some_examples = settings(max_examples=25)


@dataclass(frozen=True)
class LossCase:
    """A loss, its textbook term and slope of one number, the numbers it takes, and what it rounds away in float64."""

    loss: type[Loss]
    term: Callable[[float, float], float]
    slope: Callable[[float, float], float]
    x: st.SearchStrategy[float]
    rounding: float = 1e-300


logits = st.floats(-1e4, 1e4)
probabilities = st.floats(0, 1)
CASES = [
    LossCase(BCEWithLogits, textbook.bce_with_logits, textbook.bce_with_logits_slope, logits),
    LossCase(BCE, textbook.bce, textbook.bce_slope, probabilities, rounding=2.3e-16),
    LossCase(L1, textbook.l1, textbook.l1_slope, logits),
    LossCase(MSE, textbook.mse, textbook.mse_slope, logits),
]
every_loss = pytest.mark.parametrize("case", CASES, ids=lambda case: case.loss.__name__)


def elementwise(f: Callable[[float, float], float], x: Array, t: Array) -> Array:
    return np.array([f(float(a), float(b)) for a, b in zip(x.flat, t.flat, strict=True)]).reshape(x.shape)


def drawn(data: st.DataObject, case: LossCase, dtype: Any) -> tuple[Array, Array]:
    """Outputs and targets of the same shape, as they are in `dtype`."""
    shape = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    size = math.prod(shape)
    x = data.draw(st.lists(case.x, min_size=size, max_size=size))
    t = data.draw(st.lists(st.sampled_from([0.0, 1.0, 0.9, 0.25]), min_size=size, max_size=size))
    return np.array(x, dtype).reshape(shape), np.array(t, dtype).reshape(shape)


@every_loss
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@given(data=st.data())
@some_examples
def test_value_and_slope_are_the_textbooks(case: LossCase, reduction: str, backend: Backend, data: Any) -> None:
    x, t = drawn(data, case, np.float64)
    loss = case.loss(reduction=reduction).bind(backend, np.float64)
    count = x.size if reduction == "mean" else 1
    value = float(loss.forward(backend.asarray(x), backend.asarray(t)))
    assert value == pytest.approx(elementwise(case.term, x, t).sum() / count, rel=1e-12, abs=case.rounding)
    dx = backend.to_host(loss.backward(backend.asarray(x), backend.asarray(t)))
    np.testing.assert_allclose(dx, elementwise(case.slope, x, t) / count, rtol=1e-9, atol=1e-15)


@every_loss
@pytest.mark.parametrize("t", [0.0, 1.0, 0.9])
@given(data=st.data())
@some_examples
def test_float32_stays_finite_at_any_magnitude(case: LossCase, t: float, backend: Backend, data: Any) -> None:
    """Warnings are errors, so that none is given either."""
    x, _ = drawn(data, case, np.float32)
    x[np.abs(x) < np.finfo(np.float32).tiny] = 0  # CuPy's kernels flush subnormals to 0
    loss = case.loss().bind(backend, np.float32)
    value, dx = loss.forward(backend.asarray(x), t), loss.backward(backend.asarray(x), t)
    assert value.dtype == dx.dtype == np.float32
    assert value.shape == ()
    assert math.isfinite(float(value))
    assert np.isfinite(backend.to_host(dx)).all()
    exact = elementwise(case.term, x, np.full_like(x, t)).mean()
    assert float(value) == pytest.approx(exact, rel=1e-4, abs=1e-6)


@every_loss
def test_a_number_as_target_is_that_number_everywhere(case: LossCase, backend: Backend) -> None:
    x = backend.asarray(np.linspace(0.1, 0.9, 6).reshape(2, 3))
    loss = case.loss().bind(backend, np.float64)
    for number in (0, 1, 0.9):
        t = backend.asarray(np.full((2, 3), float(number)))
        assert float(loss.forward(x, number)) == float(loss.forward(x, t))
        expected = backend.to_host(loss.backward(x, t)).copy()
        np.testing.assert_array_equal(backend.to_host(loss.backward(x, number)), expected)


@every_loss
def test_x_and_t_are_left_alone_and_out_is_used(case: LossCase, backend: Backend) -> None:
    host_x, host_t = np.linspace(0.1, 0.9, 6).reshape(6, 1), np.linspace(0, 1, 6).reshape(6, 1)
    x, t = backend.asarray(host_x.copy()), backend.asarray(host_t.copy())
    loss = case.loss().bind(backend, np.float64)
    loss.forward(x, t)
    expected = backend.to_host(loss.backward(x, t)).copy()
    np.testing.assert_array_equal(backend.to_host(loss.backward(x, t)), expected)
    np.testing.assert_array_equal(backend.to_host(x), host_x)
    np.testing.assert_array_equal(backend.to_host(t), host_t)


@every_loss
def test_forward_and_backward_keep_nothing_for_each_other(case: LossCase, backend: Backend) -> None:
    """The real and the fake term of a discriminator's loss may be computed in any order, and in any batch sizes."""
    rng = np.random.default_rng(0)
    loss = case.loss().bind(backend, np.float64)
    real, fake = (backend.asarray(rng.random((n, 1))) for n in (5, 3))
    alone = backend.to_host(case.loss().bind(backend, np.float64).backward(real, 1.0)).copy()
    loss.forward(real, 1.0)
    value = loss.forward(fake, 0.0)
    before = float(value)
    np.testing.assert_array_equal(backend.to_host(loss.backward(real, 1.0)), alone)
    assert float(value) == before, "a value is no view of a work array"


@every_loss
def test_memory_grows_by_a_few_numbers_per_logit(case: LossCase) -> None:
    def peak(n: int) -> int:
        x = np.full((n, 1), 0.5, np.float32)
        loss = case.loss().bind(NUMPY, np.float32)
        loss.forward(x, 1.0)
        loss.backward(x, 1.0)
        tracemalloc.start()
        loss.forward(x, 1.0)
        loss.backward(x, 1.0)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    a_few_numbers_per_logit = 5 * 4 * 20_000  # the losses on logits are expressions; those that see images are not
    assert abs(peak(40_000) - peak(20_000)) < (1024 if case.loss in (L1, MSE) else a_few_numbers_per_logit + 1024)


@every_loss
def test_what_it_cannot_take_is_refused(case: LossCase, backend: Backend) -> None:
    with pytest.raises(InputError, match="reduction is 'mean' or 'sum'"):
        case.loss(reduction="max")
    loss = case.loss().bind(backend, np.float64)
    x, t = backend.asarray(np.zeros((3, 1))), backend.asarray(np.zeros(3))
    for ask in (loss.forward, loss.backward):
        with pytest.raises(ShapeError, match=r"expected a target of shape \(3, 1\), got \(3,\)"):
            ask(x, t)


def test_a_loss_computes_in_the_dtype_it_was_told_or_not_at_all() -> None:
    """Without `on`, a loss is of float32; float64 numbers would lose half their digits in its work arrays."""
    x = np.zeros((2, 1))
    for ask in (BCEWithLogits().forward, BCEWithLogits().backward):
        with pytest.raises(TypeError, match="expected outputs of float32, got float64"):
            ask(x, 1.0)


# ---- what single losses promise


def test_nobody_knows_anything_at_the_equilibrium(backend: Backend) -> None:
    """Where D says 1/2 to everything, its summed loss is 2 ln 2 and the generator's is ln 2."""
    for loss, undecided in ((BCEWithLogits(), 0.0), (BCE(), 0.5)):
        bound, x = loss.bind(backend, np.float64), backend.asarray(np.full((4, 1), undecided))
        assert float(bound.forward(x, 1.0)) == pytest.approx(math.log(2), rel=1e-15)
        assert float(bound.forward(x, 1.0) + bound.forward(x, 0.0)) == pytest.approx(2 * math.log(2), rel=1e-15)


@pytest.mark.parametrize(
    ("x", "t", "value", "slope"), [(0, 1, 100, -1e12), (1, 0, 100, 1e12), (0, 0, 0, 0), (1, 1, 0, 0)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bce_of_a_certain_answer_is_clamped(
    backend: Backend, dtype: type, x: float, t: float, value: float, slope: float
) -> None:
    """A wrong one costs 100 and no more; a right one costs 0 exactly, and not -0 * inf."""
    loss, certain = BCE().bind(backend, dtype), backend.asarray(np.array([[x]], dtype))
    assert float(loss.forward(certain, t)) == value
    assert float(loss.backward(certain, t)[0, 0]) == pytest.approx(slope, rel=1e-6)


def test_l1_has_slope_0_at_its_kink(backend: Backend) -> None:
    x = backend.asarray(np.array([-1.0, 0.5, 2.0]))
    np.testing.assert_array_equal(
        backend.to_host(L1(reduction="sum").bind(backend, np.float64).backward(x, 0.5)), [-1, 0, 1]
    )


def test_probability_is_what_an_output_says(backend: Backend) -> None:
    x = backend.asarray(np.array([[0.0], [3.0], [-3.0]]))
    says = BCEWithLogits().bind(backend, np.float64).probability(x)
    np.testing.assert_allclose(backend.to_host(says)[:, 0], [0.5, 1 / (1 + math.exp(-3)), 1 / (1 + math.exp(3))])
    np.testing.assert_array_equal(backend.to_host(x)[:, 0], [0.0, 3.0, -3.0])
    assert MSE().bind(backend, np.float64).probability(x) is x


@given(x=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=5))
@some_examples
def test_sigmoid_neither_overflows_nor_loses_digits(backend: Backend, x: list[float]) -> None:
    array = backend.asarray(np.array(x))
    out = sigmoid(backend.xp, array)
    exact = [textbook.bce_with_logits_slope(number, 0.0) for number in x]  # sigmoid(x) - 0
    np.testing.assert_allclose(backend.to_host(out), exact, rtol=1e-14, atol=1e-320)


def test_a_loss_that_says_nothing_is_no_loss() -> None:
    x = np.zeros((2, 1), np.float32)
    for ask in (Loss().forward, Loss().backward):
        with pytest.raises(NotImplementedError):
            ask(x, 1.0)
