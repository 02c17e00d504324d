"""Every optimizer against its textbook form, and the promises of its interface."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nanogan import NUMPY, SGD, Adam, InputError
from nanogan.backend import Array, Backend
from nanogan.gradcheck.optimizers import textbook_adam, textbook_sgd
from nanogan.optim import Optimizer

some_examples = settings(max_examples=20)
rates = st.floats(1e-4, 1.0)
decays = st.sampled_from([0.0, 0.01, 0.3])
below_one = st.floats(0, 0.999)


@dataclass
class Numbers:
    """What an optimizer needs of a network: flat parameters and gradients on a backend."""

    backend: Backend
    params: Array
    grads: Array


def numbers(backend: Backend, start: Array) -> Numbers:
    return Numbers(backend, backend.asarray(start.copy()), backend.asarray(np.zeros_like(start)))


def path(optimizer: Optimizer, backend: Backend, start: Array, gradients: Array) -> Array:
    """The parameters on the host after every step, (steps, numbers)."""
    network = numbers(backend, start)
    attached = optimizer.bind(network)
    rows = []
    for g in gradients:
        network.grads[...] = backend.asarray(g)
        attached.step()
        rows.append(backend.to_host(network.params).copy())
    return np.array(rows)


def random_walk(seed: int, steps: int = 12, count: int = 4) -> tuple[Array, Array]:
    """First values, and gradients of sizes from 1e-6 to 1e3."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal(count), rng.standard_normal((steps, count)) * np.logspace(-6, 3, count)


@given(lr=rates, momentum=below_one, weight_decay=decays, seed=st.integers(0, 1000))
@some_examples
def test_sgd_is_the_textbooks(backend: Backend, lr: float, momentum: float, weight_decay: float, seed: int) -> None:
    start, gradients = random_walk(seed)
    optimizer = SGD(lr=lr, momentum=momentum, weight_decay=weight_decay)
    expected = textbook_sgd(optimizer, start, gradients)
    np.testing.assert_allclose(path(optimizer, backend, start, gradients), expected, rtol=1e-12, atol=1e-12)


@given(
    lr=rates,
    betas=st.tuples(below_one, below_one),
    eps=st.sampled_from([1e-8, 1e-7, 0.1]),
    weight_decay=decays,
    seed=st.integers(0, 1000),
)
@some_examples
def test_adam_is_the_textbooks(
    backend: Backend, lr: float, betas: tuple[float, float], eps: float, weight_decay: float, seed: int
) -> None:
    start, gradients = random_walk(seed)
    optimizer = Adam(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
    expected = textbook_adam(optimizer, start, gradients)
    np.testing.assert_allclose(path(optimizer, backend, start, gradients), expected, rtol=1e-9, atol=1e-11)


def test_what_is_not_said_is_the_textbooks_too() -> None:
    """No momentum, no decay; Adam's betas (0.9, 0.999) and eps 1e-8 as in the paper."""
    assert SGD(lr=0.1) == SGD(lr=0.1, momentum=0.0, weight_decay=0.0)
    assert Adam(lr=0.1) == Adam(lr=0.1, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)


OPTIMIZERS: list[Optimizer] = [
    SGD(lr=0.1),
    SGD(lr=0.1, momentum=0.9, weight_decay=0.01),
    Adam(lr=0.01),
    Adam(lr=0.01, betas=(0.5, 0.999), weight_decay=0.01),
]
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)


class InBlocks(Backend):
    """NumPy, with blocks of so many parameters."""

    def __init__(self, block_size: int) -> None:
        self.block_size = block_size


@every_optimizer
@pytest.mark.parametrize("block_size", [1, 3, 4, 7, 8])
def test_blocks_change_nothing(optimizer: Optimizer, block_size: int) -> None:
    start, gradients = random_walk(0, count=7)
    whole = path(optimizer, InBlocks(100), start, gradients)
    np.testing.assert_array_equal(path(optimizer, InBlocks(block_size), start, gradients), whole)


@every_optimizer
def test_float32_follows_float64(optimizer: Optimizer, backend: Backend) -> None:
    start, gradients = random_walk(1)
    exact = path(optimizer, backend, start, gradients)
    single = path(optimizer, backend, start.astype(np.float32), gradients.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, exact, rtol=1e-4, atol=1e-5)


