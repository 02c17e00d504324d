"""Layers that know the class of each row, the network that tells them, and the two steps of a conditional GAN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nanogan import (
    BatchNorm,
    BCEWithLogits,
    ConditionalBatchNorm,
    Embedding,
    InputError,
    LeakyReLU,
    Linear,
    Network,
    Projection,
    Sequential,
    ShapeError,
    Tanh,
)
from nanogan.backend import Array, Backend
from nanogan.gan import discriminator_gradients, generator_gradients
from nanogan.gradcheck.checks import check_network, check_step
from nanogan.layer import Layer

CLASSES = 3
GENERATOR: list[Layer] = [Embedding(3, 2), Linear(4, 5), ConditionalBatchNorm(5, 3), Tanh(), Linear(5, 3)]
DISCRIMINATOR: list[Layer] = [Linear(3, 4), LeakyReLU(), Projection(4, 3)]
WITH_STATISTICS: list[Layer] = [Linear(3, 4), BatchNorm(4), LeakyReLU(), Projection(4, 3)]


def network(backend: Backend, layers: list[Layer], inputs: int, **settings: Any) -> Network:
    return Network(layers, inputs, backend=backend, **{"dtype": np.float64, "rng": 0, **settings})


def labels_of(backend: Backend, *classes: int) -> Array:
    return backend.asarray(np.array(classes))


@pytest.mark.parametrize("name", ["E", "gamma"])
def test_the_gradients_of_a_class_that_occurs_twice_add_up(backend: Backend, name: str) -> None:
    """Written out as a scatter: row by row, in a loop. A class that doesn't occur has none."""
    layer: Layer = Embedding(4, 2) if name == "E" else ConditionalBatchNorm(2, 4, eps=0.1)
    net, labels = network(backend, [layer], 2), (1, 3, 1, 1, 0)
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((5, 2)), rng.standard_normal((5, 4 if name == "E" else 2))
    net.forward(backend.asarray(x), labels=labels_of(backend, *labels))
    net.backward_params(backend.asarray(dy))
    xhat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 0.1)
    rows, expected = dy[:, 2:] if name == "E" else dy * xhat, np.zeros((4, 2))
    for row, c in zip(rows, labels, strict=True):
        expected[c] += row
    np.testing.assert_allclose(backend.to_host(getattr(net.layers[0], f"d{name}")), expected)
    assert (expected[2] == 0).all()


def test_a_class_is_drawn_alike_whatever_stands_beside_it(backend: Backend) -> None:
    """In evaluation: labels go to the rows that they stand beside, in nested layers too."""
    layers: list[Layer] = [
        Sequential([Embedding(3, 2), Sequential([Linear(4, 3), ConditionalBatchNorm(3, 3)])]),
        Tanh(),
    ]
    net = network(backend, layers, 2)
    net.params[...] = backend.asarray(np.random.default_rng(1).standard_normal(net.params.size))
    z = np.random.default_rng(0).standard_normal((3, 2))
    together = backend.to_host(net.forward(backend.asarray(z), False, labels_of(backend, 2, 0, 2))).copy()
    for row, c in enumerate((2, 0, 2)):
        alone = net.forward(backend.asarray(z[row : row + 1]), training=False, labels=labels_of(backend, c))
        np.testing.assert_allclose(backend.to_host(alone)[0], together[row], rtol=1e-12)
    others = backend.to_host(net.forward(backend.asarray(z), False, labels_of(backend, 1, 1, 1)))
    assert (others != together).all()
    assert net.classes == 3 and net.uses_labels and len(net.label_layers()) == 2


def test_conditional_networks_are_proved(backend: Backend) -> None:
    for layers, inputs in ((GENERATOR, 2), (DISCRIMINATOR, 3), (WITH_STATISTICS, 3)):
        report = check_network(network(backend, layers, inputs), batch=5)
        assert report.passed, report


