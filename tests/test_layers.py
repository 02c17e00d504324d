"""The contract of a layer, held for every line of LAYER_CASES on every backend."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import textbook
from cases import LAYER_CASES, LayerCase, random_like
from hypothesis import given, settings
from hypothesis import strategies as st

from nanogan import (
    NUMPY,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    FanIn,
    Flatten,
    Glorot,
    InputError,
    LeakyReLU,
    Linear,
    Maxout,
    Network,
    Pack,
    ReLU,
    Reshape,
    Sequential,
    ShapeError,
    Sigmoid,
    Skip,
    Tanh,
    Upsample,
)
from nanogan.backend import Array, Backend
from nanogan.layer import Layer


def each(cases: list[LayerCase]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


every_layer = each(LAYER_CASES)
some_examples = settings(max_examples=5)
batches = st.integers(1, 4)
seeds = st.integers(0, 2**32 - 1)


class Bound:
    """One layer in a network of its own, asked on the host: arrays go to the backend and come back."""

    def __init__(self, case: LayerCase, backend: Backend, dtype: type = np.float64, seed: int = 0) -> None:
        self.network = case.network(backend, dtype, seed)
        self.backend = backend
        self.layer = self.network.layers[0]
        self.masks, self.state = self.network.rng.bit_generator.state, self.network.state.copy()

    def forward(self, x: Array) -> Array:
        """y, with the same random numbers (dropout masks) and the same state on every call."""
        self.network.rng.bit_generator.state = self.masks
        self.network.state[...] = self.state
        return self.backend.to_host(self.network.forward(self.backend.asarray(x))).copy()

    def backward(self, dy: Array) -> tuple[Array, Array]:
        """dx and the flat gradient, from NaN so that nothing may stay unwritten."""
        self.network.grads[...] = np.nan
        dx = self.backend.to_host(self.layer.backward(self.backend.asarray(dy))).copy()
        return dx, self.grads

    @property
    def grads(self) -> Array:
        return self.backend.to_host(self.network.grads).copy()


def central_differences(f: Callable[[Array], float], at: Array, h: float = 1e-5) -> Array:
    """df/d(at), one number at a time: (f(at + h) - f(at - h)) / 2 h"""
    slopes = np.zeros(at.shape)
    for index in np.ndindex(at.shape):
        up, down = at.copy(), at.copy()
        up[index] += h
        down[index] -= h
        slopes[index] = (f(up) - f(down)) / (up[index] - down[index])
    return slopes


def assert_same_gradient(exact: Array, numeric: Array) -> None:
    scale = max(np.abs(exact).max(initial=0), np.abs(numeric).max(initial=0), 1e-3)
    np.testing.assert_allclose(exact, numeric, rtol=0, atol=1e-6 * scale)


@every_layer
@given(n=batches, seed=seeds)
@some_examples
def test_gradients_are_the_slopes_of_the_forward_pass(case: LayerCase, backend: Backend, n: int, seed: int) -> None:
    """dx and every parameter's gradient against central differences of sum(y dy), dy random."""
    bound, rng = Bound(case, backend, seed=seed), np.random.default_rng(seed)
    x = case.inputs(rng, max(n, case.least))
    dy = random_like(bound.forward(x), rng)
    dx, grads = bound.backward(dy)

    params = backend.to_host(bound.network.params).copy()

    def at_params(p: Array) -> float:
        bound.network.params[...] = backend.asarray(p)
        return float((bound.forward(x) * dy).sum())

    assert_same_gradient(grads, central_differences(at_params, params))
    at_params(params)
    assert_same_gradient(dx, central_differences(lambda moved: float((bound.forward(moved) * dy).sum()), x))


@each([case for case in LAYER_CASES if case.plain])
@given(n=batches, seed=seeds)
@some_examples
def test_forward_is_the_textbook_form(case: LayerCase, backend: Backend, n: int, seed: int) -> None:
    assert case.plain
    bound = Bound(case, backend, seed=seed)
    x = case.inputs(np.random.default_rng(seed), max(n, case.least))
    masks = np.random.default_rng()
    masks.bit_generator.state = bound.masks
    params = {name: backend.to_host(array) for name, array in bound.layer.arrays().items()}
    np.testing.assert_allclose(bound.forward(x), case.plain(bound.layer, params, x, masks), rtol=1e-12, atol=1e-12)


