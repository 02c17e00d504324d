"""A network: layers in order, and its numbers in flat vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from cases import random_like

from nanogan import (
    BatchNorm,
    Dropout,
    FanIn,
    Flatten,
    Glorot,
    Layer,
    Linear,
    Network,
    Normal,
    Pack,
    ReLU,
    Reshape,
    Sequential,
    ShapeError,
    Tanh,
    Uniform,
)
from nanogan.backend import Array, Backend
from nanogan.gradcheck.checks import check_network
from nanogan.layer import Declared

NESTED: list[Layer] = [
    Flatten(),
    Linear(4, 5),
    Sequential([Tanh(), Sequential([Linear(5, 3, bias=False), Tanh()]), Linear(3, 4)]),
    Reshape((2, 2)),
]


def network(backend: Backend, layers: Sequence[Layer] = NESTED, shape: Any = (2, 2), **settings: Any) -> Network:
    settings = {"dtype": np.float64, "rng": np.random.default_rng(0), **settings}
    return Network(layers, shape, backend=backend, **settings)


def test_gradients_of_a_nested_network(backend: Backend) -> None:
    report = check_network(network(backend))
    assert report.passed, report
    assert [row.name for row in report.rows] == ["dx", "1.dW", "1.db", "2.1.0.dW", "2.2.dW", "2.2.db"]


def test_layers_work_on_views_of_the_flat_vectors(backend: Backend) -> None:
    net = network(backend)
    assert net.params.shape == net.grads.shape == (20 + 5 + 15 + 12 + 4,)
    assert net.shape == (2, 2)
    arrays = net.arrays()
    assert list(arrays) == ["1.W", "1.b", "2.1.0.W", "2.2.W", "2.2.b"]
    in_order = np.concatenate([backend.to_host(array).ravel() for array in arrays.values()])
    np.testing.assert_array_equal(in_order, backend.to_host(net.params))
    net.params[...] = 3.0
    assert all((backend.to_host(array) == 3).all() for array in arrays.values())
    arrays["2.1.0.W"][...] = 5.0
    assert (backend.to_host(net.params) == 5).sum() == 15
    net.grads[...] = 7.0
    assert (backend.to_host(net.layers[1].dW) == 7).all()


def test_a_network_holds_copies_of_its_layers(backend: Backend) -> None:
    """One description may stand in several places: each keeps its own activations and weights."""
    shared, pair = Linear(3, 3), Sequential([Linear(3, 3)])
    net = network(backend, [shared, Tanh(), shared, pair, pair], 3)
    assert len(net.params) == 4 * 12
    assert check_network(net).passed
    with pytest.raises(AttributeError, match="Linear has no 'W'"):
        shared.W  # noqa: B018
    with pytest.raises(AttributeError, match="Linear has no 'W'"):
        pair.layers[0].W  # noqa: B018
    assert repr(pair) == f"Sequential([{shared!r}])"


@dataclass
class Scale(Layer):
    """y = a x, with one learned number a; counts how often it was asked for which derivative."""

    def __post_init__(self) -> None:
        self.asked: list[str] = []

    def declare(self) -> dict[str, Declared]:
        return {"a": Declared((1,), lambda rng, shape: np.full(shape, 2.0))}

    def forward(self, x: Array, training: bool = True) -> Array:
        self.x = x
        return x * self.a

    def backward_params(self, dy: Array) -> None:
        self.asked.append("params")
        self.da[...] = (self.x * dy).sum()

    def backward_input(self, dy: Array) -> Array:
        self.asked.append("input")
        return dy * self.a


def test_nothing_is_computed_that_nobody_needs(backend: Backend) -> None:
    """D's step asks for no dx at the first layer with parameters; the generator's step asks D for no gradients."""
    net = network(backend, [Tanh(), Scale(), Tanh(), Scale()], 3)
    first, second = net.layers[1], net.layers[3]
    assert isinstance(first, Scale) and isinstance(second, Scale)
    first.asked, second.asked = [], []
    y = net.forward(backend.asarray(np.ones((2, 3))))
    dy = backend.asarray(random_like(y, np.random.default_rng(0)))
    net.backward_params(dy)
    assert (first.asked, second.asked) == (["params"], ["params", "input"])
    grads = backend.to_host(net.grads).copy()
    net.backward_input(dy)
    assert (first.asked, second.asked) == (["params", "input"], ["params", "input", "input"])
    net.grads[...] = 0.0
    net.backward(dy)
    np.testing.assert_array_equal(backend.to_host(net.grads), grads)


def test_a_network_without_parameters_or_without_layers(backend: Backend) -> None:
    x = np.array([[1.0, -2.0]])
    for layers, expected in (([ReLU()], [[1.0, 0.0]]), ([], x)):
        net = network(backend, layers, 2)
        assert net.params.shape == net.state.shape == (0,)
        np.testing.assert_array_equal(backend.to_host(net.forward(backend.asarray(x))), expected)
        net.backward_params(backend.asarray(x))
        assert net.backward_input(backend.asarray(x)).shape == (1, 2)


def test_evaluation_reaches_every_layer(backend: Backend) -> None:
    x = backend.asarray(np.ones((4, 50)))
    net = network(backend, [Sequential([Dropout(0.5)]), Dropout(0.5)], 50)
    assert (backend.to_host(net.forward(x)) == 0).any()
    np.testing.assert_array_equal(backend.to_host(net.forward(x, training=False)), backend.to_host(x))


def test_one_layer_that_couples_the_batch_makes_its_network_do_so(backend: Backend) -> None:
    """What the discriminator's step asks, to know whether real and fake images may share a batch."""
    assert not network(backend).depends_on_batch
    assert not network(backend, [], 3).depends_on_batch
    assert network(backend, [Tanh(), Sequential([BatchNorm(3)]), Tanh()], 3).depends_on_batch
    assert network(backend, [Pack(2), Tanh()], 3).depends_on_batch
    assert not network(backend, [Pack(1), Tanh()], 3).depends_on_batch


