"""Bound objects are pickled, deep-copied and sent to another process with their views intact; threads share a G."""

import copy
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

import double
import numpy as np
import pytest
from cases import LAYER_CASES
from tiny import TINY, tiny_trainer

from nanogan import (
    SGD,
    Adam,
    BatchNorm,
    BCEWithLogits,
    Dropout,
    Layer,
    LeakyReLU,
    Linear,
    Network,
    Skip,
    discriminator_gradients,
)
from nanogan.backend import NUMPY
from nanogan.backends import get_backend
from nanogan.errors import InputError
from nanogan.training import generate

WAYS: dict[str, Any] = {"deepcopy": copy.deepcopy, "pickle": lambda it: pickle.loads(pickle.dumps(it))}
LAYERS = [Linear(2, 6), BatchNorm(6), Dropout(0.3), Skip([Linear(6, 3), LeakyReLU()]), Linear(9, 1)]


def made(optimizer: Any = Adam(lr=1e-2, betas=(0.5, 0.9))) -> Any:  # noqa: B008 (a description, which nothing changes)
    """A network with dropout, statistics and nested layers, its optimizer and loss, after three steps."""
    network = Network(LAYERS, 2, rng=5)
    parts: Any = (network, optimizer.bind(network), BCEWithLogits().bind())
    for seed in range(3):
        step(parts, seed)
    return parts


def step(parts, seed):
    network, optimizer, loss = parts
    real, fake = np.random.default_rng(seed).standard_normal((2, 8, 2), dtype=np.float32)
    discriminator_gradients(network, loss, real, fake)
    optimizer.step()


def numbers(network, optimizer):
    return [network.params, network.state, *optimizer.moments.values()]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("optimizer", [Adam(lr=1e-2), SGD(lr=1e-2, momentum=0.9, weight_decay=0.1)])