@every_layer
def test_a_layer_foretells_the_shape_of_its_output(case: LayerCase, backend: Backend) -> None:
    bound = Bound(case, backend)
    x = case.inputs(np.random.default_rng(0), max(case.least, 2))
    y = bound.forward(x)
    assert bound.network.shape == y.shape[1:]
    assert bound.backward(np.zeros(y.shape))[0].shape == x.shape


@every_layer
def test_inputs_and_parameters_are_left_alone(case: LayerCase, backend: Backend) -> None:
    network = case.network(backend, np.float64)
    layer, rng = network.layers[0], np.random.default_rng(0)
    x = backend.asarray(case.inputs(rng, 3))
    y = layer.forward(x)
    dy = backend.asarray(random_like(y, rng))
    held = (x, y, dy, network.params)
    before = [backend.to_host(array).copy() for array in held]
    for derivative in (layer.backward_params, layer.backward_input, layer.backward):
        derivative(dy)
        for array, kept in zip(held, before, strict=True):
            np.testing.assert_array_equal(backend.to_host(array), kept)
    layer.forward(x)
    for array, kept in zip((x, network.params), (before[0], before[3]), strict=True):
        np.testing.assert_array_equal(backend.to_host(array), kept)


@every_layer
def test_float32_stays_float32(case: LayerCase, backend: Backend) -> None:
    network = case.network(backend, np.float32)
    layer, rng = network.layers[0], np.random.default_rng(0)
    y = layer.forward(backend.asarray(case.inputs(rng, 3, np.float32)))
    dx = layer.backward(backend.asarray(random_like(y, rng).astype(np.float32)))
    arrays = [y, dx, network.params, network.grads, network.state, *layer.arrays().values()]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


