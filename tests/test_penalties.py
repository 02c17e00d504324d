"""Gradient penalties: their values, their gradients, what they cost, and what they refuse."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from nanogan import (
    BatchNorm,
    BCEWithLogits,
    Conv2d,
    Dropout,
    Flatten,
    InputError,
    Layer,
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
    SpectralNorm,
    Tanh,
    between,
    one_centred_penalty,
    zero_centred_penalty,
)
from nanogan.backend import Array, Backend, Shape
from nanogan.gradcheck.checks import check_step
from nanogan.gradcheck.second_order import check_tangent
from nanogan.penalties import expect_penalised, tangent_gradients

N = 6
NETWORKS: dict[str, tuple[list[Layer], Shape]] = {
    "linear": ([Linear(4, 1)], (4,)),
    "dense": ([Flatten(), Linear(6, 5), LeakyReLU(), Linear(5, 4, bias=False), ReLU(), Linear(4, 1)], (2, 3)),
    "maxout and dropout": ([Dropout(0.2), Maxout(5, 4, 3), Dropout(0.5), Linear(4, 1)], (5,)),
    "convolutions": (
        [
            *(Conv2d(1, 3, 4, stride=2, padding=1), LeakyReLU()),
            *(Conv2d(3, 2, 3, stride=2, bias=False), ReLU(), Flatten(), Linear(2, 1)),
        ],
        (6, 6, 1),
    ),
    "packed": ([Pack(2), Linear(6, 5), LeakyReLU(), Linear(5, 1)], (3,)),
    "spectral": ([SpectralNorm(Linear(4, 5)), LeakyReLU(), SpectralNorm(Linear(5, 1))], (4,)),
    "nested": (
        [Sequential([Linear(3, 4), Skip([Linear(4, 2), LeakyReLU()])]), Reshape((2, 3)), Flatten(), Linear(6, 1)],
        (3,),
    ),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def made(name: str, backend: Backend, dtype: Any = np.float64) -> tuple[Network, Array]:
    layers, shape = NETWORKS[name]
    rng = np.random.default_rng(0)
    D = Network(layers, shape, backend=backend, dtype=dtype, rng=rng)
    return D, backend.asarray(rng.standard_normal((N, *shape)).astype(dtype))


def slopes(D: Network, x: Array) -> Array:
    """The norm of D's gradient for each output, from D's outputs alone: one central difference per value of x."""
    state = D.rng.bit_generator.state

    def outputs(host: Array) -> Array:
        D.rng.bit_generator.state = state
        return D.backend.to_host(D.forward(D.backend.asarray(host))).copy()[:, 0]

    host, h = D.backend.to_host(x).copy(), 1e-6
    per_output = len(host) // len(outputs(host))
    squares = np.zeros(len(host) // per_output)
    for index in np.ndindex(*host.shape):
        moved = host.copy(), host.copy()
        moved[0][index] += h
        moved[1][index] -= h
        slope = (outputs(moved[0]) - outputs(moved[1])) / (2 * h)
        squares += slope**2
        assert np.count_nonzero(abs(slope) > 1e-6) <= 1, "an output depends on its own image alone"
    D.rng.bit_generator.state = state
    return np.sqrt(squares)


@every_network
def test_penalties_are_what_their_formulas_say(name: str, backend: Backend) -> None:
    D, x = made(name, backend)
    D.forward(x)  # spectral norms and random numbers are where they are in the next pass
    norms = slopes(D, x)
    state = D.rng.bit_generator.state
    assert float(zero_centred_penalty(D, x, 3.0)) == pytest.approx(1.5 * np.mean(norms**2), rel=1e-6)
    D.rng.bit_generator.state = state
    assert float(one_centred_penalty(D, x, 10.0)) == pytest.approx(10 * np.mean((norms - 1) ** 2), rel=1e-6)


@every_network
def test_their_gradients_are_slopes_of_their_values(name: str, backend: Backend) -> None:
    D, x = made(name, backend)
    for penalty in (zero_centred_penalty, one_centred_penalty):

        def step(penalty: Any = penalty) -> Array:
            D.grads[...] = 0
            return penalty(D, x, 2.5)

        report = check_step(step, D, batch=N)
        assert report.passed, report
        assert all(row.checked for row in report.rows)


def test_gradients_are_added_to_those_that_are_there(backend: Backend) -> None:
    D, x = made("dense", backend)
    D.grads[...] = 0
    zero_centred_penalty(D, x, 2.0)
    alone = D.backend.to_host(D.grads).copy()
    D.grads[...] = 7
    zero_centred_penalty(D, x, 2.0)
    np.testing.assert_allclose(D.backend.to_host(D.grads), alone + 7, rtol=1e-12)


def test_no_bias_gets_a_gradient_from_a_penalty(backend: Backend) -> None:
    """D's slopes don't depend on a bias, but for which side of a kink an image is on."""
    for name in ("dense", "convolutions", "maxout and dropout", "spectral", "nested"):
        D, x = made(name, backend)
        D.grads[...] = 0
        zero_centred_penalty(D, x, 1.0)
        biases = [value for key, value in gradients(D).items() if key.endswith("b")]
        assert biases and all((value == 0).all() for value in biases)
        assert all((value != 0).any() for key, value in gradients(D).items() if key.endswith("W"))


def gradients(layer: Sequential, prefix: str = "") -> dict[str, Array]:
    found: dict[str, Array] = {}
    for position, inner in enumerate(layer.layers):
        if isinstance(inner, Sequential):
            found |= gradients(inner, f"{prefix}{position}.")
        else:
            found |= {
                f"{prefix}{position}.{n}": inner.backend.to_host(getattr(inner, "d" + n)) for n in inner.param_names()
            }
    return found


def test_the_gradient_penalty_of_a_flat_discriminator_is_finite(backend: Backend) -> None:
    """|g| has no derivative at g = 0. There it is taken as 0, so that nothing becomes NaN."""
    D, x = made("dense", backend)
    D.params[...] = 0
    D.grads[...] = 0
    assert float(one_centred_penalty(D, x, 10.0)) == pytest.approx(10)
    assert (D.backend.to_host(D.grads) == 0).all()


def test_images_between_lie_between(backend: Backend) -> None:
    D, x = made("dense", backend)
    real, fake = D.backend.to_host(x), np.ones((N, 2, 3))
    shares = np.linspace(0, 1, N)
    got = D.backend.to_host(between(D, x, backend.asarray(fake), backend.asarray(shares)))
    np.testing.assert_allclose(got, shares[:, None, None] * real + (1 - shares)[:, None, None] * fake, rtol=1e-12)
    with pytest.raises(ShapeError, match="as many generated as real"):
        between(D, x, backend.asarray(fake[:2]), backend.asarray(shares))


@pytest.mark.parametrize("layer", [Tanh(), Sigmoid(), BatchNorm(4), Sequential([Linear(4, 4), Tanh()])], ids=repr)
def test_a_layer_whose_slope_changes_is_refused_by_name(layer: Layer) -> None:
    with pytest.raises(InputError, match=r"(Tanh|Sigmoid|BatchNorm).*: takes no gradient penalty: it has no forward"):
        expect_penalised([Linear(4, 4), layer])
    expect_penalised([Linear(4, 4), Sequential([LeakyReLU()]), Dropout(0.1)])


class ForgetsItsMask(ReLU):
    """The planted mistake: its tangent is its function, not its slope."""

    def forward_tangent(self, v: Array) -> Array:
        return self.xp.maximum(v, 0)


class KeepsItsInput(Linear):
    """Another: backward_params still pairs dy with x."""

    def forward_tangent(self, v: Array) -> Array:
        return v @ self.W


@pytest.mark.parametrize(
    ("layer", "row"), [(ForgetsItsMask(), "dv"), (KeepsItsInput(4, 3), "dW")], ids=["mask", "input"]
)
def test_a_wrong_tangent_is_caught(layer: Layer, row: str) -> None:
    assert check_tangent(ReLU(), (4,)).passed and check_tangent(Linear(4, 3), (4,)).passed
    assert check_tangent(layer, (4,))[row].verdict == "FAIL"


def test_a_tangent_is_the_difference_of_two_passes(backend: Backend) -> None:
    """Within one piece of a piecewise linear D, D(x + v) - D(x) is the tangent exactly."""
    D, x = made("convolutions", backend)
    v = backend.asarray(np.asarray(1e-3 * np.random.default_rng(1).standard_normal(x.shape)))
    ahead = backend.to_host(D.forward(x + v)).copy()
    here = backend.to_host(D.forward(x)).copy()
    np.testing.assert_allclose(backend.to_host(D.forward_tangent(v)), ahead - here, rtol=1e-6, atol=1e-9)


def test_tangent_gradients_leave_the_next_pass_alone(backend: Backend) -> None:
    """After a penalty, forward and backward are what they were: nothing of the tangent stays behind."""
    D, x = made("nested", backend)
    dy = backend.asarray(np.ones((N, 1)))

    def plain() -> Array:
        D.forward(x)
        D.backward_params(dy)
        return backend.to_host(D.grads).copy()

    before = plain()
    D.forward(x)
    tangent_gradients(D, x, dy)
    np.testing.assert_array_equal(plain(), before)


def test_float32_stays_float32(backend: Backend) -> None:
    D, x = made("dense", backend, np.float32)
    D.grads[...] = 0
    shares = backend.asarray(np.linspace(0, 1, N, dtype=np.float32))
    for value in (zero_centred_penalty(D, x, 1.0), one_centred_penalty(D, between(D, x, 2 * x, shares), 10.0)):
        assert value.dtype == np.float32
    assert D.grads.dtype == np.float32


def test_a_penalty_allocates_nothing_that_grows_with_the_batch() -> None:
    rng = np.random.default_rng(0)
    D = Network([Flatten(), Linear(784, 8), LeakyReLU(), Maxout(8, 8, 2), Linear(8, 1)], (28, 28, 1), rng=rng)
    loss = BCEWithLogits()
    x = rng.standard_normal((512, 28, 28, 1), dtype=np.float32)

    def step() -> None:
        D.backward_params(loss.backward(D.forward(x), 1.0))
        zero_centred_penalty(D, x, 1.0)

    step()
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < x.nbytes / 20
