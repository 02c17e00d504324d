"""Spectral normalisation: sigma is the largest singular value, at first and while W moves, and y forgets W's size."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from nanogan import Adam, Conv2d, InputError, Linear, Maxout, Network, ReLU, SpectralNorm
from nanogan.backend import Array, Backend
from nanogan.recipes import describe, restore

LAYERS = [
    (SpectralNorm(Linear(7, 4)), 7),
    (SpectralNorm(Maxout(5, 3, 2)), 5),
    (SpectralNorm(Conv2d(2, 3, 3)), (4, 4, 2)),
]


def largest(W: Array) -> float:
    return float(np.linalg.svd(W)[1][0])


def made(layer: Any, shape: Any, backend: Backend) -> tuple[Network, Array]:
    network = Network([layer], shape, backend=backend, dtype=np.float64, rng=0)
    return network, backend.asarray(np.random.default_rng(1).standard_normal((5, *network.input_shape)))


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda value: repr(value))
def test_sigma_is_the_largest_singular_value_from_the_first_pass_on(layer: Any, shape: Any, backend: Backend) -> None:
    network, x = made(layer, shape, backend)
    network.forward(x)
    bound: Any = network.layers[0]
    assert float(bound.sigma) == pytest.approx(largest(backend.to_host(bound.W)), rel=1e-12)
    assert largest(backend.to_host(bound.inner.W)) == pytest.approx(1, rel=1e-12)


def test_sigma_follows_weights_that_move(backend: Backend) -> None:
    """One power iteration per step, while Adam moves W by 0.001 a step: within 1 % all the time."""
    network, x = made(SpectralNorm(Linear(7, 4)), 7, backend)
    layer, adam, rng = network.layers[0], Adam(lr=0.001).bind(network), np.random.default_rng(2)
    dy = backend.asarray(rng.standard_normal((5, 4)))
    for _ in range(200):
        network.forward(x)
        assert float(layer.sigma) == pytest.approx(largest(backend.to_host(layer.W)), rel=0.01)
        network.backward_params(dy)
        adam.step()


def test_the_size_of_W_doesnt_matter(backend: Backend) -> None:
    network, x = made(SpectralNorm(Linear(7, 4, bias=False)), 7, backend)
    before = backend.to_host(network.forward(x)).copy()
    network.params *= 1000
    np.testing.assert_allclose(backend.to_host(network.forward(x)), before, rtol=1e-10)


def test_evaluation_moves_nothing(backend: Backend) -> None:
    network, x = made(SpectralNorm(Linear(7, 4)), 7, backend)
    network.params[...] = backend.asarray(np.random.default_rng(3).standard_normal(network.params.shape))
    state = backend.to_host(network.state).copy()
    network.forward(x, training=False)
    np.testing.assert_array_equal(backend.to_host(network.state), state)
    network.forward(x)
    assert (backend.to_host(network.state) != state).any()


def test_it_is_saved_and_copied_like_any_layer(backend: Backend) -> None:
    layer = SpectralNorm(Linear(7, 4))
    assert restore(describe(layer)) == layer
    network, x = made(layer, 7, backend)
    network.params *= 2
    twin = copy.deepcopy(network)
    np.testing.assert_array_equal(backend.to_host(twin.forward(x)), backend.to_host(network.forward(x)))


def test_a_layer_without_weights_is_refused() -> None:
    for layer in (ReLU(), Linear, 3):
        with pytest.raises(InputError, match=r"SpectralNorm: .*"):
            SpectralNorm(layer)  # type: ignore[arg-type]