@each([case for case in LAYER_CASES if not case.random])
def test_float32_computes_what_float64_does(case: LayerCase, backend: Backend) -> None:
    rng = np.random.default_rng(0)
    exact, single = Bound(case, backend), Bound(case, backend, np.float32)
    single.network.params[...] = backend.asarray(backend.to_host(exact.network.params).astype(np.float32))
    x = case.inputs(rng, 3)
    y = exact.forward(x)
    dy = random_like(y, rng)
    np.testing.assert_allclose(single.forward(x.astype(np.float32)), y, rtol=1e-4, atol=1e-5)
    for got, expected in zip(single.backward(dy.astype(np.float32)), exact.backward(dy), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def traced_peak(case: LayerCase, n: int) -> int:
    """Most bytes held at any time during a second forward and backward pass of n inputs, above those at its start."""
    layer, rng = case.network(NUMPY, np.float32).layers[0], np.random.default_rng(0)
    x = case.inputs(rng, n, np.float32)
    dy = random_like(layer.forward(x), rng).astype(np.float32)
    layer.backward(dy)
    tracemalloc.start()
    layer.forward(x)
    layer.backward(dy)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


@every_layer
def test_memory_does_not_grow_with_the_batch(case: LayerCase) -> None:
    """Once the work arrays are there. NumPy casts in blocks of 8192 numbers, so both batches are larger than that."""
    n = 20_000 // min(case.input_shape)
    assert abs(traced_peak(case, 2 * n) - traced_peak(case, n)) < 1024


@every_layer
def test_batches_may_shrink_and_grow(case: LayerCase, backend: Backend) -> None:
    bound, rng = Bound(case, backend), np.random.default_rng(0)
    for n in (3, 2, 5, 4):
        fresh = Bound(case, backend)
        x = case.inputs(rng, n)
        y = bound.forward(x)
        dy = random_like(y, rng)
        np.testing.assert_array_equal(y, fresh.forward(x))
        for got, expected in zip(bound.backward(dy), fresh.backward(dy), strict=True):
            np.testing.assert_array_equal(got, expected)


@every_layer
def test_backward_is_its_two_halves(case: LayerCase, backend: Backend) -> None:
    bound, rng = Bound(case, backend), np.random.default_rng(0)
    dy = random_like(bound.forward(case.inputs(rng, 3)), rng)
    dx, grads = bound.backward(dy)

    on_device = backend.asarray(dy)
    bound.network.grads[...] = 7.0
    np.testing.assert_array_equal(backend.to_host(bound.layer.backward_input(on_device)), dx)
    assert (bound.grads == 7).all(), "backward_input is not to touch the gradients"
    bound.layer.backward_params(on_device)
    np.testing.assert_array_equal(bound.grads, grads)

    bound.layer.backward_params(on_device)  # written, not added up; the order of the halves is free
    np.testing.assert_array_equal(bound.grads, grads)
    np.testing.assert_array_equal(backend.to_host(bound.layer.backward_input(on_device)), dx)


@every_layer
def test_strided_arrays_give_what_contiguous_ones_give(case: LayerCase, backend: Backend) -> None:
    """Every second row of a larger array, and every axis backwards in memory."""
    bound, rng = Bound(case, backend), np.random.default_rng(0)
    x = case.inputs(rng, 3)
    y = bound.forward(x)
    dy = random_like(y, rng)
    dx, grads = bound.backward(dy)
    for stride in (every_second_row, axes_reversed):
        bound.network.rng.bit_generator.state = bound.masks
        y2 = bound.network.forward(stride(backend.asarray(x)))
        np.testing.assert_allclose(backend.to_host(y2), y, rtol=1e-12, atol=1e-12)
        dx2 = bound.layer.backward(stride(backend.asarray(dy)))
        np.testing.assert_allclose(backend.to_host(dx2), dx, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(bound.grads, grads, rtol=1e-12, atol=1e-12)


def every_second_row(array: Array) -> Array:
    return array.repeat(2, axis=0)[::2]


def axes_reversed(array: Array) -> Array:
    return array.T.copy().T


# ---- layers of any size

sizes = st.integers(1, 5)
shapes = st.lists(sizes, min_size=1, max_size=3).map(tuple)
LAYOUTS: list[Callable[[Array], Array]] = [lambda array: array, every_second_row, axes_reversed]


@st.composite
def any_case(draw: Any) -> LayerCase:
    """A layer of drawn sizes that is no line of the table."""
    n_in, n_out, shape, size = draw(sizes), draw(sizes), draw(shapes), draw(sizes)
    return draw(
        st.sampled_from(
            [
                LayerCase("Linear", Linear(n_in, n_out, bias=draw(st.booleans())), (n_in,), textbook.linear),
                LayerCase("Maxout", Maxout(n_in, n_out, draw(sizes)), (n_in,), textbook.maxout),
                LayerCase("ReLU", ReLU(), shape, textbook.relu),
                LayerCase("LeakyReLU", LeakyReLU(slope=draw(st.floats(0, 1))), shape, textbook.leaky_relu),
                LayerCase("Tanh", Tanh(), shape, textbook.tanh),
                LayerCase("Sigmoid", Sigmoid(), shape, textbook.sigmoid),
                LayerCase("Flatten", Flatten(), shape, textbook.flatten),
                LayerCase("Pack", Pack(size), shape, textbook.pack, pack=size),
            ]
        )
    )


@given(
    case=any_case(),
    batches=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    dtype=st.sampled_from([np.float32, np.float64]),
    layout=st.sampled_from(LAYOUTS),
    seed=seeds,
)
@settings(max_examples=40)
def test_any_size_dtype_layout_and_order_of_batches(
    backend: Backend, case: LayerCase, batches: list[int], dtype: type, layout: Callable[[Array], Array], seed: int
) -> None:
    """Forward as the textbook, backward as a fresh layer in contiguous float64 (whose gradients are proved above)."""
    assert case.plain
    bound, rng = Bound(case, backend, dtype, seed), np.random.default_rng(seed)
    close: Any = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-12}
    params = backend.to_host(bound.network.params).astype(np.float64)
    for n in batches:
        x = case.inputs(rng, n, dtype)
        y = backend.to_host(bound.network.forward(layout(backend.asarray(x)))).copy()
        own = {name: backend.to_host(array) for name, array in bound.layer.arrays().items()}
        np.testing.assert_allclose(y, case.plain(bound.layer, own, x, rng), **close)
        assert y.dtype == dtype

        exact = Bound(case, backend)
        exact.network.params[...] = backend.asarray(params)
        exact.forward(x.astype(np.float64))
        dy: Array = random_like(y, rng).astype(dtype)
        dx = backend.to_host(bound.layer.backward(layout(backend.asarray(dy))))
        expected_dx, expected_grads = exact.backward(dy.astype(np.float64))
        np.testing.assert_allclose(dx, expected_dx, **close)
        np.testing.assert_allclose(bound.grads, expected_grads, **close)
        assert dx.dtype == dtype


# ---- what single layers promise beyond the table


def test_relu_is_zero_and_flat_at_its_kink(backend: Backend) -> None:
    for layer in (LeakyReLU(slope=0.2), LeakyReLU(slope=0.0)):
        network = Network([layer], 1, backend=backend, dtype=np.float64)
        y = network.forward(backend.asarray(np.zeros((1, 1))))
        assert float(y[0, 0]) == 0
        assert float(network.backward(backend.asarray(np.ones((1, 1))))[0, 0]) == layer.slope


@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple), n=batches)
@some_examples
def test_flatten_and_reshape_are_each_others_inverse(backend: Backend, shape: tuple[int, ...], n: int) -> None:
    network = Network([Flatten(), Reshape(shape)], shape, backend=backend, dtype=np.float64)
    x = np.arange(float(n * np.prod(shape))).reshape(n, *shape)
    np.testing.assert_array_equal(backend.to_host(network.forward(backend.asarray(x))), x)
    np.testing.assert_array_equal(backend.to_host(network.backward(backend.asarray(x))), x)