def test_batch_norm_of_one_class_is_batch_norm(backend: Backend) -> None:
    """In values, gradients and running statistics, in training and in evaluation."""
    rng = np.random.default_rng(0)
    plain, by_class = (
        Network([layer], (3, 2, 2), backend=backend, dtype=np.float64)
        for layer in (BatchNorm(2), ConditionalBatchNorm(2, 1))
    )
    values = backend.asarray(rng.standard_normal(4))
    plain.params[...] = by_class.params[...] = values
    x, dy = (backend.asarray(rng.standard_normal((4, 3, 2, 2))) for _ in range(2))
    one = labels_of(backend, 0, 0, 0, 0)
    for training in (True, False):
        pairs = [(plain.forward(x, training), by_class.forward(x, training, one))]
        pairs += [(plain.layers[0].backward(dy), by_class.layers[0].backward(dy))]
        pairs += [(plain.grads, by_class.grads), (plain.state, by_class.state)]
        for expected, got in pairs:
            np.testing.assert_allclose(backend.to_host(got), backend.to_host(expected), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("D_layers", [DISCRIMINATOR, WITH_STATISTICS], ids=["one batch", "one after the other"])
def test_both_steps_are_the_slopes_of_their_losses(backend: Backend, D_layers: list[Layer]) -> None:
    G, D = network(backend, GENERATOR, 2), network(backend, D_layers, 3, rng=1)
    rng = np.random.default_rng(0)
    loss = BCEWithLogits().bind(backend, np.float64)
    real, z = (backend.asarray(rng.standard_normal((n, size))) for n, size in ((5, 3), (4, 2)))
    labels, asked = labels_of(backend, 0, 2, 2, 1, 0), labels_of(backend, 1, 1, 2, 1)

    def of_D() -> Any:
        return discriminator_gradients(D, loss, real, G.forward(z, labels=asked), labels=labels, fake_labels=asked)

    for report in (
        check_step(of_D, D, G),
        check_step(lambda: generator_gradients(G, D, loss, G.forward(z, labels=asked), labels=asked), G, D),
    ):
        assert report.passed, report
        assert all(row.checked for row in report.rows)
    _, says_real, says_fake = of_D()
    for says, images, classes in (
        (says_real.copy(), real, labels),
        (says_fake.copy(), G.forward(z, labels=asked), asked),
    ):
        np.testing.assert_allclose(
            backend.to_host(says), backend.to_host(D.forward(images, labels=classes)), rtol=1e-12
        )


@pytest.mark.parametrize(
    "labels, message",
    [
        (None, r"network: it tells 3 classes apart: give that of each row, labels=\(N,\)"),
        (np.array([0, 1]), r"expected a label for each row, \(3,\), got \(2,\)"),
        (np.array([[0, 1, 2]]), r"expected a label for each row, \(3,\), got \(1, 3\)"),
        (np.array([0.0, 1.0, 2.0]), "expected labels as an array of .* of whole numbers"),
        (np.array([True, False, True]), "of whole numbers"),
        ([0, 1, 2], "of whole numbers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(backend: Backend, labels: Any, message: str) -> None:
    net = network(backend, GENERATOR, 2)
    given = backend.asarray(labels) if isinstance(labels, np.ndarray) else labels
    with pytest.raises(InputError, match=message):
        net.forward(backend.asarray(np.zeros((3, 2))), labels=given)


@pytest.mark.parametrize("classes", [(0, 1, 3), (-1, 0, 1)])
def test_a_class_that_there_is_not_is_refused_on_the_host(classes: tuple[int, ...]) -> None:
    net = Network(GENERATOR, 2, rng=0)
    with pytest.raises(InputError, match=r"expected labels in 0 ... 2, got"):
        net.forward(np.zeros((3, 2), np.float32), labels=np.array(classes))


def test_labels_that_nobody_uses_are_refused(backend: Backend) -> None:
    net = network(backend, [Linear(2, 1)], 2)
    with pytest.raises(InputError, match="labels were given, but none of its layers uses them; leave them out"):
        net.forward(backend.asarray(np.zeros((3, 2))), labels=labels_of(backend, 0, 0, 0))


def test_a_discriminator_says_which_labels_are_missing(backend: Backend) -> None:
    loss = BCEWithLogits().bind(backend, np.float64)
    images, labels = backend.asarray(np.zeros((3, 3))), labels_of(backend, 0, 1, 2)
    for layers in (DISCRIMINATOR, WITH_STATISTICS):
        D = network(backend, layers, 3)
        given: tuple[dict[str, Any], ...] = ({}, {"labels": labels}, {"fake_labels": labels})
        for options in given:
            with pytest.raises(InputError, match="it tells 3 classes apart"):
                discriminator_gradients(D, loss, images, images, **options)
    plain = network(backend, [Linear(3, 1)], 3)
    with pytest.raises(InputError, match="none of its layers uses them"):
        discriminator_gradients(plain, loss, images, images, labels=labels, fake_labels=labels)


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: Network([Embedding(3, 2), Linear(4, 2), ConditionalBatchNorm(2, 4)], 2),
            r"different numbers of classes",
        ),
        (lambda: Embedding(0, 2), "classes must be at least 1"),
        (lambda: Embedding(2, 0), "size must be at least 1"),
        (lambda: Projection(2, 0), "classes must be at least 1"),
        (lambda: ConditionalBatchNorm(2, 0), "classes must be at least 1"),
        (lambda: ConditionalBatchNorm(2, 3, momentum=2.0), "momentum must lie in"),
    ],
)
def test_layers_that_make_no_sense_are_refused(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_a_layer_names_the_shape_it_expected() -> None:
    with pytest.raises(ShapeError, match=r"Projection.*expected inputs of shape \(4,\), got \(3,\)"):
        Network([Projection(4, 2)], 3)
    with pytest.raises(ShapeError, match=r"Embedding.*expected inputs of shape \(n,\), got \(2, 3\)"):
        Network([Embedding(4, 2)], (2, 3))
    with pytest.raises(ShapeError, match="last axis has 4 channels"):
        Network([ConditionalBatchNorm(4, 2)], 3)
