"""The textbook forms that exercises are cut from compute what the library computes."""

from __future__ import annotations

import numpy as np
import pytest

from nanogan import MSE, NUMPY, BatchNorm, ConvTranspose2d, Network, plain
from nanogan.gradcheck.derivative import TOLERANCE
from nanogan.learn import textbook
from nanogan.learn.exercises.exercise import slopes
from nanogan.learn.exercises.linear import in_float64

RNG = np.random.default_rng(0)


def test_mse() -> None:
    x, loss = RNG.standard_normal((3, 4)), MSE().bind(NUMPY, np.float64)
    value, dx = textbook.mse(x, 0.7)
    assert value == pytest.approx(float(loss.forward(x, 0.7)), rel=1e-12)
    np.testing.assert_allclose(dx, loss.backward(x, 0.7), rtol=1e-12)


def test_batch_norm() -> None:
    network = Network([BatchNorm(3)], 3, dtype=np.float64)
    layer, fast = textbook.BatchNorm(3), network.layers[0]
    layer.gamma[...], layer.beta[...] = RNG.standard_normal((2, 3))
    fast.gamma[...], fast.beta[...] = layer.gamma, layer.beta
    x, dy = RNG.standard_normal((2, 5, 3))
    np.testing.assert_allclose(layer.forward(x), network.forward(x), rtol=1e-12)
    np.testing.assert_allclose(layer.backward_input(dy), network.backward_input(dy), rtol=1e-10, atol=1e-12)
    layer.backward_params(dy)
    network.backward_params(dy)
    np.testing.assert_allclose(np.concatenate([layer.dgamma, layer.dbeta]), network.grads, rtol=1e-12)


def test_transposed_convolution() -> None:
    network = Network([ConvTranspose2d(2, 3, 4, stride=2)], (3, 2, 2), dtype=np.float64, rng=0)
    layer, fast = textbook.ConvTranspose(2, 3, 4, 2, RNG), network.layers[0]
    layer.W[...], layer.b[...] = fast.W, RNG.standard_normal(3)
    fast.b[...] = layer.b
    x = RNG.standard_normal((2, 3, 2, 2))
    y = layer.forward(x)
    np.testing.assert_allclose(y, network.forward(x), rtol=1e-12)
    dy = RNG.standard_normal(y.shape)
    np.testing.assert_allclose(layer.backward_input(dy), network.backward_input(dy), rtol=1e-12)
    layer.backward_params(dy)
    network.backward_params(dy)
    np.testing.assert_allclose(layer.dW, fast.dW, rtol=1e-12)
    np.testing.assert_allclose(layer.db, fast.db, rtol=1e-12)


def test_r1() -> None:
    """The penalty's gradients are the slopes of its value."""
    rng = np.random.default_rng(1)
    layers = [plain.Linear(3, 4, rng), plain.ReLU(0.2), plain.Linear(4, 1, rng)]
    D, x = plain.Network([in_float64(layer) for layer in layers]), rng.standard_normal((5, 3))
    textbook.r1(D, x, 2.0)
    written = [g.copy() for g in D.grads]
    for g, p in zip(written, D.params, strict=True):
        np.testing.assert_allclose(g, slopes(lambda: textbook.r1(D, x, 2.0), p).values, rtol=TOLERANCE, atol=1e-9)