def test_dropout_keeps_the_mean_and_is_nothing_in_evaluation(backend: Backend) -> None:
    network = Network([Dropout(0.3)], 1000, backend=backend, rng=np.random.default_rng(0))
    x = backend.asarray(np.ones((100, 1000), np.float32))
    y = backend.to_host(network.forward(x))
    assert abs(float((y == 0).mean()) - 0.3) < 0.01  # six standard deviations of 100,000 draws
    assert abs(float(y.mean()) - 1) < 0.01
    assert not np.array_equal(y.copy(), backend.to_host(network.forward(x))), "a mask is drawn afresh"
    np.testing.assert_array_equal(backend.to_host(network.forward(x, training=False)), backend.to_host(x))
    np.testing.assert_array_equal(backend.to_host(network.backward_input(x)), backend.to_host(x))


def test_dropout_trains_unless_told_otherwise_and_of_nothing_draws_nothing(backend: Backend) -> None:
    x = backend.asarray(np.ones((1, 100), np.float32))
    for dropping in (Dropout(0.5), Sequential([Dropout(0.5)]), Skip([Dropout(0.5)])):
        layer = Network([dropping], 100, backend=backend).layers[0]
        assert (backend.to_host(layer.forward(x)) == 0).any()
    rng = np.random.default_rng(0)
    state = rng.bit_generator.state
    Network([Dropout(0.0)], 100, backend=backend, rng=rng).forward(x)
    assert rng.bit_generator.state == state


def test_batch_norm_trains_unless_told_otherwise(backend: Backend) -> None:
    """A momentum of 0, which is allowed, leaves the running mean at 0."""
    x = backend.asarray(np.full((4, 2), 3.0, np.float32))
    for momentum, expected in ((0.5, 1.5), (0.0, 0.0)):
        layer = Network([BatchNorm(2, momentum=momentum)], 2, backend=backend).layers[0]
        layer.forward(x)
        np.testing.assert_array_equal(backend.to_host(layer.running_mean), [expected] * 2)


def test_the_first_of_equal_maxout_pieces_takes_the_gradient(backend: Backend) -> None:
    """All pieces are 0 here: split among them or given to each, the gradient would not be a slope of any one piece."""
    network = Network([Maxout(2, 3, 4)], 2, backend=backend, dtype=np.float64)
    network.params[...] = 0.0
    network.forward(backend.asarray(np.ones((5, 2))))
    network.backward_params(backend.asarray(np.ones((5, 3))))
    np.testing.assert_array_equal(backend.to_host(network.layers[0].db), [5] * 3 + [0] * 9)
    np.testing.assert_array_equal(backend.to_host(network.layers[0].dW), [[5] * 3 + [0] * 9] * 2)


