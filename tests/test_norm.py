"""Normalisations beyond the table of layers: running averages, two modes, PyTorch's numbers, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nanogan import BatchNorm, InputError, InstanceNorm, Network, ShapeError
from nanogan.backend import Array, Backend
from nanogan.numerics import channel_sums

# torch.nn.BatchNorm1d(2) of PyTorch 2.13 in float64, weight (1.5, -0.5), bias (0.25, 2)
X = np.array([[1.0, -2.0], [3.0, 0.5], [4.0, 0.25], [-2.0, 7.0]])
DY = np.array([[1.0, 0.0], [0.5, -1.0], [0.0, 2.0], [-3.0, 1.0]])
Y = [
    [-0.077326523614591, 2.512165333985774],
    [1.231979570843772, 2.139681454723393],
    [1.886632618072953, 2.176929842649631],
    [-2.041285665302135, 1.171223368641202],
]
DX = [
    [1.067707626914856, 0.027597182335555],
    [0.070142355401338, 0.210699529325541],
    [-0.592303542162717, -0.23969200531782],
    [-0.545546440153478, 0.001395293656724],
]
GRADS = [4.691680171809134, 1.229196801565857, -1.5, 2.0]  # of weight, then of bias
AFTER_X = [0.15, 0.14375, 1.6, 2.4015625]  # running mean, then running variance
AFTER_2X = [0.435, 0.416875, 4.24, 8.16765625]
EVAL_Y = [
    [0.661581898818164, 2.4228391607586928],
    [2.1185089742806915, 1.985457044639021],
    [2.8469725120119556, 2.029195256250988],
    [-1.5238087143756274, 0.8482635427278744],
]
EVAL_DX = [
    [0.7284635377312638, 0.0],
    [0.3642317688656319, 0.1749528464478687],
    [0.0, -0.3499056928957374],
    [-2.1853906131937917, -0.1749528464478687],
]


@pytest.mark.parametrize("shape", [(4, 2), (2, 1, 2, 2), (1, 4, 1, 2)])
def test_batch_norm_gives_pytorchs_numbers(backend: Backend, shape: tuple[int, ...]) -> None:
    """Four numbers a channel, as rows or spread over images."""
    network = Network([BatchNorm(2)], shape[1:], backend=backend, dtype=np.float64)
    network.params[...] = backend.asarray(np.array([1.5, -0.5, 0.25, 2.0]))
    x, dy = (backend.asarray(host.reshape(shape)) for host in (X, DY))

    def close(got: Array, expected: Any, rows: tuple[int, ...] = (4, 2)) -> None:
        np.testing.assert_allclose(backend.to_host(got).reshape(rows), expected, rtol=1e-12, atol=1e-12)

    close(network.forward(x), Y)
    close(network.layers[0].backward(dy), DX)
    close(network.grads, GRADS, (4,))
    close(network.state, AFTER_X, (4,))
    network.forward(2 * x)
    close(network.state, AFTER_2X, (4,))
    close(network.forward(x, training=False), EVAL_Y)
    close(network.backward_input(dy), EVAL_DX)
    close(network.state, AFTER_2X, (4,))


def test_the_gradient_in_evaluation_is_the_slope_of_evaluation(backend: Backend) -> None:
    """mean and var are constants there: dgamma = sum of dy xhat with the running averages' xhat."""
    network = Network([BatchNorm(2)], 2, backend=backend, dtype=np.float64)
    network.forward(backend.asarray(3 * X + 1))
    before = backend.to_host(network.forward(backend.asarray(X), training=False)).copy()
    network.layers[0].backward(backend.asarray(DY))
    for at, grad in enumerate(backend.to_host(network.grads).copy()):
        network.params[at] += 1e-3  # y is linear in gamma and beta: no limit to take
        moved = backend.to_host(network.forward(backend.asarray(X), training=False))
        assert ((moved - before) * DY).sum() / 1e-3 == pytest.approx(grad, rel=1e-9)
        network.params[at] -= 1e-3


def test_float32_keeps_its_digits_on_a_large_batch_far_from_zero(backend: Backend) -> None:
    """65,536 numbers a channel around 100 with deviation 1: the mean is off by a unit of its last place or two."""
    rng = np.random.default_rng(0)
    x = (100 + rng.standard_normal((256, 16, 16, 3))).astype(np.float32)
    y = backend.to_host(Network([BatchNorm(3)], x.shape[1:], backend=backend).forward(backend.asarray(x)))
    exact = x.astype(np.float64)
    expected = (exact - exact.mean(axis=(0, 1, 2))) / np.sqrt(exact.var(axis=(0, 1, 2)) + 1e-5)
    np.testing.assert_allclose(y, expected, rtol=0, atol=5e-5)


def test_channel_sums_are_exact_where_one_long_sum_is_not() -> None:
    """A float32 has 24 bits: adding 1 to 2^24 changes nothing, so one sum of 2^25 ones would stay there."""
    x = np.ones((2048, 128, 128, 1), np.float32)
    assert channel_sums(x, work=np.empty((128, 128, 1), np.float32)) == [2.0**25]
    x = np.full((1000, 30, 30, 2), 0.1, np.float32)
    np.testing.assert_allclose(channel_sums(x, work=np.empty((30, 30, 2), np.float32)), 90_000, rtol=1e-5)
    assert abs(x.reshape(-1, 2).sum(axis=0)[0] / 90_000 - 1) > 1e-3


def test_one_number_a_channel_has_no_variance(backend: Backend) -> None:
    network = Network([BatchNorm(2)], 2, backend=backend)
    one = backend.asarray(np.ones((1, 2), np.float32))
    with pytest.raises(InputError, match=r"BatchNorm.*one value per channel has no variance; train on batches of 2"):
        network.forward(one)
    network.forward(one, training=False)


def test_settings_and_shapes_that_make_no_sense_are_refused() -> None:
    for setting in ({"momentum": 1.5}, {"momentum": -0.1}, {"eps": 0.0}):
        with pytest.raises(InputError, match=r"momentum must lie in \[0, 1\], and eps must be positive"):
            BatchNorm(2, **setting)
    with pytest.raises(ShapeError, match=r"BatchNorm.*last axis has 3 channels, got \(4, 4, 1\)"):
        Network([BatchNorm(3)], (4, 4, 1))
    with pytest.raises(InputError, match=r"InstanceNorm.*eps must be positive"):
        InstanceNorm(eps=0)
    for shape in ((3,), (1, 1, 3)):
        with pytest.raises(ShapeError, match=r"InstanceNorm.*\(height, width, channels\), at least 2 pixels, got"):
            Network([InstanceNorm()], shape)


def test_instance_norm_leaves_the_rows_of_a_batch_apart(backend: Backend) -> None:
    x = np.random.default_rng(0).standard_normal((3, 4, 5, 2))
    network = Network([InstanceNorm()], (4, 5, 2), backend=backend, dtype=np.float64)
    together = backend.to_host(network.forward(backend.asarray(x))).copy()
    alone = [backend.to_host(network.forward(backend.asarray(x[n : n + 1].copy()))).copy() for n in range(3)]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=0, atol=1e-14)
    np.testing.assert_allclose(together.mean(axis=(1, 2)), 0, atol=1e-14)
    np.testing.assert_allclose(together.var(axis=(1, 2)), 1, atol=1e-4)
