"""The two steps of a GAN: their gradients, what they touch, and what they cost."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steps import discriminator_step, generator_step

from nanogan import (
    BCE,
    MSE,
    NUMPY,
    SGD,
    Adam,
    BatchNorm,
    BCEWithLogits,
    Dropout,
    Flatten,
    LeakyReLU,
    Linear,
    Network,
    Pack,
    ReLU,
    Reshape,
    Sigmoid,
    Tanh,
)
from nanogan.backend import Array, Backend
from nanogan.gan import discriminator_gradients, generator_gradients
from nanogan.gradcheck.checks import check_step
from nanogan.layer import Layer
from nanogan.losses import Loss

LOSSES: list[tuple[Loss, list[Layer]]] = [
    (BCEWithLogits(), []),
    (BCE(), [Sigmoid()]),
    (MSE(), []),
    (MSE(reduction="sum"), [Sigmoid()]),
]
"""A loss, and what the discriminator ends in to suit it."""


@dataclass
class Gan:
    """Two small networks, a loss, and a batch of real images and noise on their backend."""

    G: Network
    D: Network
    loss: Loss
    real: Array
    z: Array


def make_gan(
    backend: Backend,
    *,
    widths: tuple[int, ...] = (5, 4),
    image: tuple[int, ...] = (2, 3),
    n: int = 3,
    loss: tuple[Loss, list[Layer]] = LOSSES[0],
    dropout: float = 0.0,
    dtype: Any = np.float64,
    seed: int = 0,
) -> Gan:
    """Every width is a hidden layer of both networks; noise has 2 numbers."""
    rng = np.random.default_rng(seed)
    size = int(np.prod(image))
    G_layers: list[Layer] = []
    D_layers: list[Layer] = [Flatten()]
    last, first = 2, size
    for width in widths:
        G_layers += [Linear(last, width), ReLU()]
        D_layers += [Linear(first, width), LeakyReLU(), Dropout(dropout)]
        last = first = width
    G_layers += [Linear(last, size), Tanh(), Reshape(image)]
    D_layers += [Linear(first, 1), *loss[1]]
    G = Network(G_layers, 2, backend=backend, dtype=dtype, rng=rng)
    D = Network(D_layers, image, backend=backend, dtype=dtype, rng=rng)
    real = backend.asarray(rng.uniform(-1, 1, (n, *image)).astype(dtype))
    z = backend.asarray(rng.standard_normal((n, 2)).astype(dtype))
    return Gan(G, D, loss[0].bind(backend, dtype), real, z)


@given(
    widths=st.lists(st.integers(2, 6), min_size=0, max_size=2).map(tuple),
    image=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple),
    n=st.integers(1, 4),
    loss=st.sampled_from(LOSSES),
    dropout=st.sampled_from([0.0, 0.3]),
    real_label=st.sampled_from([1.0, 0.9]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=12)
def test_both_steps_are_the_slopes_of_their_losses(backend: Backend, n: int, real_label: float, **drawn: Any) -> None:
    gan = make_gan(backend, n=n, **drawn)
    for report in (
        check_step(
            lambda: discriminator_gradients(gan.D, gan.loss, gan.real, gan.G.forward(gan.z), real_label=real_label),
            gan.D,
            gan.G,
            count=6,
        ),
        check_step(lambda: generator_gradients(gan.G, gan.D, gan.loss, gan.G.forward(gan.z)), gan.G, gan.D, count=6),
    ):
        assert report.passed, report
        assert all(row.checked for row in report.rows), report


def test_the_losses_are_those_of_the_two_players(backend: Backend) -> None:
    """Written out: D's is L(D(x), real_label) + L(D(G(z)), 0), G's is L(D(G(z)), 1), both before the update."""
    gan = make_gan(backend)
    fake_logits = backend.to_host(gan.D.forward(gan.G.forward(gan.z))).copy()
    real_logits = backend.to_host(gan.D.forward(gan.real)).copy()

    def cost(logits: Array, t: float) -> float:
        return float(np.mean(np.log1p(np.exp(-np.abs(logits))) + np.maximum(logits, 0) - t * logits))

    g_loss = generator_step(gan.G, gan.D, gan.loss, SGD(lr=1e-9).bind(gan.G), gan.z)
    assert float(g_loss) == pytest.approx(cost(fake_logits, 1.0), rel=1e-8)
    d_loss, says_real, says_fake = discriminator_step(
        gan.G, gan.D, gan.loss, SGD(lr=1e-9).bind(gan.D), gan.real, gan.z, real_label=0.9
    )
    assert float(d_loss) == pytest.approx(cost(real_logits, 0.9) + cost(fake_logits, 0.0), rel=1e-8)
    np.testing.assert_allclose(backend.to_host(says_real), real_logits, rtol=1e-7)
    np.testing.assert_allclose(backend.to_host(says_fake), fake_logits, rtol=1e-7)


def test_the_discriminators_gradient_is_the_sum_of_its_real_and_fake_pass(backend: Backend) -> None:
    """One batch of 2N or two of N: the textbook writes two."""
    gan = make_gan(backend)
    discriminator_step(gan.G, gan.D, gan.loss, SGD(lr=1e-9).bind(gan.D), gan.real, gan.z)
    as_one = backend.to_host(gan.D.grads).copy()
    again = make_gan(backend)
    total = np.zeros_like(as_one)
    for images, t in ((again.real, 1.0), (again.G.forward(again.z), 0.0)):
        again.D.backward_params(again.loss.backward(again.D.forward(images), t))
        total += backend.to_host(again.D.grads)
    np.testing.assert_allclose(as_one, total, rtol=1e-12, atol=1e-15)


def test_batch_statistics_see_real_and_fake_images_apart(backend: Backend) -> None:
    """With BatchNorm in it, D is shown each kind alone, as it will be in the generator's step."""
    rng = np.random.default_rng(0)
    settings: dict[str, Any] = {"backend": backend, "dtype": np.float64, "rng": rng}
    G = Network([Linear(2, 3), BatchNorm(3), Tanh()], 2, **settings)
    D = Network([Linear(3, 4), BatchNorm(4), LeakyReLU(), Linear(4, 1)], 3, **settings)
    loss = BCEWithLogits().bind(backend, np.float64)
    real, z = (backend.asarray(rng.standard_normal(shape)) for shape in ((5, 3), (4, 2)))
    fake = G.forward(z).copy()
    alone = [backend.to_host(D.forward(images)).copy() for images in (real, fake)]

    def gradients() -> tuple[Array, Array, Array]:
        return discriminator_gradients(D, loss, real, G.forward(z), real_label=0.9)

    report = check_step(gradients, D, G)
    assert report.passed, report
    value, *says = gradients()
    for said, expected in zip(says, alone, strict=True):
        np.testing.assert_allclose(backend.to_host(said), expected, rtol=1e-12)
    terms = [float(loss.forward(says[0], 0.9)), float(loss.forward(says[1], 0.0))]
    assert float(value) == pytest.approx(sum(terms), rel=1e-12)
    assert check_step(lambda: generator_gradients(G, D, loss, G.forward(z)), G, D).passed