class Silent(Layer):
    """Declares a parameter and a state, and says nothing about their first values."""

    def declare(self) -> dict[str, Declared]:
        return {"a": Declared((50,)), "seen": Declared((50,), learned=False)}


def test_what_has_no_first_value_starts_at_zero(backend: Backend) -> None:
    """Gradients too: an optimizer may be stepped before the first backward pass."""
    net = network(backend, [Silent()], 3)
    for vector in (net.params, net.grads, net.state):
        np.testing.assert_array_equal(backend.to_host(vector), np.zeros(50))


def test_one_seed_gives_one_network(backend: Backend) -> None:
    """In float32 the same weights as in float64, rounded; and other weights for another seed."""
    double, single = network(backend), network(backend, dtype=np.float32)
    exact = backend.to_host(double.params)
    np.testing.assert_array_equal(backend.to_host(single.params), exact.astype(np.float32))
    assert not np.array_equal(exact, backend.to_host(network(backend, rng=np.random.default_rng(1)).params))
    assert not np.array_equal(exact, backend.to_host(Network(NESTED, (2, 2), backend=backend).params))
    assert Network(NESTED, (2, 2), backend=backend).dtype == np.float32


def test_what_does_not_fit_is_named(backend: Backend) -> None:
    with pytest.raises(ShapeError, match=r"layer 1, Linear\(n_in=4.*expected inputs of shape \(4,\), got \(3,\)"):
        network(backend, [Linear(2, 3), Linear(4, 1)], 2)
    with pytest.raises(ShapeError, match=r"layer 1, layer 0, Linear.*expected inputs of shape \(4,\)"):
        network(backend, [Linear(2, 3), Sequential([Linear(4, 1)])], 2)
    net = network(backend, [Linear(2, 3)], 2)
    with pytest.raises(ShapeError, match=r"inputs of shape \(2,\), got \(4, 3\)"):
        net.forward(backend.asarray(np.zeros((4, 3))))
    with pytest.raises(TypeError, match="expected inputs of float64, got float32"):
        net.forward(backend.asarray(np.zeros((4, 2), np.float32)))