def test_first_weights_know_a_layers_fans(backend: Backend) -> None:
    """Glorot's bound is sqrt(6 / (fan_in + fan_out)); a Maxout feeds all its pieces. PyTorch's is 1 / sqrt(fan_in)."""
    for layer, bound in (
        (Linear(40, 60, init=Glorot()), (6 / 100) ** 0.5),
        (Maxout(40, 20, 3, init=Glorot()), (6 / 100) ** 0.5),
        (Linear(40, 60), 40**-0.5),
        (Maxout(40, 20, 3), 40**-0.5),
    ):
        arrays = Network([layer], 40, backend=backend, rng=0).arrays()
        assert 0.98 * bound < float(abs(arrays["0.W"]).max()) <= bound
        b = float(abs(arrays["0.b"]).max())
        assert 0.9 * bound < b <= bound if layer.init == FanIn() else b == 0
    for convolution in (Conv2d(5, 7, 4, init=Glorot()), ConvTranspose2d(7, 5, 4, init=Glorot())):
        arrays = Network([convolution], (4, 4, convolution.c_in), backend=backend, rng=0).arrays()
        bound = (6 / (16 * 5 + 16 * 7)) ** 0.5  # every pixel of a 4 x 4 kernel counts
        assert 0.98 * bound < float(abs(arrays["0.W"]).max()) <= bound


def test_a_convolution_moves_by_one_pixel_unless_told_otherwise() -> None:
    assert Conv2d(1, 2, 2).output_shape((5, 4, 1)) == (4, 3, 2)
    assert ConvTranspose2d(1, 2, 2).output_shape((5, 4, 1)) == (6, 5, 2)
    assert ConvTranspose2d(1, 2, 1).output_shape((1, 1, 1)) == (1, 1, 2), "one pixel is an image"


def test_the_shape_of_a_reshape_may_be_a_list() -> None:
    assert Reshape([2, 3]) == Reshape((2, 3))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layer", "input_shape", "message"),
    [
        (Maxout(3, 2, 2), (4,), r"Maxout.*expected inputs of shape \(3,\), got \(4,\)"),
        (ConvTranspose2d(3, 2, 4), (4, 4, 2), r"ConvTranspose2d.*expected inputs of shape \(height, width, 3\)"),
        (Upsample(2), (4,), r"Upsample.*expected inputs of shape \(height, width, channels\), got \(4,\)"),
        (Linear(3, 2), (4,), r"Linear.*expected inputs of shape \(3,\), got \(4,\)"),
        (Linear(12, 2), (3, 4), r"Linear.*expected inputs of shape \(12,\), got \(3, 4\)"),
        (
            Skip([Flatten()]),
            (2, 3),
            r"Skip: .* keep all axes but the last: they turn \(2, 3\) into \(6,\)",
        ),
        (Reshape((2, 2)), (5,), r"Reshape.*expected 4 values per input, got 5"),
    ],
)
def test_a_layer_names_the_shape_it_expected(layer: Layer, input_shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Network([layer], input_shape)


@pytest.mark.parametrize("make", [lambda: LeakyReLU(slope=1.5), lambda: LeakyReLU(slope=-0.1)])
def test_a_slope_outside_its_range_is_refused(make: Callable[[], Layer]) -> None:
    with pytest.raises(InputError, match="slope must lie in"):
        make()


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_dropping_less_than_nothing_or_all_is_refused(p: float) -> None:
    with pytest.raises(InputError, match="share of inputs dropped"):
        Dropout(p)


@pytest.mark.parametrize("make", [lambda: Maxout(2, 2, 0), lambda: Upsample(0), lambda: Pack(0)])
def test_none_at_all_is_refused(make: Callable[[], Layer]) -> None:
    with pytest.raises(InputError, match="must be at least 1"):
        make()


def test_a_pack_that_would_stay_half_empty_is_refused(backend: Backend) -> None:
    network = Network([Pack(2)], 3, backend=backend)
    with pytest.raises(ShapeError, match=r"Pack\(size=2\): expected a batch of a multiple of 2 inputs, got 5"):
        network.forward(backend.asarray(np.zeros((5, 3), np.float32)))


def test_upsampling_by_one_is_nothing(backend: Backend) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 1))
    network = Network([Upsample(1)], (3, 4, 1), backend=backend, dtype=np.float64)
    np.testing.assert_array_equal(backend.to_host(network.forward(backend.asarray(x))), x)


def test_an_unbound_layer_says_what_is_missing() -> None:
    with pytest.raises(AttributeError, match="W, dW and so on exist once a Network binds it"):
        Linear(2, 3).forward(np.zeros((1, 2), np.float32))
    with pytest.raises(NotImplementedError, match="Layer has no forward"):
        Layer().forward(np.zeros(1))
    with pytest.raises(NotImplementedError, match="Layer has no backward_input"):
        Layer().backward_input(np.zeros(1))