@pytest.mark.parametrize("size", [2, 3])
def test_a_packed_discriminator_judges_samples_side_by_side(backend: Backend, size: int) -> None:
    """Written out: D without its Pack, on rows that were put side by side by hand, all real or all generated."""
    rng = np.random.default_rng(0)
    settings: dict[str, Any] = {"backend": backend, "dtype": np.float64, "rng": rng}
    layers = [Linear(2 * size, 5), Tanh(), Linear(5, 1)]
    G = Network([Linear(2, 4), BatchNorm(4), Tanh(), Linear(4, 2)], 2, **settings)
    D, unpacked = Network([Pack(size), *layers], 2, **settings), Network(layers, 2 * size, **settings)
    unpacked.params[...] = D.params
    loss = BCEWithLogits().bind(backend, np.float64)
    real, z = (backend.asarray(rng.standard_normal((n * size, 2))) for n in (4, 3))

    def by_hand(points: Array) -> Array:
        host = backend.to_host(points)
        return backend.asarray(np.stack([np.concatenate(host[k : k + size]) for k in range(0, len(host), size)]))

    fake = G.forward(z).copy()
    expected, real_logits, fake_logits = discriminator_gradients(unpacked, loss, by_hand(real), by_hand(fake))
    value, says_real, says_fake = discriminator_gradients(D, loss, real, fake)
    assert float(value) == pytest.approx(float(expected), rel=1e-12)
    for said, written_out in ((says_real, real_logits), (says_fake, fake_logits), (D.grads, unpacked.grads)):
        np.testing.assert_allclose(backend.to_host(said), backend.to_host(written_out), rtol=1e-12, atol=1e-15)

    dlogits = loss.backward(D.forward(fake), 1.0)
    unpacked.forward(by_hand(fake))
    pushes = backend.to_host(unpacked.backward_input(dlogits)).reshape(-1, 2)  # what G learns from, sample by sample
    np.testing.assert_allclose(backend.to_host(D.backward_input(dlogits)), pushes, rtol=1e-12, atol=1e-15)
    assert check_step(lambda: discriminator_gradients(D, loss, real, G.forward(z)), D, G).passed
    assert check_step(lambda: generator_gradients(G, D, loss, G.forward(z)), G, D).passed