# ---- state_dict


def test_a_state_dict_is_a_copy_that_another_network_takes_over(backend: Backend) -> None:
    one, other = network(backend), network(backend, rng=np.random.default_rng(1))
    held = one.state_dict()
    assert all(isinstance(array, np.ndarray) for array in held.values())
    params = other.params
    other.load_state_dict(held)
    assert other.params is params, "in place: the optimizer holds views"
    np.testing.assert_array_equal(backend.to_host(other.params), backend.to_host(one.params))
    before = held["1.W"].copy()
    one.params[...] = 0.0
    np.testing.assert_array_equal(held["1.W"], before)


def test_a_state_dict_that_does_not_fit_changes_nothing(backend: Backend) -> None:
    net = network(backend)
    held = {name: array + 1 for name, array in net.state_dict().items()}
    before = backend.to_host(net.params).copy()
    for values, message in (
        ({name: held[name] for name in list(held)[1:]}, r"1\.W in only one"),
        ({**held, "9.W": np.zeros(1)}, r"9\.W in only one"),
        ({**held, "2.2.b": np.zeros(3)}, r"2\.2\.b: expected shape \(4,\), got \(3,\)"),
    ):
        with pytest.raises(ShapeError, match=message):
            net.load_state_dict(values)
        np.testing.assert_array_equal(backend.to_host(net.params), before)


def test_a_state_dict_is_cast_to_the_networks_dtype(backend: Backend) -> None:
    single = network(backend, dtype=np.float32)
    single.load_state_dict(network(backend).state_dict())
    assert single.params.dtype == np.float32


# ---- first weights


@pytest.mark.parametrize(
    ("init", "bound"),
    [(FanIn(), 1 / math.sqrt(300)), (Glorot(), math.sqrt(6 / (300 + 400))), (Uniform(0.05), 0.05)],
    ids=repr,
)
def test_uniform_first_weights_fill_their_range(init: Any, bound: float) -> None:
    W = init.weight(300, 400)(np.random.default_rng(0), (300, 400))
    assert np.abs(W).max() <= bound
    np.testing.assert_allclose([W.min(), W.max()], [-bound, bound], rtol=1e-3)
    assert abs(W.mean()) < 0.01 * bound  # six standard deviations of the mean of 120,000
    assert W.std() == pytest.approx(bound / math.sqrt(3), rel=0.01)


def test_normal_first_weights_have_their_mean_and_deviation() -> None:
    for init, mean in ((Normal(0.02), 0.0), (Normal(0.02, mean=1.0), 1.0)):
        W = init.weight(300, 400)(np.random.default_rng(0), (300, 400))
        assert W.mean() == pytest.approx(mean, abs=6 * 0.02 / math.sqrt(W.size))
        assert W.std() == pytest.approx(0.02, rel=0.02)


def test_first_biases() -> None:
    rng = np.random.default_rng(0)
    for init in (Glorot(), Normal(0.02), Uniform(0.05)):
        np.testing.assert_array_equal(init.bias(300)(rng, (7,)), np.zeros(7))
    b = FanIn().bias(25)(rng, (4000,))  # as PyTorch's Linear
    np.testing.assert_allclose([b.min(), b.max()], [-0.2, 0.2], rtol=0.01)


def test_a_linear_layer_starts_as_its_init_says(backend: Backend) -> None:
    net = network(backend, [Linear(50, 80, init=Uniform(0.25))], 50)
    W, b = (backend.to_host(net.arrays()[name]) for name in ("0.W", "0.b"))
    np.testing.assert_allclose([W.min(), W.max()], [-0.25, 0.25], rtol=0.01)
    assert not b.any()
    net = network(backend, [Linear(100, 80)], 100)
    assert 0.09 < float(abs(net.params).max()) <= 0.1  # 1 / sqrt(fan_in), of which there are 100