@every_optimizer
def test_gradients_are_left_alone(optimizer: Optimizer, backend: Backend) -> None:
    network = numbers(backend, np.ones(3))
    network.grads[...] = backend.asarray(np.array([1.0, -2.0, 3.0]))
    optimizer.bind(network).step()
    np.testing.assert_array_equal(backend.to_host(network.grads), [1, -2, 3])


@every_optimizer
def test_attach_makes_a_fresh_optimizer(optimizer: Optimizer, backend: Backend) -> None:
    """One description serves both networks; neither sees the other's moments."""
    start, gradients = random_walk(2)
    expected = path(optimizer, backend, start, gradients)
    first, second = numbers(backend, start), numbers(backend, start)
    one, other = optimizer.bind(first), optimizer.bind(second)
    assert one == other == optimizer
    assert one is not optimizer
    for g in gradients:
        for network, attached in ((first, one), (second, other)):
            network.grads[...] = backend.asarray(g)
            attached.step()
    assert one.t == other.t == len(gradients)
    for network in (first, second):
        np.testing.assert_array_equal(backend.to_host(network.params), expected[-1])
    np.testing.assert_array_equal(path(optimizer, backend, start, gradients), expected)


@every_optimizer
def test_a_changed_rate_counts_from_the_next_step(optimizer: Optimizer, backend: Backend) -> None:
    """Schedules set lr, and the momentum where there is one, between two steps."""
    network = numbers(backend, np.zeros(1))
    network.grads[...] = 1.0
    attached = optimizer.bind(network)
    attached.lr = 2 * optimizer.lr
    attached.step()
    doubled = float(network.params[0])
    other = numbers(backend, np.zeros(1))
    other.grads[...] = 1.0
    replace(optimizer, lr=2 * optimizer.lr).bind(other).step()
    assert doubled == float(other.params[0]) != 0


def test_adams_first_step_is_lr_against_the_gradients_sign(backend: Backend) -> None:
    """Bias correction makes m^ = g and v^ = g^2 at t = 1, whatever the size of g (well above eps)."""
    network = numbers(backend, np.zeros(4))
    network.grads[...] = backend.asarray(np.array([1e3, -1.0, 1e-3, 0.0]))
    Adam(lr=0.25).bind(network).step()
    np.testing.assert_allclose(backend.to_host(network.params), [-0.25, 0.25, -0.25, 0], rtol=1e-4)


@every_optimizer
def test_memory_of_a_step_is_independent_of_the_size(optimizer: Optimizer) -> None:
    def peak(count: int) -> int:
        network = numbers(NUMPY, np.ones(count, np.float32))
        attached = optimizer.bind(network)
        attached.step()
        tracemalloc.start()
        attached.step()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert abs(peak(400_000) - peak(200_000)) < 1024
    attached = optimizer.bind(numbers(NUMPY, np.ones(400_000, np.float32)))
    attached.step()
    assert all(len(work) <= NUMPY.block_size for work in attached._buffers.values())


def test_a_network_without_parameters_has_nothing_to_update(backend: Backend) -> None:
    Adam(lr=0.1, weight_decay=0.1).bind(numbers(backend, np.zeros(0))).step()


@pytest.mark.parametrize(
    "settings",
    [
        {"lr": 0.0},
        {"lr": -1.0},
        {"weight_decay": -0.1},
        {"betas": (1.0, 0.9)},
        {"betas": (0.9, 1.0)},
        {"betas": (-0.1, 0.9)},
        {"eps": 0.0},
    ],
    ids=repr,
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="must"):
        Adam(**{"lr": 0.1, **settings})


def test_settings_at_the_edge_of_their_range_are_taken() -> None:
    assert Adam(lr=1e-9, betas=[0.0, 0.0], eps=1e-30, weight_decay=0.0).betas == (0.0, 0.0)  # type: ignore[arg-type]


def test_an_optimizer_that_has_no_update_is_none() -> None:
    with pytest.raises(NotImplementedError):
        Optimizer(lr=1.0).bind(numbers(NUMPY, np.ones(1))).step()