def test_a_step_touches_the_player_whose_turn_it_is(backend: Backend) -> None:
    """The other one's parameters and gradients, and the batch, are left as they were."""
    gan = make_gan(backend)
    for mine, other in ((gan.D, gan.G), (gan.G, gan.D)):
        optimizer = Adam(lr=0.01).bind(mine)
        mine.grads[...] = other.grads[...] = 7.0
        watched = (other.params, other.grads, gan.real, gan.z)
        before = [backend.to_host(array).copy() for array in watched]
        start = backend.to_host(mine.params).copy()
        if mine is gan.D:
            discriminator_step(gan.G, gan.D, gan.loss, optimizer, gan.real, gan.z)
        else:
            generator_step(gan.G, gan.D, gan.loss, optimizer, gan.z)
        for array, kept in zip(watched, before, strict=True):
            np.testing.assert_array_equal(backend.to_host(array), kept)
        assert (backend.to_host(mine.params) != start).mean() > 0.5, "all weights move but those of dead ReLUs"
        assert (backend.to_host(mine.grads) != 7).all()
        assert optimizer.t == 1


def test_each_player_gains_against_a_standing_other(backend: Backend) -> None:
    gan = make_gan(backend)
    discriminator, generator = SGD(lr=0.05).bind(gan.D), SGD(lr=0.05).bind(gan.G)
    d = [float(discriminator_step(gan.G, gan.D, gan.loss, discriminator, gan.real, gan.z)[0]) for _ in range(20)]
    assert all(later < earlier for earlier, later in pairwise(d))
    g = [float(generator_step(gan.G, gan.D, gan.loss, generator, gan.z)) for _ in range(20)]
    assert all(later < earlier for earlier, later in pairwise(g))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_real_and_fake_batches_may_differ_in_size(backend: Backend, count: int) -> None:
    """Each term is the mean over its own batch."""
    gan = make_gan(backend, n=3)
    z = backend.asarray(np.random.default_rng(1).standard_normal((count, 2)))
    still = SGD(lr=1e-12).bind(gan.D)
    value, real_logits, fake_logits = discriminator_step(gan.G, gan.D, gan.loss, still, gan.real, z)
    assert (len(real_logits), len(fake_logits)) == (3, count)
    expected = float(gan.loss.forward(real_logits, 1.0)) + float(gan.loss.forward(fake_logits, 0.0))
    assert float(value) == pytest.approx(expected)


def test_float32_stays_float32(backend: Backend) -> None:
    gan = make_gan(backend, dtype=np.float32, dropout=0.3)
    value, real_logits, fake_logits = discriminator_step(
        gan.G, gan.D, gan.loss, Adam(lr=0.01).bind(gan.D), gan.real, gan.z, real_label=0.9
    )
    g_value = generator_step(gan.G, gan.D, gan.loss, Adam(lr=0.01).bind(gan.G), gan.z)
    arrays = [value, g_value, real_logits, fake_logits, gan.D.params, gan.D.grads, gan.G.params, gan.G.grads]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


def vanilla_peak(n: int) -> int:
    """Most bytes held during both steps of the vanilla GAN with a batch of n, once its work arrays are there."""
    rng = np.random.default_rng(0)
    G = Network([Linear(64, 256), ReLU(), Linear(256, 256), ReLU(), Linear(256, 784), Tanh()], 64, rng=rng)
    D = Network(
        [Linear(784, 256), LeakyReLU(), Linear(256, 256), LeakyReLU(), Dropout(0.3), Linear(256, 1)], 784, rng=rng
    )
    loss = BCEWithLogits().bind(NUMPY, np.float32)
    real, z = rng.random((n, 784), np.float32), rng.standard_normal((n, 64), np.float32)
    discriminator, generator = Adam(lr=2e-4).bind(D), Adam(lr=2e-4, weight_decay=0.01).bind(G)

    def step() -> None:
        discriminator_step(G, D, loss, discriminator, real, z)
        generator_step(G, D, loss, generator, z)

    step()
    tracemalloc.start()
    step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_a_training_step_allocates_nothing_that_grows_with_the_batch() -> None:
    few = 8 * 4 * 192  # numbers per logit, which is what the expressions of the losses take
    assert abs(vanilla_peak(256) - vanilla_peak(64)) < 1024 + few, "64 float32 images take 200,704 bytes"


