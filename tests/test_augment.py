"""The layers that change what D sees: how they draw, that nothing is changed in evaluation, and what they refuse.

`test_layers.py` holds them to their textbook forms and to finite differences, `test_golden_augment.py` to PyTorch.
"""

from __future__ import annotations

import numpy as np
import pytest

from nanogan import (
    BatchNorm,
    BCEWithLogits,
    Brightness,
    Contrast,
    Cutout,
    Flatten,
    InputError,
    LeakyReLU,
    Linear,
    Network,
    ShapeError,
    Translation,
)
from nanogan.augment import AUGMENTATIONS, Augmentation, augmentations
from nanogan.backend import Array, Backend
from nanogan.gan import discriminator_gradients

SHAPE = (14, 28, 1)
KINDS: list[Augmentation] = [Brightness(), Contrast(), Translation(0.125), Cutout()]
every_kind = pytest.mark.parametrize("layer", KINDS, ids=lambda layer: type(layer).__name__)


def changed(layer: Augmentation, x: Array, seed: int = 0) -> Array:
    return Network([layer], x.shape[1:], dtype=np.float64, rng=seed).forward(x).copy()


@every_kind
def test_every_pass_draws_anew_for_each_image_from_the_networks_generator(
    layer: Augmentation, backend: Backend
) -> None:
    network = Network([layer], SHAPE, backend=backend, rng=0)
    x = backend.asarray(np.random.default_rng(0).uniform(-1, 1, (1, *SHAPE)).repeat(6, axis=0).astype(np.float32))
    first, second = (backend.to_host(network.forward(x)).copy() for _ in range(2))
    assert len(np.unique(first.reshape(6, -1), axis=0)) > 3 and (first != second).any()
    before = network.rng.bit_generator.state
    third = backend.to_host(network.forward(x)).copy()
    network.rng.bit_generator.state = before
    np.testing.assert_array_equal(backend.to_host(network.forward(x)), third)


@every_kind
def test_in_evaluation_nothing_is_changed_and_nothing_drawn(layer: Augmentation) -> None:
    network = Network([layer], SHAPE, rng=0)
    x = np.random.default_rng(0).standard_normal((3, *SHAPE)).astype(np.float32)
    before = network.rng.bit_generator.state
    assert network.forward(x, training=False) is x
    assert network.backward_input(x) is x and network.forward_tangent(x) is x
    assert network.rng.bit_generator.state == before


def test_brightness_and_contrast_are_uniform_over_their_range() -> None:
    x = np.random.default_rng(1).uniform(-1, 1, (2000, 2, 2, 1))
    b = (changed(Brightness(0.5), x) - x).reshape(2000, -1)
    np.testing.assert_allclose(b.std(axis=1), 0, atol=1e-12)
    assert -0.5 <= b.min() < -0.49 and 0.49 < b.max() <= 0.5 and b[:, 0].std() == pytest.approx(1 / 12**0.5, rel=0.05)
    y = changed(Contrast(0.5), x)
    axes = (1, 2, 3)
    np.testing.assert_allclose(y.mean(axis=axes), x.mean(axis=axes), atol=1e-12)
    c = y.std(axis=axes) / x.std(axis=axes)
    assert 0.5 <= c.min() < 0.51 and 1.49 < c.max() <= 1.5 and c.mean() == pytest.approx(1, abs=0.03)


def test_every_shift_up_to_an_eighth_comes_up_equally_often() -> None:
    x = np.zeros((5000, 16, 8, 1))
    x[:, 8, 4] = 1
    y = changed(Translation(0.125), x)
    assert (y.sum(axis=(1, 2, 3)) == 1).all()
    counts = y.sum(axis=0)[6:11, 3:6, 0]
    assert counts.sum() == 5000 and abs(counts / 5000 - 1 / 15).max() < 0.015


def test_a_cut_rectangle_has_half_the_sides_and_its_centre_anywhere() -> None:
    y = changed(Cutout(0.5, fill=7.0), np.zeros((3000, 12, 8, 1)))
    cut = (y == 7)[..., 0]
    rows, columns = cut.any(axis=2), cut.any(axis=1)
    assert rows.sum(axis=1).max() == 6 and columns.sum(axis=1).max() == 4
    np.testing.assert_array_equal(cut, rows[:, :, None] & columns[:, None, :])
    assert (rows.sum(axis=1) == 6).mean() == pytest.approx(7 / 13, abs=0.04)  # wholly inside
    visible = (66 / 13 / 12) * (30 / 9 / 8)  # of 12 rows 6 in 7 of 13 places, then 3, 4, 5 on each side; columns alike
    assert cut.mean() == pytest.approx(visible, abs=0.005) and cut.mean(axis=0).min() > 0.04


def test_what_is_cut_away_or_moved_out_passes_no_gradient_back() -> None:
    x, ones = np.zeros((200, *SHAPE)), np.ones((200, *SHAPE))
    cut = Network([Cutout()], SHAPE, dtype=np.float64, rng=0)
    y = cut.forward(x + 1)
    np.testing.assert_array_equal(cut.backward_input(ones), y)
    moved = Network([Translation(0.3)], SHAPE, dtype=np.float64, rng=0)
    y = moved.forward(x + 1)
    assert moved.backward_input(ones).sum() == y.sum() < 200 * 14 * 28


def test_real_and_generated_images_are_changed_in_both_forms_of_ds_step() -> None:
    """As one batch, and one after the other: D's first layer after the changes never sees an image as it is."""
    images = np.ones((2, 8, 4, 4, 1)) * np.array([0.25, 0.75]).reshape(2, 1, 1, 1, 1)
    for norm in ([], [BatchNorm(3)]):
        D = Network(
            [Brightness(), Flatten(), Linear(16, 3), *norm, LeakyReLU(), Linear(3, 1)],
            (4, 4, 1),
            dtype=np.float64,
            rng=0,
        )
        seen: list[Array] = []
        forward = D.layers[2].forward

        def watched(x: Array, training: bool = True, forward=forward, seen=seen) -> Array:
            seen.append(x[:, 0].copy())
            return forward(x, training)

        D.layers[2].forward = watched  # type: ignore[method-assign]
        discriminator_gradients(D, BCEWithLogits().bind(dtype=np.float64), *images)
        values = np.concatenate(seen)
        assert len(values) == 16 and len(np.unique(values)) == 16
        assert (abs(values[:8] - 0.25) <= 0.5).all() and (abs(values[8:] - 0.75) <= 0.5).all()


def test_names_make_layers_in_one_order_and_mistakes_are_named() -> None:
    made = augmentations(["cutout", "brightness"], (0, 1))
    assert made == (Brightness(0.25), Cutout(fill=0.0)) and augmentations([]) == ()
    assert [type(layer).__name__.lower() for layer in augmentations(AUGMENTATIONS)] == list(AUGMENTATIONS)
    with pytest.raises(InputError, match="augmentation 'flip' is unknown: choose among brightness, contrast"):
        augmentations(["flip"])
    for make, message in (
        (lambda: Brightness(-0.1), r"Brightness\(most=-0.1\): most must be at least 0$"),
        (lambda: Contrast(1), r"most must be at least 0 and below 1"),
        (lambda: Translation(1.0), r"ratio must be at least 0 and below 1"),
        (lambda: Cutout(float("nan")), r"Cutout: ratio must be a finite number"),
    ):
        with pytest.raises(InputError, match=message):
            make()
    with pytest.raises(ShapeError, match=r"expected images of shape \(height, width, channels\), got \(784,\)"):
        Network([Cutout()], 784)