def test_a_copy_trains_as_the_original_would_and_apart_from_it(way, optimizer):
    original, expected = made(optimizer), made(optimizer)
    copied = WAYS[way](original)
    before = [array.copy() for array in numbers(*original[:2])]
    for seed in range(3, 6):
        step(copied, seed)
        step(expected, seed)
    for mine, theirs in zip(numbers(*copied[:2]), numbers(*expected[:2]), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for old, array in zip(before, numbers(*original[:2]), strict=True):
        np.testing.assert_array_equal(old, array)
    assert copied[1].network is copied[0] and copied[1].t == 6 and original[1].t == 3


@pytest.mark.parametrize("way", WAYS)
def test_the_layers_of_a_copy_are_views_of_its_vectors(way):
    network = made()[0]
    copied = WAYS[way](network)
    np.testing.assert_array_equal(copied.grads, network.grads)
    for vector in (copied.params, copied.state):
        vector += 1
    for name, array in copied.arrays().items():
        np.testing.assert_array_equal(array, network.arrays()[name] + np.float32(1))
    copied.grads[...] = 7
    assert (copied.layers[0].dW == 7).all() and not (network.layers[0].dW == 7).any()
    assert copied.layers[2].rng.bit_generator.state == network.layers[2].rng.bit_generator.state


@pytest.mark.parametrize("way", WAYS)
def test_networks_that_share_random_numbers_go_on_sharing_them(way):
    rng = np.random.default_rng(0)
    G, D = (Network([Linear(2, 2), Dropout(0.5)], 2, rng=rng) for _ in range(2))
    G, D = WAYS[way]((G, D))
    assert G.rng is D.rng and G.layers[1].rng is D.rng and G.rng is not rng
    assert G.rng.bit_generator.state == rng.bit_generator.state


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", LAYER_CASES, ids=lambda case: case.name)
def test_every_layer_survives_in_its_network_and_as_a_description(way, case):
    assert repr(WAYS[way](case.layer)) == repr(case.layer)
    network = Network([case.layer], case.input_shape, rng=0)
    copied = WAYS[way](network)
    x = np.random.default_rng(1).standard_normal((6, *network.input_shape), dtype=np.float32)
    np.testing.assert_array_equal(copied.forward(x, False), network.forward(x, False))
    with pytest.raises(InputError, match=r"is part of a network: copy the Network, or take copy\.copy\(.*\), unbound"):
        WAYS[way](network.layers[0])  # its arrays are views
    assert repr(copy.copy(network.layers[0])) == repr(case.layer) and not copy.copy(network.layers[0]).is_bound


@dataclass
class Scaled(Layer):
    """A layer of one's own, with a number that it made for itself."""

    scale: float

    def __post_init__(self) -> None:
        self.twice = 2 * self.scale

    def forward(self, x, training=True):
        return x * np.float32(self.twice)


@pytest.mark.parametrize("way", WAYS)
def test_a_layer_of_ones_own_needs_nothing_for_it(way):
    network = WAYS[way](Network([Scaled(3.0)], 2))
    assert (network.forward(np.ones((1, 2), np.float32)) == 6).all()


@pytest.mark.parametrize("way", WAYS)
def test_settings_that_were_changed_on_the_way_are_copied(way):
    network, optimizer, _ = made()
    optimizer.lr, network.layers[2].p = 0.5, 0.75
    network, optimizer = WAYS[way]((network, optimizer))
    assert optimizer.lr == 0.5 and network.layers[2].p == 0.75


def test_on_a_gpu_numbers_come_back_to_the_same_device():
    backend = double.backend()
    network = Network(LAYERS, 2, backend=backend, rng=0)
    copied = copy.deepcopy(network)
    assert copied.backend is backend and isinstance(copied.params, backend.xp.ndarray)
    np.testing.assert_array_equal(backend.to_host(copied.params), backend.to_host(network.params))


def test_a_backend_is_the_one_of_that_name():
    assert pickle.loads(pickle.dumps(NUMPY)) is NUMPY is get_backend() is copy.deepcopy(NUMPY)


@pytest.mark.parametrize("way", WAYS)
def test_a_whole_trainer_goes_on_as_it_would(way):
    trainer = tiny_trainer(steps=4, recipe=replace(TINY, ema_decay=0.9))
    copied: Any = WAYS[way](trainer)
    assert trainer.ema
    for one in (trainer, copied):
        for _ in range(3):
            one.step()
    np.testing.assert_array_equal(copied.G.params, trainer.G.params)
    np.testing.assert_array_equal(copied.ema.network.params, trainer.ema.network.params)
    np.testing.assert_array_equal(copied.sample(), trainer.sample())


def trained_elsewhere(parts, seed):
    step(parts, seed)
    return parts[0]


def test_a_process_pool_computes_and_trains_the_same():
    parts = made()
    x = np.ones((3, 2), np.float32)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        forward = pool.submit(parts[0].forward, x, False).result(60)
        trained = pool.submit(trained_elsewhere, parts, 9).result(60)
    np.testing.assert_array_equal(forward, parts[0].forward(x, False))
    step(parts, 9)
    np.testing.assert_array_equal(trained.params, parts[0].params)


# ---- work arrays


def test_what_forward_returns_is_overwritten_and_what_generate_returns_is_not():
    trainer = tiny_trainer()
    G, zs = trainer.G, [np.full((2, 2), value, np.float32) for value in (0, 1)]
    trap = [G.forward(z) for z in zs]
    assert np.shares_memory(trap[0], trap[1])
    one, other = (generate(G, TINY, z) for z in zs)
    assert not np.shares_memory(one, other) and not np.array_equal(one, other)


def test_threads_that_share_a_generator_get_their_own_images():
    trainer = tiny_trainer()
    rng = np.random.default_rng(0)
    noises = [rng.standard_normal((500, 2), dtype=np.float32) for _ in range(8)]
    expected = [generate(trainer.G, TINY, z) for z in noises]
    wrong: list[int] = []

    def draw(number):
        for _ in range(20):
            if not np.array_equal(generate(trainer.G, TINY, noises[number]), expected[number]):
                wrong.append(number)

    threads = [threading.Thread(target=draw, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