# ---- the choices in which published GANs differ


def test_the_minimax_generator_descends_what_the_discriminator_climbs(backend: Backend) -> None:
    """log(1 - D(G(z))) is minus D's term for fake images, so its value is, too, and its slope is proved like any."""
    gan = make_gan(backend)
    value = generator_gradients(gan.G, gan.D, gan.loss, gan.G.forward(gan.z), saturating=True)
    logits = backend.to_host(gan.D.forward(gan.G.forward(gan.z)))
    assert float(value) == pytest.approx(float(np.log(1 - 1 / (1 + np.exp(-logits))).mean()), rel=1e-10)
    report = check_step(
        lambda: generator_gradients(gan.G, gan.D, gan.loss, gan.G.forward(gan.z), saturating=True), gan.G, gan.D
    )
    assert report.passed, report


def test_the_minimax_generator_hardly_moves_while_the_discriminator_is_sure(backend: Backend) -> None:
    """Goodfellow et al. 2014, section 3: why the other form is used. At D(G(z)) = s the slopes are s and 1 - s."""
    gan = make_gan(backend, widths=())
    gan.D.layers[-1].b[...] = -20.0
    norms = []
    for saturating in (True, False):
        generator_gradients(gan.G, gan.D, gan.loss, gan.G.forward(gan.z), saturating=saturating)
        norms.append(np.linalg.norm(backend.to_host(gan.G.grads)))
    assert 0 < norms[0] < 1e-6 * norms[1]


def test_without_a_second_forward_pass_the_same_fake_images_serve_both_updates(backend: Backend) -> None:
    gan, other = make_gan(backend), make_gan(backend)
    for one, again in ((gan, False), (other, True)):
        D_adam, G_adam = Adam(lr=0.01).bind(one.D), Adam(lr=0.01).bind(one.G)
        fake = one.G.forward(one.z)
        discriminator_gradients(one.D, one.loss, one.real, fake)
        D_adam.step()
        if again:
            fake = one.G.forward(one.z)
        generator_gradients(one.G, one.D, one.loss, fake)
        G_adam.step()
    np.testing.assert_array_equal(backend.to_host(gan.G.params), backend.to_host(other.G.params))


@pytest.mark.parametrize("options", [{}, {"real_label": 0.9}])
def test_simultaneous_updates_start_from_the_same_point(backend: Backend, options: dict) -> None:
    """Each moves as it would against the other standing still; one after the other, G would meet a D that has moved."""
    together, alone, in_turn = make_gan(backend), make_gan(backend), make_gan(backend)
    D_sgd, G_sgd = SGD(lr=0.1).bind(together.D), SGD(lr=0.1).bind(together.G)
    fake = together.G.forward(together.z)
    d_loss, *found = discriminator_gradients(together.D, together.loss, together.real, fake, **options)
    says_real, says_fake = (logits.copy() for logits in found)
    g_loss = generator_gradients(together.G, together.D, together.loss, fake)
    D_sgd.step()
    G_sgd.step()
    expected_g = generator_step(alone.G, alone.D, alone.loss, SGD(lr=0.1).bind(alone.G), alone.z)
    fresh = make_gan(backend)
    expected_d, *says = discriminator_step(
        fresh.G, fresh.D, fresh.loss, SGD(lr=0.1).bind(fresh.D), fresh.real, fresh.z, **options
    )
    assert (float(d_loss), float(g_loss)) == (float(expected_d), float(expected_g))
    for said, expected in zip((says_real, says_fake), says, strict=True):
        np.testing.assert_array_equal(backend.to_host(said), backend.to_host(expected))
    np.testing.assert_array_equal(backend.to_host(together.G.params), backend.to_host(alone.G.params))
    np.testing.assert_array_equal(backend.to_host(together.D.params), backend.to_host(fresh.D.params))
    discriminator_step(
        in_turn.G, in_turn.D, in_turn.loss, SGD(lr=0.1).bind(in_turn.D), in_turn.real, in_turn.z, **options
    )
    generator_step(in_turn.G, in_turn.D, in_turn.loss, SGD(lr=0.1).bind(in_turn.G), in_turn.z)
    assert (backend.to_host(in_turn.G.params) != backend.to_host(together.G.params)).any()
